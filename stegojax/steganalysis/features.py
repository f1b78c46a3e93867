"""The kinds of features that an ensemble is trained on, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stegojax.steganalysis import spam, srm
from stegojax.types import Array


class Features(NamedTuple):
    """A kind of features.

    compute:  planes `[B, H, W]`, float32 whole numbers 0..255 -> `[B, D]`.
    smallest: least height and width.
    """

    compute: Callable[[Array], Array]
    smallest: int


FEATURES = {
    "spam": Features(spam.features, spam.SMALLEST),
    "srm": Features(srm.features, srm.SMALLEST),
    "srmq1": Features(srm.features_q1, srm.SMALLEST),
}
"""Steganalyzers that are an ensemble on features, by name."""
