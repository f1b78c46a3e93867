"""The kinds of features that an ensemble is trained on, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stegojax.steganalysis import dctr, gfr, jrm, spam, srm
from stegojax.types import Array


class Features(NamedTuple):
    """A kind of features.

    compute:  planes `[B, H, W]`, float32 whole numbers 0..255 -> `[B, D]`; of JPEG files,
              `(coefficients [B, H, W], quantisation [B, 8, 8])`.
    smallest: least height and width.
    domain:   what it is taken of, a name in `domains.DOMAINS`.
    """

    compute: Callable[..., Array]
    smallest: int
    domain: str = "pixels"


FEATURES = {
    "spam": Features(spam.features, spam.SMALLEST),
    "srm": Features(srm.features, srm.SMALLEST),
    "srmq1": Features(srm.features_q1, srm.SMALLEST),
    "dctr": Features(dctr.features, dctr.SMALLEST, "jpeg"),
    "gfr": Features(gfr.features, gfr.SMALLEST, "jpeg"),
    "jrm": Features(jrm.features, jrm.SMALLEST, "jpeg"),
    "ccjrm": Features(jrm.calibrated_features, jrm.SMALLEST, "jpeg"),
}
"""Steganalyzers that are an ensemble on features, by name."""
