"""Live many simulated lives: `python -m p2psync.sim --seeds 300`; one again: `--seed 17`."""

from __future__ import annotations

import argparse
import sys

from blake3 import blake3

from p2psync.sim.checkers import Failure
from p2psync.sim.world import run


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m p2psync.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many lives")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="one life only")
    arguments = parser.parse_args(argv)
    seeds = (
        [arguments.seed] if arguments.seed is not None else range(arguments.first, arguments.first + arguments.seeds)
    )
    failures = events = 0
    traces = blake3()
    for seed in seeds:
        try:
            world = run(seed)
        except Failure as failure:
            failures += 1
            print(failure)
        else:
            events += world.events
            traces.update(world.trace_hash.encode())
    print(f"{len(seeds)} lives, {events} events, {failures} failed, trace {traces.hexdigest()[:16]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
