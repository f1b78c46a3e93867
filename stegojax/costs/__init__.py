"""Embedding costs of pixels: what it costs to change one of a plane `[..., H, W]` by +1 or by -1.

`COSTS[name](plane)` gives `Costs` for every name, finite and raw: a cost knows no range, and
`embed` makes wet what would leave it. Where a scheme itself forbids a change (HILL and WOW in flat
areas), it costs `WET_COST`.

MiPOD's costs belong to a payload: `COSTS["mipod"](plane)` takes 0.4 bits per pixel,
`mipod(plane, payload=bits)` any other, and `mipod_probabilities` gives the change probabilities
themselves.

A plane is float32 and holds whole numbers; values are looked at only outside `jax.jit`, so whoever
compiles around a cost runs `check_plane` on the picture first.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from stegojax.costs.hill import hill
from stegojax.costs.hugo import hugo
from stegojax.costs.mipod import fisher_information, mipod, mipod_probabilities
from stegojax.costs.plane import check_plane, finite
from stegojax.costs.suniward import suniward
from stegojax.costs.wow import wow
from stegojax.types import Array, Costs


def lsbm(plane: Array) -> Costs:
    """LSB matching as a cost: every change costs 1 (Sharp, IH 2001; adaptive to nothing).

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      Costs of 1.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    return finite(jnp.ones_like(plane), jnp.ones_like(plane))


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
    "check_plane",
    "fisher_information",
    "hill",
    "hugo",
    "lsbm",
    "mipod",
    "mipod_probabilities",
    "suniward",
    "wow",
]
