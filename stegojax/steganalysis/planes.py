"""The planes that steganalysis looks at: what may be one.

A plane is float32 `[H, W]` and holds the integers 0..255, cover or stego alike; a batch is
`[B, H, W]`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.types import Array


def check_planes(planes: Array, *, smallest: int) -> None:
    """Refuses what no features can be taken of: a wrong rank or type, too few pixels, values other
    than the integers 0..255.

    Values can be looked at only outside `jax.jit`; inside, only rank, type and size are checked.

    Args:
      planes: pixels `[B, H, W]`, float32.
      smallest: least height and width, in pixels.

    Raises:
      InputError: the planes are not such; the message says what was found.
    """
    shape, dtype = jnp.shape(planes), jnp.result_type(planes)
    if len(shape) != 3 or shape[0] == 0:
        raise InputError(
            f"features are taken of planes [B, H, W] with at least one plane; got shape {shape}"
        )
    if min(shape[1:]) < smallest:
        raise InputError(
            f"these features need planes of at least {smallest} x {smallest} pixels; got shape "
            f"{shape}"
        )
    if dtype != jnp.float32:
        raise InputError(
            f"planes hold float32 pixels in 0..255; got {dtype}: convert them with "
            ".astype('float32')"
        )
    if isinstance(planes, jax.core.Tracer):
        return
    if not bool(_is_integral(jnp.asarray(planes))):
        raise InputError(
            "planes hold only the integers 0..255; these have other values "
            f"(smallest {float(jnp.min(planes)):g}, largest {float(jnp.max(planes)):g}): round "
            "and clip them first"
        )


@jax.jit
def _is_integral(planes):
    return jnp.all((planes >= 0) & (planes <= 255) & (planes == jnp.round(planes)))
