"""Embedding costs: what it costs to change a pixel of a plane `[..., H, W]` by +1 or by -1.

`COSTS[name](plane)` gives `Costs` for every name. MiPOD's costs belong to a payload:
`COSTS["mipod"](plane)` takes 0.4 bits per pixel, `mipod(plane, payload=bits)` any other, and
`mipod_probabilities` gives the change probabilities themselves.

A cover is float32 and holds the integers 0..255; values are looked at only outside `jax.jit`, so
whoever compiles around a cost runs `check_cover` on the picture first.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from stegojax.costs.hill import hill
from stegojax.costs.hugo import hugo
from stegojax.costs.mipod import fisher_information, mipod, mipod_probabilities
from stegojax.costs.saturation import check_cover, forbid_saturated
from stegojax.costs.suniward import suniward
from stegojax.costs.wow import wow
from stegojax.types import Array, Costs


def lsbm(plane: Array) -> Costs:
    """LSB matching as a cost: every change costs 1 (Sharp, IH 2001; adaptive to nothing but
    saturation).

    Args:
      plane: the cover, `[..., H, W]`, float32, integers 0..255.

    Returns:
      Costs of 1, wet at saturated pixels.

    Raises:
      InputError: the plane is not a cover.
    """
    check_cover(plane)
    return forbid_saturated(plane, jnp.ones_like(plane), jnp.ones_like(plane))


COSTS: dict[str, Callable[[Array], Costs]] = {
    "hill": hill,
    "wow": wow,
    "suniward": suniward,
    "hugo": hugo,
    "mipod": mipod,
    "lsbm": lsbm,
}

__all__ = [
    "COSTS",
    "check_cover",
    "fisher_information",
    "forbid_saturated",
    "hill",
    "hugo",
    "lsbm",
    "mipod",
    "mipod_probabilities",
    "suniward",
    "wow",
]
