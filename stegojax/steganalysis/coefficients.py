"""The planes of JPEG coefficients that steganalysis looks at, and the quality of their files.

A batch is `[B, H, W]`, whole numbers, multiples of 8: coefficient (u, v) of block (i, j) at
[8 i + u, 8 j + v], u the vertical frequency. Every plane has its quantisation table, `[B, 8, 8]`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.types import Array

_TABLES = np.stack([dct.table(quality) for quality in range(1, 101)])


def quality_of(quantisation: Array) -> Array:
    """The quality whose standard luminance table is nearest to a table.

    Args:
      quantisation: `[..., 8, 8]`.

    Returns:
      int32 `[...]`, 1..100.
    """
    table = jnp.asarray(quantisation, jnp.int32)[..., None, :, :]
    standard = jnp.asarray(_TABLES).reshape((1,) * (table.ndim - 3) + _TABLES.shape)
    return jnp.argmin(abs(table - standard).sum((-2, -1)), -1).astype(jnp.int32) + 1


def check_coefficients(coefficients: Array, quantisation: Array, *, smallest: int) -> None:
    """Refuses what no features can be taken of.

    Args:
      coefficients: `[B, H, W]`.
      quantisation: `[B, 8, 8]`.
      smallest: least height and width.

    Raises:
      InputError: the arrays are not such; the message says what was found.
    """
    shape, tables = jnp.shape(coefficients), jnp.shape(quantisation)
    if len(shape) != 3 or not shape[0] or shape[1] % 8 or shape[2] % 8 or min(shape[1:]) < smallest:
        raise InputError(
            "features are taken of coefficients [B, H, W], at least one plane of sides that are "
            f"multiples of 8 and at least {smallest}; got shape {shape}"
        )
    if tables != (shape[0], 8, 8):
        raise InputError(f"every plane has a table, [{shape[0]}, 8, 8]; got shape {tables}")
    if isinstance(coefficients, jax.core.Tracer):
        return
    values = jnp.asarray(coefficients)
    if values.dtype.kind == "f" and not bool(jnp.all(values == jnp.round(values))):
        raise InputError("coefficients are whole numbers; these hold others")
