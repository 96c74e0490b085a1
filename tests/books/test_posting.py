"""Marks of what was posted: the latest holds, an undone one does not, and the producer sees how far a version came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.posting import Delivery, Mark, Progress, Step, next_stamp, progress, standing
from p2psync.core.ids import ChangeId, block_hash, content_of, device_id
from p2psync.core.relpath import RelPath

SALARIES, SALES = RelPath("Löhne.ecs"), RelPath("Cargo.ecf")
JUNE, JULY = content_of(b"june"), content_of(b"july")
OFFICE, HOME = device_id(b"o" * 32), device_id(b"h" * 32)


def mark(number: int, content: bytes | None = b"june", stamp: int = 1, path: RelPath = SALARIES) -> Mark:
    change = ChangeId(block_hash(bytes([number]) * 32), 0)
    return Mark(change, path, None if content is None else content_of(content), OFFICE, 1_000 - number, stamp)


def test_the_latest_mark_holds_for_each_file() -> None:
    marks = [mark(3, b"june"), mark(1, b"july", stamp=2), mark(2, path=SALES)]
    assert standing(marks, set()) == {SALARIES: marks[1], SALES: marks[2]}


def test_undoing_the_latest_brings_back_the_one_before() -> None:
    first, second = mark(1), mark(2, b"july", stamp=2)
    assert standing([first, second], {second.id}) == {SALARIES: first}
    assert standing([first, second], {first.id}) == {SALARIES: second}
    assert standing([first, second], {first.id, second.id}) == {}


def test_that_a_file_was_removed_can_be_posted_too() -> None:
    assert standing([mark(1), mark(2, None, stamp=2)], set())[SALARIES].content is None


def test_a_new_mark_comes_after_all_that_were_known_of_its_file() -> None:
    marks = [mark(1, stamp=4), mark(2, stamp=9, path=SALES)]
    assert next_stamp(marks, SALARIES) == 5
    assert next_stamp([], SALARIES) == 1


MARKS = st.lists(
    st.builds(mark, st.integers(0, 9), st.sampled_from([b"june", b"july", None]), st.integers(1, 3)),
    max_size=8,
    unique_by=lambda one: one.id,
)


@given(MARKS, st.sets(st.integers(0, 9)), st.randoms(use_true_random=False))
def test_the_order_in_which_marks_arrive_does_not_matter(marks: list[Mark], gone: set[int], rng: object) -> None:
    undone = {mark(number).id for number in gone}
    shuffled = list(marks)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standing(shuffled, undone) == standing(marks, undone)
    assert all(one.id not in undone for one in standing(marks, undone).values())


def delivery(time_ns: int, device: bytes = OFFICE, content: bytes = b"june", path: RelPath = SALARIES) -> Delivery:
    return Delivery(path, content_of(content), device_id(device), time_ns)


def test_a_version_is_published_then_delivered_then_posted() -> None:
    assert progress(SALARIES, JUNE, [], None) == Progress(Step.PUBLISHED)
    delivered = [delivery(5)]
    assert progress(SALARIES, JUNE, delivered, None) == Progress(Step.DELIVERED, (delivery(5),))
    assert progress(SALARIES, JUNE, delivered, mark(1)) == Progress(Step.POSTED, (delivery(5),), mark(1))


def test_another_version_is_on_a_way_of_its_own() -> None:
    others = [delivery(5, content=b"june"), delivery(6, path=SALES, content=b"july")]
    assert progress(SALARIES, JULY, others, mark(1)) == Progress(Step.PUBLISHED)


def test_of_each_device_the_first_delivery_counts() -> None:
    found = progress(SALARIES, JUNE, [delivery(9), delivery(7, HOME), delivery(5)], None)
    assert found.deliveries == (delivery(5), delivery(7, HOME))
