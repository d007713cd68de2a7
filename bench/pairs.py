"""Measuring a thing in turn with its floor, A B A B, by the clock and by the processor's time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Rate:
    """How many a second: by the clock, and by the time that this process had a processor.

    On a busy machine the second is the steadier one; what a database server does it does not see.
    """

    wall: float
    cpu: float


def rate_of(do: Callable[[], object], number: int) -> Rate:
    """The rate of a thing that does `number` of something."""
    began, began_cpu = time.perf_counter(), time.process_time()
    do()
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Rate(number / wall, number / max(cpu, 1e-6))


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
