"""HayesGAN: Alice, Bob and Eve, a message in a picture made anew (Hayes and Danezis 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint, trained
from stegojax.methods.bit_hiding import MessageShape
from stegojax.methods.fields import read_parts
from stegojax.models import hayesgan as models
from stegojax.types import Array, Method


def message_loss(said: Array, message: Array) -> Array:
    """Bob's loss, (M - M')^2 of bits called -1/2 and 1/2.

    Args:
      said: what Bob gives, `[B, length]`.
      message: {0, 1}, same shape.

    Returns:
      `[B]`.
    """
    return losses.squared_bit_error(said, models.levels(message))


def make(
    networks: joint.Networks,
    training: joint.Training,
    *,
    length: int,
    adversarial_weight: float = 0.1,
    message_loss: Callable[[Array, Array], Array] = message_loss,
    cover_loss: Callable[[Array, Array], Array] = joint.absolute_error(127.5),
) -> Method:
    """HayesGAN as a `Method`.

    Args:
      networks: Alice is the encoder, Bob the decoder, who says bits as -1/2 and 1/2, and Eve the
        steganalyzer.
      training: how they are trained.
      length: bits per picture.
      adversarial_weight: of the cross entropy by which Eve is deceived.
      message_loss: `(what Bob says, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the absolute error is that of pictures in [-1, 1].

    Returns:
      The method.

    Raises:
      InputError: a weight is out of range.
    """
    system = joint.System(
        shape=MessageShape(channels=3, depth=0, length=length),
        encoder=networks.encoder,
        decoder=networks.decoder,
        message_loss=message_loss,
        cover_loss=cover_loss,
        steganalyzers=joint.against(
            networks.steganalyzer, partial(joint.classifier, weight=adversarial_weight)
        ),
        # The least squared error is that of the bit's expectation.
        logits=lambda said: joint.logits_of(said + 0.5),
        size_multiple=models.SIZE_MULTIPLE,
    )
    return joint.make(system, training)


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    length:       bits per picture.
    width:        factor on every hidden channel count of Alice and Bob; 1 is the paper's.
    steganalyzer_width: the same of Eve.
    adversarial_weight: see `make`; 0 leaves Eve out.
    """

    length: int = 100
    width: float = 1.0
    steganalyzer_width: float = 1.0
    adversarial_weight: float = 0.1


def message(section: Mapping[str, Any]) -> MessageShape:
    """So many bits in a colour picture of the size that the run was trained at.

    Args:
      section: the config's `method`.

    Returns:
      The shape.
    """
    fields, _ = read_parts((Fields, joint.Fields), section)
    return MessageShape(channels=3, depth=0, length=fields.length)


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """HayesGAN as a config names it.

    Args:
      section: see `Fields` and `joint.Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    del load
    fields, given = read_parts((Fields, joint.Fields), section)
    training = joint.training(given, steps_per_epoch=steps_per_epoch)
    if not (isinstance(fields.length, int) and fields.length > 0):
        raise InputError(f"method.length={fields.length} must be a whole number above 0")
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    networks = joint.Networks(
        models.Alice(**options),
        models.Bob(length=fields.length, **options),
        models.Eve(width=fields.steganalyzer_width, axis_name=parallel.AXIS)
        if fields.adversarial_weight
        else None,
    )
    return make(
        networks, training, length=fields.length, adversarial_weight=fields.adversarial_weight
    )
