"""How unlike the pictures of a training a picture is, by its features.

Features are taken to their square roots (they are frequencies), centred, and projected on the
directions in which training pictures vary most. The distance is the mean square of the coordinates
in those directions, each divided by its standard deviation, and of what is left in no direction,
divided by its own. It is about 1 for pictures like those of the training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stegojax.errors import InputError


class Familiar(NamedTuple):
    """What training pictures are like.

    mean:   `[D]`, of the square roots.
    basis:  `[K, D]`, orthonormal directions.
    spread: `[K]`, the standard deviation in each.
    rest:   `[2]`, mean and standard deviation of the logarithm of the norm of what is left.
    """

    mean: np.ndarray
    basis: np.ndarray
    spread: np.ndarray
    rest: np.ndarray


def fit(features: np.ndarray, *, directions: int) -> Familiar:
    """Learns what pictures are like.

    Args:
      features: `[N, D]`, not negative.
      directions: K, less than N and at most D.

    Returns:
      What they are like.

    Raises:
      InputError: there are too few pictures or directions.
    """
    values = np.sqrt(np.asarray(features, np.float64))
    if not 1 <= directions < min(len(values), values.shape[1] + 1):
        raise InputError(
            f"{len(values)} pictures of {values.shape[1]} features span no {directions} directions"
        )
    mean = values.mean(axis=0)
    _, lengths, basis = np.linalg.svd(values - mean, full_matrices=False)
    familiar = Familiar(
        mean, basis[:directions], lengths[:directions] / np.sqrt(len(values)), np.zeros(2)
    )
    left = _left(familiar, values)[1]
    return familiar._replace(rest=np.array([left.mean(), left.std()]))


def distance(familiar: Familiar, features: np.ndarray) -> np.ndarray:
    """How unlike the training pictures others are.

    Args:
      familiar: from `fit`.
      features: `[N, D]`.

    Returns:
      `[N]`, about 1 for pictures like them.
    """
    coordinates, left = _left(familiar, np.sqrt(np.asarray(features, np.float64)))
    rest = (left - familiar.rest[0]) / familiar.rest[1]
    return np.maximum(np.mean((coordinates / familiar.spread) ** 2, axis=1), rest**2)


def _left(familiar: Familiar, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates `[N, K]`, and the logarithm of the norm of what they do not say, `[N]`."""
    centred = values - familiar.mean
    coordinates = centred @ familiar.basis.T
    rest = np.linalg.norm(centred - coordinates @ familiar.basis, axis=1)
    return coordinates, np.log(np.maximum(rest, 1e-12))
