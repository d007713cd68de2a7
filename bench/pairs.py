"""Measuring a thing in turn with its floor, A B A B, by the clock and by the processor's time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text


@dataclass(frozen=True)
class Rate:
    """How many a second: by the clock, and by the processor's time of this process and its database.

    On a busy machine the second is the steadier one.
    """

    wall: float
    cpu: float


Beside = Callable[[], float]
"""The processor's seconds that others have worked for this process."""


def rate_of(do: Callable[[], object], number: int, beside: Beside = lambda: 0.0) -> Rate:
    """The rate of a thing that does `number` of something."""
    before = beside()
    began, began_cpu = time.perf_counter(), time.process_time()
    do()
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Rate(number / wall, number / max(cpu + beside() - before, 1e-6))


def server_seconds(engine: Engine) -> Beside:
    """The processor's seconds of PostgreSQL's processes that serve this database, on this machine."""
    if engine.dialect.name != "postgresql":
        return lambda: 0.0
    asking = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    others = text(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def seconds() -> float:
        return sum(_seconds_of(pid) for pid in asking.scalars(others))

    return seconds


def _seconds_of(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def compare(
    name: str,
    rounds: int,
    bare: Callable[[int], Rate],
    ours: Callable[[int], Rate],
    target: float | None,
) -> None:
    """Run the floor and ours in turn, once to warm up as round 0; print medians, ratios and their spread."""
    pairs = [(bare(number), ours(number)) for number in range(rounds + 1)][1:]
    for clock in ("wall", "cpu"):
        floors = [getattr(each, clock) for each, _own in pairs]
        own = [getattr(each, clock) for _bare, each in pairs]
        ratios = [mine / floor for floor, mine in zip(floors, own, strict=True)]
        said = ""
        if target is not None:
            said = f"   target {target:.2f} {'reached' if median(ratios) >= target else 'MISSED'}"
        print(
            f"  {name if clock == 'wall' else '':<46} {clock:>4}  floor {median(floors):9.1f}"
            f"  ours {median(own):9.1f} a second"
            f"   ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}){said}",
            flush=True,
        )
