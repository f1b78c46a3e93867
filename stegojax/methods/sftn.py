"""SFTN: one bit in every grey pixel, read from the rounded stego by a separately fine-tuned
extractor (Yin et al. 2023).

The joint stage is the paper's JT-stage, the separable stage its SF-stage; the warm-up before them
is not the paper's: at full strength from the first step, the cover's weight lets a short training
end in copying the cover.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import joint
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import sftn as models
from stegojax.models.xunet import XuNet
from stegojax.types import Array, Method

STRUCTURES = {
    "proposed": dict(kind="proposed", concatenate=True),
    "a": dict(kind="like_generator", concatenate=True),
    "b": dict(kind="proposed", concatenate=False),
    "c": dict(kind="plain", concatenate=True),
}
"""The paper's networks, and the ablation study's (Table II): the extractor wired as the generator;
no concatenation; no blocks.
"""


def message(**section) -> MessageShape:
    """One bit in every pixel of a grey picture."""
    del section
    return MessageShape(channels=1, depth=1)


def score_gap(cover_scores: Array, stego_scores: Array) -> Array:
    """How far a discriminator parts covers from stegos: SFTN, Eq. (9), of scores between 0 and 1.

    Args:
      cover_scores, stego_scores: `[B, 1]`, logits.

    Returns:
      `[B]`, 0 to 1.
    """
    return jnp.abs(losses.critic_gap(jax.nn.sigmoid(cover_scores), jax.nn.sigmoid(stego_scores)))


def discriminator(weight: float, width: float) -> joint.Critic:
    """Xu-Net as SFTN and CHAT-GAN have it: it ascends what encoder and decoder descend,
    `score_gap`.

    Args:
      weight: lambda_d of Eq. (12).
      width: factor on its channels.
    """

    def loss(cover_scores: Array, stego_scores: Array) -> Array:
        return -score_gap(cover_scores, stego_scores)

    return joint.Critic(
        XuNet(outputs=1, width=width, axis_name=parallel.AXIS), loss, score_gap, weight
    )


def make(
    *,
    structure: str = "proposed",
    width: float = 1.0,
    critic_width: float = 1.0,
    limit: float = models.LIMIT,
    adversarial_weight: float = 1.0,
    **training,
) -> Method:
    """SFTN as a `Method`; the paper's generator is the "encoder", its stego matrix extractor the
    "decoder".

    Args:
      structure: a name in `STRUCTURES`.
      width: factor on every hidden channel count of generator and extractors; 1 is the paper's.
      critic_width: the same of the discriminator.
      limit: largest modification of a pixel, Eq. (14), in both stages.
      adversarial_weight: lambda_d of Eq. (12); 0 leaves the discriminator out.
      **training: of `joint.make`; `message_weight` is lambda_m1, `cover_weight` is lambda_q, of the
        squared error in grey levels.

    Raises:
      InputError: a name, weight or limit is out of range.
    """
    if structure not in STRUCTURES:
        raise InputError(
            f"method.structure {structure!r} is unknown; there are {', '.join(STRUCTURES)}"
        )
    if not limit > 0:
        raise InputError(f"method.limit={limit} must be above 0")
    options = dict(width=width, axis_name=parallel.AXIS)
    system = joint.System(
        shape=message(),
        encoder=models.Generator(concatenate=STRUCTURES[structure]["concatenate"], **options),
        decoder=models.Extractor(**STRUCTURES[structure], **options),
        message_loss=losses.bit_cross_entropy,
        cover_loss=joint.squared_error(1.0),
        critics={"critic": discriminator(adversarial_weight, critic_width)}
        if adversarial_weight
        else {},
        stego=lambda cover, modifications: models.stego_matrix(cover, modifications, limit=limit),
        receptive_radius=models.HIDE_RADIUS + models.REVEAL_RADIUS,
    )
    return joint.make(system, **training)
