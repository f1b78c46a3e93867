"""CHAT-GAN-like: SFTN's training of an encoder and a decoder with channel attention (after Tan et
al. 2021).

The original's code is not public; its figures are those of a system like it.
"""

from __future__ import annotations

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint, sftn
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import chatgan as models
from stegojax.types import Method


def message(**section) -> MessageShape:
    """One bit in every pixel of a grey picture, as SFTN compares it."""
    del section
    return MessageShape(channels=1, depth=1)


def make(
    *,
    width: float = 1.0,
    critic_width: float = 1.0,
    limit: float = models.LIMIT,
    adversarial_weight: float = 1.0,
    **training,
) -> Method:
    """CHAT-GAN-like as a `Method`, with the losses of SFTN's Eq. (9) to (12).

    Args:
      width: factor on every hidden channel count of encoder and decoder.
      critic_width: the same of the discriminator.
      limit: largest modification of a pixel, grey levels.
      adversarial_weight: of the discriminator's part; 0 leaves it out.
      **training: of `joint.make`; `cover_weight` is that of the squared error in grey levels.

    Raises:
      InputError: a weight or limit is out of range.
    """
    if not limit > 0:
        raise InputError(f"method.limit={limit} must be above 0")
    options = dict(width=width, axis_name=parallel.AXIS)
    system = joint.System(
        shape=message(),
        encoder=models.Encoder(limit=limit, **options),
        decoder=models.Decoder(**options),
        message_loss=losses.bit_cross_entropy,
        cover_loss=joint.squared_error(1.0),
        critics={"critic": sftn.discriminator(adversarial_weight, critic_width)}
        if adversarial_weight
        else {},
    )
    return joint.make(system, **training)
