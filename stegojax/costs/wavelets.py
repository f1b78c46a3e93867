"""The directional filter bank of WOW and S-UNIWARD: Daubechies' wavelet with 8 vanishing moments.

Three kernels of 16 x 16, each the product of a column and a row: low x high, high x low, high x
high. Both schemes look at the residuals a cover leaves in them, and gather at every pixel what a
change of that pixel would meet, |kernel| being the trace of the change. Planes are `[..., H, W]` in
pixel units.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate

from stegojax.costs import filters
from stegojax.costs.filters import COLUMNS, ROWS
from stegojax.types import Array

_HIGH = (
    "-0.0544158422", "0.3128715909", "-0.6756307363", "0.5853546837", "0.0158291053", "-0.2840155430", "-0.0004724846",
    "0.1287474266", "0.0173693010", "-0.0440882539", "-0.0139810279", "0.0087460940", "0.0048703530", "-0.0003917404",
    "-0.0006754494", "-0.0001174768",
)  # fmt: skip

HIGH_PASS = tuple(float(tap) for tap in _HIGH)
"""Decomposition high-pass filter h(0..15) to the ten decimals of the released implementations."""
LOW_PASS = tuple((-1) ** n * HIGH_PASS[15 - n] for n in range(16))
"""Decomposition low-pass filter, (-1)^n h(15 - n)."""

_ABS_HIGH = tuple(abs(tap) for tap in HIGH_PASS)
_ABS_LOW = tuple(abs(tap) for tap in LOW_PASS)

# Summation by parts: the taps add up to zero to the last decimal, so filtering with them is
# filtering first differences with their partial sums. First differences of pixels are exact, so
# float32 loses nothing where neighbours are alike, and that is where residuals are smallest and
# costs highest.
_SLOPES = tuple(float(part) for part in accumulate(Fraction(tap) for tap in reversed(_HIGH)))[:-1]


def _step(plane: Array, axis: int) -> Array:
    """First difference: each pixel minus its successor along the axis."""
    return filters.correlate(plane, (1.0, -1.0), axis)


def residuals(plane: Array) -> tuple[Array, Array, Array]:
    """Convolves a cover with the three kernels.

    Args:
      plane: the cover `[..., H, W]`.

    Returns:
      Residuals of low x high, high x low and high x high (columns x rows), each `[..., H + 15, W +
      15]`: as far beyond the cover, mirrored, as a change of a border pixel reaches.
    """
    padded = filters.mirror(plane, 15)
    across, down = _step(padded, ROWS), _step(padded, COLUMNS)
    high_rows = filters.correlate(across, _SLOPES, ROWS)
    high_columns = filters.correlate(down, _SLOPES, COLUMNS)
    high_rows_of_steps = filters.correlate(_step(down, ROWS), _SLOPES, ROWS)
    return (
        filters.convolve(high_rows, LOW_PASS, COLUMNS),
        filters.convolve(high_columns, LOW_PASS, ROWS),
        filters.correlate(high_rows_of_steps, _SLOPES, COLUMNS),
    )


def gather(
    low_high: Array,
    high_low: Array,
    high_high: Array,
    combine: Callable[[Array, Array, Array], Array],
) -> Array:
    """Correlates three maps with the magnitudes of the three kernels and combines what comes out.

    Args:
      low_high: map `[..., H + 15, W + 15]` belonging to low x high.
      high_low: map belonging to high x low.
      high_high: map belonging to high x high.
      combine: pointwise function of the three correlations `[..., H, W]`.

    Returns:
      What `combine` makes of them, `[..., H, W]`.
    """
    return combine(
        filters.correlate(filters.correlate(low_high, _ABS_LOW, COLUMNS), _ABS_HIGH, ROWS),
        filters.correlate(filters.correlate(high_low, _ABS_HIGH, COLUMNS), _ABS_LOW, ROWS),
        filters.correlate(filters.correlate(high_high, _ABS_HIGH, COLUMNS), _ABS_HIGH, ROWS),
    )
