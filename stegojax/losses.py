"""Leaf losses: arrays in, one value per example out, for researchers to compose.

Pictures are `[B, H, W, C]` in pixel units, 0..`max_value`; every loss on pictures is measured on the scale [0, 1], so its size
does not depend on `max_value`. Results are `[B]`; a method takes their mean. Weight decay belongs to the optimiser. Losses on embedding take planes `[B, H, W]`.
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

    Source: ISGAN, eq. (10), the term in 1 - alpha; `similarity.ms_ssim`, `similarity.ms_ssim_scales`.

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


def mixed(x: Array, y: Array, *, alpha: float = 0.5, beta: float = 0.3, max_value: float = 255.0) -> Array:
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
    return (alpha * ssim_loss(x, y, max_value=max_value) + (1.0 - alpha) * ms_ssim_loss(x, y, max_value=max_value)
            + beta * mse(x, y, max_value=max_value))


def hide_and_reveal_error(cover: Array, stego: Array, secret: Array, revealed: Array, *, alpha: float = 1.0, beta: float = 1.0,
                          max_value: float = 255.0) -> Array:
    """`alpha |cover - stego|^2 + beta |secret - revealed|^2`, both squared errors as means on the scale [0, 1].

    Source: Baluja 2017, eq. (1), quoted as ISGAN's eq. (5), with alpha = 1; Rehman et al. 2017 (Atique), without its weight
    decay.

    Args:
      cover, stego: `[B, H, W, C]`, 0..max_value.
      secret, revealed: `[B, H, W, C]` of one number of channels, which may differ from the cover's, 0..max_value.
      alpha: weight of the cover's error.
      beta: weight of the secret's error.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes of a pair differ or are not `[B, H, W, C]`, or the arrays are not float.
    """
    return alpha * mse(cover, stego, max_value=max_value) + beta * mse(secret, revealed, max_value=max_value)


def softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """The cross entropy of a classifier's softmax: a steganalyzer's loss, and with the labels of covers, the embedder's.

    Source: ISGAN, eq. (4), with two logits; generating against the cover's label is the form that does not saturate
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
        raise ValueError("softmax_cross_entropy: logits [B, K] and labels [B] are needed, "
                         f"{logits.shape} and {labels.shape} were given")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"softmax_cross_entropy: integer labels are needed, {labels.dtype} was given")
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)[:, 0]


LOG_FLOOR = 1e-5
"""Added to a probability before its logarithm is taken."""


def rewarded_changes(probabilities: ChangeProbabilities, modifications: Array, reward: Array) -> Array:
    """Makes the drawn changes likelier that were rewarded, and those less likely that were punished (a policy gradient).

    -(1/HW) sum reward (log p+ where +1 was drawn, log p- where -1 was): the asymmetric-cost GAN's adversarial loss, eq. (4), and
    SPAR-RL's. The reward is taken as a constant.

    Args:
      probabilities: of the changes, `[B, H, W]`.
      modifications: what was drawn, -1, 0 or 1, same shape; elements that could not be drawn are 0 and count for nothing.
      reward: same shape.

    Returns:
      `[B]`.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W]`.
    """
    plus, minus = probabilities
    _check_planes("rewarded_changes", plus, minus, modifications, reward)
    # The one logarithm that counts, so that an impossible change elsewhere has no part in the gradient.
    chosen = jnp.where(modifications > 0, plus, jnp.where(modifications < 0, minus, 1.0))
    drawn = jnp.abs(modifications)
    return -jnp.mean(jax.lax.stop_gradient(reward * drawn) * jnp.log(chosen + LOG_FLOOR), axis=(1, 2))


def payload_error(probabilities: ChangeProbabilities, bits: float | Array, mask: Array) -> Array:
    """The squared difference, in bits, between what the elements of a mask carry and what they should.

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
        raise ValueError(f"payload_error: bits are one number or one for each of {plus.shape[0]} covers, {jnp.shape(bits)} given")
    carried = jnp.sum(jnp.where(mask > 0, ternary_entropy(probabilities), 0.0), axis=(1, 2))
    return (carried - bits) ** 2


def probability_error(probabilities: ChangeProbabilities, wanted: ChangeProbabilities, mask: Array) -> Array:
    """The absolute differences of the probabilities of +1, of -1 and of no change, over a mask, divided by all elements.

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
    return jnp.mean(jnp.where(mask > 0, jnp.abs(plus) + jnp.abs(minus) + jnp.abs(plus + minus), 0.0), axis=(1, 2))


def _check_planes(caller: str, *planes: Array) -> None:
    shapes = [jnp.shape(plane) for plane in planes]
    if len(set(shapes)) > 1 or len(shapes[0]) != 3:
        raise ValueError(f"{caller}: planes of one shape [B, H, W] are needed, {', '.join(map(str, shapes))} were given")
