"""SFTN: one bit in every grey pixel, read from the rounded stego by a separately fine-tuned
extractor (Yin et al. 2023).

The joint stage is the paper's JT-stage, the separable stage its SF-stage; the warm-up before them
is not the paper's: at full strength from the first step, the cover's weight lets a short training
end in copying the cover.
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
from stegojax.methods import joint, trained
from stegojax.methods.bit_hiding import MessageShape
from stegojax.methods.fields import read_parts
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

SHAPE = MessageShape(channels=1, depth=1)
"""One bit in every pixel of a grey picture."""


def message(section: Mapping[str, Any]) -> MessageShape:
    """The messages of a run.

    Args:
      section: the config's `method`.

    Returns:
      `SHAPE`.
    """
    del section
    return SHAPE


def score_gap(cover_scores: Array, stego_scores: Array) -> Array:
    """How far a steganalyzer parts covers from stegos: SFTN, Eq. (9), of scores between 0 and 1.

    Args:
      cover_scores, stego_scores: `[B, 1]`, logits.

    Returns:
      `[B]`, 0 to 1.
    """
    return jnp.abs(
        losses.wasserstein_gap(jax.nn.sigmoid(cover_scores), jax.nn.sigmoid(stego_scores))
    )


def gap_steganalyzer(module: nn.Module, weight: float) -> joint.Steganalyzer:
    """A steganalyzer as SFTN and CHAT-GAN have it: it ascends `score_gap`, which encoder and
    decoder descend.

    Args:
      module: `pictures -> [B, 1]`, logits.
      weight: lambda_d of Eq. (12).

    Returns:
      The steganalyzer with its losses.
    """

    def loss(cover_scores: Array, stego_scores: Array) -> Array:
        return -score_gap(cover_scores, stego_scores)

    return joint.Steganalyzer(module, loss, score_gap, weight)


def make(
    networks: joint.Networks,
    training: joint.Training,
    *,
    limit: float = models.LIMIT,
    adversarial_weight: float = 1.0,
    message_loss: Callable[[Array, Array], Array] = losses.bit_cross_entropy,
    cover_loss: Callable[[Array, Array], Array] = joint.squared_error(1.0),
) -> Method:
    """SFTN as a `Method`; the paper's generator is the "encoder", its stego matrix extractor the
    "decoder".

    Args:
      networks: the modules; `(cover, message) -> modifications` and `stego -> logits`.
      training: how they are trained; `message_weight` is lambda_m1, `cover_weight` is lambda_q.
      limit: largest modification of a pixel, Eq. (14), in all stages.
      adversarial_weight: lambda_d of Eq. (12).
      message_loss: `(logits, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the squared error is in grey levels.

    Returns:
      The method.

    Raises:
      InputError: a weight or limit is out of range.
    """
    if not limit > 0:
        raise InputError(f"method.limit={limit} must be above 0")
    system = joint.System(
        shape=SHAPE,
        encoder=networks.encoder,
        decoder=networks.decoder,
        message_loss=message_loss,
        cover_loss=cover_loss,
        steganalyzers=joint.against(
            networks.steganalyzer, partial(gap_steganalyzer, weight=adversarial_weight)
        ),
        stego=partial(models.stego_matrix, limit=limit),
        receptive_radius=models.HIDE_RADIUS + models.REVEAL_RADIUS,
    )
    return joint.make(system, training)


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    structure:    a name in `STRUCTURES`.
    width:        factor on every hidden channel count of generator and extractors; 1 is the
                  paper's.
    steganalyzer_width: the same of the steganalyzer.
    limit, adversarial_weight: see `make`; a weight of 0 leaves the steganalyzer out.
    """

    structure: str = "proposed"
    width: float = 1.0
    steganalyzer_width: float = 1.0
    limit: float = models.LIMIT
    adversarial_weight: float = 1.0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """SFTN as a config names it.

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
    if fields.structure not in STRUCTURES:
        raise InputError(
            f"method.structure {fields.structure!r} is unknown; there are {', '.join(STRUCTURES)}"
        )
    kind, options = STRUCTURES[fields.structure], dict(width=fields.width, axis_name=parallel.AXIS)
    networks = joint.Networks(
        models.Generator(concatenate=kind["concatenate"], **options),
        models.Extractor(**kind, **options),
        XuNet(outputs=1, width=fields.steganalyzer_width, axis_name=parallel.AXIS)
        if fields.adversarial_weight
        else None,
    )
    return make(
        networks, training, limit=fields.limit, adversarial_weight=fields.adversarial_weight
    )
