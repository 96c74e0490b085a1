"""Who made what a change follows from, and whether it follows a file: whatever counts, in whatever order it came."""

from __future__ import annotations

from p2psync.engine.ancestry import Ancestry
from tests.engine.ledgers import office


def test_makers_are_the_authors_of_the_first_changes() -> None:
    a, b = office("a", "b")
    first, other = a.save("x.txt", "one"), b.save("x.txt", "two")
    a.read(b)
    both = a.save("x.txt", "three", naming=(first, other))
    later = a.save("x.txt", "four", naming=(both,))
    ancestry = Ancestry(a.state)
    assert ancestry.makers(()) == set()
    assert ancestry.makers((first,)) == {a.id}
    assert ancestry.makers((later,)) == ancestry.makers((both,)) == {a.id, b.id}


def test_a_file_is_followed_if_any_of_the_named_changes_states_one() -> None:
    [a] = office("a")
    made = a.save("x.txt", "one")
    removed = a.save("x.txt", None, naming=(made,))
    ancestry = Ancestry(a.state)
    assert not ancestry.has_file(())
    assert not ancestry.has_file((removed,)), "its place is free again"
    assert ancestry.has_file((made,))
    assert ancestry.has_file((removed, made))
