"""How a simulated life goes wrong: each fault is a named number with its unit, drawn from the seed.

Swarm testing: most knobs are zero in most lives, so that each fault is also seen alone and at full strength.
"""

from __future__ import annotations

from random import Random

from p2psync.core.value import value


@value
class Knobs:
    devices: int
    """PCs of the mandate, 2 to 5."""
    acts: int
    """What users do before everything heals."""
    act_every_s: float
    """Mean time between two acts of all users together."""
    paths: int
    """Different names that users work on: few make many conflicts."""
    latency_s: float
    """Mean one-way delay of a message."""
    disk_s: float
    """Mean time that a disk takes for a batch."""
    notice_s: float
    """Mean time until a saved file is observed."""
    overlook: float
    """Share of saves that the watcher misses; the next rescan finds them."""
    break_every_s: float
    """Mean time until a link breaks; 0: never."""
    partition_every_s: float
    """Mean time between partitions of the network; 0: never."""
    crash_every_s: float
    """Mean time between crashes of any device; 0: never."""
    restore_folder: float
    """Share of crashes after which the folder comes back from a backup."""
    restore_state: float
    """Share of crashes after which the database comes back from a backup."""
    lose_state: float
    """Share of crashes after which the database is gone."""
    folds_case: float
    """Share of devices whose disk takes upper and lower case for the same."""
    late_joins: int
    """Devices that are admitted in the midst of it."""
    revocations: int
    """Devices that are revoked in the midst of it."""
    leaves: int
    """Devices that leave by their own word in the midst of it."""
    rule_changes: int
    """How often an admin changes a rule or a role in the midst of it."""
    decisions: float
    """Share of acts that decide an open conflict."""
    open_handles: float
    """Share of saves by a program that keeps the file open and writes into it once more, whatever took its place."""
    open_s: float
    """Mean time between two writes of such a program."""
    merged_files: float
    """Share of acts on an index file that is merged."""
    marks: float
    """Share of acts that mark a file as posted, or take a mark back, by whoever may and who may not."""

    freezes: int
    """How often an admin freezes a period with some files, or unfreezes it, in the midst of it."""
    handovers: int
    """How often somebody, an admin or not, lets a file belong to another device, if he may."""

    @classmethod
    def draw(cls, rng: Random) -> Knobs:
        def sometimes(low: float, high: float, chance: float = 0.5) -> float:
            return rng.uniform(low, high) if rng.random() < chance else 0.0

        devices = rng.choice([2, 2, 3, 3, 4, 5])
        return cls(
            devices=devices,
            acts=rng.choice([10, 30, 60]),
            act_every_s=rng.choice([0.2, 2.0, 20.0]),
            paths=rng.choice([1, 3, 12]),
            latency_s=rng.choice([0.001, 0.05, 2.0]),
            disk_s=rng.choice([0.001, 0.05, 2.0]),
            notice_s=rng.choice([0.01, 0.3, 3.0]),
            overlook=sometimes(0.05, 0.5, 0.3),
            break_every_s=sometimes(1, 60),
            partition_every_s=sometimes(5, 60),
            crash_every_s=sometimes(5, 60),
            restore_folder=sometimes(0.1, 0.5, 0.3),
            restore_state=sometimes(0.1, 0.5, 0.3),
            lose_state=sometimes(0.1, 0.5, 0.2),
            folds_case=sometimes(0.3, 1.0, 0.2),
            late_joins=rng.choice([0, 0, 1]) if devices > 2 else 0,
            revocations=rng.choice([0, 0, 0, 1]) if devices > 2 else 0,
            leaves=rng.choice([0, 0, 0, 1]) if devices > 3 else 0,
            rule_changes=rng.choice([0, 0, 1, 3]),
            decisions=sometimes(0.05, 0.3, 0.3),
            open_handles=sometimes(0.1, 0.8, 0.3),
            open_s=rng.choice([0.3, 3.0, 20.0]),
            merged_files=sometimes(0.1, 0.5, 0.3),
            marks=sometimes(0.1, 0.4, 0.3),
            freezes=rng.choice([0, 0, 1, 4]),
            handovers=rng.choice([0, 0, 3, 12]),
        )
