"""The ensemble of Fisher linear discriminants: the field's classifier for high-dimensional
features.

Kodovsky, Fridrich and Holub, "Ensemble classifiers for steganalysis of digital media", IEEE TIFS 7,
2012. Every base learner sees a random subspace of the features and a bootstrap of the training
pairs; a cover and its stego are drawn together. The majority decides. The pairs that a learner did
not draw measure the ensemble as it grows (the out-of-bag error), which settles how many learners
there are and how large their subspace is.

Features are `[N, D]`, a picture per row, with values of the order of 1, as SPAM and SRM have: the
ridge of 1e-10 that makes a scatter matrix regular is absolute. Row i of the stego features is the
stego of row i of the cover features. Votes lie in [-1, 1], above 0 for stego; labels are 0 for
cover and 1 for stego. All of it is NumPy in float64 on the host: with fewer pairs than features a
  scatter matrix is regular through its ridge alone, and float32 loses that beside scatters above
  0.001.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import NamedTuple

import jax
import numpy as np
import threadpoolctl
from scipy.linalg import lapack

from stegojax.errors import InputError
from stegojax.types import Key

RIDGE = 1e-10
"""Added to the diagonal of a scatter matrix."""

FIRST_STEP = 200
"""Distance of the first three subspace sizes that the search tries, at most a quarter of the
features.
"""

LEAST_GAIN, LEAST_RELATIVE_GAIN, LEAST_RELATIVE_STEP = 0.005, 0.02, 0.05
"""The search ends where the best size gains less on its neighbours, or where the step is a smaller
share of the best size.
"""

LEAST_LEARNERS, MOST_LEARNERS = 25, 500
"""Bounds on the number of base learners where the out-of-bag error decides."""

SMOOTHING, MEMORY, STEADY = 5, 50, 0.005
"""Learners are enough when means of 5 out-of-bag errors, taken over the last 50 of them, differ by
less than 0.005.
"""

_CHUNK = 2**23
"""Numbers of features that are projected at once: 64 MiB of float64."""

_WORKERS = min(4, os.cpu_count() or 1)
"""Learners that are trained at once; the ensemble does not depend on it."""


class Trial(NamedTuple):
    """One subspace size that the search tried.

    subspace:  features per learner.
    learners:  how many learners it took.
    oob_error: the out-of-bag error of them all.
    """

    subspace: int
    learners: int
    oob_error: float


class Ensemble(NamedTuple):
    """A trained ensemble of L learners on d features each.

    subspaces:  `[L, d]` int, which of the features each learner sees, ascending.
    weights:    `[L, d]` float64; all 0 for a learner that abstains.
    thresholds: `[L]` float64; a learner votes stego where its projection lies above, cover below,
                and abstains at it.
    oob_errors: `[L]` float64, the out-of-bag error of the first 1, 2, ... L learners.
    trials:     the subspace sizes tried, in that order. Several make the error of the best one an
                optimistic figure.
    features:   D, of the features it was trained on.
    """

    subspaces: np.ndarray
    weights: np.ndarray
    thresholds: np.ndarray
    oob_errors: np.ndarray
    trials: tuple[Trial, ...]
    features: int


def fit(
    key: Key,
    cover: np.ndarray,
    stego: np.ndarray,
    *,
    subspace: int | None = None,
    learners: int | None = None,
) -> Ensemble:
    """Trains an ensemble on pairs of a cover and its stego.

    Kodovsky, Fridrich and Holub 2012, algorithm 1, and algorithm 2 with the tolerances of the
    authors' released code. A learner's randomness depends on the key, the subspace size and its
    number alone, so a size given is trained as the same size found. Features with one value in all
    rows of both classes are never drawn. Any number of pairs from 2 will do for any
    subspace: the scatter matrix is regular through its ridge. Where cover and stego features are
      equal the learners abstain,
    and the out-of-bag error is 0.5.

    Args:
      key: PRNG key: subspaces and bootstraps.
      cover: `[N, D]`, N at least 2, finite, float or int.
      stego: `[N, D]`; its row i is the stego of the cover's row i.
      subspace: features per learner; None searches for the size of the least out-of-bag error.
      learners: number of base learners; None adds them until the out-of-bag error is steady, 25 to
        500.

    Returns:
      The ensemble; of equally good sizes the smallest.

    Raises:
      InputError: the features do not come in pairs, are fewer than 2 pairs, not finite or all
        constant, or the subspace is larger than the number of features that vary.
    """
    cover, stego = _checked("cover", cover), _checked("stego", stego)
    if cover.shape != stego.shape:
        raise InputError(
            f"cover and stego features must be pairs of one shape [N, D]; got {cover.shape} and "
            f"{stego.shape}"
        )
    if len(cover) < 2:
        raise InputError(
            f"an ensemble learns from at least 2 pairs of cover and stego; got {len(cover)}"
        )
    varying = np.zeros(cover.shape[1], bool)
    for row in itertools.chain(cover, stego):
        varying |= row != cover[0]
    pool = np.flatnonzero(varying)
    if not pool.size:
        raise InputError(
            f"none of the {cover.shape[1]} features varies: there is nothing to learn from"
        )
    if subspace is not None and not 1 <= subspace <= pool.size:
        raise InputError(
            f"the subspace must have 1 to {pool.size} features, as many as vary; got {subspace}"
        )
    if learners is not None and learners < 1:
        raise InputError(f"an ensemble has at least one learner; got {learners}")

    words, trials, best = _words(key), [], None

    def error_of(size: int) -> float:
        nonlocal best
        ensemble = _grow(words, cover, stego, pool, size, learners)
        error = float(ensemble.oob_errors[-1])
        trials.append(Trial(size, len(ensemble.thresholds), error))
        if best is None or (error, size) < (best.oob_errors[-1], best.subspaces.shape[1]):
            best = ensemble
        return error

    if subspace is None:
        _search(error_of, pool.size)
    else:
        error_of(int(subspace))
    return best._replace(trials=tuple(trials))


def votes(ensemble: Ensemble, features: np.ndarray) -> np.ndarray:
    """The learners' votes for stego less those for cover, as a share of all learners.

    Kodovsky, Fridrich and Holub 2012, sec. II: the unweighted vote.

    Args:
      ensemble: from `fit`.
      features: `[N, D]`, finite.

    Returns:
      `[N]` float64, -1 (all say cover) to 1 (all say stego): the score for an ROC curve.

    Raises:
      InputError: the features are not those that the ensemble was trained on, or not finite.
    """
    features = _checked("the", features)
    if features.shape[1] != ensemble.features:
        raise InputError(
            f"the ensemble was trained on {ensemble.features} features per picture; got "
            f"{features.shape[1]}"
        )
    learners = len(ensemble.thresholds)
    # All learners at once, as one matrix of mostly zeros: faster than drawing out every learner's
    # features.
    weights = np.zeros((ensemble.features, learners))
    weights[ensemble.subspaces, np.arange(learners)[:, None]] = ensemble.weights
    rows = max(1, _CHUNK // ensemble.features)
    chunks = [
        features[begin : begin + rows].astype(np.float64) @ weights
        for begin in range(0, len(features), rows)
    ]
    return np.mean(np.sign(np.concatenate(chunks) - ensemble.thresholds), axis=1)


def predict(key: Key, ensemble: Ensemble, features: np.ndarray) -> np.ndarray:
    """Cover or stego, by the majority of the learners.

    Kodovsky, Fridrich and Holub 2012, algorithm 1, step 9; a tie is decided by a coin.

    Args:
      key: PRNG key: the coins.
      ensemble: from `fit`.
      features: `[N, D]`, finite.

    Returns:
      `[N]` int32, 0 cover, 1 stego. Its share of wrong labels on as many covers as stegos is P_E.

    Raises:
      InputError: as `votes`.
    """
    vote = votes(ensemble, features)
    coins = np.random.default_rng(_words(key)).integers(0, 2, len(vote))
    return np.where(vote == 0, coins, vote > 0).astype(np.int32)


def _words(key):
    if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return np.asarray(key).ravel().tolist()


def _checked(what, features) -> np.ndarray:
    values = np.asarray(features)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            f"{what} features are [N, D], a picture per row, and not empty; got shape "
            f"{values.shape}"
        )
    if values.dtype.kind not in "fiu":
        raise InputError(f"{what} features are numbers, float or int; got {values.dtype}")
    if values.dtype.kind == "f":
        # Row by row, as a whole would take a second matrix. Beyond float32 the scatter overflows
        # float64.
        limit = min(np.finfo(values.dtype).max, np.finfo(np.float32).max)
        rows = [number for number, row in enumerate(values) if not np.abs(row).max() <= limit]
        if rows:
            column = np.flatnonzero(~(np.abs(values[rows[0]]) <= limit))[0]
            raise InputError(
                f"{what} features must be finite: {len(rows)} of {len(values)} rows are not, the "
                "first is row "
                f"{rows[0]} with {values[rows[0], column]} in feature {column}; leave such "
                "pictures out"
            )
    return values


def _grow(words, cover, stego, pool, size, learners) -> Ensemble:
    """Adds learners on `size` features each until there are enough."""
    total = np.zeros((2, len(cover)), np.int64)
    grown, errors = [], []
    for *learner, ballots in _learners(words, cover, stego, pool, size):
        grown.append(learner)
        total += ballots
        # A tie, or no vote yet, is wrong half of the time.
        errors.append(float(np.mean(1 + np.sign(total) * [[1], [-1]])) / 2)
        if len(errors) == learners or (learners is None and _enough(errors)):
            break
    subspaces, weights, thresholds = (np.stack(parts) for parts in zip(*grown, strict=True))
    return Ensemble(subspaces, weights, thresholds, np.asarray(errors), (), cover.shape[1])


def _learners(*data) -> Iterator[tuple[np.ndarray, np.ndarray, float, np.ndarray]]:
    """What `_train` gives, for learner after learner, without an end."""
    make = functools.partial(_train, *data)
    # One thread per learner: the threads of NumPy's and of SciPy's BLAS stand in each other's way
    # over matrices this small.
    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        futures.ThreadPoolExecutor(_WORKERS) as workers,
    ):
        for begin in itertools.count(step=_WORKERS):
            yield from workers.map(make, range(begin, begin + _WORKERS))


def _train(
    words, cover, stego, pool, size, number
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """One learner's features, weights and threshold, and its ballots `[2, N]`: 0 for pairs that it
    was trained on.
    """
    subspace, counts = _draw(words, len(cover), pool, size, number)
    # Relative to the first row, so that a feature that is constant in a bootstrap is exactly 0
    # there.
    origin = cover[0, subspace].astype(np.float64)
    features = np.stack([cover[:, subspace], stego[:, subspace]]) - origin
    weight, threshold = _learn(features[:, counts > 0], counts[counts > 0])
    ballots = np.where(counts > 0, 0, np.sign(features @ weight - threshold)).astype(np.int64)
    return subspace, weight, threshold + origin @ weight, ballots


def _draw(words, pairs, pool, size, number) -> tuple[np.ndarray, np.ndarray]:
    """A learner's features in ascending order and how often it draws each pair."""
    rng = np.random.default_rng([*words, size, number])
    subspace = np.sort(rng.choice(pool, size, replace=False, shuffle=False))
    return subspace, np.bincount(rng.integers(0, pairs, pairs), minlength=pairs)


def _enough(errors) -> bool:
    if len(errors) < LEAST_LEARNERS:
        return False
    means = np.convolve(errors[-MEMORY:], np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
    return len(errors) >= MOST_LEARNERS or np.ptp(means) < STEADY


def _learn(features, counts) -> tuple[np.ndarray, float]:
    """One learner: weights and threshold from covers and stegos `[2, U, d]` and how often each pair
    counts, `[U]`.
    """
    share = counts / counts.sum()
    centred = (features - (share @ features)[:, None]) * np.sqrt(share)[:, None]
    # The mean of differences, not the difference of means: exactly 0 where covers and stegos are
    # equal.
    difference = share @ (features[1] - features[0])
    weight = _direction(centred.reshape(-1, centred.shape[-1]), difference)
    # Two equal rows may be projected with different roundings.
    rounding = 1e-13 * np.sqrt(np.max(np.sum(features**2, axis=-1)) * (weight @ weight))
    sign, threshold = _threshold(*(features @ weight), counts, rounding)
    return sign * weight, sign * threshold


def _direction(centred, difference) -> np.ndarray:
    """`(Z^T Z + ridge I)^-1 delta` for Z `[n, d]`, delta `[d]`; in n dimensions where these are
    fewer.

    There it is `(delta - Z^T (Z Z^T + ridge I)^-1 Z delta) / ridge`, by Woodbury's identity, with
    the same ridge.
    """
    rows, columns = centred.shape
    if columns <= rows:
        return _solve(centred.T @ centred, difference)[0]
    solution, ridge = _solve(centred @ centred.T, centred @ difference)
    return (difference - solution @ centred) / ridge


def _solve(scatter, right) -> tuple[np.ndarray, float]:
    """Solves with the ridge on the diagonal, the smallest of growing ones that makes the matrix
    regular in float64.
    """
    ridge, step = RIDGE, np.finfo(np.float64).eps
    diagonal = np.diag(scatter).copy()
    while True:
        np.fill_diagonal(scatter, diagonal + ridge)
        factor, failed = lapack.dpotrf(scatter, lower=1)
        if not failed:
            condition, _ = lapack.dpocon(factor, np.abs(scatter).sum(axis=0).max(), uplo="L")
            if condition > np.finfo(np.float64).eps:
                return lapack.dpotrs(factor, right, lower=1)[0], ridge
        ridge, step = ridge + step, 5 * step


def _threshold(cover, stego, counts, rounding) -> tuple[int, float]:
    """The sign and the threshold of the fewest errors: `sign * projection` above `sign * threshold`
    is stego.

    Of equally good thresholds the one in the middle. Projections within `rounding` of each other
    are not parted; if all are,
    the weights are to be dropped: sign 0.
    """
    projections = np.concatenate([cover, stego])
    order = np.argsort(projections, kind="stable")
    projections = projections[order]
    missed_less_passed = np.cumsum(np.concatenate([-counts, counts])[order])[:-1]
    errors = counts.sum() + missed_less_passed
    cuts = np.flatnonzero(np.diff(projections) > rounding)
    if not cuts.size:
        return 0, 0.0
    fewest = np.minimum(errors, 2 * counts.sum() - errors)[cuts]
    best = cuts[fewest == fewest.min()]
    cut = best[len(best) // 2]
    return 1 if errors[cut] <= counts.sum() else -1, float(
        projections[cut] + projections[cut + 1]
    ) / 2


def _search(error_of: Callable[[int], float], most: int) -> None:
    """Tries subspace sizes: from the left in equal steps while the error falls, then around the
    best in ever smaller steps.
    """
    step = max(1, min(FIRST_STEP, most // 4))
    errors = {size: error_of(size) for size in (step, 2 * step, 3 * step) if size <= most}
    while True:
        sizes = sorted(errors)
        best = min(sizes, key=errors.__getitem__)
        place = sizes.index(best)
        if best == sizes[-1] and best + step <= most:
            tried = [best + step]
        else:
            around = np.mean(
                [errors[size] for size in sizes[max(place - 1, 0) : place + 2] if size != best]
                or [0.5]
            )
            gain = around - errors[best]
            # To the left of the smallest size nothing is known, so flatness on its right says
            # little.
            flat = place > 0 and (gain < LEAST_GAIN or gain <= LEAST_RELATIVE_GAIN * around)
            if errors[best] == 0 or flat or step < LEAST_RELATIVE_STEP * best:
                return
            step = max(1, step // 2)
            tried = [
                size
                for size in (best - step, best + step)
                if 0 < size <= most and size not in errors
            ]
            if step == 1 and not tried:
                return
        for size in tried:
            errors[size] = error_of(size)
