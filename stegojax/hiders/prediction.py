"""`Method.predict` of a trained run on a picture of any size, as files hold it, or on many small
ones.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import batches, run, tiles

_BATCH = 16


@functools.lru_cache(maxsize=8)
def _compiled(predict, names):
    def call(state, pictures, key):
        outputs = predict(state, pictures, key)
        return {name: outputs[name] for name in names or outputs}

    return jax.jit(call)


def predict(
    loaded: run.Loaded, pictures: Mapping[str, np.ndarray], *, names: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """`Method.predict` on one picture of any size, padded to what the networks take and tiled where
    it is large.

    Args:
      loaded: a trained run.
      pictures: pictures and maps of bits `[H, W, C]` of one size, by the names that its `predict`
        takes.
      names: the outputs to compute; all where none is named.

    Returns:
      These outputs, float32 `[H, W, C]` of the same height and width.
    """
    method = loaded.method
    height, width = next(iter(pictures.values())).shape[:2]
    multiple = method.size_multiple
    bottom, right = -height % multiple, -width % multiple
    padded = {
        name: np.pad(
            value.astype(np.float32)[None], ((0, 0), (0, bottom), (0, right), (0, 0)), mode="edge"
        )
        for name, value in pictures.items()
    }
    compiled = _compiled(method.predict, tuple(names))
    key = jax.random.key(loaded.config.seed)
    results = tiles.apply(
        lambda part: compiled(
            loaded.state, {name: jnp.asarray(value) for name, value in part.items()}, key
        ),
        padded,
        radius=method.receptive_radius,
    )
    return {name: value[0, :height, :width] for name, value in results.items()}


def predict_many(
    loaded: run.Loaded, batch: Mapping[str, np.ndarray], *, names: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """`Method.predict` on many pictures of the size that the run was trained at.

    Args:
      loaded: a trained run.
      batch: arrays `[N, ...]`, by the names that its `predict` takes, N at least 1.
      names: as for `predict`.

    Returns:
      These outputs, float32 `[N, ...]`.
    """
    compiled, key = (
        _compiled(loaded.method.predict, tuple(names)),
        jax.random.key(loaded.config.seed),
    )
    return batches.apply(
        lambda part: compiled(loaded.state, part, key),
        {name: value.astype(np.float32) for name, value in batch.items()},
        size=_BATCH,
    )
