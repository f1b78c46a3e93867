"""Leaf losses: arrays in, one value per example out, for researchers to compose.

Pictures are `[B, H, W, C]` in pixel units, 0..`max_value`; every loss on pictures is measured on
the scale [0, 1], so its size does not depend on `max_value`. Results are `[B]`; a method takes
their mean. Weight decay belongs to the optimiser. Losses on embedding take planes `[B, H, W]`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.probabilities import ternary_entropy
from stegojax.similarity import check_pair, ms_ssim, ssim
from stegojax.types import Array, ChangeProbabilities


def mse(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The mean squared difference of two pictures on the scale [0, 1].

    Source: ISGAN, eq. (10), the term MSE.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, 0 to 1.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
    """
    check_pair("mse", x, y)
    return jnp.mean(((x - y) / max_value) ** 2, axis=(1, 2, 3))


def ssim_loss(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """1 - SSIM.

    Source: ISGAN, eq. (10), the term in alpha; `similarity.ssim`.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value, at least 11x11.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, 0 to 2.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
      InputError: the pictures are smaller than the 11x11 window.
    """
    return 1.0 - ssim(x, y, max_value=max_value)


def ms_ssim_loss(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """1 - MS-SSIM, over the scales that fit the picture.

    Source: ISGAN, eq. (10), the term in 1 - alpha; `similarity.ms_ssim`,
      `similarity.ms_ssim_scales`.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value, at least 11x11.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, 0 to 1.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
      InputError: the pictures are smaller than the 11x11 window.
    """
    return 1.0 - ms_ssim(x, y, max_value=max_value)


def mixed(
    x: Array, y: Array, *, alpha: float = 0.5, beta: float = 0.3, max_value: float = 255.0
) -> Array:
    """ISGAN's mixed loss: `alpha (1 - SSIM) + (1 - alpha) (1 - MS-SSIM) + beta MSE`.

    Source: ISGAN, eq. (10) and (11), with the paper's weights; the MSE is on the scale [0, 1].

    Args:
      x, y: `[B, H, W, C]`, 0..max_value, at least 11x11.
      alpha: weight of SSIM against MS-SSIM, 0 to 1.
      beta: weight of the mean squared error.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
      InputError: the pictures are smaller than the 11x11 window.
    """
    return (
        alpha * ssim_loss(x, y, max_value=max_value)
        + (1.0 - alpha) * ms_ssim_loss(x, y, max_value=max_value)
        + beta * mse(x, y, max_value=max_value)
    )


def hide_and_reveal_error(
    cover: Array,
    stego: Array,
    secret: Array,
    revealed: Array,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    max_value: float = 255.0,
) -> Array:
    """`alpha |cover - stego|^2 + beta |secret - revealed|^2`, both squared errors as means on the
    scale [0, 1].

    Source: Baluja 2017, eq. (1), quoted as ISGAN's eq. (5), with alpha = 1; Rehman et al. 2017
      (Atique), without its weight
    decay.

    Args:
      cover, stego: `[B, H, W, C]`, 0..max_value.
      secret, revealed: `[B, H, W, C]` of one number of channels, which may differ from the cover's,
        0..max_value.
      alpha: weight of the cover's error.
      beta: weight of the secret's error.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes of a pair differ or are not `[B, H, W, C]`, or the arrays are not
        float.
    """
    return alpha * mse(cover, stego, max_value=max_value) + beta * mse(
        secret, revealed, max_value=max_value
    )


def softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """The cross entropy of a classifier's softmax: a steganalyzer's loss, and with the labels of
    covers, the embedder's.

    Source: ISGAN, eq. (4), with two logits; generating against the cover's label is the form that
      does not saturate
    (Goodfellow et al. 2014).

    Args:
      logits: `[B, K]`.
      labels: `[B]`, integers 0..K-1.

    Returns:
      `[B]`, in nats.

    Raises:
      ValueError: the shapes do not fit or the labels are not integers.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            "softmax_cross_entropy: logits [B, K] and labels [B] are needed, "
            f"{logits.shape} and {labels.shape} were given"
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"softmax_cross_entropy: integer labels are needed, {labels.dtype} was given"
        )
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)[:, 0]


def token_cross_entropy(logits: Array, labels: Array, mask: Array) -> Array:
    """The mean cross entropy of the words of a sentence, what the mask leaves out aside.

    Source: the usual loss of sequence-to-sequence networks (Sutskever et al. 2014, Section 2);
      Seq2Seq-GAN names none.

    Args:
      logits: `[B, T, V]`.
      labels: `[B, T]`, integers 0..V-1.
      mask: `[B, T]`, true or 1 where a word counts.

    Returns:
      `[B]`, in nats a word; 0 for a sentence without words.

    Raises:
      ValueError: the shapes do not fit or the labels are not integers.
    """
    if logits.ndim != 3 or labels.shape != logits.shape[:2] or mask.shape != labels.shape:
        raise ValueError(
            "token_cross_entropy: logits [B, T, V], labels and mask [B, T] are needed, "
            f"{logits.shape}, {labels.shape} and {mask.shape} were given"
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"token_cross_entropy: integer labels are needed, {labels.dtype} was given"
        )
    counted = mask.astype(logits.dtype)
    values = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)[..., 0]
    return jnp.sum(values * counted, axis=1) / jnp.maximum(jnp.sum(counted, axis=1), 1.0)


LOG_FLOOR = 1e-5
"""Added to a probability before its logarithm is taken."""


def rewarded_changes(
    probabilities: ChangeProbabilities, modifications: Array, reward: Array
) -> Array:
    """Makes the drawn changes likelier that were rewarded, and those less likely that were punished
    (a policy gradient).

    -(1/HW) sum reward (log p+ where +1 was drawn, log p- where -1 was): the asymmetric-cost GAN's
    adversarial loss, eq. (4), and SPAR-RL's. The reward is taken as a constant.

    Args:
      probabilities: of the changes, `[B, H, W]`.
      modifications: what was drawn, -1, 0 or 1, same shape; elements that could not be drawn are 0
        and count for nothing.
      reward: same shape.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W]`.
    """
    plus, minus = probabilities
    _check_planes("rewarded_changes", plus, minus, modifications, reward)
    # The one logarithm that counts, so that an impossible change elsewhere has no part in the
    # gradient.
    chosen = jnp.where(modifications > 0, plus, jnp.where(modifications < 0, minus, 1.0))
    drawn = jnp.abs(modifications)
    return -jnp.mean(
        jax.lax.stop_gradient(reward * drawn) * jnp.log(chosen + LOG_FLOOR), axis=(1, 2)
    )


def payload_error(probabilities: ChangeProbabilities, bits: float | Array, mask: Array) -> Array:
    """The squared difference, in bits, between what the elements of a mask carry and what they
    should.

    The asymmetric-cost GAN's entropy loss, eq. (6) and (7), with logarithms to base 2.

    Args:
      probabilities: of the changes, `[B, H, W]`.
      bits: the payload of each cover's mask, a number or `[B]`.
      mask: bool or 0/1, `[B, H, W]`: the elements that count.

    Returns:
      `[B]`, in bits squared.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W]`, or there is not one payload per cover.
    """
    plus, minus = probabilities
    _check_planes("payload_error", plus, minus, mask)
    if jnp.shape(bits) not in ((), plus.shape[:1]):
        raise ValueError(
            f"payload_error: bits are one number or one for each of {plus.shape[0]} covers, "
            f"{jnp.shape(bits)} given"
        )
    carried = jnp.sum(jnp.where(mask > 0, ternary_entropy(probabilities), 0.0), axis=(1, 2))
    return (carried - bits) ** 2


def probability_error(
    probabilities: ChangeProbabilities, wanted: ChangeProbabilities, mask: Array
) -> Array:
    """The absolute differences of the probabilities of +1, of -1 and of no change, over a mask,
    divided by all elements.

    The asymmetric-cost GAN's reconstruction loss, eq. (8).

    Args:
      probabilities: `[B, H, W]`.
      wanted: same shape.
      mask: bool or 0/1, same shape: the elements that count.

    Returns:
      `[B]`, 0 to 2.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W]`.
    """
    _check_planes("probability_error", *probabilities, *wanted, mask)
    plus, minus = (found - aim for found, aim in zip(probabilities, wanted, strict=True))
    return jnp.mean(
        jnp.where(mask > 0, jnp.abs(plus) + jnp.abs(minus) + jnp.abs(plus + minus), 0.0),
        axis=(1, 2),
    )


def change_divergence(probabilities: ChangeProbabilities, wanted: ChangeProbabilities) -> Array:
    """The Kullback-Leibler divergence of the ternary changes from wanted ones, a mean per element.

    Args:
      probabilities: `[B, H, W]`.
      wanted: same shape.

    Returns:
      `[B]`, in nats, 0 where they are the same.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W]`.
    """
    _check_planes("change_divergence", *probabilities, *wanted)
    least = 1e-7

    def with_stay(chances):
        return jnp.stack([*chances, 1.0 - chances.plus - chances.minus])

    found, aim = with_stay(probabilities), with_stay(wanted)
    terms = aim * (jnp.log(jnp.maximum(aim, least)) - jnp.log(jnp.maximum(found, least)))
    return jnp.mean(jnp.sum(terms, axis=0), axis=(1, 2))


def _check_planes(caller: str, *planes: Array) -> None:
    shapes = [jnp.shape(plane) for plane in planes]
    if len(set(shapes)) > 1 or len(shapes[0]) != 3:
        raise ValueError(
            f"{caller}: planes of one shape [B, H, W] are needed, {', '.join(map(str, shapes))} "
            "were given"
        )


def mean_absolute_error(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The mean absolute difference of two pictures on the scale [0, 1].

    Hayes and Danezis 2017, the cover's term of Alice's loss (there on [-1, 1], which doubles it);
    ABDH's terms of cover and secret.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, 0 to 1.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
    """
    check_pair("mean_absolute_error", x, y)
    return jnp.mean(jnp.abs(x - y) / max_value, axis=(1, 2, 3))


def bit_cross_entropy(logits: Array, bits: Array) -> Array:
    """The binary cross entropy of bits and what is thought of them, by logits: finite however sure
    and wrong.

    SFTN, eq. (11) and (13), with M' the sigmoid of the logits; SteganoGAN's and CHAT-GAN's message
    loss. With the scores `[B, 1]` of one-output discriminators and labels of ones or zeros in the
    bits' place, the adversarial losses of Hayes and Danezis 2017 and of HiDDeN.

    Args:
      logits: `[B, ...]`, positive for 1.
      bits: same shape, float {0, 1}; numbers between are probabilities of 1.

    Returns:
      `[B]`, the mean over a picture's bits, in nats.

    Raises:
      ValueError: the shapes differ or have no bits, or the arrays are not float.
    """
    _check_bits("bit_cross_entropy", logits, bits)
    return _mean_per_example(jax.nn.softplus(logits) - logits * bits)


def squared_bit_error(estimates: Array, bits: Array) -> Array:
    """The mean squared difference of bits and their estimates.

    HiDDeN, eq. (2) with bits 0 and 1; Hayes and Danezis 2017, Bob's loss, with -1/2 and 1/2 for
    bits.

    Args:
      estimates: `[B, ...]`.
      bits: same shape, float, on the estimates' scale.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes differ or have no bits, or the arrays are not float.
    """
    _check_bits("squared_bit_error", estimates, bits)
    return _mean_per_example((estimates - bits) ** 2)


def wasserstein_gap(cover_scores: Array, stego_scores: Array) -> Array:
    """How much higher a steganalyzer's scores are for covers than for stegos: the loss of one that
    is trained as a Wasserstein critic.

    SteganoGAN (Zhang et al. 2019), Section 3.3: the steganalyzer minimises it, which makes stegos'
    scores high, and the coders minimise the stegos' scores. Its absolute value is SFTN's eq. (9).

    Args:
      cover_scores: `[B, 1]`.
      stego_scores: same shape.

    Returns:
      `[B]`.

    Raises:
      ValueError: the scores are not `[B, 1]` of one B.
    """
    if (
        cover_scores.shape != stego_scores.shape
        or cover_scores.ndim != 2
        or cover_scores.shape[1] != 1
    ):
        raise ValueError(
            f"wasserstein_gap: scores [B, 1] are needed, {cover_scores.shape} and "
            f"{stego_scores.shape} were given"
        )
    return (cover_scores - stego_scores)[:, 0]


def gradient_penalty(gradients: Array) -> Array:
    """(|g| - 1)^2 of a score's gradient by its picture: keeps the score's slope near 1 (Gulrajani
    et al. 2017, eq. (3)).

    Args:
      gradients: `[B, ...]`: of each picture's score by this picture, on the scale on which the
        slope is to be 1.

    Returns:
      `[B]`; with a finite derivative, 0, where the gradient is 0.

    Raises:
      ValueError: the gradients have no axis besides the batch.
    """
    if gradients.ndim < 2:
        raise ValueError(
            f"gradient_penalty: gradients [B, ...] are needed, {gradients.shape} was given"
        )
    squared = jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))
    # The root's derivative is infinite at 0: both branches must be finite for the gradient to be.
    norm = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
    return (norm - 1.0) ** 2


INCONSISTENCY_FLOOR = 1e-4
"""Added to the mean squared difference before it divides: where nothing is hidden yet the loss is
large, but finite.
"""


def inconsistency(from_cover: Array, from_stego: Array, *, scale: float = 0.6) -> Array:
    """`scale / MSE`: an extractor is to say one thing of a stego and another of its cover.

    ABDH (Yu 2020), the inconsistency loss, as its public derivative has it.

    Args:
      from_cover: what is extracted from covers, `[B, ...]`.
      from_stego: what is extracted from their stegos, same shape, on the same scale.
      scale: the loss at a mean squared difference of 1.

    Returns:
      `[B]`, positive, at most scale / `INCONSISTENCY_FLOOR`.

    Raises:
      ValueError: the shapes differ or have nothing extracted, or the arrays are not float.
    """
    _check_bits("inconsistency", from_cover, from_stego)
    return scale / (_mean_per_example((from_cover - from_stego) ** 2) + INCONSISTENCY_FLOOR)


def _mean_per_example(values: Array) -> Array:
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))


def _check_bits(caller: str, x: Array, y: Array) -> None:
    if x.ndim < 2 or x.shape != y.shape:
        raise ValueError(
            f"{caller}: two arrays of one shape [B, ...] are needed, {x.shape} and {y.shape} were "
            "given"
        )
    if not (jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(y.dtype, jnp.floating)):
        raise ValueError(f"{caller}: float arrays are needed, {x.dtype} and {y.dtype} were given")
