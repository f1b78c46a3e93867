"""How far made pictures are from real ones, as sets: the Frechet distance of the features of a
fixed network.

Pictures are `[N, H, W, 3]`, float32 whole values 0..255.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import numpy as np

from stegojax import batches, metrics
from stegojax.errors import InputError
from stegojax.models import inception, random_features
from stegojax.types import Array

RANDOM_FEATURES = "random-feature Frechet distance (no FID)"
"""What the distance is called that needs no weights. Its figures and FID's are on different scales.
"""

FID = "FID"
"""What the distance is called where the features are the Inception network's."""

_BATCH = 64


def distance(real: np.ndarray, made: np.ndarray, *, weights: str = "") -> tuple[str, float]:
    """The Frechet distance of two sets of pictures, and what it is called.

    Args:
      real: `[N, H, W, 3]`, 0..255.
      made: `[M, H, W, 3]`, likewise.
      weights: a file of the Inception network's weights, see `models.inception`; "" for features
        that need none.

    Returns:
      The name of the distance, which belongs beside every figure of it, and the distance, from 0.

    Raises:
      InputError: a set has fewer than two pictures, or the file cannot be used.
    """
    features = _inception(weights) if weights else jax.jit(random_features.features)
    return FID if weights else RANDOM_FEATURES, metrics.frechet_distance(
        *_moments(features, real), *_moments(features, made)
    )


def _moments(
    features: Callable[[Array], Array], pictures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the features, in float64."""
    pictures = np.asarray(pictures, np.float32)
    if len(pictures) < 2:
        raise InputError(
            f"a distance of sets of pictures needs two or more in each, {len(pictures)} given"
        )
    values = batches.apply(features, pictures, size=min(_BATCH, len(pictures)))
    values = values.astype(np.float64)
    return values.mean(axis=0), np.cov(values, rowvar=False)


@functools.lru_cache(maxsize=1)
def _inception(weights: str) -> Callable[[np.ndarray], Array]:
    loaded, compiled = jax.device_put(inception.load(weights)), jax.jit(inception.features)
    return lambda pictures: compiled(loaded, pictures)
