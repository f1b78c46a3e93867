"""Figures of merit: how alike two pictures are, how many bits came back, how well a detector tells stego from cover.

Pictures are `[B, H, W, C]` float, in pixel units, and are measured as given: round and clip a stego first. Figures of pictures
and bits are `[B]`, one per example, to be averaged with `masked_mean`. Detectors' scores are `[N]`, larger for stego, with
labels 0 for cover and 1 for stego.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from stegojax.similarity import check_pair, ms_ssim, ms_ssim_scales, ssim
from stegojax.types import Array

__all__ = ["PSNR_CAP", "accuracy", "area_under_curve", "bit_accuracy", "detection_error", "masked_mean", "ms_ssim",
           "ms_ssim_scales", "psnr", "ssim"]

PSNR_CAP = 150.0
"""The PSNR of equal pictures, in dB, instead of infinity, so that averages exist. One level in one pixel of 10^10 is 148 dB."""


def psnr(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The peak signal-to-noise ratio of each pair of pictures over all its channels, `10 log10(max_value^2 / MSE)`.

    Source: the definition; equal pictures get `PSNR_CAP`.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, in dB, at most `PSNR_CAP`.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
    """
    check_pair("psnr", x, y)
    error = jnp.mean(((x - y) / max_value) ** 2, axis=(1, 2, 3))
    return -10.0 * jnp.log10(jnp.maximum(error, 10.0 ** (-PSNR_CAP / 10.0)))


def bit_accuracy(bits: Array, revealed: Array) -> Array:
    """The share of bits that came back right in each example.

    Source: the definition.

    Args:
      bits, revealed: `[B, ...]`, {0, 1}, of one integer or boolean type or two.

    Returns:
      `[B]`, 0 to 1.

    Raises:
      ValueError: the shapes differ or have no bits, or the arrays are float.
    """
    if bits.ndim < 2 or bits.shape != revealed.shape:
        raise ValueError(f"bit_accuracy: bits of one shape [B, ...] are needed, {bits.shape} and {revealed.shape} were given")
    for array in (bits, revealed):
        if jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(f"bit_accuracy: bits are needed, {array.dtype} was given; put probabilities to a threshold first")
    return jnp.mean((bits == revealed).astype(jnp.float32), axis=tuple(range(1, bits.ndim)))


def accuracy(logits: Array, labels: Array) -> Array:
    """1 where the largest logit is the label's, else 0.

    Source: the definition; ISGAN's Table 6 is its mean.

    Args:
      logits: `[B, K]`.
      labels: `[B]`, integers 0..K-1.

    Returns:
      `[B]`, {0, 1}, float32.

    Raises:
      ValueError: the shapes do not fit.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"accuracy: logits [B, K] and labels [B] are needed, {logits.shape} and {labels.shape} were given")
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


def _check_scores(caller: str, scores: Array, labels: Array) -> None:
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"{caller}: scores and labels of one shape [N] are needed, "
                         f"{scores.shape} and {labels.shape} were given")


def detection_error(scores: Array, labels: Array) -> Array:
    """The detector's error at its best threshold, `P_E = min (P_FA + P_MD) / 2`, for equally likely covers and stegos.

    Source: the field's standard figure; Kodovsky, Fridrich and Holub 2012, eq. (1).

    Args:
      scores: `[N]`, larger for stego.
      labels: `[N]`, 0 cover, 1 stego.

    Returns:
      Scalar, 0 (perfect) to .5 (no better than guessing); NaN if a score is NaN or one of the classes is absent.

    Raises:
      ValueError: scores and labels are not of one shape `[N]`.
    """
    _check_scores("detection_error", scores, labels)
    order = jnp.argsort(scores)
    ranked, stego = scores[order], labels[order].astype(jnp.int32)
    missed, passed = jnp.cumsum(stego), jnp.cumsum(1 - stego)
    error = (missed / missed[-1] + 1.0 - passed / passed[-1]) / 2
    # A threshold cannot part equal scores: only the last of each run of them counts.
    last = jnp.append(ranked[1:] > ranked[:-1], True)
    best = jnp.min(jnp.where(last, error, 0.5))
    return jnp.where(jnp.isnan(error).any() | jnp.isnan(scores).any(), jnp.nan, best)


def area_under_curve(scores: Array, labels: Array) -> Array:
    """The area under the ROC curve: the chance that a stego scores above a cover, equal scores counting half.

    Source: Mann and Whitney 1947; Hanley and McNeil 1982.

    Args:
      scores: `[N]`, larger for stego.
      labels: `[N]`, 0 cover, 1 stego.

    Returns:
      Scalar, 0 to 1; NaN if a score is NaN or one of the classes is absent.

    Raises:
      ValueError: scores and labels are not of one shape `[N]`.
    """
    _check_scores("area_under_curve", scores, labels)
    order = jnp.argsort(scores)
    ranked, stego = scores[order], labels[order].astype(jnp.float32)
    covers = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(1 - labels[order].astype(jnp.int32))])
    below, not_above = (covers[jnp.searchsorted(ranked, ranked, side=side)] for side in ("left", "right"))
    area = jnp.sum(stego * (below + not_above) / (2 * covers[-1])) / jnp.sum(stego)
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, area)


def roc_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The receiver operating characteristic: what share of covers and of stegos lies at or above each threshold.

    Args:
      scores: `[N]`, larger for stego.
      labels: `[N]`, 0 cover, 1 stego; both occur.

    Returns:
      False alarms and detections, `[T]` each, from (0, 0) to (1, 1), one point per different score; NumPy, since T depends on
      the scores.

    Raises:
      ValueError: scores and labels are not of one shape `[N]`, a score is NaN, or one of the classes is absent.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    _check_scores("roc_curve", scores, labels)
    if np.isnan(scores).any() or not 0 < labels.sum() < labels.size:
        raise ValueError("roc_curve: scores that are numbers, of covers and of stegos, are needed")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    detections, alarms = (np.append(0, np.cumsum(labels[order] == which)[last]) for which in (1, 0))
    return alarms / alarms[-1], detections / detections[-1]


def masked_mean(values: Array, mask: Array) -> Array:
    """The mean of the values that count; what the others are, NaN included, does not matter.

    Source: the definition. The last batch of an evaluation is filled up with examples that the mask leaves out.

    Args:
      values: `[N]`.
      mask: `[N]`, true or 1 where a value counts.

    Returns:
      Scalar; NaN if none counts.

    Raises:
      ValueError: the shapes differ.
    """
    if values.shape != mask.shape:
        raise ValueError(f"masked_mean: values and mask of one shape are needed, {values.shape} and {mask.shape} were given")
    counts = mask.astype(bool)
    return jnp.sum(jnp.where(counts, values, 0.0)) / jnp.sum(counts)
