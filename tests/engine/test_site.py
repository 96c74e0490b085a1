"""A version is noted with the author of the bytes, where it is known whose they are."""

from __future__ import annotations

import pytest

from p2psync.core.entry import ABSENT
from p2psync.core.ids import BlockHash, ChangeId
from p2psync.core.problem import Code
from p2psync.core.relpath import Folding, parse
from p2psync.core.rules import DEFAULT_RULES, RuleTable
from p2psync.engine.scope import Now, Scope
from p2psync.engine.site import DISK_CODES, Site
from p2psync.engine.state import VersionRow
from tests.engine.ledgers import RESTRICTED_RULES, Desk, entry, office

PATH = parse("x.txt")


def site_of(desk: Desk) -> Site:
    scope = Scope()
    scope.now = Now(0.0, 1_234)
    return Site(desk.mandate, desk.state, desk.ledger, desk.keys, scope, Folding(), {})


def test_a_version_of_a_change_is_its_authors() -> None:
    a, b = office("a", "b")
    change = b.save("x.txt", "one")
    a.read(b)
    site_of(a).add_version(PATH, entry("one"), "replaced", change)
    one = entry("one")
    assert one.content is not None
    assert a.state.versions(PATH) == [
        VersionRow(PATH, one.content, one.size, one.mtime_ns, 1_234, "replaced", b.id, change)
    ]


@pytest.mark.parametrize("change", [None, ChangeId(BlockHash(bytes(32)), 0)])
def test_a_version_of_no_known_change_is_nobodys(change: ChangeId | None) -> None:
    [a] = office("a")
    site_of(a).add_version(PATH, entry("one"), "refused", change)
    [version] = a.state.versions(PATH)
    assert (version.device, version.change, version.reason) == (None, change, "refused")


def test_only_files_have_versions() -> None:
    [a] = office("a")
    with pytest.raises(AssertionError):
        site_of(a).add_version(PATH, ABSENT, "removed", None)


def test_problems_of_the_disk_end_when_the_path_could_be_looked_at() -> None:
    lasting = {
        *(Code.EDIT_REFUSED, Code.SET_ASIDE, Code.OPEN_CONFLICT, Code.INDEX_CONFLICT, Code.LOG_FORKED),
        *(Code.DEVICE_CLONED, Code.BLOCK_REFUSED, Code.UPDATE_NEEDED, Code.CLOCK_WRONG, Code.DATABASE_REBUILT),
        *(Code.PEER_MISBEHAVED, Code.REMOVED, Code.EXPORT_REFUSED, Code.PERIOD_FROZEN, Code.HOOK_FAILED),
        *(Code.JOINED, Code.NAMED_OTHERWISE, Code.ENTRIES_MISSING),
    }
    assert set(Code) - DISK_CODES == lasting


@pytest.mark.parametrize("rules", [DEFAULT_RULES, RESTRICTED_RULES])
def test_paths_are_parted_by_the_class_of_each(rules: RuleTable) -> None:
    site = site_of(office("a", rules=rules)[0])
    paths = [parse(path) for path in ("b.ecs", "x.txt", "a.ecs", "dir/A.ECS", "a.ecf")]
    classes = dict.fromkeys(map(site.ledger.class_of, paths))
    assert len(classes) == 1 + (rules is RESTRICTED_RULES)
    assert site.by_class(paths) == {c: [path for path in paths if site.ledger.class_of(path) == c] for c in classes}
    assert site.by_class([]) == {}
