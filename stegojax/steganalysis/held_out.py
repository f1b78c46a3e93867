"""How well features with an ensemble find the stegos that a method makes: the detection error that
a training is judged by while it goes on.
"""

from __future__ import annotations

import jax
import numpy as np

from stegojax import batches
from stegojax.errors import InputError
from stegojax.steganalysis import ensemble
from stegojax.steganalysis.features import FEATURES

SPLITS = 4
LEARNERS = 51
SUBSPACE = 200
LEAST = 20
"""Pairs; with fewer an error says nothing."""

_BATCH = 8


def detection_error(covers: np.ndarray, stegos: np.ndarray, *, features: str) -> float:
    """The error P_E of an ensemble that is trained on half of some pairs and tested on the others.

    The halves, subspaces and votes are the same whenever there are as many pairs, so that two
    errors differ by the stegos alone.

    Args:
      covers: `[N, H, W]`, whole numbers 0..255.
      stegos: their stegos, of that shape.
      features: a name in `FEATURES`.

    Returns:
      (false alarms + missed stegos) / 2, the mean over `SPLITS` splits.

    Raises:
      InputError: the features are unknown, or there are too few pairs, or they are too small.
    """
    known = [name for name, kind in FEATURES.items() if kind.domain == "pixels"]
    if features not in known:
        raise InputError(
            f"evaluation.steganalysis={features!r} is unknown; choose of {', '.join(known)}"
        )
    compute, smallest, _ = FEATURES[features]
    if len(covers) < LEAST or min(covers.shape[1:]) < smallest:
        raise InputError(
            f"evaluation.steganalysis={features} needs {LEAST} held-out pairs of {smallest}x"
            f"{smallest} and more; there are {len(covers)} of {covers.shape[1]}x{covers.shape[2]}: "
            "raise evaluation.batches or evaluation.crop"
        )
    compiled, size = jax.jit(compute), min(_BATCH, len(covers))
    of_covers, of_stegos = (
        batches.apply(compiled, np.asarray(planes, np.float32), size=size)
        for planes in (covers, stegos)
    )
    errors, half = [], len(covers) // 2
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(covers))
        known, unknown = order[:half], order[half:]
        trained = ensemble.fit(
            jax.random.key(split),
            of_covers[known],
            of_stegos[known],
            subspace=min(SUBSPACE, half),
            learners=LEARNERS,
        )
        alarms, found = (
            np.mean(ensemble.votes(trained, rows[unknown]) > 0) for rows in (of_covers, of_stegos)
        )
        errors.append((alarms + 1 - found) / 2)
    return float(np.mean(errors))
