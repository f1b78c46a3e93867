"""HiDDeN: a message in a picture that is damaged between encoder and decoder (Zhu et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, channels, joint, network, separable, trained
from stegojax.methods.bit_hiding import MessageShape
from stegojax.methods.fields import read_parts
from stegojax.models import hidden as models
from stegojax.types import Array, Batch, Key, Method, State


def make(
    networks: joint.Networks,
    training: joint.Training,
    *,
    noises: Mapping[str, channels.Noise],
    length: int,
    adversarial_weight: float = 0.001,
    message_loss: Callable[[Array, Array], Array] = losses.squared_bit_error,
    cover_loss: Callable[[Array, Array], Array] = joint.squared_error(127.5),
) -> Method:
    """HiDDeN as a `Method`, Sec. 3. Held-out figures have the accuracy under every noise too.

    Args:
      networks: the modules.
      training: how they are trained; the noises take the place of `training.noise`.
      noises: what may happen to the stego, one of them in every step, by name.
      length: bits per picture.
      adversarial_weight: of the cross entropy by which the steganalyzer is deceived.
      message_loss: `(estimated bits, message) -> [B]`.
      cover_loss: `(cover, stego) -> [B]`; the squared error is that of pictures in [-1, 1].

    Returns:
      The method.

    Raises:
      InputError: a number is out of range.
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
        logits=joint.logits_of,
        steganalyzers_first=True,
    )
    noise = channels.one_of(list(noises.values()))
    method = joint.make(system, training._replace(noise=noise))
    return method._replace(
        predict=partial(_predict, method.predict, networks.decoder, noises),
        measure=partial(_measure, noises),
    )


class Fields(NamedTuple):
    """The `method` section of a config, beside the training's fields.

    length:       bits per picture.
    width:        factor on every hidden channel count of encoder and decoder; 1 is the paper's.
    steganalyzer_width: the same of the steganalyzer.
    adversarial_weight: see `make`; 0 leaves the steganalyzer out.
    """

    length: int = 30
    width: float = 1.0
    steganalyzer_width: float = 1.0
    adversarial_weight: float = 0.001


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
    """HiDDeN as a config names it.

    Args:
      section: see `Fields` and `joint.Fields`, of which `noise` may crop here.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    del load
    fields, given = read_parts((Fields, joint.Fields), section)
    # `make` puts the noises in their place.
    training = joint.training(given._replace(noise=()), steps_per_epoch=steps_per_epoch)
    if not (isinstance(fields.length, int) and fields.length > 0):
        raise InputError(f"method.length={fields.length} must be a whole number above 0")
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    networks = joint.Networks(
        models.Encoder(**options),
        models.Decoder(length=fields.length, **options),
        models.Steganalyzer(width=fields.steganalyzer_width, axis_name=parallel.AXIS)
        if fields.adversarial_weight
        else None,
    )
    return make(
        networks,
        training,
        noises=channels.by_name(given.noise or ("identity",), same_size=False),
        length=fields.length,
        adversarial_weight=fields.adversarial_weight,
    )


def _predict(
    predict: Callable[[State, Batch, Key], dict[str, Array]],
    decoder: nn.Module,
    noises: Mapping[str, channels.Noise],
    state: State,
    batch: Batch,
    key: Key,
) -> dict[str, Array]:
    """What `predict` gives and, where messages are drawn, the logits under every noise."""
    outputs = predict(state, batch, key)
    if "stego" in batch or "message" in batch:
        return outputs
    name = separable.NAME if separable.NAME in state.params else "decoder"
    for index, (text, damage) in enumerate(noises.items()):
        keys = parallel.example_keys(jax.random.fold_in(key, index), batch["cover"].shape[0])
        arrived = damage(keys, outputs["stego"], batch["cover"])
        outputs[f"after_{text}"] = joint.logits_of(
            network.apply(decoder, state.params[name], state.batch_stats[name], arrived)
        )
    return outputs


def _measure(
    noises: Mapping[str, channels.Noise], batch: Batch, outputs: dict[str, Array]
) -> dict[str, Array]:
    figures = bit_hiding.measure(batch, outputs)
    for text in noises:
        if f"after_{text}" in outputs:
            figures[f"accuracy_{text.partition(':')[0]}"] = bit_hiding.accuracy(
                outputs[f"after_{text}"], outputs["message"]
            )
    return figures
