"""What systems that learn embedding costs have in common (DESIGN.md, contract 6).

A generator turns maps of a cover into change probabilities; a simulator draws changes from them;
steganalyzers learn to tell the stegos; and what they say of a stego's pixels guides the generator:
as a reward for the changes drawn (SPAR-RL, the asymmetric-cost GAN), or as a gradient through a
smooth simulator (UT-GAN, ASDL-GAN). Of several steganalyzers all may learn and guide, or the
weakest learns and the strongest guides (Steg-GMAN). A system is a `Learner`; `train_step` trains
it, and `cost_function` is what it has learned.

Covers are planes `[B, H, W]`, float32 whole numbers in the range that the generator knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from stegojax import embed, losses, parallel, probabilities
from stegojax.domains import PIXELS
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer
from stegojax.types import (
    WET_COST,
    Array,
    Batch,
    ChangeProbabilities,
    Costs,
    Domain,
    Key,
    Params,
    State,
)

GENERATOR = "generator"
"""The name of the generator's optimiser and of its state."""

AVERAGES = "average_losses"
"""The name in a state's `batch_stats` of the steganalyzers' losses by role, see
`Learner.steadiness`.
"""

_PLANES_AT_ONCE = 1
"""Planes that a network adjusts together when embedding: on a CPU one after the other is the
fastest.
"""

Draw = Callable[[Key, ChangeProbabilities], Array]
"""A simulator of embedding: `(key, probabilities [H, W]) -> modifications [H, W]`."""

Reward = Callable[[Array, Array], Array]
"""A rule that makes rewards `[B, H, W]` of raw ones, given the modifications."""

Guidance = Callable[[ChangeProbabilities, Array, Array, float | Array], Array]
"""How a steganalyzer guides the generator, as a loss that the generator descends:
`(probabilities, modifications, gradient, weight) -> [B]`. The gradient is that of the
steganalyzer's loss by the stego's pixels, `[B, H, W]` like the modifications, which carry a
gradient where the simulator has one; the weight is `View.weight`.
"""


def both_directions(output: Array) -> ChangeProbabilities:
    """A network's maps as the probabilities of +1 and of -1.

    Args:
      output: `[..., H, W, 1 or 2]`; one map is both.

    Returns:
      ChangeProbabilities `[..., H, W]`.
    """
    return ChangeProbabilities(output[..., 0], output[..., -1])


class Generator(NamedTuple):
    """A network of change probabilities.

    module:        maps `[B, H, W, C]` -> output `[B, H, W, K]`.
    probabilities: `output -> ChangeProbabilities [B, H, W]`.
    domain:        of the covers, whose range no change leaves.
    """

    module: nn.Module
    probabilities: Callable[[Array], ChangeProbabilities] = both_directions
    domain: Domain = PIXELS


def generate(
    generator: Generator,
    params: Params,
    batch_stats: Params,
    maps: Array,
    covers: Array,
    *,
    key: Key | None = None,
) -> tuple[ChangeProbabilities, Params]:
    """A generator's change probabilities in training, with the batch's own statistics.

    Args:
      generator, params, batch_stats: the network.
      maps: what it sees, `[B, H, W, C]`.
      covers: `[B, H, W]`, for the range.
      key: what dropout draws from, for modules that have it.

    Returns:
      The probabilities and the new running statistics.
    """
    output, stats = networks.apply_training(generator.module, params, batch_stats, maps, key=key)
    chances = generator.probabilities(output)
    return embed.rule_out(covers, chances, domain=generator.domain), stats


def generated_costs(
    generator: Generator, params: Params, batch_stats: Params, maps: Array, *, formula: str
) -> Costs:
    """The raw costs that a trained generator's probabilities stand for.

    Args:
      generator, params, batch_stats: the network.
      maps: what it sees, `[B, H, W, C]`.
      formula: see `probabilities.costs_from_probabilities`.

    Returns:
      Costs `[B, H, W]`.
    """
    output = networks.apply(generator.module, params, batch_stats, maps)
    return probabilities.costs_from_probabilities(generator.probabilities(output), formula=formula)


def implied_probabilities(costs: Costs, *, formula: str) -> ChangeProbabilities:
    """The probabilities that costs were made of: the inverse of
    `probabilities.costs_from_probabilities`.

    Args:
      costs: any shape; wet ones stand for 0.
      formula: "exact" or "symmetric".

    Returns:
      ChangeProbabilities of that shape.
    """
    if formula == "exact":
        return probabilities.gibbs(costs, 1.0)
    return ChangeProbabilities(
        *(
            jnp.where(rho < WET_COST, 1 / (jnp.exp(jnp.minimum(rho, 80.0)) + 2), 0.0)
            for rho in costs
        )
    )


def plane_by_plane(function: Callable[..., Costs], *planes: Array) -> Costs:
    """Applies a function of `[B, H, W]` to planes `[..., H, W]`, a few at a time, so that memory
    does not grow with them.

    Args:
      function: `(planes [B, H, W], ...) -> Costs [B, H, W]`.
      *planes: of one shape; those after the first may differ in their last two axes.

    Returns:
      Costs of that shape.
    """
    shape = planes[0].shape
    flat = [plane.reshape(-1, *plane.shape[-2:]) for plane in planes]
    if flat[0].shape[0] <= _PLANES_AT_ONCE:
        costs = function(*flat)
    else:
        costs = jax.lax.map(
            lambda one: jax.tree.map(lambda rho: rho[0], function(*(plane[None] for plane in one))),
            flat,
            batch_size=_PLANES_AT_ONCE,
        )
    return Costs(*(rho.reshape(shape) for rho in costs))


def spread(side: Sequence[Array], planes: Array) -> tuple[Array, ...]:
    """What belongs to all planes, or to each of them, as what belongs to each.

    Args:
      side: arrays `[8, 8]`, or `[..., 8, 8]`.
      planes: `[..., H, W]`.

    Returns:
      Arrays `[..., 8, 8]`.
    """
    return tuple(
        jnp.broadcast_to(each, (*planes.shape[:-2], *jnp.shape(each)[-2:])) for each in side
    )


def scaled(covers: Array) -> Array:
    """Covers as a network takes them that knows nothing but the picture.

    Args:
      covers: `[B, H, W]`, 0..255.

    Returns:
      `[B, H, W, 1]`, 0..1.
    """
    return covers[..., None] / 255.0


def uniform_logit(payload: float) -> float:
    """Where the output of a generator of sigmoid(z) / 3 starts: with the same probabilities
    everywhere, which carry the payload.

    Args:
      payload: bits per pixel.

    Returns:
      z.
    """
    low, high = 1e-6, 1 / 3 - 1e-6
    for _ in range(40):
        middle = (low + high) / 2
        carried = -2 * middle * math.log2(middle) - (1 - 2 * middle) * math.log2(1 - 2 * middle)
        low, high = (middle, high) if carried < payload else (low, middle)
    return math.log(3 * low / (1 - 3 * low))


class _LearnedCost(NamedTuple):
    # Equal where its fields are, so that runs of one network share what was compiled.
    generator: Generator
    see: Callable[..., Array]
    formula: str

    def __call__(self, params, batch_stats, cover, *side):
        def costs(covers, *side):
            maps = self.see(covers, *side)
            return generated_costs(self.generator, params, batch_stats, maps, formula=self.formula)

        return plane_by_plane(costs, cover, *spread(side, cover))


def cost_function(
    generator: Generator,
    params: Params,
    batch_stats: Params,
    *,
    see: Callable[..., Array] = scaled,
    formula: str = "symmetric",
) -> embed.CostFunction:
    """What a generator has learned, as a cost.

    Args:
      generator, params, batch_stats: the trained network.
      see: `(covers [B, H, W], *side [B, ...]) -> maps [B, H, W, C]`, what it takes.
      formula: see `probabilities.costs_from_probabilities`.

    Returns:
      `plane [..., H, W] -> Costs`, a `jax.tree_util.Partial` that holds the parameters; memory does
      not grow with the number of planes. Of covers with a `side`, `(plane [H, W], *side) -> Costs`.
    """
    return Partial(_LearnedCost(generator, see, formula), params, batch_stats)


def raw(rewards: Array, modifications: Array) -> Array:
    """The rewards as they are; see `Reward`.

    Args:
      rewards: `[B, H, W]`.
      modifications: same shape, not used.

    Returns:
      The rewards.
    """
    del modifications
    return rewards


def centred(rewards: Array, modifications: Array) -> Array:
    """The rewards less their mean over the changed pixels of each cover, so that in sum they
    neither favour nor discourage changing; see `Reward`.

    Args:
      rewards: `[B, H, W]`.
      modifications: same shape.

    Returns:
      Same shape, 0 where nothing is changed.
    """
    changed = modifications != 0
    count = jnp.maximum(jnp.sum(changed, axis=(1, 2), keepdims=True), 1)
    mean = jnp.sum(jnp.where(changed, rewards, 0.0), axis=(1, 2), keepdims=True) / count
    return jnp.where(changed, rewards - mean, 0.0)


def standardised(rewards: Array, modifications: Array) -> Array:
    """`centred` rewards divided by their standard deviation over the changed pixels of each cover:
    as large from a steganalyzer that is sure, whose gradients vanish, as from one that is not; see
    `Reward`.

    Args:
      rewards: `[B, H, W]`.
      modifications: same shape.

    Returns:
      Same shape, 0 where nothing is changed.
    """
    values = centred(rewards, modifications)
    # The largest is divided by first, since squares of gradients this small would underflow.
    largest = jnp.max(jnp.abs(values), axis=(1, 2), keepdims=True)
    values = values / jnp.where(largest > 0, largest, 1.0)
    count = jnp.maximum(jnp.sum(modifications != 0, axis=(1, 2), keepdims=True), 1)
    deviation = jnp.sqrt(jnp.sum(values**2, axis=(1, 2), keepdims=True) / count)
    return values / jnp.where(deviation > 0, deviation, 1.0)


REWARDS: dict[str, Reward] = {"raw": raw, "centred": centred, "standardised": standardised}
"""What a config can name."""


def rewarded(
    scale: float,
    *,
    rule: Reward = raw,
    loss: Callable[[ChangeProbabilities, Array, Array], Array] = losses.rewarded_changes,
) -> Guidance:
    """Guidance by a reward: changes are rewarded that went along the gradient of the steganalyzer's
    loss.

    Args:
      scale: what the product of change and gradient is multiplied by.
      rule: makes the reward of these products.
      loss: leaf loss `(probabilities, modifications, reward) -> [B]`.

    Returns:
      The guidance; reward and modifications are constants to it.
    """

    def guidance(chances, modifications, gradient, weight):
        modifications = jax.lax.stop_gradient(modifications)
        reward = rule(scale * modifications * gradient * weight, modifications)
        return loss(chances, modifications, jax.lax.stop_gradient(reward))

    return guidance


def through(
    chances: ChangeProbabilities, modifications: Array, gradient: Array, weight: float | Array
) -> Array:
    """Guidance through a smooth simulator: its gradient by the probabilities is that of minus the
    steganalyzer's loss.

    Args:
      chances: not used: the modifications depend on them.
      modifications: `[B, H, W]`, with a gradient.
      gradient: of the steganalyzer's mean loss over all devices' examples.
      weight: of the gradient.

    Returns:
      `[B]`; only its gradient means something.
    """
    del chances
    count = modifications.shape[0] * parallel.device_count()
    return -count * jnp.sum(jax.lax.stop_gradient(gradient * weight) * modifications, axis=(1, 2))


def all_guide(losses: Mapping[str, Array], step: Array, own: Params) -> dict[str, float]:
    """Every steganalyzer guides alike; see `Learner.guides`.

    Args:
      losses: by role.
      step: not used.
      own: not used.

    Returns:
      The weight of each role.
    """
    del step, own
    return {role: 1.0 for role in losses}


def strongest_guides(losses: Mapping[str, Array], step: Array, own: Params) -> dict[str, Array]:
    """The steganalyzer of the least loss alone guides; see `Learner.guides`.

    Args:
      losses: by role.
      step: not used.
      own: not used.

    Returns:
      The weight of each role.
    """
    del step, own
    first = jnp.argmin(jnp.stack(list(losses.values())))
    return {role: jnp.where(first == i, 1.0, 0.0) for i, role in enumerate(losses)}


def all_learn(losses: Mapping[str, Array], step: Array) -> dict[str, Array]:
    """Every steganalyzer learns in every step; see `Learner.learns`.

    Args:
      losses: by role.
      step: not used.

    Returns:
      An empty dict: nobody waits.
    """
    del losses, step
    return {}


def nobody_learns(losses: Mapping[str, Array], step: Array) -> dict[str, Array]:
    """Steganalyzers wait, and learn in stages of their own; see `Learner.learns`. Each role must be
    a network of its own, of the same name.

    Args:
      losses: by role.
      step: not used.

    Returns:
      By network, False.
    """
    del step
    return {role: jnp.asarray(False) for role in losses}


def weakest_learns(losses: Mapping[str, Array], step: Array) -> dict[str, Array]:
    """The steganalyzer of the largest loss alone learns; see `Learner.learns`. Each role must be a
    network of its own, of the same name.

    Args:
      losses: by role.
      step: not used.

    Returns:
      By network, whether it learns.
    """
    del step
    last = jnp.argmax(jnp.stack(list(losses.values())))
    return {role: last == i for i, role in enumerate(losses)}


class View(NamedTuple):
    """What one step works on.

    maps:    what the generator sees, `[B, H, W, C]`.
    covers:  `[B, H, W]`.
    before:  the modifications already made, same shape.
    mask:    bool, same shape: where changes are drawn.
    bits:    what the mask is to carry.
    keys:    `[B]`, for each cover's draw.
    weight:  of the steganalyzers' gradients, a number or `[B, H, W]`.
    context: whatever else the method's terms and figures need.
    """

    maps: Array
    covers: Array
    before: Array
    mask: Array
    bits: float | Array
    keys: Key
    weight: float | Array = 1.0
    context: Any = None


class Role(NamedTuple):
    """A steganalyzer's part in the training of a generator.

    network:   its name in the state; two roles may be one network's.
    module:    pictures `[B, H, W, 1]` -> logits `[B, 2]`.
    told_from: `View -> [B, H, W]`, the pictures from which it learns to tell the stegos.
    """

    network: str
    module: nn.Module
    told_from: Callable[[View], Array] = lambda view: view.covers


class Learner(NamedTuple):
    """A system that learns costs.

    network:   the generator's name in the state.
    generator: the generator.
    roles:     the steganalyzers.
    view:      `(state, batch, key) -> View`.
    guidance:  how a steganalyzer guides.
    terms:     `(probabilities, view) -> {name: [B]}`, the generator's other losses, each with its
               weight in it.
    draw:      the simulator; a smooth one where guidance goes through it.
    shown:     the simulator whose stegos the steganalyzers learn from, with the same noise; None
               where these are the ones that guide. Another costs a second pass.
    guides:    `(losses by role, step, own) -> {role: weight}`, whose guidance counts how much; a
               weight of 0 leaves out what is not finite, too.
    learns:    `(losses by role, step) -> {network: bool}`, who learns in this step; networks that
               it leaves out do.
    weight:    of the guidance as a whole.
    steadiness: over how many steps, about, the losses are averaged of which `guides` and `learns`
               are told; the averages are in the state then (`begin_averages`). 1 for this step's.
    own:       names of further parameters in the state that the generator's optimiser descends;
               `guides` is given them.
    loss:      the steganalyzers' leaf loss.
    pictures:  `[B, H, W] -> [B, H, W]`, what steganalyzers see of elements.
    figures:   `(probabilities, modifications, view, params) -> {name: array}`, what else is
               measured.
    noise:     `(state, role) -> ` the standard deviation of the noise that is added to all that a
               steganalyzer is shown; None for none.
    """

    network: str
    generator: Generator
    roles: Mapping[str, Role]
    view: Callable[[State, Batch, Key], View]
    guidance: Guidance
    terms: Callable[[ChangeProbabilities, View], dict[str, Array]]
    draw: Draw = probabilities.simulate
    shown: Draw | None = None
    guides: Callable[[Mapping[str, Array], Array, Params], Mapping[str, Any]] = all_guide
    learns: Callable[[Mapping[str, Array], Array], Mapping[str, Array]] = all_learn
    weight: float = 1.0
    steadiness: int = 1
    own: tuple[str, ...] = ()
    loss: steganalyzer.Loss = losses.softmax_cross_entropy
    pictures: Callable[[Array], Array] = lambda elements: elements
    figures: Callable[..., dict[str, Array]] = lambda chances, drawn, view, params: {}
    noise: Callable[[State, str], float | Array] | None = None


class Verdict(NamedTuple):
    """What a steganalyzer says of a batch of stegos.

    loss:        the mean over covers and stegos.
    accuracy:    the share of right decisions.
    batch_stats: its new running statistics.
    by_params:   the loss's gradient by its parameters.
    by_stego:    the gradient by the stegos' elements, of the mean loss of all devices,
                 `[B, H, W]`.
    """

    loss: Array
    accuracy: Array
    batch_stats: Params
    by_params: Params
    by_stego: Array


def examine(
    module: nn.Module,
    params: Params,
    batch_stats: Params,
    cover: Array,
    stego: Array,
    *,
    key: Key,
    loss: steganalyzer.Loss = losses.softmax_cross_entropy,
    pictures: Callable[[Array], Array] = lambda elements: elements,
    noise: tuple[Array, Array] | None = None,
) -> Verdict:
    """A steganalyzer's loss on covers and the same embedded into, with its gradients.

    Args:
      module, params, batch_stats: the steganalyzer.
      cover: elements `[B, H, W]`.
      stego: same shape.
      key: what dropout draws from.
      loss: leaf loss.
      pictures: what it sees of elements.
      noise: what is added to what it sees of the covers and of the stegos; None for nothing.

    Returns:
      What it says.
    """

    def loss_fn(params, stego):
        seen = [pictures(elements)[..., None] for elements in (cover, stego)]
        if noise is not None:
            seen = [planes + added[..., None] for planes, added in zip(seen, noise, strict=True)]
        return steganalyzer.compare(module, params, batch_stats, *seen, key=key, loss=loss)

    (value, (stats, accuracy)), (by_params, by_stego) = jax.value_and_grad(
        loss_fn, argnums=(0, 1), has_aux=True
    )(params, stego)
    return Verdict(value, accuracy, stats, by_params, by_stego / parallel.device_count())


def payload_figures(chances: ChangeProbabilities, view: View) -> dict[str, Array]:
    """How far what probabilities carry is from what they should.

    Args:
      chances: `[B, H, W]`.
      view: its mask and bits.

    Returns:
      "payload_error" and "payload_bias", `[B]`: the difference relative to the payload, as a size
      and with its sign.
    """
    information = jnp.where(view.mask, probabilities.ternary_entropy(chances), 0.0)
    missed = jnp.sum(information, axis=(1, 2)) / view.bits - 1
    return {"payload_error": jnp.abs(missed), "payload_bias": missed}


def train_step(
    learner: Learner, optimizers: Mapping[str, optax.GradientTransformation]
) -> Callable[[State, Batch, Key], tuple[State, dict[str, Array]]]:
    """One step of a learner: the generator draws, the steganalyzers are asked, all descend.

    Args:
      learner: the system.
      optimizers: `GENERATOR`'s and one for each of the steganalyzers' networks.

    Returns:
      `(state, batch, key) -> (state, metrics)`, see `types.Method.train_step`. Networks that the
      learner does not name stay as they are.
    """

    def step(state, batch, key):
        view = learner.view(state, batch, key)
        own = {name: state.params[name] for name in learner.own}

        def forward(weights):
            return _generate(learner, weights, state, view, key)

        chances, pull, stats = jax.vjp(forward, state.params[learner.network], has_aux=True)
        drawn = _draw(learner.draw, view, chances)
        verdicts, changed = _examine_all(learner, state, view, chances, drawn, key)
        by_role, averages = _losses_by_role(learner, state, verdicts)

        def loss_fn(chances, own):
            terms = {"adversarial": _guided(learner, view, chances, verdicts, by_role, state, own)}
            terms |= learner.terms(chances, view)
            return jnp.mean(sum(terms.values())), {
                f"loss_{term}": jnp.mean(value) for term, value in terms.items()
            }

        (loss, terms), (by_chances, by_own) = jax.value_and_grad(
            loss_fn, argnums=(0, 1), has_aux=True
        )(chances, own)
        descended, generator_state, norm = networks.descend(
            optimizers[GENERATOR],
            {learner.network: pull(by_chances)[0], **by_own},
            state.opt_state[GENERATOR],
            {learner.network: state.params[learner.network], **own},
        )
        learned, opt_state = _descend_all(learner, optimizers, verdicts, by_role, state)
        values = {
            **_figures(verdicts),
            **_who(learner, by_role, state, own),
            "loss": loss,
            **terms,
            "gradient_norm": norm,
            "change_rate": jnp.mean(jnp.abs(view.before + drawn)),
            **jax.tree.map(jnp.mean, learner.figures(chances, drawn, view, state.params)),
        }
        after = State(
            state.step + 1,
            {**state.params, **descended, **learned},
            {**state.batch_stats, learner.network: stats, **changed, **averages},
            {**state.opt_state, GENERATOR: generator_state, **opt_state},
        )
        return after, parallel.mean(values)

    return step


def steganalyzers_step(
    learner: Learner, optimizers: Mapping[str, optax.GradientTransformation]
) -> Callable[[State, Batch, Key], tuple[State, dict[str, Array]]]:
    """One step in which every steganalyzer learns to find what the generator does now.

    Args:
      learner: the system.
      optimizers: one for each of the steganalyzers' networks.

    Returns:
      `(state, batch, key) -> (state, metrics)`, see `types.Method.train_step`. The generator and
      all else stay as they are.
    """

    def step(state, batch, key):
        view = learner.view(state, batch, key)
        chances, _ = _generate(learner, state.params[learner.network], state, view, key)
        drawn = _draw(learner.draw, view, chances)
        verdicts, changed = _examine_all(learner, state, view, chances, drawn, key)
        by_role = parallel.mean({role: verdict.loss for role, verdict in verdicts.items()})
        everyone = learner._replace(learns=all_learn)
        learned, opt_state = _descend_all(everyone, optimizers, verdicts, by_role, state)
        values = {
            **_figures(verdicts),
            "loss": sum(by_role.values()) / len(by_role),
            "change_rate": jnp.mean(jnp.abs(view.before + drawn)),
        }
        after = State(
            state.step + 1,
            {**state.params, **learned},
            {**state.batch_stats, **changed},
            {**state.opt_state, **opt_state},
        )
        return after, parallel.mean(values)

    return step


def begin_averages(learner: Learner) -> dict[str, Params]:
    """What a state's `batch_stats` hold where a learner averages the steganalyzers' losses.

    Args:
      learner: the system.

    Returns:
      Nothing, or the loss of a coin for every role.
    """
    if learner.steadiness == 1:
        return {}
    return {AVERAGES: {role: jnp.float32(math.log(2)) for role in learner.roles}}


def imitation_step(
    network: str,
    generator: Generator,
    view: Callable[[State, Batch, Key], View],
    wanted: Callable[[State, View], ChangeProbabilities],
    optimizer: optax.GradientTransformation,
    *,
    loss: Callable[[ChangeProbabilities, ChangeProbabilities], Array] = losses.change_divergence,
    figures: Callable[..., dict[str, Array]] = lambda chances, drawn, view, params: {},
) -> Callable[[State, Batch, Key], tuple[State, dict[str, Array]]]:
    """One step in which a generator learns to give the change probabilities of a known rule.

    Args:
      network: the generator's name in the state.
      generator: the generator.
      view: what the step works on.
      wanted: `(state, view) -> ChangeProbabilities [B, H, W]`, the rule's.
      optimizer: `GENERATOR`'s.
      loss: `(probabilities, wanted) -> [B]`.
      figures: as `Learner.figures`.

    Returns:
      `(state, batch, key) -> (state, metrics)`, see `types.Method.train_step`. All other networks
      stay as they are.
    """

    def step(state, batch, key):
        seen = view(state, batch, key)
        aim = jax.lax.stop_gradient(wanted(state, seen))

        def loss_fn(weights):
            stats = state.batch_stats[network]
            own = networks.split_keys(key, network)[network]
            chances, stats = generate(generator, weights, stats, seen.maps, seen.covers, key=own)
            return jnp.mean(loss(chances, aim)), (chances, stats)

        (value, (chances, stats)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params[network]
        )
        descended, generator_state, norm = networks.descend(
            optimizer,
            {network: gradients},
            state.opt_state[GENERATOR],
            {network: state.params[network]},
        )
        drawn = _draw(probabilities.simulate, seen, chances)
        values = {"loss": value, "gradient_norm": norm}
        values |= jax.tree.map(jnp.mean, figures(chances, drawn, seen, state.params))
        after = State(
            state.step + 1,
            {**state.params, **descended},
            {**state.batch_stats, network: stats},
            {**state.opt_state, GENERATOR: generator_state},
        )
        return after, parallel.mean(values)

    return step


def _draw(draw: Draw, view: View, chances: ChangeProbabilities) -> Array:
    return jax.vmap(draw)(view.keys, chances) * view.mask


def _generate(learner, weights, state, view, key):
    key = networks.split_keys(key, learner.network)[learner.network]
    stats = state.batch_stats[learner.network]
    return generate(learner.generator, weights, stats, view.maps, view.covers, key=key)


def _losses_by_role(learner, state, verdicts):
    """The losses by which it is decided who learns and who guides, and what the state keeps of
    them.
    """
    now = parallel.mean({role: verdict.loss for role, verdict in verdicts.items()})
    if learner.steadiness == 1:
        return now, {}
    kept = {
        role: before + (now[role] - before) / learner.steadiness
        for role, before in state.batch_stats[AVERAGES].items()
    }
    return kept, {AVERAGES: kept}


def _figures(verdicts):
    losses_ = {f"{role}_loss": verdict.loss for role, verdict in verdicts.items()}
    return losses_ | {f"{role}_accuracy": verdict.accuracy for role, verdict in verdicts.items()}


def _who(learner, by_role, state, own):
    """Who learns and who guides, where not all learn in every step."""
    due = learner.learns(by_role, state.step)
    if not due:
        return {}
    guides = learner.guides(by_role, state.step, own)
    values = {f"{name}_learns": jnp.asarray(learns, jnp.float32) for name, learns in due.items()}
    return values | {f"{role}_guides": jnp.asarray(w, jnp.float32) for role, w in guides.items()}


def _examine_all(learner, state, view, chances, drawn, key):
    """Every role's verdict, one after another, and the new statistics by network."""
    shown = drawn if learner.shown is None else _draw(learner.shown, view, chances)
    verdicts, changed = {}, {}
    for i, (name, role) in enumerate(learner.roles.items()):

        def examined(modifications, i=i, role=role, name=name):
            noise = None
            if learner.noise is not None:
                deviation = learner.noise(state, name)
                noise = _noise(deviation, view.covers.shape, jax.random.fold_in(key, 1000 + i))
            return examine(
                role.module,
                state.params[role.network],
                changed.get(role.network, state.batch_stats[role.network]),
                role.told_from(view),
                view.covers + view.before + modifications,
                key=jax.random.fold_in(key, i),
                loss=learner.loss,
                pictures=learner.pictures,
                noise=noise,
            )

        verdict = examined(shown)
        if learner.shown is not None:
            verdict = verdict._replace(by_stego=examined(drawn).by_stego)
        verdicts[name], changed[role.network] = verdict, verdict.batch_stats
    return verdicts, changed


def _noise(deviation, shape: tuple[int, ...], key: Key) -> tuple[Array, ...]:
    """Normal noise for covers and for stegos, `[B, H, W]` each."""
    keys = parallel.example_keys(key, shape[0])

    def of(number):
        own = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
        return deviation * jax.vmap(lambda key: jax.random.normal(key, shape[1:]))(own)

    return of(0), of(1)


def _guided(learner, view, chances, verdicts, by_role, state, own):
    """The steganalyzers' guidance in sum, `[B]`."""
    modifications = _draw(learner.draw, view, chances)
    total = 0.0
    for role, weight in learner.guides(by_role, state.step, own).items():
        # Two selections: a gradient that is not finite must not reach the generator by way of 0.
        gradient = jnp.where(weight == 0, 0.0, verdicts[role].by_stego)
        total = total + weight * learner.guidance(chances, modifications, gradient, view.weight)
    return learner.weight * total


def _descend_all(learner, optimizers, verdicts, by_role, state):
    """Parameters and optimiser states of the steganalyzers' networks after their step."""
    gradients: dict[str, Params] = {}
    for name, role in learner.roles.items():
        own, sum_ = verdicts[name].by_params, gradients.get(role.network)
        gradients[role.network] = own if sum_ is None else jax.tree.map(jnp.add, sum_, own)
    due = learner.learns(by_role, state.step)
    params, opt_state = {}, {}
    for name, gradient in gradients.items():
        before = state.params[name], state.opt_state[name]
        after = networks.descend(optimizers[name], gradient, before[1], before[0])[:2]
        if name in due:
            after = jax.tree.map(
                lambda now, then, due=due[name]: jnp.where(due, now, then), after, before
            )
        params[name], opt_state[name] = after
    return params, opt_state
