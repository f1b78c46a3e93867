"""ABDH-like: a stego made anew under an attention mask, with steganalyzers of pictures and of
messages (after Yu, AAAI 2020).

The original's code is not public; its figures are those of a system like it. Its adversarial losses
are CycleGAN's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint, sftn, trained
from stegojax.methods.fields import read_parts
from stegojax.models import abdh as models
from stegojax.types import Array, Method

message = sftn.message
"""One bit in every pixel of a grey picture, as SFTN compares it."""


class Networks(NamedTuple):
    """The modules.

    encoder:              `(cover, message) -> stego`: attention and target image generator.
    decoder:              `stego -> logits`: the secret image generator.
    steganalyzer:         `pictures -> scores [B, 1]`; None for none.
    message_steganalyzer: the same of messages as pictures.
    """

    encoder: nn.Module
    decoder: nn.Module
    steganalyzer: nn.Module | None = None
    message_steganalyzer: nn.Module | None = None


def message_loss(logits: Array, message: Array) -> Array:
    """The mean absolute difference of bits and what is thought of them.

    Args:
      logits: `[B, ...]`, positive for 1.
      message: {0, 1}, same shape.

    Returns:
      `[B]`.
    """
    return losses.mean_absolute_error(nn.sigmoid(logits), message, max_value=1.0)


def least_squares_steganalyzer(module: nn.Module, weight: float) -> joint.Steganalyzer:
    """A steganalyzer with scores 1 for covers and 0 for stegos (Mao et al. 2017).

    Args:
      module: `pictures -> [B, 1]`.
      weight: of the deceit.

    Returns:
      The steganalyzer with its losses.
    """

    def loss(covers: Array, stegos: Array) -> Array:
        return 0.5 * (
            losses.squared_bit_error(covers, jnp.ones_like(covers))
            + losses.squared_bit_error(stegos, jnp.zeros_like(stegos))
        )

    def deceit(covers: Array, stegos: Array) -> Array:
        del covers
        return losses.squared_bit_error(stegos, jnp.ones_like(stegos))

    return joint.Steganalyzer(module, loss, deceit, weight)


def messages_as_pictures(
    cover: Array, stego: Array, message: Array, logits: Array
) -> tuple[Array, Array]:
    """What the message steganalyzer sees.

    Args:
      cover, stego: not used.
      message: {0, 1}, `[B, H, W, 1]`.
      logits: of the decoder, same shape.

    Returns:
      True and extracted messages, 0..255.
    """
    del cover, stego
    return 255.0 * message, 255.0 * nn.sigmoid(logits)


def make(
    networks: Networks,
    training: joint.Training,
    *,
    adversarial_weight: float = 1.0,
    inconsistency_weight: float = 0.1,
    message_loss: Callable[[Array, Array], Array] = message_loss,
    cover_loss: Callable[[Array, Array], Array] = joint.absolute_error(127.5),
) -> Method:
    """ABDH-like as a `Method`.

    Args:
      networks: the modules.
      training: how they are trained.
      adversarial_weight: of each steganalyzer's part.
      inconsistency_weight: of the loss by which covers must not read as stegos do; 0 leaves it out.
      message_loss: `(logits, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the absolute error is that of pictures in [-1, 1].

    Returns:
      The method.

    Raises:
      InputError: a weight is negative.
    """
    if inconsistency_weight < 0:
        raise InputError(f"method.inconsistency_weight={inconsistency_weight} must not be negative")
    judged = partial(least_squares_steganalyzer, weight=adversarial_weight)
    steganalyzers = joint.against(networks.steganalyzer, judged)
    if networks.message_steganalyzer is not None:
        steganalyzers["message_steganalyzer"] = judged(networks.message_steganalyzer)._replace(
            sees=messages_as_pictures
        )

    def contrast(from_cover: Array, from_stego: Array) -> Array:
        return inconsistency_weight * losses.inconsistency(
            jax.nn.sigmoid(from_cover), jax.nn.sigmoid(from_stego)
        )

    system = joint.System(
        shape=sftn.SHAPE,
        encoder=networks.encoder,
        decoder=networks.decoder,
        message_loss=message_loss,
        cover_loss=cover_loss,
        steganalyzers=steganalyzers,
        contrast=contrast if inconsistency_weight else None,
    )
    return joint.make(system, training)


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    width:        factor on every hidden channel count of attention and generators.
    blocks:       residual blocks of each generator.
    steganalyzer_width: factor on the steganalyzers' channel counts.
    adversarial_weight, inconsistency_weight: see `make`; an adversarial weight of 0 leaves the
                  steganalyzers out.
    """

    width: float = 1.0
    blocks: int = models.BLOCKS
    steganalyzer_width: float = 1.0
    adversarial_weight: float = 1.0
    inconsistency_weight: float = 0.1


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """ABDH-like as a config names it.

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
    if not (isinstance(fields.blocks, int) and fields.blocks > 0):
        raise InputError(f"method.blocks={fields.blocks} must be a whole number above 0")
    networks = Networks(
        models.Encoder(blocks=fields.blocks, width=fields.width, axis_name=parallel.AXIS),
        models.Extractor(blocks=fields.blocks, width=fields.width),
    )
    if fields.adversarial_weight:
        patches = models.Steganalyzer(width=fields.steganalyzer_width)
        networks = networks._replace(steganalyzer=patches, message_steganalyzer=patches)
    return make(
        networks,
        training,
        adversarial_weight=fields.adversarial_weight,
        inconsistency_weight=fields.inconsistency_weight,
    )
