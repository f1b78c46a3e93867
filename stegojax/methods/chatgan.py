"""CHAT-GAN-like: SFTN's training of an encoder and a decoder with channel attention (after Tan et
al. 2021).

The original's code is not public; its figures are those of a system like it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint, sftn, trained
from stegojax.methods.fields import read_parts
from stegojax.models import chatgan as models
from stegojax.models.xunet import XuNet
from stegojax.types import Array, Method

message = sftn.message
"""One bit in every pixel of a grey picture, as SFTN compares it."""


def make(
    networks: joint.Networks,
    training: joint.Training,
    *,
    adversarial_weight: float = 1.0,
    message_loss: Callable[[Array, Array], Array] = losses.bit_cross_entropy,
    cover_loss: Callable[[Array, Array], Array] = joint.squared_error(1.0),
) -> Method:
    """CHAT-GAN-like as a `Method`, with the losses of SFTN's Eq. (9) to (12).

    Args:
      networks: the modules; `(cover, message) -> stego` and `stego -> logits`.
      training: how they are trained.
      adversarial_weight: of the steganalyzer's part.
      message_loss: `(logits, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the squared error is in grey levels.

    Returns:
      The method.

    Raises:
      InputError: a weight is out of range.
    """
    system = joint.System(
        shape=sftn.SHAPE,
        encoder=networks.encoder,
        decoder=networks.decoder,
        message_loss=message_loss,
        cover_loss=cover_loss,
        steganalyzers=joint.against(
            networks.steganalyzer, partial(sftn.gap_steganalyzer, weight=adversarial_weight)
        ),
    )
    return joint.make(system, training)


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    width:        factor on every hidden channel count of encoder and decoder.
    steganalyzer_width: the same of the steganalyzer.
    limit:        largest modification of a pixel, grey levels.
    adversarial_weight: see `make`; 0 leaves the steganalyzer out.
    """

    width: float = 1.0
    steganalyzer_width: float = 1.0
    limit: float = models.LIMIT
    adversarial_weight: float = 1.0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """CHAT-GAN-like as a config names it.

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
    if not fields.limit > 0:
        raise InputError(f"method.limit={fields.limit} must be above 0")
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    networks = joint.Networks(
        models.Encoder(limit=fields.limit, **options),
        models.Decoder(**options),
        XuNet(outputs=1, width=fields.steganalyzer_width, axis_name=parallel.AXIS)
        if fields.adversarial_weight
        else None,
    )
    return make(networks, training, adversarial_weight=fields.adversarial_weight)
