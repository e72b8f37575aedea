"""`make bench-kit`: sizes of kits, and seconds to install one with the network cut, recorded in results/."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kit.making import make
from kit.trial import apart
from kit.wanted import Wanted, numbers
from measure.base.files import cache_folder
from measure.studies.bench.bench import Bench, Timing, recorded, timing

#: What was aimed at: bytes of the smallest kit that is honest, and seconds of an installation.
LEAST_BYTES, INSTALLED_S = 700e6, 300
#: The chapters whose exercises are solved with the network cut, and those of the smallest kit.
SOLVED, LEAST = "1-4", "1-3"


def run() -> Bench:
    """Make the kit of all chapters and the smallest one, install the first with the network cut, solve and record."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="bench-") as place:
        least, _ = make(Wanted(numbers(LEAST)), engine=False, target=Path(place) / "least.tar")
        least_bytes = least.stat().st_size
        archive, told = make(Wanted(numbers("")), engine=True, target=Path(place) / "kit.tar")
        archive_bytes, load = archive.stat().st_size, round(os.getloadavg()[0], 2)
        found = apart(archive, SOLVED, docker=True)
    solved = [name for name in found if name[0].isdigit()]
    also = [f"docker {name}" for name in solved]
    timings = [
        _bytes("kit of all chapters", archive_bytes),
        *(_bytes(f"kit of all chapters: its {part}", size) for part, size in told["bytes"].items()),
        _bytes(f"kit of chapters {LEAST} for laptops with Docker", least_bytes, LEAST_BYTES),
        timing("kit unpacked, and installed by the lab", "s", [found["unpacked"] + found["installed"]], INSTALLED_S),
        timing(
            "kit unpacked, and installed into Docker", "s", [found["unpacked"] + found["docker installed"]], INSTALLED_S
        ),
        timing(f"{len(solved)} exercises with the network cut, by the lab", "s", [sum(found[name] for name in solved)]),
        timing(f"{len(also)} exercises with the network cut, by Docker", "s", [sum(found[name] for name in also)]),
    ]
    return recorded("kit", timings, load)


def _bytes(what: str, size: int, goal: float | None = None) -> Timing:
    return timing(what, "bytes", [float(size)], goal)
