"""SteganoGAN: D bits in every pixel of a colour picture, against a steganalyzer (Zhang et al.
2019).

The steganalyzer is trained as a Wasserstein critic: its scores have no bounds, its parameters do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint, trained
from stegojax.methods.bit_hiding import MessageShape
from stegojax.methods.fields import read_parts
from stegojax.models import steganogan as models
from stegojax.types import Array, Method

DEPTHS = range(1, 7)
"""Bits per pixel in the paper's experiments."""

DECODERS = {"basic": "basic", "residual": "basic", "dense": "dense"}
"""Encoder's name -> its decoder's."""


def within(limit: float) -> optax.GradientTransformation:
    """Keeps all parameters in [-limit, limit]: what an update would carry beyond is cut off (a
    Wasserstein GAN's clamp).

    Args:
      limit: positive.

    Returns:
      A transformation that goes last in a chain and needs the parameters.
    """

    def update(updates, state, params):
        return jax.tree.map(
            lambda change, value: jnp.clip(value + change, -limit, limit) - value, updates, params
        ), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def stego_score(cover_scores: Array, stego_scores: Array) -> Array:
    """What encoder and decoder descend of the steganalyzer: its score of stegos.

    Args:
      cover_scores: `[B, 1]`, not used.
      stego_scores: `[B, 1]`.

    Returns:
      `[B]`.
    """
    del cover_scores
    return stego_scores[:, 0]


def wasserstein_steganalyzer(module: nn.Module, weight: float) -> joint.Steganalyzer:
    """A steganalyzer whose scores of covers are to be lower than those of stegos.

    Args:
      module: `pictures -> [B, 1]`.
      weight: of the score that encoder and decoder lower.

    Returns:
      The steganalyzer with its losses.
    """
    return joint.Steganalyzer(module, losses.wasserstein_gap, stego_score, weight)


def make(
    networks: joint.Networks,
    training: joint.Training,
    *,
    depth: int = 1,
    limit: float = 0.1,
    adversarial_weight: float = 1.0,
    message_loss: Callable[[Array, Array], Array] = losses.bit_cross_entropy,
    cover_loss: Callable[[Array, Array], Array] = joint.squared_error(127.5),
) -> Method:
    """SteganoGAN as a `Method`; steganalyzer and coders take their steps in turn, batch by batch.

    Args:
      networks: the modules.
      training: how they are trained.
      depth: bits per pixel.
      limit: bound of the steganalyzer's parameters in either direction.
      adversarial_weight: of the steganalyzer's score.
      message_loss: `(logits, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the squared error is that of pictures in [-1, 1].

    Returns:
      The method.

    Raises:
      InputError: a number is out of range.
    """
    system = joint.System(
        shape=MessageShape(channels=3, depth=depth),
        encoder=networks.encoder,
        decoder=networks.decoder,
        message_loss=message_loss,
        cover_loss=cover_loss,
        steganalyzers=joint.against(
            networks.steganalyzer, partial(wasserstein_steganalyzer, weight=adversarial_weight)
        ),
        steganalyzers_first=True,
        receptive_radius=models.HIDE_RADIUS + models.REVEAL_RADIUS,
    )
    clamped = optax.chain(training.steganalyzer_optimizer, within(limit))
    return joint.make(system, training._replace(steganalyzer_optimizer=clamped))


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    kind:         the encoder, a name in `models.steganogan.ENCODERS`.
    depth:        bits per pixel, 1 to 6.
    width:        factor on every hidden channel count of encoder and decoder; 1 is the paper's.
    steganalyzer_width: the same of the steganalyzer.
    steganalyzer_limit: bound of the steganalyzer's parameters in either direction.
    adversarial_weight: see `make`; 0 leaves the steganalyzer out.
    """

    kind: str = "dense"
    depth: int = 1
    width: float = 1.0
    steganalyzer_width: float = 1.0
    steganalyzer_limit: float = 0.1
    adversarial_weight: float = 1.0


def message(section: Mapping[str, Any]) -> MessageShape:
    """So many bits in every pixel of a colour picture.

    Args:
      section: the config's `method`.

    Returns:
      The shape.
    """
    fields, _ = read_parts((Fields, joint.Fields), section)
    return MessageShape(channels=3, depth=fields.depth)


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """SteganoGAN as a config names it.

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
    if fields.kind not in DECODERS:
        raise InputError(f"method.kind {fields.kind!r} is unknown; there are {', '.join(DECODERS)}")
    if fields.depth not in DEPTHS:
        raise InputError(
            f"method.depth={fields.depth} must be a whole number from {DEPTHS[0]} to {DEPTHS[-1]}"
        )
    if not fields.steganalyzer_limit > 0:
        raise InputError(f"method.steganalyzer_limit={fields.steganalyzer_limit} must be above 0")
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    networks = joint.Networks(
        models.Encoder(kind=fields.kind, **options),
        models.Decoder(depth=fields.depth, kind=DECODERS[fields.kind], **options),
        models.Steganalyzer(width=fields.steganalyzer_width, axis_name=parallel.AXIS)
        if fields.adversarial_weight
        else None,
    )
    return make(
        networks,
        training,
        depth=fields.depth,
        limit=fields.steganalyzer_limit,
        adversarial_weight=fields.adversarial_weight,
    )
