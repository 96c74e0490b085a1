"""Rules in words: modes, who reads what, what is open, who attaches."""

from __future__ import annotations

from typing import Any

from p2psync.cli import ruling


def test_rules_in_words() -> None:
    rows: list[dict[str, Any]] = [
        {"pattern": "*.crp", "class": "master data", "mode": "enforce", "master": "accounting"},
        {"pattern": "*.ecs", "readers": ["accounting", "payroll"]},
    ]
    text = ruling.rules(rows)
    assert "chart of accounts, master data" in text
    assert "only the master may change it" in text
    assert "Only accounting, payroll" in text
    assert "attached" not in text
    text = ruling.rules([*rows, {"attach": "admins"}, {"open_fields": ["account.cash", "account.blocked"]}])
    assert "files are attached and detached by admins alone" in text
    assert text.endswith("others than the master may change: account.cash, account.blocked") or "account.cash" in text
