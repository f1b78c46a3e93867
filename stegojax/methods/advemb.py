"""ADV-EMB (Tang, Li, Tan, Barni and Huang, "CNN-based adversarial embedding for image
steganography", IEEE TIFS 14, 2019): part of a cover is embedded into against a steganalyzer's
gradient, as small a part as deceives it.

A steganalyzer is trained to tell covers from stegos of the initial scheme. The pixels fall into two
parts by the key: the first is embedded into with the initial scheme's costs, the second with costs
halved for the change that makes the partial stego look more like a cover, and doubled for the
other. The share of the second grows, from nothing to all, until the steganalyzer takes the finished
stego for a cover; where it never does, the initial scheme's stego stays. What is judged is the
stego that is written, so that a coded one deceives, and not only its simulation.

After MAE (adversarial embedding with several gradients), costs may be adjusted only where the
gradients at several stegos agree on the direction.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane, and all must deceive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from stegojax import embed, probabilities
from stegojax.errors import InputError
from stegojax.methods import cost_learner, steganalyzer, target, trained
from stegojax.methods import network as networks
from stegojax.methods.fields import read_parts
from stegojax.methods.target import dearer
from stegojax.types import WET_COST, Array, Costs, Method, Params, State

TENTHS = 10
"""The share that is adjusted grows by a tenth."""

_SEED = 0


class Adjusting(NamedTuple):
    """How costs are adjusted; no part of the training.

    payload:   bits per pixel at which further stegos are simulated.
    factor:    by which a change against the gradient becomes cheaper, and one along it dearer;
               above 1.
    gradients: how many must agree: at the partial stego, and at simulated stegos of the initial
               scheme.
    """

    payload: float = 0.4
    factor: float = 2.0
    gradients: int = 1


class Fields(NamedTuple):
    """Fields of a config's `method` section beside those of `target.Fields`; see `Adjusting`."""

    factor: float = 2.0
    gradients: int = 1


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields` and `target.Fields`.
      steps_per_epoch: the unit of the optimiser's schedule.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields, aim = read_parts((Fields, target.Fields), section)
    return make(
        **target.arguments(aim, steps_per_epoch=steps_per_epoch, load=load),
        adjusting=_adjusting(fields, aim),
    )


def scheme(
    state: State, section: Mapping[str, Any], *, name: str, load: trained.Load | None = None
) -> embed.Scheme:
    """What a trained run embeds with.

    Args:
      state: of the run.
      section: its config's `method` section, see `Fields` and `target.Fields`.
      name: what to call it.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The scheme, holding the state's parameters; its alternatives adjust ever more.
    """
    fields, aim = read_parts((Fields, target.Fields), section)
    found = target.of_run(state, aim, load=load)
    found = found._replace(base=found.base._replace(name=name))
    return adversarial(*found, adjusting=_adjusting(fields, aim))


def make(
    base: embed.Scheme,
    module: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    adjusting: Adjusting = Adjusting(),
    curriculum: Sequence[tuple[float, int]] = (),
    start: Mapping[str, trained.Network] | None = None,
) -> Method:
    """The steganalyzer that ADV-EMB deceives as a `Method`: it learns to tell stegos of the initial
    scheme.

    Args:
      base: the initial scheme, of one phase; it may be what another run has learned.
      module: planes `[B, H, W, 1]` -> logits `[B, 2]` of cover and stego.
      optimizer: its optimiser.
      adjusting: of the embedding; only the payload is part of the training.
      curriculum, start: as for `steganalyzer.make`.

    Returns:
      The method, see `steganalyzer.make`.

    Raises:
      InputError: the initial scheme has several phases, or a number is out of range.
    """
    if not adjusting.factor > 1 or adjusting.gradients < 1:
        raise InputError(
            f"method.factor={adjusting.factor} must be above 1 and "
            f"gradients={adjusting.gradients} at least 1"
        )
    simulator = steganalyzer.simulator(trained.in_one_phase(base, "ADV-EMB"))
    return steganalyzer.make(
        module, optimizer, simulator, payload=adjusting.payload, curriculum=curriculum, start=start
    )


def adversarial(
    base: embed.Scheme,
    module: nn.Module,
    params: Params,
    batch_stats: Params,
    *,
    adjusting: Adjusting = Adjusting(),
) -> embed.Scheme:
    """A scheme that deceives a steganalyzer with as few adjusted costs as it can.

    Args:
      base: the initial scheme, of one phase.
      module, params, batch_stats: the steganalyzer.
      adjusting: how costs are adjusted.

    Returns:
      The scheme. Its first recipe is the initial scheme's; the alternatives adjust one tenth of the
      pixels, two, and so on to all.
    """
    rule = Partial(_Against(module, adjusting), params, batch_stats)
    mixed = [
        embed.masks((TENTHS - tenths, tenths), [embed.no_adjustment, rule])
        for tenths in range(1, TENTHS)
    ]
    return base._replace(
        alternatives=(*mixed, embed.masks((1,), [rule])),
        accepts=Partial(_Passes(module), params, batch_stats),
    )


def opposed(costs: Costs, signs: Array, *, factor: float) -> Costs:
    """Costs of changes that follow a direction made dearer, and of those against it cheaper.

    Args:
      costs: of the initial scheme, any shape.
      signs: of the steganalyzer's gradient towards "stego", same shape: 1, -1, or 0 for no
        adjustment.
      factor: above 1.

    Returns:
      Costs; forbidden changes stay so, and no other becomes so.
    """

    def one(rho, along):
        changed = jnp.where(along > 0, dearer(rho, factor), rho)
        changed = jnp.where(along < 0, rho / factor, changed)
        return jnp.where(rho < WET_COST, changed, rho)

    return Costs(one(costs.plus, signs), one(costs.minus, -signs))


def _margins(module: nn.Module, params: Params, batch_stats: Params, planes: Array) -> Array:
    """How much more planes `[B, H, W]` look like stegos than like covers, `[B]`."""
    logits = networks.apply(module, params, batch_stats, planes[..., None])
    return logits[:, steganalyzer.STEGO] - logits[:, steganalyzer.COVER]


class _Passes(NamedTuple):
    # Equal where its module is, so that runs of one network share what was compiled.
    module: nn.Module

    def __call__(self, params, batch_stats, planes):
        flat = planes.reshape(-1, *planes.shape[-2:])
        margins = _margins(self.module, params, batch_stats, flat)
        return (margins < 0).reshape(planes.shape[:-2])


class _Against(NamedTuple):
    """The rule of the part that is adjusted."""

    module: nn.Module
    adjusting: Adjusting

    def __call__(self, params, batch_stats, cost, cover, modifications):
        def signs(planes):
            total = jax.grad(lambda own: jnp.sum(_margins(self.module, params, batch_stats, own)))
            return jnp.sign(total(planes))

        def adjusted(covers, before):
            costs = cost(covers)
            agreed = signs(covers + before)
            for further in self._further_stegos(costs, covers):
                agreed = jnp.where(signs(further) == agreed, agreed, 0.0)
            return opposed(costs, agreed, factor=self.adjusting.factor)

        return cost_learner.plane_by_plane(adjusted, cover, modifications)

    def _further_stegos(self, costs, covers):
        number = self.adjusting.gradients - 1
        if not number:
            return
        bits = self.adjusting.payload * covers.shape[-2] * covers.shape[-1]
        chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, bits))
        # The same draws for every picture: a rule depends on its arguments alone.
        for key in jax.random.split(jax.random.key(_SEED), number):
            yield covers + probabilities.staircase(key, chances)


def _adjusting(fields: Fields, aim: target.Fields) -> Adjusting:
    return Adjusting(float(aim.payload), float(fields.factor), int(fields.gradients))
