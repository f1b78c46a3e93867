"""The planes that steganalysis looks at: what may be one, and how a whole collection is worked
through.

A plane is float32 `[H, W]` and holds the integers 0..255, cover or stego alike; a batch is `[B, H,
W]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

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


def feature_batches(
    features: Callable[[Array], Array],
    planes: Sequence[np.ndarray] | np.ndarray,
    *,
    batch_size: int = 16,
) -> Iterator[np.ndarray]:
    """Takes the features of many planes of one size, batch after batch, in memory that does not
    grow with their number.

    The last batch is filled up with copies of its last plane, whose features are dropped, so that
    one shape is compiled.

    Args:
      features: maps planes `[batch_size, H, W]` to features `[batch_size, D]`; compiled here.
      planes: the planes, `[N, H, W]` or a sequence of `[H, W]` that may be read lazily; any type,
        integers 0..255.
      batch_size: planes per call.

    Yields:
      Features of the next planes in turn, float32 `[n, D]` with n = batch_size in all batches but
      the last.

    Raises:
      InputError: the planes differ in size or are not planes, or the batch size is not positive.
    """
    if batch_size < 1:
        raise InputError(f"a batch holds at least one plane; got batch_size={batch_size}")
    compiled = jax.jit(features)
    shape = None
    for start in range(0, len(planes), batch_size):
        chosen = [
            np.asarray(planes[at], np.float32)
            for at in range(start, min(start + batch_size, len(planes)))
        ]
        shape = shape or chosen[0].shape
        for at, plane in enumerate(chosen, start):
            if plane.shape != shape:
                raise InputError(
                    f"planes must be of one size: the first is {shape}, number {at} is "
                    f"{plane.shape}"
                )
        batch = np.stack(chosen + [chosen[-1]] * (batch_size - len(chosen)))
        check_planes(batch, smallest=1)
        yield np.asarray(compiled(batch))[: len(chosen)]
