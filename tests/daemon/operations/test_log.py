"""The signed log: the same on all PCs, checked from its first entry to its last, and enough without p2psync."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from p2psync.core.block import FORMAT, PURPOSE, SIGNATURE_BYTES, Block, SignedBlock, sign_block
from p2psync.core.change import Change
from p2psync.core.clock import Tip
from p2psync.core.ids import DeviceId, LogId, content_of, parse_device, parse_mandate
from p2psync.core.relpath import parse
from p2psync.daemon.operations import log
from p2psync.daemon.rescue import DATABASE_FILE
from p2psync.engine.state import BlockRow
from p2psync.errors import UsageError
from tests.core.making import ANNA, BERT, LOG, M, file, first_block
from tests.daemon.homes import Pc, company, pcs
from tests.daemon.patience import until


def lines(rows: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


async def written(pc: Pc) -> Any:
    return await pc.call("log", mandate="Cargo")


def damage(pc: Pc, statement: str, *values: object) -> None:
    """As a thief of the PC, or a failing disk, would: behind the back of the daemon, which is off."""
    assert pc.node is None
    with closing(sqlite3.connect(pc.config.home / DATABASE_FILE)) as database, database:
        changed = database.execute(statement, values).rowcount
    assert changed == 1


@pytest.mark.asyncio
async def test_who_changed_what_is_told_alike_on_all_pcs(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "first")
        await two.has("a.txt", "first")
        two.save("a.txt", "second")
        await one.has("a.txt", "second")
        (one.folder / "a.txt").unlink()
        await two.has("a.txt", None)
        await one.in_sync(1)

        rows = await written(one)
        files = [row for row in rows if row["path"]]
        assert lines(files, "name", "path", "kind", "accepted") == [
            ("pc1", "a.txt", "file", True),
            ("pc2", "a.txt", "file", True),
            ("pc1", "a.txt", "absent", True),
        ]
        contents = [content_of(b"first").hex(), content_of(b"second").hex(), None]
        assert [row["content"] for row in files] == contents
        assert [row["device"] for row in files] == [one.device, two.device, one.device]
        acts = [row for row in rows if not row["path"]]
        assert [row["kind"] for row in acts] == ["genesis", "secret", "share", "issue", "admit"]
        assert acts[-1]["about"].startswith("pc2")
        assert lines(acts, "name") == [("pc1",)] * 5
        assert sorted(rows, key=lambda row: row["time"]) == rows
        assert await written(two) == rows


@pytest.mark.asyncio
async def test_what_its_author_had_no_right_to_is_shown_as_refused(tmp_path: Path) -> None:
    """He did not know yet that he is a reader now."""
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.txt", "right")
        await two.has("a.txt", "right")
        device = two.device
        await two.stop()
        await one.call("devices.role", mandate="Cargo", device=device, role="reader")
        await one.stop()
        await two.start()
        two.save("b.txt", "wrong")
        await two.holds(2)
        await one.start()

        async def is_told() -> bool:
            found = [row for row in await written(one) if row["path"]]
            return lines(found, "name", "path", "accepted") == [("pc1", "a.txt", True), ("pc2", "b.txt", False)]

        await until(is_told)
        assert one.read("b.txt") is None
        assert (await one.call("log.verify", mandate="Cargo"))["ok"]


@pytest.mark.asyncio
async def test_a_whole_log_is_verified_in_slices_also_where_a_part_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SLICE_BLOCKS", 2)
    restricted = ["*.ecs=accounting,payroll"]
    async with company(tmp_path, "payroll", "invoicing", restrict=restricted) as (one, two, three):
        two.save("wages.ecs", "hidden from three\r\n")
        await one.has("wages.ecs", "hidden from three\r\n")
        two.save("open.txt", "for all")
        await three.has("open.txt", "for all")
        for pc, files in ((one, 2), (two, 2), (three, 1)):
            found = await pc.call("log.verify", mandate="Cargo")
            devices = 2  # three has written nothing
            exported = await pc.call("log.export", mandate="Cargo")
            expected = {"ok": True, "blocks": len(exported), "devices": devices, "first_bad": None}
            assert found == expected
            assert len(exported) > 2 * log.SLICE_BLOCKS
            assert len([row for row in await written(pc) if row["path"]]) == files
        assert "wages" not in str(await three.call("log.export", mandate="Cargo"))


@pytest.mark.asyncio
async def test_a_single_changed_byte_is_found_and_named(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        two.save("a.txt", "by two")
        await one.has("a.txt", "by two")
        whole = await one.call("log.verify", mandate="Cargo")
        [row] = [row for row in await written(one) if row["path"]]
        block = bytes.fromhex(row["id"].split("-")[0][:64])
        await one.stop()
        with closing(sqlite3.connect(one.config.home / DATABASE_FILE)) as database:
            [(raw,)] = database.execute("SELECT raw FROM block WHERE hash = ?", (block,)).fetchall()
        forged = raw.replace(b"a.txt", b"b.txt")
        damage(one, "UPDATE block SET raw = ? WHERE hash = ?", forged, block)
        await one.start()

        result = await one.ask("log.verify", mandate="Cargo")
        assert result.exit_code == 1
        found: Any = result.data
        assert (found["ok"], found["blocks"]) == (False, whole["blocks"])
        assert found["verified"] < found["blocks"]
        bad = found["first_bad"]
        assert (bad["device"], bad["name"], bad["seq"]) == (two.device, "pc2", 1)
        assert "bytes were changed" in bad["reason"]
        assert bad["block"] == block.hex()


@pytest.mark.asyncio
async def test_an_exported_log_is_proof_without_p2psync(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        two.save("a.txt", "by two")
        await one.has("a.txt", "by two")
        mandate = parse_mandate((await one.status())["id"])
        exported = await one.call("log.export", mandate="Cargo")
        before: dict[str, Any] = {}
        for line in exported:
            payload = base64.b64decode(line["payload"])
            signed = PURPOSE + bytes([FORMAT]) + mandate + bytes.fromhex(line["log"]) + payload
            key = Ed25519PublicKey.from_public_bytes(parse_device(line["device"]))
            key.verify(bytes.fromhex(line["signature"]), signed)
            assert line["previous"] is None or before[line["previous"]]["seq"] == line["seq"] - 1
            before[line["block"]] = line
        assert {line["class"] for line in exported} == {"ordinary", "authority"}
        assert all((line["class"] == "authority") == line["is_authority"] for line in exported)
        told = [entry for line in exported for entry in line["entries"] if entry["path"]]
        assert lines(told, "path", "name", "content") == [("a.txt", "pc2", content_of(b"by two").hex())]


@pytest.mark.asyncio
async def test_there_is_no_log_of_what_is_no_mandate(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        for operation in ("log", "log.verify", "log.export"):
            with pytest.raises(UsageError, match="no mandate called Cargo"):
                await pc.call(operation, mandate="Cargo")
            with pytest.raises(UsageError, match="mandate is missing"):
                await pc.call(operation)


# -- one entry -----------------------------------------------------------------------------------------


class Pen:
    """A device with a real key that writes blocks by hand."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.device = DeviceId(self._key.public_key().public_bytes_raw())

    def write(self, block: Block) -> SignedBlock:
        return sign_block(M, block, self._key.sign)


PEN = Pen()
SAVED = Change(parse("a.txt"), file("a"), ())
FIRST = PEN.write(first_block(SAVED, device=PEN.device))
SECOND = PEN.write(Block(LOG, 2, FIRST.hash, 1_700_000_000_000, (), None, (SAVED,)))


def row_of(block: SignedBlock, **other: Any) -> BlockRow:
    fields = {
        **{"intake": 1, "hash": block.hash, "log": block.block.log, "seq": block.block.seq},
        **{"prev": block.block.prev, "size": len(block.raw), "authority_tips": ()},
    }
    return BlockRow(**{**fields, **other})


def fault(block: SignedBlock, *known: SignedBlock, author: DeviceId = PEN.device, **row: Any) -> str | None:
    index = log._Index(M, (), {LOG: author}, {}, {LOG: ""})
    return log._fault(index, row_of(block, **row), block.raw, {one.hash: row_of(one) for one in known})


def test_whole_entries_have_no_fault() -> None:
    assert fault(FIRST) is None
    assert fault(SECOND, FIRST) is None


def test_each_way_to_be_bad_is_told_apart() -> None:
    torn = SignedBlock(FIRST.hash, FIRST.block, FIRST.raw[:-1])
    assert "not a block" in (fault(torn) or "")
    resigned = Pen().write(FIRST.block)
    assert resigned.hash == FIRST.hash
    assert "not signed" in (fault(resigned) or "")
    assert "not signed" in (fault(FIRST, author=BERT) or "")
    assert "wrong place" in (fault(FIRST, seq=7) or "")
    assert "of another device" in (fault(PEN.write(first_block(SAVED, device=ANNA))) or "")
    assert "before it is missing" in (fault(SECOND) or "")
    skipping = PEN.write(Block(LOG, 3, FIRST.hash, 1_700_000_000_000, (), None, (SAVED,)))
    assert "before it is missing" in (fault(skipping, FIRST) or "")
    other = PEN.write(first_block(SAVED, device=PEN.device, log=LogId(b"o" * 16)))
    grafted = PEN.write(Block(LOG, 2, other.hash, 1_700_000_000_000, (), None, (SAVED,)))
    assert "before it is missing" in (fault(grafted, other) or "")
    naming = PEN.write(Block(LOG, 2, FIRST.hash, 1_700_000_000_000, ((LOG, Tip(9, SECOND.hash)),), None, (SAVED,)))
    assert "not here" in (fault(naming, FIRST) or "")


def test_a_block_of_a_newer_version_is_shown_as_what_it_is() -> None:
    """Its bytes stay in the log and the export; what it says is for who understands it."""
    index = log._Index(M, (), {LOG: ANNA}, {ANNA: "anna"}, {LOG: ""})
    exported = log._exported(index, row_of(FIRST), bytes(SIGNATURE_BYTES) + b"newer")
    assert base64.b64decode(exported["payload"]) == b"newer"
    [line] = exported["entries"]
    assert (line["kind"], line["name"], line["id"], line["content"]) == ("unreadable", "anna", FIRST.hash.hex(), None)
