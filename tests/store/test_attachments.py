"""Attached files live on in the database, each place and each path once."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from p2psync.core.ids import BlockHash, ChangeId, ContentId, MandateId
from p2psync.core.relpath import parse
from p2psync.engine.bridge import Attachment, Delivery, Mode, Stage
from p2psync.store.attachments import Attachments
from p2psync.store.database import Database
from p2psync.store.records import Records

MANDATE, OTHER = MandateId(b"m" * 16), MandateId(b"o" * 16)
CHANGES = (ChangeId(BlockHash(b"b" * 32), 0), ChangeId(BlockHash(b"c" * 32), 300))
NEW = Attachment(MANDATE, parse("Cargo é.crp"), "/books/\udce9/Cargo.crp", Mode.AUTO, "accounting")
DELIVERY = Delivery(Stage.READY, ".Cargo\udcff.p2psync-part", ContentId(b"d" * 32), CHANGES, ContentId(b"e" * 32), ())
FULL = replace(
    NEW,
    mode=Mode.ASK,
    agreed=ContentId(b"a" * 32),
    heads=CHANGES,
    mtime_ns=-5,
    published_ms=1,
    delivered_ms=2,
    delivery=DELIVERY,
)


@pytest.fixture
def attachments(database: Database) -> Attachments:
    return Attachments(database)


@pytest.mark.parametrize("one", [NEW, FULL, replace(FULL, delivery=replace(DELIVERY, before=None, stage=Stage.DONE))])
def test_all_of_it_comes_back(attachments: Attachments, one: Attachment) -> None:
    attachments.put(one)
    assert attachments.all() == [one]
    assert attachments.get(MANDATE, one.path) == attachments.of_file(one.file) == one
    assert attachments.get(OTHER, one.path) is attachments.of_file("/elsewhere") is None


def test_a_path_has_one_file_and_a_file_one_path(attachments: Attachments) -> None:
    attachments.put(NEW)
    attachments.put(FULL)
    assert attachments.all() == [FULL], "the newer state of it"
    second = replace(NEW, mandate=OTHER, file="/books/other.crp")
    attachments.put(second)
    assert attachments.all() == [FULL, second]
    attachments.drop(MANDATE, NEW.path)
    assert attachments.all() == [second]


def test_a_file_that_was_detached_is_remembered_until_it_is_attached_again(attachments: Attachments) -> None:
    attachments.drop(MANDATE, NEW.path)
    assert attachments.declined() == [], "it was not attached"
    attachments.put(NEW)
    attachments.drop(MANDATE, NEW.path)
    assert attachments.declined() == [NEW.file]
    attachments.put(NEW)
    assert attachments.declined() == []


def test_a_mandate_that_is_left_takes_its_files_along(database: Database, attachments: Attachments) -> None:
    attachments.put(NEW)
    attachments.put(replace(NEW, mandate=OTHER, file="/books/other.crp"))
    Records(database).forget_mandate(MANDATE)
    assert [one.mandate for one in attachments.all()] == [OTHER]


def test_an_attachment_is_written_with_what_belongs_to_it_or_not_at_all(
    database: Database, attachments: Attachments
) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.transaction():  # noqa: PT012
        attachments.put(NEW)
        database.connection.execute("INSERT INTO attachment (mandate) VALUES (NULL)")
    assert attachments.all() == []
