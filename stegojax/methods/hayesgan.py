"""HayesGAN: Alice, Bob and Eve, a message in a picture that is made anew (Hayes and Danezis
2017).
"""

from __future__ import annotations

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import hayesgan as models
from stegojax.types import Array, Method


def message(*, length: int = 100, **section) -> MessageShape:
    """`length` bits in a colour picture of the size that the run was trained at."""
    del section
    return MessageShape(channels=3, depth=0, length=length)


def message_loss(said: Array, message: Array) -> Array:
    """Bob's loss, (M - M')^2 of bits called -1/2 and 1/2."""
    return losses.squared_bit_error(said, models.levels(message))


def make(
    *,
    length: int = 100,
    width: float = 1.0,
    critic_width: float = 1.0,
    adversarial_weight: float = 0.1,
    **training,
) -> Method:
    """HayesGAN as a `Method`; Alice is the "encoder", Bob the "decoder" and Eve the "critic".

    Args:
      length: bits per picture.
      width: factor on every hidden channel count of Alice and Bob; 1 is the paper's.
      critic_width: the same of Eve.
      adversarial_weight: of the cross entropy by which Eve is deceived; 0 leaves Eve out.
      **training: of `joint.make`; `cover_weight` is that of the absolute difference of pictures in
        [-1, 1].

    Raises:
      InputError: a number is out of range.
    """
    if not (isinstance(length, int) and length > 0):
        raise InputError(f"method.length={length} must be a whole number above 0")
    options = dict(width=width, axis_name=parallel.AXIS)
    eve = joint.classifier(
        models.Eve(width=critic_width, axis_name=parallel.AXIS), adversarial_weight
    )
    system = joint.System(
        shape=message(length=length),
        encoder=models.Alice(**options),
        decoder=models.Bob(length=length, **options),
        message_loss=message_loss,
        cover_loss=joint.absolute_error(127.5),
        critics={"critic": eve} if adversarial_weight else {},
        # The least squared error is that of the bit's expectation.
        logits=lambda said: joint.logits_of(said + 0.5),
        size_multiple=models.SIZE_MULTIPLE,
    )
    return joint.make(system, **training)
