"""What Prometheus reads: one line for each known number, labels escaped, nothing invented."""

from __future__ import annotations

from p2psync.api.metrics import exposition
from tests.api.serving import STATUS


def test_numbers_of_mandates_and_peers() -> None:
    lines = exposition(STATUS, 12.34).splitlines()
    assert 'p2psync_files{mandate="Cargo"} 3' in lines
    assert 'p2psync_in_sync{mandate="Cargo"} 1' in lines
    assert 'p2psync_to_receive_bytes{mandate="Cargo"} 40' in lines
    assert 'p2psync_peer_connected{mandate="Cargo",device="DDDDDDD",name="PC 3"} 0' in lines
    assert 'p2psync_peer_rtt_milliseconds{mandate="Cargo",device="CCCCCCC",name="PC 2"} 0.4' in lines
    assert "p2psync_uptime_seconds 12.3" in lines


def test_what_is_not_known_is_left_out() -> None:
    text = exposition(STATUS, 0)
    assert 'rtt_milliseconds{mandate="Cargo",device="DDDDDDD"' not in text
    empty = exposition({**STATUS, "mandates": []}, 0)
    assert "p2psync_files" not in empty


def test_labels_are_escaped() -> None:
    assert 'device="Büro \\"1\\""' in exposition(STATUS, 0)


def test_every_family_says_what_it_is() -> None:
    lines = exposition(STATUS, 0).splitlines()
    families = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
    assert families == {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert families == {line.split()[2] for line in lines if line.startswith("# HELP")}
