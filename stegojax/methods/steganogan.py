"""SteganoGAN: D bits in every pixel of a colour picture, against a critic (Zhang et al. 2019)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import steganogan as models
from stegojax.types import Array, Method

DEPTHS = range(1, 7)
"""Bits per pixel in the paper's experiments."""

DECODERS = {"basic": "basic", "residual": "basic", "dense": "dense"}
"""Encoder's name -> its decoder's."""


def message(*, depth: int = 1, **section) -> MessageShape:
    """`depth` bits in every pixel of a colour picture."""
    del section
    return MessageShape(channels=3, depth=depth)


def within(limit: float) -> optax.GradientTransformation:
    """Keeps all parameters in [-limit, limit]: what an update would carry beyond is cut off (a
    Wasserstein critic's clamp).

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


def _stego_score(cover_scores: Array, stego_scores: Array) -> Array:
    del cover_scores
    return stego_scores[:, 0]


def make(
    *,
    kind: str = "dense",
    depth: int = 1,
    width: float = 1.0,
    critic_width: float = 1.0,
    critic_limit: float = 0.1,
    adversarial_weight: float = 1.0,
    **training,
) -> Method:
    """SteganoGAN as a `Method`; critic and coders take their steps in turn, batch by batch.

    Args:
      kind: the encoder, a name in `steganogan.ENCODERS`.
      depth: bits per pixel, 1 to 6.
      width: factor on every hidden channel count of encoder and decoder; 1 is the paper's.
      critic_width: the same of the critic.
      critic_limit: bound of the critic's parameters in either direction.
      adversarial_weight: of the critic's score; 0 leaves the critic out.
      **training: of `joint.make`; `cover_weight` is that of the squared error of pictures in [-1,
        1].

    Raises:
      InputError: a name or number is out of range.
    """
    if kind not in DECODERS:
        raise InputError(f"method.kind {kind!r} is unknown; there are {', '.join(DECODERS)}")
    if depth not in DEPTHS:
        raise InputError(
            f"method.depth={depth} must be a whole number from {DEPTHS[0]} to {DEPTHS[-1]}"
        )
    if not critic_limit > 0:
        raise InputError(f"method.critic_limit={critic_limit} must be above 0")
    options = dict(width=width, axis_name=parallel.AXIS)
    critic = joint.Critic(
        models.Critic(width=critic_width, axis_name=parallel.AXIS),
        losses.critic_gap,
        _stego_score,
        adversarial_weight,
    )
    system = joint.System(
        shape=message(depth=depth),
        encoder=models.Encoder(kind=kind, **options),
        decoder=models.Decoder(depth=depth, kind=DECODERS[kind], **options),
        message_loss=losses.bit_cross_entropy,
        cover_loss=joint.squared_error(127.5),
        critics={"critic": critic} if adversarial_weight else {},
        critic_first=True,
        receptive_radius=models.HIDE_RADIUS + models.REVEAL_RADIUS,
    )
    return joint.make(system, constrain=within(critic_limit), **training)
