"""`Method.predict` of a trained run on a picture of any size, as files hold it."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import run, tiles


@functools.lru_cache(maxsize=4)
def _compiled(predict):
    def call(state, pictures, key):
        return predict(state, pictures, key)

    return jax.jit(call)


def predict(loaded: run.Loaded, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`Method.predict` on one picture of any size, padded to what the networks take and tiled where it is large.

    Args:
      loaded: a trained run.
      pictures: pictures 0..255 and maps of bits `[H, W, C]` of one size, by the names that its `predict` takes.

    Returns:
      What it gives, float32 `[H, W, C]` of the same height and width.
    """
    made = loaded.method
    height, width = next(iter(pictures.values())).shape[:2]
    multiple = made.size_multiple
    bottom, right = -height % multiple, -width % multiple
    padded = {name: np.pad(value.astype(np.float32)[None], ((0, 0), (0, bottom), (0, right), (0, 0)), mode="edge")
              for name, value in pictures.items()}
    compiled = _compiled(made.predict)
    key = jax.random.key(loaded.config.seed)
    results = tiles.apply(lambda part: compiled(loaded.state, {name: jnp.asarray(value) for name, value in part.items()}, key),
                          padded, radius=made.receptive_radius)
    return {name: value[0, :height, :width] for name, value in results.items()}
