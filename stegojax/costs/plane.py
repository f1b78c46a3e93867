"""What a cost function takes, and what it gives: a plane of whole numbers, and finite costs.

A cost function knows no range: which changes would leave it, and which elements must not change,
`embed` decides.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.core import Tracer

from stegojax.errors import InputError
from stegojax.types import WET_COST, Array, Costs

_WET_FROM = WET_COST * (1 - 1e-6)
"""Costs from here on are wet. The margin keeps float32 rounding from deciding over a cost that is
WET_COST on paper.
"""


def check_plane(plane: Array) -> None:
    """Refuses what no cost is defined on: numbers that are not whole, a wrong type, fewer than two
    axes.

    Values can be looked at only outside `jax.jit`; inside, only rank, type and size are checked.
    Whoever compiles a function around a cost calls this on the picture first.

    Args:
      plane: `[..., H, W]`, float32.

    Raises:
      InputError: the plane is not such; the message says what was found.
    """
    shape, dtype = jnp.shape(plane), jnp.result_type(plane)
    if len(shape) < 2 or 0 in shape:
        raise InputError(
            f"a cover is a plane [..., H, W] with at least one element; got shape {shape}"
        )
    if dtype != jnp.float32:
        raise InputError(
            f"a cover holds its whole numbers as float32; got {dtype}: convert it with "
            ".astype('float32')"
        )
    if isinstance(plane, Tracer):
        return
    if not bool(_is_whole(jnp.asarray(plane))):
        raise InputError(
            "a cover holds whole numbers alone; this one has others "
            f"(smallest {float(jnp.min(plane)):g}, largest {float(jnp.max(plane)):g}): round it "
            "first"
        )


@jax.jit
def _is_whole(plane):
    return jnp.all((plane == jnp.round(plane)) & jnp.isfinite(plane))


def finite(plus: Array, minus: Array) -> Costs:
    """Costs as they are but for those that no number is large enough for.

    Args:
      plus: cost of +1, `[..., H, W]`; infinite and NaN costs and those from `WET_COST` on become
        `WET_COST`.
      minus: cost of -1, likewise.

    Returns:
      Costs of float32.
    """
    return Costs(
        *(jnp.where(rho < _WET_FROM, rho, WET_COST).astype(jnp.float32) for rho in (plus, minus))
    )
