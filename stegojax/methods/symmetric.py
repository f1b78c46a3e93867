"""Symmetric costs learned from nothing: SPAR-RL, UT-GAN, Steg-GMAN and ASDL-GAN, as compositions of
the cost learner.

A generator turns a picture into the probability P with which each pixel is changed, half of it in
each direction. A simulator draws changes, steganalyzers learn to find them, and guide the generator
by a reward (SPAR-RL, Steg-GMAN) or by the gradient through a smooth simulator (UT-GAN, ASDL-GAN).
Of several steganalyzers the weakest learns and the strongest guides (Steg-GMAN). The costs are
ln(1/p - 2) of the generator's p = P/2, and lambda is solved anew for the message.

The weights are free of the pictures' size: the reward's sum is over the pixels of the batch, and
the payload's error is in bits per pixel. In the papers' constants, for batches of 25 pictures of
256x256, the reward's weight 1e7 / (25 * 256^2) is 6.1, and the payload's 1e-7 * 256^4 is 430.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane. Where pictures become JPEG files (`medium.py`), generator and
steganalyzers see the decompressed picture, unrounded, the generator gives probabilities of
coefficients, each where the pixels of its block lie, and "pixels" means these; the gradient
goes through the inverse DCT. This is the composition of JS-GAN (arXiv 2107.13151) as far as its
abstract tells. Of a file in colour the luminance alone is embedded into.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import embed, losses, optimizers, parallel, probabilities
from stegojax.costs import dct
from stegojax.domains import JPEG, PIXELS
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import adjustment, cost_learner, simulators, steganalyzer, trained
from stegojax.methods import network as networks
from stegojax.methods.fields import read
from stegojax.methods.medium import Medium, of_quality
from stegojax.models import asdlgan, unet
from stegojax.types import Array, ChangeProbabilities, Costs, Key, Method, Stage, State

NAME = "generator"
"""The generator's name in states."""

STAIRCASE, IMITATION, WARM_UP = "staircase", "imitation", "warm-up"
"""The stages in which a simulator learns to imitate the staircase, in which the generator learns to
give a known cost's probabilities, and in which the steganalyzers alone learn.
"""

GUIDANCE = ("reward", "through")
SIMULATED = ("staircase", "double_tanh", "straight_through", "tes")
"""Simulators; "tes" is a network that learns to be one."""
SMOOTH = SIMULATED[1:]
LEARNS = {
    "all": cost_learner.all_learn,
    "weakest": cost_learner.weakest_learns,
    "in_turn": cost_learner.nobody_learns,
}
"""Who learns while the costs do; "in_turn", the steganalyzers learn in the stages between."""
GUIDES = {"all": cost_learner.all_guide, "strongest": cost_learner.strongest_guides}
SMALLEST_CHANGE = 2e-5
"""P is at least this where a generator's may be 0, so that costs stay under 11.5."""
CHEAP = 0.18
"""The share of pixels, the cheapest for HILL, in which `share_in_cheapest` looks for changes."""
KNOWN = {PIXELS: "hill", JPEG: "uerd"}
"""By what costs it looks for them."""
USED = 0.05
"""About how many of a photograph's coefficients are neither 0 nor DC: where generators start."""


def halved(output: Array) -> ChangeProbabilities:
    """P = max(sigmoid(z) - .5, 0), SPAR-RL's and UT-GAN's: none where z is negative.

    Args:
      output: z, `[..., H, W, 1]`.

    Returns:
      ChangeProbabilities `[..., H, W]`, below 1/4 each.
    """
    change = jnp.maximum(nn.sigmoid(output) - 0.5, SMALLEST_CHANGE)
    return cost_learner.both_directions(change / 2)


def third(output: Array) -> ChangeProbabilities:
    """p = sigmoid(z) / 3 in each direction: never 0, so that no pixel is given up for good.

    Args:
      output: z, `[..., H, W, 1]`.

    Returns:
      ChangeProbabilities `[..., H, W]`, below 1/3 each.
    """
    return cost_learner.both_directions(nn.sigmoid(output) / 3)


MOST_ROUNDS = 1000
"""How often steganalyzers and costs may take turns."""

OUTPUTS = {"halved": halved, "third": third}
"""What the generator's numbers become."""


def output_start(output: str, payload: float) -> float:
    """Where a generator's numbers start, so that all pixels are alike and carry a payload.

    Args:
      output: a name in `OUTPUTS`.
      payload: bits per pixel.

    Returns:
      z.
    """
    start = cost_learner.uniform_logit(payload)
    if output == "third":
        return start
    change = 2 / 3 / (1 + math.exp(-start))
    return math.log((0.5 + change) / (0.5 - change))


class Weights(NamedTuple):
    """What the losses weigh.

    guidance: of the reward, as the sum over the batch's pixels; or of the steganalyzers' loss.
    payload:  of the squared error in bits per pixel.
    """

    guidance: float = 6.1
    payload: float = 430.0


class Guided(NamedTuple):
    """How the steganalyzers teach the generator.

    by:         a name in `GUIDANCE`.
    rule:       of the reward.
    draw:       the simulator; None for the network named `simulators.NAME`, trained first.
    shown:      the simulator whose stegos the steganalyzers see; None for the same.
    learns:     see `cost_learner.Learner`.
    guides:     likewise.
    steadiness: likewise.
    """

    by: str = "reward"
    rule: cost_learner.Reward = cost_learner.raw
    draw: cost_learner.Draw | None = probabilities.staircase
    shown: cost_learner.Draw | None = None
    learns: Callable = cost_learner.all_learn
    guides: Callable = cost_learner.all_guide
    steadiness: int = 1


class Schedule(NamedTuple):
    """Who is trained when.

    payload:         bits per pixel.
    curriculum:      (payload, steps) of each stage, the last at the payload wanted; empty for one
                     stage at `payload`.
    staircase_steps: of the stage in which a simulator learns to be one.
    warm_up_steps:   of the stage in which the steganalyzers alone learn.
    imitation_steps: of the stage in which the generator learns a known cost's probabilities.
    rounds:          how often the steganalyzers' stage and those of the costs are gone through.
    """

    payload: float = 0.4
    curriculum: tuple[tuple[float, int], ...] = ()
    staircase_steps: int = 0
    warm_up_steps: int = 0
    imitation_steps: int = 0
    rounds: int = 1


class Training(NamedTuple):
    """All that a training consists of; the arguments of `make`."""

    generator: cost_learner.Generator
    steganalyzers: Mapping[str, nn.Module]
    generator_optimizer: optax.GradientTransformation
    steganalyzer_optimizer: optax.GradientTransformation
    guided: Guided
    weights: Weights
    schedule: Schedule
    simulator: nn.Module
    start: Mapping[str, trained.Network]
    medium: Medium = Medium()
    imitated: Callable | None = None


class Fields(NamedTuple):
    """The `method` section of a config.

    generator_optimizer, steganalyzer_optimizer: the arguments of `optimizers.make`.
    payload, curriculum, staircase_steps, warm_up_steps, imitation_steps, rounds: see `Schedule`.
    imitated:           a cost of the domain, which the generator first learns; "" for none.
    generator:          a name in `GENERATORS`.
    output:             a name in `OUTPUTS`.
    uniform_start:      whether the generator starts with equal probabilities that carry the
                        payload, for which its output gets a bias.
    width, depth, dropout: of the generator, see `unet.UNet`; the depth of "full_size" is its number
                        of groups.
    simulator:          a name in `SIMULATED`.
    tes_activation:     of the network that becomes one, a name in `asdlgan.ACTIVATIONS`.
    shown:              a name in `SIMULATED`, see `Guided`; "" for the same.
    guidance:           a name in `GUIDANCE`.
    reward:             a name in `cost_learner.REWARDS`.
    guidance_weight, payload_weight: see `Weights`.
    networks:           one to three steganalyzers, names in `steganalyzer.NETWORKS`; "d1" to "d3".
                        "NAME:0.5" is one with half of the channels.
    steganalyzer_width: multiplies the channels of all.
    learns, guides:     names in `LEARNS` and `GUIDES`.
    steadiness:         see `cost_learner.Learner`.
    d1_from, d2_from, d3_from: runs whose steganalyzer these begin from; "" for none.
    generator_from:     a run whose generator this one begins from; "" for none.
    jpeg_quality:       of the JPEG files that pictures become; 0 for pixels. Payloads are in bits
                        per non-zero AC coefficient then.
    """

    generator_optimizer: Mapping[str, Any]
    steganalyzer_optimizer: Mapping[str, Any]
    payload: float = 0.4
    curriculum: Sequence[tuple[float, int]] = ()
    staircase_steps: int = 0
    warm_up_steps: int = 0
    imitated: str = ""
    imitation_steps: int = 0
    rounds: int = 1
    generator: str = "unet"
    output: str = "halved"
    uniform_start: bool = False
    width: float = 1.0
    depth: int = 8
    dropout: float = 0.0
    simulator: str = "staircase"
    tes_activation: str = "sigmoid"
    shown: str = ""
    guidance: str = "reward"
    reward: str = "raw"
    guidance_weight: float = 6.1
    payload_weight: float = 430.0
    networks: Sequence[str] = ("xunet6",)
    steganalyzer_width: float = 1.0
    learns: str = "all"
    guides: str = "all"
    steadiness: int = 1
    d1_from: str = ""
    d2_from: str = ""
    d3_from: str = ""
    generator_from: str = ""
    jpeg_quality: int = 0


GENERATORS = ("unet", "full_size")


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields = read(Fields, section)
    generator = _named_generator(fields)
    _check_names(
        fields,
        simulator=SIMULATED,
        shown=("", *SIMULATED),
        guidance=GUIDANCE,
        reward=cost_learner.REWARDS,
        learns=LEARNS,
        guides=GUIDES,
        tes_activation=asdlgan.ACTIVATIONS,
    )
    medium = of_quality(fields.jpeg_quality)
    _check_names(fields, imitated=("", *medium.domain.costs))
    if not 1 <= len(fields.networks) <= 3:
        raise InputError(
            f"method.networks names one to three steganalyzers; {tuple(fields.networks)} given"
        )
    names = [f"d{i}" for i in range(1, len(fields.networks) + 1)]
    begun = {
        name: trained.network(load, getattr(fields, f"{name}_from"), steganalyzer.NAME, name, "d1")
        for name in ("d1", "d2", "d3")
    }
    begun[NAME] = trained.network(load, fields.generator_from, NAME)
    return make(
        generator,
        {
            name: _named_steganalyzer(network, fields)
            for name, network in zip(names, fields.networks, strict=True)
        },
        optimizers.make(**fields.generator_optimizer, steps_per_epoch=steps_per_epoch),
        optimizers.make(**fields.steganalyzer_optimizer, steps_per_epoch=steps_per_epoch),
        guided=Guided(
            fields.guidance,
            cost_learner.REWARDS[fields.reward],
            _draw(fields.simulator),
            _draw(fields.shown),
            LEARNS[fields.learns],
            GUIDES[fields.guides],
            int(fields.steadiness),
        ),
        weights=Weights(fields.guidance_weight, fields.payload_weight),
        schedule=Schedule(
            float(fields.payload),
            tuple((float(payload), int(steps)) for payload, steps in fields.curriculum),
            int(fields.staircase_steps),
            int(fields.warm_up_steps),
            int(fields.imitation_steps),
            int(fields.rounds),
        ),
        simulator=asdlgan.EmbeddingSimulator(fields.tes_activation),
        start={name: network for name, network in begun.items() if network is not None},
        medium=medium,
        imitated=medium.domain.costs.get(fields.imitated),
    )


def scheme(
    state: State, section: Mapping[str, Any], *, name: str, load: trained.Load | None = None
) -> embed.Scheme:
    """What a trained run embeds with, in one phase.

    Args:
      state: of the run.
      section: its config's `method` section, see `Fields`.
      name: what to call it.
      load: not used.

    Returns:
      The scheme, holding the state's parameters.
    """
    del load
    params, stats = jax.tree.map(jnp.asarray, (state.params[NAME], state.batch_stats[NAME]))
    fields = read(Fields, section)
    medium, generator = of_quality(fields.jpeg_quality), _named_generator(fields)
    see = _decompressed if medium.quality else cost_learner.scaled
    cost = cost_learner.cost_function(generator, params, stats, see=see)
    planes = 1 if medium.quality else None
    return embed.Scheme(name, cost, medium.domain.recipes["plain"], medium.domain, planes)


def make(
    generator: cost_learner.Generator,
    steganalyzers: Mapping[str, nn.Module],
    generator_optimizer: optax.GradientTransformation,
    steganalyzer_optimizer: optax.GradientTransformation,
    *,
    guided: Guided = Guided(),
    weights: Weights = Weights(),
    schedule: Schedule = Schedule(),
    simulator: nn.Module = asdlgan.EmbeddingSimulator(),
    start: Mapping[str, trained.Network] | None = None,
    medium: Medium = Medium(),
    imitated: Callable | None = None,
) -> Method:
    """A learner of symmetric costs as a `Method`.

    Its networks are "generator", the steganalyzers, and "tes" where a simulator is learned.

    Args:
      generator: pictures / 255 -> change probabilities.
      steganalyzers: by name.
      generator_optimizer, steganalyzer_optimizer: the optimisers, the second for each of them.
      guided: how they teach the generator.
      weights: of the losses.
      schedule: who is trained when.
      simulator: what learns to be one, where `guided.draw` is None.
      start: networks that begin from another run's, by name.
      medium: what is embedded into.
      imitated: the cost that the generator first learns; None for none.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, 1]}` and gives the stego of an optimal
      embedder at the payload, "changes" (a picture of the modifications, grey where there are none,
      white +1, black -1), how far the payload is missed, and how much of the changes lies where
      known costs are low.

    Raises:
      InputError: a number is out of range, guidance and simulator do not go together, or `start`
        names a network that is not there.
    """
    training = Training(
        generator,
        dict(steganalyzers),
        generator_optimizer,
        steganalyzer_optimizer,
        guided,
        weights,
        schedule,
        simulator,
        dict(start or {}),
        medium,
        imitated,
    )
    _check(training)
    stages = _stages(training)
    return Method(
        functools.partial(_init, training),
        stages[0].train_step,
        functools.partial(_predict, training),
        _measure,
        stages if schedule.curriculum else (),
        refresh=functools.partial(_refresh, training),
    )


def _check(training: Training) -> None:
    guided, schedule = training.guided, training.schedule
    payloads = [payload for payload, _ in schedule.curriculum] or [schedule.payload]
    if not all(0 < payload < 1.5 for payload in payloads) or payloads[-1] != schedule.payload:
        raise InputError(
            "payloads are above 0 and under 1.5 bits per pixel, and a curriculum ends at "
            f"method.payload={schedule.payload}; got {payloads}"
        )
    first = max(schedule.staircase_steps, schedule.warm_up_steps, schedule.imitation_steps) > 0
    if (training.imitated is None) == (schedule.imitation_steps > 0):
        raise InputError(
            "method.imitated names the cost that method.imitation_steps belong to: set both or none"
        )
    rounds = schedule.rounds
    if not 1 <= rounds <= MOST_ROUNDS or (rounds > 1 and not schedule.warm_up_steps):
        raise InputError(
            f"method.rounds={rounds} must be 1 to {MOST_ROUNDS}, and rounds need "
            "method.warm_up_steps for the steganalyzers"
        )
    for name in ("staircase_steps", "warm_up_steps", "imitation_steps"):
        if getattr(schedule, name) < 0:
            raise InputError(f"method.{name}={getattr(schedule, name)} must be 0 or more")
    if first and not schedule.curriculum:
        raise InputError(
            "a training with a stage before the costs' needs their length too: set "
            f"method.curriculum=(({schedule.payload:g}, STEPS),)"
        )
    if any(steps < 1 for _, steps in schedule.curriculum) or guided.steadiness < 1:
        raise InputError(
            "the stages of method.curriculum are at least one step long, and method.steadiness is "
            f"at least 1; got {schedule.curriculum} and {guided.steadiness}"
        )
    if (guided.draw is None) != (schedule.staircase_steps > 0):
        raise InputError(
            "the simulator tes is trained first, and no other is: set method.staircase_steps above "
            "0 with method.simulator=tes, and to 0 without"
        )
    smooth = guided.draw not in (probabilities.staircase, probabilities.simulate)
    if smooth != (guided.by == "through"):
        raise InputError(
            "a gradient goes through a smooth simulator, and a reward is for whole changes: set "
            f"method.guidance=reward with simulator=staircase, or through with {', '.join(SMOOTH)}"
        )
    foreign = sorted(set(training.start) - {NAME, *training.steganalyzers})
    if foreign:
        raise InputError(
            f"method.{foreign[0]}_from is given, and this training has no network {foreign[0]!r}"
        )


def _stages(training: Training) -> tuple[Stage, ...]:
    schedule = training.schedule
    curriculum = schedule.curriculum or ((schedule.payload, 0),)
    stages = []
    if schedule.staircase_steps:
        step = simulators.imitation_step(training.simulator, schedule.staircase_steps)
        stages.append(Stage(STAIRCASE, schedule.staircase_steps, step))
    if schedule.imitation_steps:
        step = _imitating_step(training, curriculum[0][0])
        stages.append(Stage(IMITATION, schedule.imitation_steps, step))
    warm_up = _step(training, curriculum[0][0], cost_learner.steganalyzers_step)
    learning = [_step(training, payload, cost_learner.train_step) for payload, _ in curriculum]
    unit = training.medium.domain.words.unit
    for _ in range(schedule.rounds):
        if schedule.warm_up_steps:
            stages.append(Stage(WARM_UP, schedule.warm_up_steps, warm_up))
        for (payload, steps), step in zip(curriculum, learning, strict=True):
            stages.append(Stage(f"{payload:g} {unit}", steps, step))
    if schedule.staircase_steps:
        stages[1] = stages[1]._replace(begin=lambda state, key: simulators.finished(state))
    return tuple(stages)


def _step(training: Training, payload: float, kind: Callable) -> Callable:
    """A train step at a payload, made by `cost_learner.train_step` or `steganalyzers_step`."""
    descents = dict.fromkeys(training.steganalyzers, training.steganalyzer_optimizer)
    descents[cost_learner.GENERATOR] = training.generator_optimizer

    def step(state, batch, key):
        return kind(_learner(training, payload, state), descents)(state, batch, key)

    return step


def _imitating_step(training: Training, payload: float) -> Callable:
    """A train step in which the generator learns a known cost's probabilities at a payload."""
    medium, learner = training.medium, _learner(training, payload, None)

    def wanted(state, view):
        costs = medium.bound(training.imitated)(view.covers)
        lambda_ = probabilities.lambda_for_payload(costs, view.bits)
        return probabilities.gibbs(costs, lambda_)

    return cost_learner.imitation_step(
        NAME,
        training.generator,
        learner.view,
        wanted,
        training.generator_optimizer,
        figures=learner.figures,
    )


def _learner(training: Training, payload: float, state: State | None) -> cost_learner.Learner:
    """The learner of one stage; a simulator that was learned is taken from the state."""
    guided, weights = training.guided, training.weights
    draw = guided.draw
    if draw is None and state is not None:
        draw = simulators.learned(training.simulator, state.params[simulators.NAME])

    medium = training.medium

    def view(state, batch, key):
        covers = medium.elements(batch["cover"])
        pixels = covers.shape[1] * covers.shape[2]
        every = covers.shape[0] * parallel.device_count() * pixels
        return cost_learner.View(
            cost_learner.scaled(medium.pictures(covers)),
            covers,
            jnp.zeros_like(covers),
            jnp.ones_like(covers, bool),
            medium.bits(covers, payload),
            parallel.example_keys(key, covers.shape[0]),
            # The leaf is a mean over pixels and examples, and the reward's weight is of the sum.
            weight=every if guided.by == "reward" else 1.0,
        )

    def terms(chances, view):
        pixels = view.covers.shape[1] * view.covers.shape[2]
        error = losses.payload_error(chances, view.bits, view.mask) / float(pixels) ** 2
        return {"payload": weights.payload * error}

    reward = guided.by == "reward"
    return cost_learner.Learner(
        NAME,
        training.generator,
        {name: cost_learner.Role(name, module) for name, module in training.steganalyzers.items()},
        view,
        cost_learner.rewarded(1.0, rule=guided.rule) if reward else cost_learner.through,
        terms,
        draw=draw,
        shown=guided.shown,
        guides=guided.guides,
        learns=guided.learns,
        weight=weights.guidance,
        steadiness=guided.steadiness,
        pictures=medium.pictures,
        figures=lambda chances, drawn, view, params: cost_learner.payload_figures(chances, view),
    )


def _init(training: Training, key: Key, batch) -> State:
    modules = {NAME: training.generator.module, **training.steganalyzers}
    keys = networks.split_keys(key, *modules, simulators.NAME)
    params, stats = {}, {}
    for name, module in modules.items():
        maps = cost_learner.scaled(batch["cover"][..., 0]) if name == NAME else batch["cover"]
        params[name], stats[name] = trained.begin(
            keys[name], module, maps, given=training.start.get(name), what=name
        )
    learned = {NAME: params[NAME]}
    opt_state = {cost_learner.GENERATOR: training.generator_optimizer.init(learned)}
    for name in training.steganalyzers:
        opt_state[name] = training.steganalyzer_optimizer.init(params[name])
    stats |= cost_learner.begin_averages(_learner(training, training.schedule.payload, None))
    state = State(jnp.int32(0), params, stats, opt_state)
    if training.schedule.staircase_steps:
        steps = training.schedule.staircase_steps
        return simulators.begun(keys[simulators.NAME], training.simulator, state, steps)
    return state


def _refresh(training: Training, state: State, batch, key: Key) -> State:
    """The generator's statistics, which lag behind its weights and so change what it carries."""
    view = _learner(training, training.schedule.payload, None).view(state, batch, key)
    _, stats = cost_learner.generate(
        training.generator,
        state.params[NAME],
        state.batch_stats[NAME],
        view.maps,
        view.covers,
        key=networks.split_keys(key, NAME)[NAME],
    )
    return state._replace(batch_stats={**state.batch_stats, NAME: stats})


def _predict(training: Training, state: State, batch, key: Key) -> dict[str, Array]:
    medium, generator = training.medium, training.generator
    covers = medium.elements(batch["cover"])
    seen, bits = medium.pictures(covers), medium.bits(covers, training.schedule.payload)
    output = networks.apply(
        generator.module, state.params[NAME], state.batch_stats[NAME], cost_learner.scaled(seen)
    )
    chances = generator.probabilities(output)
    costs = probabilities.costs_from_probabilities(chances, formula="symmetric")
    allowed = embed.forbid(covers, costs, domain=medium.domain)
    optimal = adjustment.change_probabilities(allowed, bits)
    keys = parallel.example_keys(key, covers.shape[0])
    changes = jax.vmap(probabilities.simulate)(keys, optimal)
    stego = medium.pictures(covers + changes)[..., None]
    view = cost_learner.View(covers, covers, covers, jnp.ones_like(covers, bool), bits, keys)
    known = KNOWN[medium.domain]
    rho = medium.bound(medium.domain.costs[known])(covers)
    outputs = {
        "stego": round_to_pixels(stego),
        "changes": 127.5 * (1 + changes[..., None]),
        **cost_learner.payload_figures(embed.rule_out(covers, chances, domain=medium.domain), view),
        f"{known}_share": share_in_cheapest(rho, optimal),
    }
    first = next(iter(training.steganalyzers))
    for what, pictures in (("cover", seen[..., None]), ("stego", stego)):
        logits = networks.apply(
            training.steganalyzers[first], state.params[first], state.batch_stats[first], pictures
        )
        outputs[f"{what}_score"] = jax.nn.softmax(logits)[:, steganalyzer.STEGO]
    return outputs


def share_in_cheapest(costs: Costs, chances: ChangeProbabilities) -> Array:
    """How much of the changes falls where known costs are lowest: the share in the cheapest
    `CHEAP` of the pixels. Equal probabilities give `CHEAP`, HILL's own at .4 bpp .55 to .76.

    Args:
      costs: `[B, H, W]`.
      chances: same shape.

    Returns:
      `[B]`, 0 to 1.
    """
    rho = jnp.minimum(costs.plus, costs.minus)
    limit = jnp.quantile(rho, CHEAP, axis=(1, 2), keepdims=True)
    change = chances.plus + chances.minus
    inside = jnp.sum(jnp.where(rho <= limit, change, 0.0), axis=(1, 2))
    return inside / jnp.maximum(jnp.sum(change, axis=(1, 2)), 1e-6)


def _measure(batch, outputs) -> dict[str, Array]:
    figures = {"change_rate": jnp.mean(jnp.abs(outputs["changes"] / 127.5 - 1), axis=(1, 2, 3))}
    shares = [f"{known}_share" for known in KNOWN.values()]
    for name in ("payload_error", "payload_bias", *shares):
        figures |= {name: outputs[name]} if name in outputs else {}
    figures["d1_accuracy"] = steganalyzer.measure(batch, outputs)["accuracy"]
    return figures


def _decompressed(covers: Array, quantisation: Array) -> Array:
    """What a generator sees of the coefficients `[B, H, W]` of files with these tables."""
    return cost_learner.scaled(jax.vmap(dct.unrounded_pixels)(covers, quantisation))


def _draw(name: str) -> cost_learner.Draw | None:
    """The simulator of a name; None for one that is learned, and for no name."""
    return None if name in ("", "tes") else getattr(probabilities, name)


def _named_generator(fields: Fields) -> cost_learner.Generator:
    _check_names(fields, generator=GENERATORS, output=OUTPUTS)
    first = fields.curriculum[0][0] if fields.curriculum else fields.payload
    medium = of_quality(fields.jpeg_quality)
    if medium.quality:
        first *= USED
        if fields.generator != "unet":
            raise InputError(
                "method.generator=unet alone tells the modes of coefficients apart, which "
                f"method.jpeg_quality={medium.quality} asks for"
            )
    options = dict(
        width=fields.width,
        output_bias=output_start(fields.output, first) if fields.uniform_start else None,
        axis_name=parallel.AXIS,
    )
    if fields.generator == "unet":
        modes = bool(medium.quality)
        module = unet.UNet(depth=fields.depth, dropout=fields.dropout, modes=modes, **options)
    else:
        module = asdlgan.FullSize(groups=fields.depth, **options)
    return cost_learner.Generator(module, OUTPUTS[fields.output], medium.domain)


def _named_steganalyzer(text: str, fields: Fields) -> nn.Module:
    name, _, width = text.partition(":")
    try:
        own = float(width or 1)
    except ValueError:
        raise InputError(
            f"method.networks names {text!r}; write NAME or NAME:WIDTH, such as xunet6:0.5"
        ) from None
    return steganalyzer.build(name, width=fields.steganalyzer_width * own, field="networks")


def _check_names(fields: Fields, **known) -> None:
    for field, names in known.items():
        if getattr(fields, field) not in names:
            raise InputError(
                f"method.{field} {getattr(fields, field)!r} is unknown; there are "
                f"{', '.join(name for name in names if name)}"
            )
