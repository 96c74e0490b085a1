"""Mandates, and a mandate's classes of files, share links and nothing else."""

from __future__ import annotations

from p2psync.core.block import ORDINARY
from p2psync.engine.orders import Done, Failed, Stage
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX
from tests.engine.test_fetch import RESTRICTED, M, N, answer, asks, cid, joined, small, wanted


def test_mandates_share_a_link_and_nothing_else() -> None:
    fetcher = joined(1)
    fetcher.peer_joined(2, N, 0.0)
    assert [link for link, _ in asks(fetcher.want(M, small(1), 0.0))] == [1]
    assert [link for link, _ in asks(fetcher.want(N, small(1), 0.0))] == [2]
    assert fetcher.peer_left(1, M, 0.0) == [Failed(M, (cid(1),))], "the other mandate's peer is not asked"


def test_the_mandates_of_a_link_take_turns() -> None:
    fetcher = joined(1)
    fetcher.peer_joined(1, N, 0.0)
    many = [wanted(n, RESPONSE_DATA_BYTES_MAX) for n in range(9)]
    first = asks(fetcher.want(M, many, 0.0))
    assert fetcher.want(N, many, 0.0) == []
    second = asks(fetcher.response(1, answer(first[0][1], None), 0.0))
    third = asks(fetcher.response(1, answer(first[1][1], None), 0.0))
    assert {request.mandate for _, request in second + third} == {M.mandate, N.mandate}


def test_the_same_content_for_files_of_two_classes_is_asked_for_twice_each_of_who_may_know() -> None:
    fetcher = joined(1, 2)
    fetcher.peer_joined(2, RESTRICTED, 0.0)
    ((link, open_),) = asks(fetcher.want(M, small(1), 0.0))
    ((other, secret),) = asks(fetcher.want(RESTRICTED, small(1), 0.0))
    assert (link, open_.file_class) == (1, ORDINARY)
    assert (other, secret.file_class) == (2, RESTRICTED.file_class)
    (stage,) = fetcher.response(2, answer(secret, b"aaaa"), 0.0)
    assert isinstance(stage, Stage)
    assert fetcher.staged(stage, (), 0.0) == [Done(RESTRICTED, (cid(1),))], "the other one is not done by this"
    assert fetcher.peer_left(2, RESTRICTED, 0.0) == []
    assert fetcher.want(RESTRICTED, small(2), 0.0) == [Failed(RESTRICTED, (cid(2),))], "there is nobody to ask"
