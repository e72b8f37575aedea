"""What pages say of how long the lab and a first run take."""

from __future__ import annotations

import json
import statistics

from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.units import duration, megabytes
from measure.record import records
from measure.tell.page import Page, page_function, records_file, unbroken

#: The benchmarks that pages show numbers of, by the names of their records.
BENCHES = ("first-number", "bench", "ladder", "mine", "kit", "workshop")


@page_function
def bench(page: Page, words: str) -> str:
    """The median of what a bench timed, or weighed, under these words, or alone with these words among others."""
    paths = [records.RESULTS / LAB_ENVIRONMENT / f"{name}.json" for name in BENCHES]
    benches = [(path, json.loads(path.read_text())) for path in paths if path.exists()]
    timings = [(path, bench["load_before"], one) for path, bench in benches for one in bench["timings"]]
    found = [one for one in timings if one[2]["what"] == words] or [one for one in timings if words in one[2]["what"]]
    if len(found) != 1:
        raise Problem(f"{len(found)} entries of the benchmarks have the words {words!r}.", next="make bench")
    path, load, timing = found[0]
    samples = timing["samples"]
    shown = (megabytes if timing["unit"] == "bytes" else duration)(statistics.median(samples))
    times = f"{len(samples)} samples" if len(samples) > 1 else "taken once"
    return f'[{unbroken(shown)}]({page.link(records_file(path))} "{times}; load of the machine before: {load}")'
