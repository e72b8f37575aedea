"""Numbers as people read them: a reader who divides one by another gets what the page says."""

import pytest

from measure.base.units import duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0421, "42.1 ms"), (0.54, "0.5 s"), (9.96, "10.0 s"), (17.04, "17 s"), (119.4, "119 s"), (152.9, "2.5 min"),
     (241.4, "4.0 min"), (620, "10 min")],
)  # fmt: skip
def test_a_duration_has_a_decimal_below_ten(seconds, shown):
    assert duration(seconds) == shown
