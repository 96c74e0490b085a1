"""How the files of a mandate look to people: by the PC that they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from p2psync.cli.rendering import table
from p2psync.cli.values import moment, size
from p2psync.i18n import _

Row = Mapping[str, Any]


def shown(rows: Sequence[Row]) -> str:
    """`mandate show --files`: a paragraph for each PC."""
    return "\n\n".join(_of_device(row) for row in rows)


def _of_device(row: Row) -> str:
    role = row["role"] or _("was a member")
    title = _("{name} ({role}, this PC)") if row["this"] else _("{name} ({role})")
    head = (_("FILE"), _("PERIOD"), _("SAVED"), _("SIZE"), _("STATE"))
    files = (
        (one["path"], one["period"] or "-", moment(one["saved"]), size(one["size"]), _state(one))
        for one in row["files"]
    )
    return "\n".join([title.format(name=row["name"], role=role), table(head, files, "  " + _("no bookkeeping files"))])


def _state(file: Row) -> str:
    missing = file["missing"]
    return _("not yet at {devices}").format(devices=", ".join(missing)) if missing else _("at all devices")
