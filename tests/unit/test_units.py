"""Numbers as people read them: a reader who divides one by another gets what the page says."""

import re

import pytest

from measure.base.units import change, duration, megabytes, signed
from tests.docs.pages import all_pages


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0421, "42.1 ms"), (0.54, "0.5 s"), (9.96, "10.0 s"), (17.04, "17 s"), (119.4, "119 s"), (152.9, "2.5 min"),
     (241.4, "4.0 min"), (620, "10 min")],
)  # fmt: skip
def test_a_duration_has_a_decimal_below_ten(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown", "as_change"),
    [
        (0, "0 B", "same"),
        (1, "1 B", "+1 B"),
        (-19, "-19 B", "-19 B"),
        (1_000, "1.0 kB", "+1.0 kB"),
        (50_000, "50.0 kB", "+50.0 kB"),
        (-999_949, "-999.9 kB", "-999.9 kB"),
        (999_950, "1.0 MB", "+1.0 MB"),
        (1_163_900_000, "1163.9 MB", "+1163.9 MB"),
    ],
)
def test_a_size_is_in_kilobytes_below_a_megabyte(size, shown, as_change):
    assert megabytes(size) == shown
    assert signed(size) == as_change


@pytest.mark.parametrize(
    ("size", "first", "shown"),
    [(10_004, 10_000, "same"), (10_005, 10_000, "+0.1 %"), (9_996, 10_000, "same"), (75, 100, "-25.0 %"), (1, 0, ""),
     (1, None, "")],
)  # fmt: skip
def test_a_change_below_a_twentieth_of_a_percent_is_none(size, first, shown):
    assert change(size, first) == shown


def test_pages_have_one_word_for_each_size_and_one_for_no_change():
    """Tar bytes are unpacked, file bytes are files."""
    for name, (_, text) in all_pages().items():
        for wrong in (r"[^-\d]0\.0 (?:MB|kB|%)", r"[+-]0\.0 %", r"(?:%|MB|kB)[^.]{0,300}\) on disk", r"> 0\.\d MB"):
            assert not re.search(wrong, text.replace("&nbsp;", " ")), f"{name}: {wrong}"
