"""ABDH-like: a stego made anew under an attention mask, with critics of pictures and of messages
(after Yu, AAAI 2020).

The original's code is not public; its figures are those of a system like it. Its adversarial losses
are CycleGAN's.
"""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import abdh as models
from stegojax.types import Array, Method


def message(**section) -> MessageShape:
    """One bit in every pixel of a grey picture, as SFTN compares it."""
    del section
    return MessageShape(channels=1, depth=1)


def message_loss(logits: Array, message: Array) -> Array:
    """The mean absolute difference of bits and what is thought of them."""
    return losses.mean_absolute_error(nn.sigmoid(logits), message, max_value=1.0)


def _critic_loss(real: Array, made: Array) -> Array:
    """Least squares (Mao et al. 2017): 1 for what is real, 0 for what is made."""
    return 0.5 * (
        losses.squared_bit_error(real, jnp.ones_like(real))
        + losses.squared_bit_error(made, jnp.zeros_like(made))
    )


def _deceit(real: Array, made: Array) -> Array:
    del real
    return losses.squared_bit_error(made, jnp.ones_like(made))


def _messages(cover: Array, stego: Array, message: Array, logits: Array) -> tuple[Array, Array]:
    """True and extracted messages as pictures."""
    del cover, stego
    return 255.0 * message, 255.0 * nn.sigmoid(logits)


def make(
    *,
    width: float = 1.0,
    blocks: int = models.BLOCKS,
    critic_width: float = 1.0,
    adversarial_weight: float = 1.0,
    inconsistency_weight: float = 0.1,
    **training,
) -> Method:
    """ABDH-like as a `Method`; attention and target image generator are the "encoder", the secret
    image generator the "decoder".

    Args:
      width: factor on every hidden channel count of attention and generators.
      blocks: residual blocks of each generator.
      critic_width: factor on the critics' channel counts.
      adversarial_weight: of each critic's part, "critic" of pictures and "message_critic"; 0 leaves
        them out.
      inconsistency_weight: of the loss by which covers must not read as stegos do; 0 leaves it out.
      **training: of `joint.make`; `cover_weight` is that of the absolute difference of pictures in
        [-1, 1].

    Raises:
      InputError: a number is out of range.
    """
    if not (isinstance(blocks, int) and blocks > 0) or inconsistency_weight < 0:
        raise InputError(
            "method.blocks must be a whole number above 0 and method.inconsistency_weight not "
            f"negative; got {blocks} "
            f"and {inconsistency_weight}"
        )
    patches = functools.partial(
        joint.Critic,
        models.Discriminator(width=critic_width),
        _critic_loss,
        _deceit,
        adversarial_weight,
    )

    def contrast(from_cover: Array, from_stego: Array) -> Array:
        return inconsistency_weight * losses.inconsistency(
            jax.nn.sigmoid(from_cover), jax.nn.sigmoid(from_stego)
        )

    system = joint.System(
        shape=message(),
        encoder=models.Encoder(blocks=blocks, width=width, axis_name=parallel.AXIS),
        decoder=models.Extractor(blocks=blocks, width=width),
        message_loss=message_loss,
        cover_loss=joint.absolute_error(127.5),
        critics={"critic": patches(), "message_critic": patches(_messages)}
        if adversarial_weight
        else {},
        contrast=contrast if inconsistency_weight else None,
    )
    return joint.make(system, **training)
