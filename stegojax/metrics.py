"""Figures of merit: how alike two pictures are, how many bits came back, how well a steganalyzer
tells stego from cover.

Pictures are `[B, H, W, C]` float, in pixel units, and are measured as given: round and clip a stego
first. Figures of pictures and bits are `[B]`, one per example, to be averaged with `masked_mean`.
Steganalyzers' scores are `[N]`, larger for stego, with labels 0 for cover and 1 for stego. Figures
of text are of a whole set of sentences, each a sequence of words and marks
(`data.tokenizer.split`).
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from stegojax.similarity import check_pair, ms_ssim, ms_ssim_scales, ssim
from stegojax.types import Array

__all__ = [
    "PSNR_CAP",
    "accuracy",
    "area_under_curve",
    "bit_accuracy",
    "bleu",
    "detection_error",
    "exact_match",
    "frechet_distance",
    "masked_mean",
    "ms_ssim",
    "ms_ssim_scales",
    "psnr",
    "ssim",
    "wer",
]

PSNR_CAP = 150.0
"""The PSNR of equal pictures, in dB, instead of infinity, so that averages exist. One level in one
pixel of 10^10 is 148 dB.
"""


def psnr(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The peak signal-to-noise ratio of each pair of pictures over all its channels, `10
    log10(max_value^2 / MSE)`.

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
        raise ValueError(
            f"bit_accuracy: bits of one shape [B, ...] are needed, {bits.shape} and "
            f"{revealed.shape} were given"
        )
    for array in (bits, revealed):
        if jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(
                f"bit_accuracy: bits are needed, {array.dtype} was given; put probabilities to a "
                "threshold first"
            )
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
        raise ValueError(
            f"accuracy: logits [B, K] and labels [B] are needed, {logits.shape} and "
            f"{labels.shape} were given"
        )
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


def _check_scores(caller: str, scores: Array, labels: Array) -> None:
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"{caller}: scores and labels of one shape [N] are needed, "
            f"{scores.shape} and {labels.shape} were given"
        )


def detection_error(scores: Array, labels: Array) -> Array:
    """The steganalyzer's error at its best threshold, `P_E = min (P_FA + P_MD) / 2`, for equally
    likely covers and stegos.

    Source: the field's standard figure; Kodovsky, Fridrich and Holub 2012, eq. (1).

    Args:
      scores: `[N]`, larger for stego.
      labels: `[N]`, 0 cover, 1 stego.

    Returns:
      Scalar, 0 (perfect) to .5 (no better than guessing); NaN if a score is NaN or one of the
      classes is absent.

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
    """The area under the ROC curve: the chance that a stego scores above a cover, equal scores
    counting half.

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
    covers = jnp.concatenate(
        [jnp.zeros(1, jnp.int32), jnp.cumsum(1 - labels[order].astype(jnp.int32))]
    )
    below, not_above = (
        covers[jnp.searchsorted(ranked, ranked, side=side)] for side in ("left", "right")
    )
    area = jnp.sum(stego * (below + not_above) / (2 * covers[-1])) / jnp.sum(stego)
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, area)


def roc_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The receiver operating characteristic: what share of covers and of stegos lies at or above
    each threshold.

    Args:
      scores: `[N]`, larger for stego.
      labels: `[N]`, 0 cover, 1 stego; both occur.

    Returns:
      False alarms and detections, `[T]` each, from (0, 0) to (1, 1), one point per different score;
      NumPy, since T depends on the scores.

    Raises:
      ValueError: scores and labels are not of one shape `[N]`, a score is NaN, or one of the
        classes is absent.
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

    Source: the definition. The last batch of an evaluation is filled up with examples that the mask
      leaves out.

    Args:
      values: `[N]`.
      mask: `[N]`, true or 1 where a value counts.

    Returns:
      Scalar; NaN if none counts.

    Raises:
      ValueError: the shapes differ.
    """
    if values.shape != mask.shape:
        raise ValueError(
            f"masked_mean: values and mask of one shape are needed, {values.shape} and "
            f"{mask.shape} were given"
        )
    counts = mask.astype(bool)
    return jnp.sum(jnp.where(counts, values, 0.0)) / jnp.sum(counts)


def _check_texts(
    caller: str, references: Sequence[Sequence[str]], revealed: Sequence[Sequence[str]]
) -> None:
    if len(references) != len(revealed) or not len(references):
        raise ValueError(
            f"{caller}: as many sentences in both sets are needed, and at least one, "
            f"{len(references)} and "
            f"{len(revealed)} were given"
        )
    for name, sentences in (("references", references), ("revealed", revealed)):
        for number, sentence in enumerate(sentences):
            if isinstance(sentence, str) or any(
                not token or any(map(str.isspace, token)) for token in sentence
            ):
                raise ValueError(
                    f"{caller}: sentences must be sequences of words without spaces, {sentence!r} "
                    "was given as "
                    f"number {number} of {name}; split it first"
                )


def bleu(references: Sequence[Sequence[str]], revealed: Sequence[Sequence[str]]) -> float:
    """BLEU-4 of a set of sentences: how many runs of one to four words came back, with a penalty
    for brevity.

    Source: Papineni et al. 2002, Section 2.3, without smoothing, over the whole set; one reference
      per sentence (by sacrebleu).

    Args:
      references: the hidden sentences, each a sequence of words and marks.
      revealed: what came back, in the same order; a sentence may be empty.

    Returns:
      0 to 1; 0 if not a single run of four words came back.

    Raises:
      ValueError: the sets differ in length or are empty, or a sentence has not been split.
    """
    _check_texts("bleu", references, revealed)
    import sacrebleu  # here, since the command line starts without it

    score = sacrebleu.corpus_bleu(
        [" ".join(words) for words in revealed],
        [[" ".join(words) for words in references]],
        tokenize="none",
        smooth_method="none",
        force=True,
    )
    return min(score.score / 100.0, 1.0)


def wer(references: Sequence[Sequence[str]], revealed: Sequence[Sequence[str]]) -> float:
    """The word error rate of a set of sentences: words to replace, leave out and put in, over words
    that were hidden.

    Source: the definition (Levenshtein's distance between words), over the whole set (by jiwer).

    Args:
      references: the hidden sentences, each a sequence of words and marks, at least one.
      revealed: what came back, in the same order; a sentence may be empty.

    Returns:
      From 0; above 1 where more words came back than were hidden.

    Raises:
      ValueError: the sets differ in length or are empty, a sentence has not been split, or a
        reference has no word.
    """
    _check_texts("wer", references, revealed)
    if not all(map(len, references)):
        raise ValueError("wer: every reference needs a word, an empty one was given")
    import jiwer  # here, since the command line starts without it

    return jiwer.wer(
        [" ".join(words) for words in references], [" ".join(words) for words in revealed]
    )


def exact_match(references: Sequence[Sequence[str]], revealed: Sequence[Sequence[str]]) -> float:
    """The share of sentences that came back word for word.

    Source: the definition.

    Args:
      references: the hidden sentences, each a sequence of words and marks.
      revealed: what came back, in the same order.

    Returns:
      0 to 1.

    Raises:
      ValueError: the sets differ in length or are empty, or a sentence has not been split.
    """
    _check_texts("exact_match", references, revealed)
    return sum(
        list(one) == list(other) for one, other in zip(references, revealed, strict=True)
    ) / len(references)


def frechet_distance(
    mean_x: np.ndarray, covariance_x: np.ndarray, mean_y: np.ndarray, covariance_y: np.ndarray
) -> float:
    """The squared Frechet distance of two normal distributions, `|m_x - m_y|^2 + tr(C_x + C_y - 2
    (C_x C_y)^(1/2))`.

    Source: Dowson and Landau 1982; Heusel et al. 2017, eq. (6). It is called FID only if the
      features are those of the
    Inception network. Covariances may be singular: the trace of the root comes from the eigenvalues
      of
    `C_x^(1/2) C_y C_x^(1/2)`.

    Args:
      mean_x, mean_y: `[D]`, means of the features of two sets of pictures.
      covariance_x, covariance_y: `[D, D]`, their covariances, symmetric; float64 is advised.

    Returns:
      From 0, in the features' unit squared; computed in float64.

    Raises:
      ValueError: the shapes do not fit, a number is not finite, or a covariance is not symmetric.
    """
    means = [np.asarray(mean, np.float64) for mean in (mean_x, mean_y)]
    covariances = [
        np.asarray(covariance, np.float64) for covariance in (covariance_x, covariance_y)
    ]
    size = means[0].shape
    if (
        len(size) != 1
        or means[1].shape != size
        or any(matrix.shape != size * 2 for matrix in covariances)
    ):
        raise ValueError(
            "frechet_distance: means [D] and covariances [D, D] are needed, "
            f"{[array.shape for array in (*means, *covariances)]} were given"
        )
    if not all(np.isfinite(array).all() for array in (*means, *covariances)):
        raise ValueError("frechet_distance: finite means and covariances are needed")
    for matrix in covariances:
        if not np.allclose(
            matrix, matrix.T, rtol=1e-4, atol=1e-6 * np.abs(matrix).max(initial=0.0)
        ):
            raise ValueError("frechet_distance: symmetric covariances are needed")
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    between = np.linalg.eigvalsh(root @ covariances[1] @ root)
    distance = (
        np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0]) + np.trace(covariances[1])
    )
    return float(max(0.0, distance - 2.0 * np.sum(np.sqrt(np.maximum(between, 0.0)))))
