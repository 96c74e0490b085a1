"""What is on its way: named by acknowledgements, or found to be lost."""

from __future__ import annotations

import math
from random import Random

from p2psync.net.webrtc.arrivals import Arrivals
from p2psync.net.webrtc.flight import PATIENCE_MIN_S, REORDERED_MAX, Flight, Packet
from p2psync.net.webrtc.serial import MODULO

FIRST = MODULO - 3


def at(index: int) -> int:
    """The number on the wire of the chunk sent as number so many."""
    return (FIRST + index) % MODULO


def flying(count: int) -> Flight[int]:
    flight: Flight[int] = Flight(FIRST)
    for index in range(count):
        flight.add(Packet(index, 10), float(index))
    return flight


def chunks(packets: list[Packet[int]]) -> list[int]:
    return [packet.chunk for packet in packets]


def test_each_is_named_once() -> None:
    flight = flying(8)
    assert chunks(flight.acknowledge(at(1), [], math.inf)) == [0, 1]
    assert chunks(flight.acknowledge(at(1), [(2, 3), (5, 5)], math.inf)) == [3, 4, 6]
    assert chunks(flight.acknowledge(at(1), [(2, 5)], math.inf)) == [5]
    assert chunks(flight.acknowledge(at(6), [], math.inf)) == [2]
    assert (len(flight), flight.bytes, flight.last_acknowledged) == (1, 10, at(6))


def test_what_was_never_sent_is_not_named() -> None:
    flight = flying(4)
    assert flight.acknowledge(at(4), [], math.inf) == []
    assert flight.acknowledge(at(0), [(2, 4)], math.inf) == []
    assert flight.acknowledge(at(0), [(2, 2), (2, 2)], math.inf) == []
    assert chunks(flight.acknowledge(at(3), [], math.inf)) == [0, 1, 2, 3]
    assert flight.acknowledge(at(2), [], math.inf) == []


def test_what_was_sent_well_before_something_that_arrived_is_lost() -> None:
    flight = flying(5)
    flight.acknowledge(at(-1), [(3, 3)], math.inf)
    assert flight.find_lost() == 0
    flight.acknowledge(at(-1), [(3, 4)], math.inf)
    assert flight.find_lost() == 1
    assert chunks(list(flight.lost)) == [0]
    assert flight.bytes == 20


def test_what_is_sent_again_can_get_lost_again() -> None:
    flight = flying(4)
    flight.acknowledge(at(-1), [(2, 4)], math.inf)
    assert flight.find_lost() == 1
    assert flight.again(9.0).chunk == 0
    for index in range(4, 4 + REORDERED_MAX):
        flight.add(Packet(index, 10), 10.0)
    assert flight.find_lost() == 0
    flight.acknowledge(at(-1), [(2, 4 + REORDERED_MAX)], math.inf)
    assert flight.find_lost() == 1


def test_an_answer_that_comes_too_soon_is_one_to_the_first_time() -> None:
    """What was sent before is not lost because of it."""
    flight = flying(4)
    flight.acknowledge(at(-1), [(2, 4)], math.inf)
    flight.find_lost()
    for index in range(4, 9):
        flight.add(Packet(index, 10), 19.0)
    flight.again(20.0)
    flight.acknowledge(at(3), [], 15.0)
    assert flight.find_lost() == 0


def test_where_packets_overtake_each_other_more_time_is_given() -> None:
    flight = flying(4)
    flight.acknowledge(at(-1), [(2, 4)], math.inf)
    flight.find_lost()
    flight.again(20.0)
    flight.acknowledge(at(3), [], 15.0)
    for index in range(4, 12):
        flight.add(Packet(index, 10), 30 + index * PATIENCE_MIN_S / 5)
    flight.acknowledge(at(3), [(2, 5)], math.inf)
    assert flight.find_lost() == 0
    flight.acknowledge(at(3), [(2, 7)], math.inf)
    assert flight.find_lost() == 1


def test_what_arrived_after_all_is_not_sent_again() -> None:
    flight = flying(5)
    flight.acknowledge(at(-1), [(4, 5)], math.inf)
    assert flight.find_lost() == 2
    flight.acknowledge(at(0), [(3, 4)], math.inf)
    flight.drop_arrived()
    assert chunks(list(flight.lost)) == [1]


def test_a_probe_tells_of_all_others() -> None:
    flight = flying(3)
    flight.probe()
    assert flight.again(50.0).chunk == 0
    flight.acknowledge(at(0), [], math.inf)
    assert flight.find_lost() == 2


def test_a_probe_that_was_needless_tells_nothing() -> None:
    """All arrive after a pause; the first answer names the probed packet among others."""
    flight = flying(6)
    flight.probe()
    flight.again(50.0)
    flight.acknowledge(at(1), [], math.inf)
    assert flight.find_lost() == 0


def test_all_is_lost_in_order() -> None:
    flight = flying(6)
    flight.acknowledge(at(-1), [(4, 4), (6, 6)], math.inf)
    flight.find_lost()
    flight.lose_all()
    assert chunks(list(flight.lost)) == [0, 1, 2, 4]
    assert flight.bytes == 0


def test_with_losses_and_reordering_everything_arrives() -> None:
    for seed in range(20):
        random = Random(seed)
        flight, arrivals = Flight[int](FIRST), Arrivals(at(-1))
        on_way: list[int] = []
        sent, steps = 0, 0
        while sent < 300 or flight:
            steps += 1
            flight.drop_arrived()
            if flight.lost and flight.bytes < 400:
                on_way.append(flight.again(float(steps)).chunk)
            elif sent < 300 and flight.bytes < 400:
                flight.add(Packet(sent, 10), float(steps))
                on_way.append(sent)
                sent += 1
            elif on_way:
                index = on_way.pop(int(random.random() < 0.1 and len(on_way) > 1))
                if random.random() > 0.3 and arrivals.takes(at(index)):
                    arrivals.add(at(index))
                    flight.acknowledge(arrivals.last, arrivals.gaps(), math.inf)
                    flight.find_lost()
            elif flight:
                flight.probe()
        assert arrivals.last == at(299)
        assert flight.bytes == 0
        assert steps < 300 * 8
