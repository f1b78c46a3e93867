"""The two ends of the pixel range: what may serve as a cover, and which changes a cover forbids.

A cover is a plane `[..., H, W]` of float32 that holds the integers 0..255 and nothing else. A pixel
at 255 cannot be raised and
one at 0 cannot be lowered: those changes are wet, whatever a scheme thinks of the pixel's
  surroundings.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.types import WET_COST, Array, Costs

_WET_FROM = WET_COST * (1 - 1e-6)
"""Costs from here on are wet. The margin keeps float32 rounding from deciding over a cost that is
WET_COST on paper.
"""


def check_cover(plane: Array) -> None:
    """Refuses what is not a cover: pixels other than the integers 0..255, a wrong type, fewer than
    two axes.

    Values can be looked at only outside `jax.jit`; inside, only rank, type and size are checked.
    Whoever compiles a function around a cost calls this on the picture first.

    Args:
      plane: pixels `[..., H, W]`, float32.

    Raises:
      InputError: the plane is not a cover; the message says what was found.
    """
    shape, dtype = jnp.shape(plane), jnp.result_type(plane)
    if len(shape) < 2 or 0 in shape:
        raise InputError(
            f"a cover is a plane [..., H, W] with at least one pixel; got shape {shape}"
        )
    if dtype != jnp.float32:
        raise InputError(
            f"a cover holds float32 pixels in 0..255; got {dtype}: convert it with "
            ".astype('float32')"
        )
    if isinstance(plane, jax.core.Tracer):
        return
    if not bool(_is_integral(jnp.asarray(plane))):
        raise InputError(
            "a cover holds only the integers 0..255; this one has other values "
            f"(smallest {float(jnp.min(plane)):g}, largest {float(jnp.max(plane)):g}): round and "
            "clip it first"
        )


@jax.jit
def _is_integral(plane):
    return jnp.all((plane >= 0) & (plane <= 255) & (plane == jnp.round(plane)))


def forbid_saturated(plane: Array, plus: Array, minus: Array) -> Costs:
    """Makes the changes that would leave 0..255 wet, and every cost finite.

    Args:
      plane: the cover, `[..., H, W]`.
      plus: cost of +1 before saturation, same shape; infinite and NaN costs and those from
        `WET_COST` on become `WET_COST`.
      minus: cost of -1, likewise.

    Returns:
      Costs of float32 in the plane's shape.
    """
    return Costs(
        plus=jnp.where((plus < _WET_FROM) & (plane < 255), plus, WET_COST).astype(jnp.float32),
        minus=jnp.where((minus < _WET_FROM) & (plane > 0), minus, WET_COST).astype(jnp.float32),
    )
