"""The asymmetric-cost GAN: a symmetric scheme's costs, adjusted to what the part of the message
already embedded has changed.

The pixels fall into two to four random sub-images. The first carries its share of the message with
the costs of the initial scheme; for each of the others a generator sees the modifications so far
and the initial scheme's change probabilities, and gives the probabilities of +1 and of -1, from
which costs follow. It is trained with a simulated embedder against two steganalyzers: D1 tells
covers from stegos, D2 the partly embedded picture before the sub-image from the one after it.
Sub-images are trained one after another, each in a stage of its own; the initial scheme may itself
be learned, in a first stage, or be what another run embeds with.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane. Where pictures become JPEG files (`medium.py`), their coefficients fall
into sub-images, steganalyzers see the decompressed picture, unrounded, and of a file in colour the
luminance alone is embedded into.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import embed, envelope, losses, optimizers, parallel, recipes
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import adjustment, cost_learner, steganalyzer, trained
from stegojax.methods import network as networks
from stegojax.methods.fields import read
from stegojax.methods.medium import Medium, of_quality
from stegojax.models import asymmetric as models
from stegojax.types import Array, ChangeProbabilities, Key, Method, Stage, State

IMITATED = {"cmd": recipes.cluster_directions, "bbc": recipes.continue_blocks}
"""Rules of recipes that generators can learn to imitate before they are guided."""
IMITATION = "imitation"
STARTS = ("uniform", "initial", *IMITATED)
"""Where the generator's output starts: with equal probabilities that carry the payload; with the
initial scheme's; or with what it has learned of a rule in `IMITATED`, in a stage of its own.
"""
STEGANALYZERS = ("both", "d1", "d2", "shared")
"""Who guides; "shared" is strategy #4: one network in both roles."""
GENERATORS = ("plain", "attention")
"""The paper's generator, and the same with gates on its skips."""
LEARNED = "learned"
NOISE = "input_noise"
"""The name in a state's `batch_stats` of the noise on the steganalyzers' input, by role."""
UNITS = ("steps", "epochs")
FORMULAS = ("symmetric", "exact")
FIGURES = ("payload_error", "payload_bias", "neighbour_correlation", "drift")
"""Figures of a generator, one value per example: how far what its probabilities carry in its
sub-image is from what they should, relative to it, as a size and with its sign; how its changes
correlate with their neighbours'; and how far its probabilities are from the initial scheme's where
the message already is, relative to these.
"""
RENAMED = {"discriminators": "steganalyzers", "discriminator_width": "steganalyzer_width"}
"""Fields of older configs -> today's."""
_FRESH = (1, 32, 32)


class Steganalyzers(NamedTuple):
    """Who guides the generators; None for a part that nobody has.

    d1:      tells covers from stegos.
    d2:      tells the partly embedded picture before a sub-image from the one after it.
    shared:  whether D1's network has D2's part, too; its module is then `d2` as well.
    initial: by name, those against which a learned initial scheme is trained; in every step the
             weakest of them learns, and the strongest guides.
    """

    d1: nn.Module | None
    d2: nn.Module | None
    shared: bool = False
    initial: Mapping[str, nn.Module] = {}

    def roles(self) -> dict[str, cost_learner.Role]:
        """Their parts in the training of an adjustment."""
        parts = {}
        if self.d1 is not None:
            parts["d1"] = cost_learner.Role("d1", self.d1)
        if self.d2 is not None:
            parts["d2"] = cost_learner.Role(
                "d1" if self.shared else "d2", self.d2, lambda view: view.covers + view.before
            )
        return parts

    def modules(self) -> dict[str, nn.Module]:
        """D1's and D2's networks by their names in the state."""
        return {part.network: part.module for part in self.roles().values()}


class Optimizers(NamedTuple):
    """The optimisers; those of a learned initial scheme are the generator's and D2's."""

    generator: optax.GradientTransformation
    d1: optax.GradientTransformation
    d2: optax.GradientTransformation


class Weights(NamedTuple):
    """What the losses of the generators weigh.

    adversarial, entropy, reconstruction: alpha, beta and gamma in eq. (3).
    eta:       of D1's gradient, eq. (10); D2's is 1.
    learn_eta: whether eta is a parameter of the generator's that starts there.
    """

    adversarial: float = 1.0
    entropy: float = 1e-6
    reconstruction: float = 10.0
    eta: float = 5.0
    learn_eta: bool = False


class Leaves(NamedTuple):
    """The leaf losses.

    adversarial:    `(probabilities, modifications, reward) -> [B]`.
    entropy:        `(probabilities, bits, mask) -> [B]`.
    reconstruction: `(probabilities, wanted, mask) -> [B]`.
    steganalyzer:   `(logits, labels) -> [B]`.
    """

    adversarial: Callable = losses.rewarded_changes
    entropy: Callable = losses.payload_error
    reconstruction: Callable = losses.probability_error
    steganalyzer: Callable = losses.softmax_cross_entropy


class Rewards(NamedTuple):
    """How rewards follow from the steganalyzers' gradients, eq. (5).

    scale:        epsilon.
    rule:         of `cost_learner.REWARDS` or alike; the paper's is `cost_learner.raw`.
    unit_texture: whether the texture weight t is divided by its mean over the picture.
    """

    scale: float = 1e7
    rule: cost_learner.Reward = cost_learner.raw
    unit_texture: bool = False


class InputNoise(NamedTuple):
    """Normal noise on the steganalyzers' input, more the further they are ahead of the generator.

    largest: greatest standard deviation, grey levels; 0 for no noise.
    target:  share of right answers at which the noise stays as it is; it grows above and falls
             below.
    steps:   in so many steps of right answers alone it grows from none to the largest.
    """

    largest: float = 0.0
    target: float = 0.6
    steps: int = 100


class Schedule(NamedTuple):
    """Who is trained when.

    steps_per_epoch: what an epoch is.
    d1_after_epochs: epochs of a stage before D1's gradient reaches the generator (strategy #2); D1
                     is trained from the start.
    d1_every_epochs: D1 is trained in one of so many epochs (strategy #3).
    lengths:         steps of each stage, where there are several: the learned initial scheme's,
                     then for each sub-image but the first that of the imitation, if there is one,
                     and its own.
    """

    steps_per_epoch: int = 1
    d1_after_epochs: float = 0.0
    d1_every_epochs: int = 1
    lengths: tuple[int, ...] = ()


class Training(NamedTuple):
    """All that a training consists of; the arguments of `make`."""

    system: adjustment.System
    steganalyzers: Steganalyzers
    optimizers: Optimizers
    weights: Weights
    rewards: Rewards
    schedule: Schedule
    leaves: Leaves
    start: Mapping[str, trained.Network]
    noise: InputNoise = InputNoise()


def make(
    system: adjustment.System,
    steganalyzers: Steganalyzers,
    optimizers: Optimizers,
    *,
    weights: Weights = Weights(),
    rewards: Rewards = Rewards(),
    schedule: Schedule = Schedule(),
    leaves: Leaves = Leaves(),
    start: Mapping[str, trained.Network] | None = None,
    noise: InputNoise = InputNoise(),
) -> Method:
    """The asymmetric-cost GAN as a `Method`.

    Its networks are "generator2" and so on, one for every sub-image but the first, "d1" and "d2",
    and for a learned initial scheme "initial" and, while it is learned, the names in
    `Steganalyzers.initial`. What another run's initial scheme holds is "initial", too.

    Args:
      system: what embeds.
      steganalyzers: who guides.
      optimizers: the optimisers.
      weights: of the losses.
      rewards: how rewards follow from gradients.
      schedule: who is trained when.
      leaves: the leaf losses.
      start: networks that begin from another run's: "d1", "d2", or "initial" of a learned initial
        scheme.
      noise: on the steganalyzers' input while they guide adjustments.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, 1]}` and gives the stego of an optimal
      embedder at the payload, "changes" (a picture of the modifications, grey where there are none,
      white +1, black -1), and figures of the last generator.

    Raises:
      InputError: a number is out of range, the initial scheme has several phases, the stages'
        lengths do not fit, or `start` names a network that is not there.
    """
    training = Training(
        system,
        steganalyzers,
        optimizers,
        weights,
        rewards,
        schedule,
        leaves,
        dict(start or {}),
        noise,
    )
    _check(training)
    stages = _stages(training)
    return Method(
        functools.partial(_init, training),
        stages[0].train_step,
        functools.partial(_predict, training),
        _measure,
        stages if len(stages) > 1 else (),
        describe=functools.partial(_describe, training),
    )


class Fields(NamedTuple):
    """The `method` section of a config.

    generator_optimizer, d1_optimizer, d2_optimizer: the arguments of `optimizers.make`.
    scheme:             the initial scheme, of one phase, see `trained.scheme`; or "learned": a
                        first stage trains a symmetric generator.
    payload, shares, formula: see `System`.
    jpeg_quality:       of the JPEG files that pictures become; 0 for pixels.
    inputs:             a name in `INPUTS`.
    start:              a name in `STARTS`.
    network:            D1 and D2, a name in `steganalyzer.NETWORKS`.
    steganalyzers:      a name in `STEGANALYZERS`.
    eta, learn_eta, adversarial_weight, entropy_weight, reconstruction_weight: see `Weights`.
    d1_after_epochs, d1_every_epochs: see `Schedule`.
    reward:             a name in `cost_learner.REWARDS`.
    reward_scale, unit_texture: see `Rewards`.
    generator:          a name in `GENERATORS`.
    input_noise, input_noise_target, input_noise_steps: see `InputNoise`.
    width, depth:       of the generators, see `models.asymmetric.Adjustment`.
    steganalyzer_width: multiplies the steganalyzers' channels.
    initial_networks:   the steganalyzers of a learned initial scheme, names in
                        `steganalyzer.NETWORKS`.
    stage_lengths:      see `Schedule.lengths`.
    stage_unit:         what they are in, a name in `UNITS`.
    d1_from, d2_from:   runs whose D1, D2 or steganalyzer these begin from; "" for none.
    initial_from:       a run whose learned initial scheme a learned one begins from; "" for none.
    """

    generator_optimizer: Mapping[str, Any]
    d1_optimizer: Mapping[str, Any]
    d2_optimizer: Mapping[str, Any]
    scheme: str = "hill"
    payload: float = 0.4
    shares: Sequence[int] = (1, 1)
    inputs: str = "concatenated"
    start: str = "uniform"
    network: str = "dengnet"
    steganalyzers: str = "both"
    eta: float = 5.0
    learn_eta: bool = False
    d1_after_epochs: float = 0.0
    d1_every_epochs: int = 1
    adversarial_weight: float = 1.0
    entropy_weight: float = 1e-6
    reconstruction_weight: float = 10.0
    reward: str = "raw"
    reward_scale: float = 1e7
    unit_texture: bool = False
    formula: str = "symmetric"
    generator: str = "plain"
    input_noise: float = 0.0
    input_noise_target: float = 0.6
    input_noise_steps: int = 100
    width: float = 1.0
    depth: int = 8
    steganalyzer_width: float = 1.0
    initial_networks: Sequence[str] = ("dengnet",)
    stage_lengths: Sequence[float] = ()
    stage_unit: str = "steps"
    d1_from: str = ""
    d2_from: str = ""
    initial_from: str = ""
    jpeg_quality: int = 0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of schedules.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields = read(Fields, section, renamed=RENAMED)
    system = _system(fields, load)
    _check_names(fields, steganalyzers=STEGANALYZERS, stage_unit=UNITS, reward=cost_learner.REWARDS)
    unit = steps_per_epoch if fields.stage_unit == "epochs" else 1
    begun = {
        "d1": trained.network(load, fields.d1_from, "d1", steganalyzer.NAME),
        "d2": trained.network(load, fields.d2_from, "d2", steganalyzer.NAME),
        "initial": trained.network(load, fields.initial_from, "initial", cost_learner.GENERATOR),
    }
    return make(
        system,
        _named_steganalyzers(fields, system),
        Optimizers(
            *(
                optimizers.make(**options, steps_per_epoch=steps_per_epoch)
                for options in (
                    fields.generator_optimizer,
                    fields.d1_optimizer,
                    fields.d2_optimizer,
                )
            )
        ),
        weights=Weights(
            fields.adversarial_weight,
            fields.entropy_weight,
            fields.reconstruction_weight,
            fields.eta,
            fields.learn_eta,
        ),
        rewards=Rewards(
            fields.reward_scale, cost_learner.REWARDS[fields.reward], fields.unit_texture
        ),
        schedule=Schedule(
            steps_per_epoch,
            fields.d1_after_epochs,
            fields.d1_every_epochs,
            tuple(round(length * unit) for length in fields.stage_lengths),
        ),
        start={name: network for name, network in begun.items() if network is not None},
        noise=InputNoise(fields.input_noise, fields.input_noise_target, fields.input_noise_steps),
    )


def scheme(
    state: State, section: Mapping[str, Any], *, name: str, load: trained.Load | None = None
) -> embed.Scheme:
    """What a trained run embeds with.

    Args:
      state: of the run.
      section: its config's `method` section, see `Fields`.
      name: what to call it.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The scheme: cost function and recipe, holding the state's parameters.
    """
    state = jax.tree.map(jnp.asarray, state)
    system = _system(read(Fields, section, renamed=RENAMED), load)
    cost, recipe = adjustment.initial_cost(system, state), adjustment.recipe(system, state)
    planes = 1 if system.medium.quality else None
    return embed.Scheme(name, cost, recipe, system.medium.domain, planes)


def _check(training: Training) -> None:
    system, weights, schedule = training.system, training.weights, training.schedule
    envelope.check_shares(system.shares)
    if not 0 < system.payload < 1.5:
        raise InputError(
            f"method.payload={system.payload} must be above 0 and under 1.5 "
            f"{system.medium.domain.words.unit}"
        )
    if not weights.eta > 0 or schedule.d1_every_epochs < 1 or schedule.d1_after_epochs < 0:
        raise InputError(
            f"method.eta={weights.eta} must be above 0, d1_every_epochs={schedule.d1_every_epochs} "
            f"at least 1, and d1_after_epochs={schedule.d1_after_epochs} not negative"
        )
    noise = training.noise
    if noise.largest < 0 or not 0 < noise.target < 1 or noise.steps < 1:
        raise InputError(
            f"method.input_noise={noise.largest} must not be negative, input_noise_target="
            f"{noise.target} lie between 0 and 1, and input_noise_steps={noise.steps} be at least 1"
        )
    if isinstance(system.initial, embed.Scheme):
        trained.in_one_phase(system.initial, "the asymmetric-cost GAN")
    elif not training.steganalyzers.initial:
        raise InputError("a learned initial scheme needs method.initial_networks; there are none")
    if system.imitated is not None and weights.learn_eta:
        raise InputError(
            "method.learn_eta belongs to trainings that imitate no rule; choose another "
            "method.start"
        )
    begun = {*training.steganalyzers.modules()} | ({"initial"} if system.learns_initial else set())
    foreign = sorted(set(training.start) - begun)
    if foreign:
        raise InputError(
            f"method.{foreign[0]}_from is given, and this training has no network {foreign[0]!r}"
        )


def _stages(training: Training) -> tuple[Stage, ...]:
    """The stages, of which one alone lasts as long as the run."""
    last, lengths = len(training.system.shares), training.schedule.lengths
    plan = [("initial", 0)] if training.system.learns_initial else []
    for number in range(2, last + 1):
        if training.system.imitated is not None:
            plan.append((f"imitation {number}", number))
        plan.append((f"sub-image {number}", number))
    plan = plan or [("d1", 1)]
    if len(plan) == 1 and lengths:
        raise InputError(
            f"method.stage_lengths={lengths} belongs to trainings of several stages; this one has "
            "one: leave it empty"
        )
    if len(plan) > 1 and len(lengths) != len(plan):
        raise InputError(
            f"method.stage_lengths needs {len(plan)} numbers, one for each of "
            f"{', '.join(name for name, _ in plan)}; got {lengths}"
        )
    stages = []
    for place, (name, number) in enumerate(plan):
        if number == 0:
            step = _initial_step(training)
        elif number == 1:
            step = functools.partial(_reference_step, training)
        elif name.startswith(IMITATION):
            step = _imitating_step(training, number)
        else:
            step = _adjusting_step(training, number, sum(lengths[:place]))
        stage = Stage(name, lengths[place] if lengths else 0, step)
        # What an imitation has taught goes on to be guided.
        if place and number != plan[place - 1][1]:
            stage = stage._replace(begin=functools.partial(_begin_adjusting, training, number))
        stages.append(stage)
    return tuple(stages)


def _init(training: Training, key: Key, batch) -> State:
    system, steganalyzers = training.system, training.steganalyzers
    modules = steganalyzers.modules()
    keys = networks.split_keys(key, "initial", *modules, *steganalyzers.initial)
    params, stats, opt_state = {}, {}, {}

    def begin(name, module):
        params[name], stats[name] = trained.begin(
            keys[name], module, batch["cover"], given=training.start.get(name), what=name
        )

    for name, module in modules.items():
        begin(name, module)
    if not isinstance(system.initial, cost_learner.Generator):
        arrays = trained.freeze(system.initial).arrays
        params |= {"initial": arrays} if arrays else {}
        state = State(jnp.int32(0), params, stats, {})
        return _begin_adjusting(training, min(2, len(system.shares)), state, key)
    begin("initial", system.initial.module)
    learned = {"initial": params["initial"]}
    opt_state[cost_learner.GENERATOR] = training.optimizers.generator.init(learned)
    for name, module in steganalyzers.initial.items():
        begin(name, module)
        opt_state[name] = training.optimizers.d2.init(params[name])
    return State(jnp.int32(0), params, stats, opt_state)


def _begin_adjusting(training: Training, number: int, state: State, key: Key) -> State:
    """The state at the start of a sub-image's stage: a fresh generator, all before it frozen; D1
    and D2 go on.
    """
    system, optimizers = training.system, training.optimizers._asdict()
    gone = set(training.steganalyzers.initial)
    params = {name: value for name, value in state.params.items() if name not in gone}
    stats = {name: value for name, value in state.batch_stats.items() if name not in gone}
    opt_state = {
        name: optimizers[name].init(params[name]) for name in training.steganalyzers.modules()
    }
    if number > 1:
        name, nothing = f"generator{number}", jnp.zeros(_FRESH)
        params[name], stats[name] = networks.initialise(
            networks.split_keys(key, name)[name],
            system.generator.module,
            adjustment.maps(system, nothing, ChangeProbabilities(nothing, nothing), nothing),
        )
        learned = {name: params[name]}
        if training.weights.learn_eta:
            # Softplus keeps it positive.
            eta = jnp.float32(training.weights.eta)
            params["eta"] = learned["eta"] = {"value": jnp.log(jnp.expm1(eta))}
        opt_state[cost_learner.GENERATOR] = optimizers["generator"].init(learned)
        if training.noise.largest:
            stats[NOISE] = {role: jnp.float32(0) for role in training.steganalyzers.roles()}
    return State(state.step, params, stats, opt_state)


def _adjusting_step(training: Training, number: int, first_step: int) -> Callable:
    """The train step of a sub-image's stage, which begins after so many steps of the run."""
    system, weights, schedule = training.system, training.weights, training.schedule
    leaves, rewards = training.leaves, training.rewards

    def epoch(step):
        return (step - first_step) // schedule.steps_per_epoch

    def guides(by_role, step, own):
        eta = jax.nn.softplus(own["eta"]["value"]) if weights.learn_eta else weights.eta
        d1 = jnp.where(epoch(step) >= schedule.d1_after_epochs, eta, 0.0)
        return {role: d1 if role == "d1" else 1.0 for role in by_role}

    def learns(by_role, step):
        every = schedule.d1_every_epochs
        return {"d1": epoch(step) % every == 0} if every > 1 else {}

    def terms(chances, view):
        initial, kept = view.context
        return {
            "entropy": weights.entropy * leaves.entropy(chances, view.bits, view.mask),
            "reconstruction": weights.reconstruction
            * leaves.reconstruction(chances, initial, kept),
        }

    def figures(chances, drawn, view, params):
        measured = _figures(system, chances, drawn, view)
        if weights.learn_eta:
            measured["eta"] = jax.nn.softplus(params["eta"]["value"])
        return measured

    learner = cost_learner.Learner(
        f"generator{number}",
        system.generator,
        training.steganalyzers.roles(),
        functools.partial(_view, training, number),
        cost_learner.rewarded(rewards.scale, rule=rewards.rule, loss=leaves.adversarial),
        terms,
        guides=guides,
        learns=learns,
        weight=weights.adversarial,
        own=("eta",) if weights.learn_eta else (),
        loss=leaves.steganalyzer,
        pictures=system.medium.pictures,
        figures=figures,
    )
    if training.noise.largest:
        learner = learner._replace(noise=lambda state, role: state.batch_stats[NOISE][role])
    step = cost_learner.train_step(learner, training.optimizers._asdict())
    return functools.partial(_adapting, training.noise, step) if training.noise.largest else step


def _adapting(noise: InputNoise, step: Callable, state: State, batch, key: Key):
    """A step, after which the noise on each steganalyzer's input follows its share of right
    answers.
    """
    after, values = step(state, batch, key)
    rate = noise.largest / noise.steps / (1 - noise.target)
    found = {
        role: jnp.clip(
            deviation + rate * (values[f"{role}_accuracy"] - noise.target), 0.0, noise.largest
        )
        for role, deviation in state.batch_stats[NOISE].items()
    }
    values |= {f"{role}_noise": deviation for role, deviation in found.items()}
    return after._replace(batch_stats={**after.batch_stats, NOISE: found}), values


def _imitating_step(training: Training, number: int) -> Callable:
    """The train step in which a sub-image's generator learns to imitate a known rule."""
    system = training.system

    def wanted(state, view):
        medium = system.medium
        cost = medium.bound(adjustment.initial_cost(system, state))
        costs = system.imitated(cost, view.covers, view.before, *medium.side)
        chances = adjustment.change_probabilities(costs, system.bits(view.covers))
        return embed.rule_out(view.covers, chances, domain=medium.domain)

    return cost_learner.imitation_step(
        f"generator{number}",
        system.generator,
        functools.partial(_view, training, number),
        wanted,
        training.optimizers.generator,
        figures=lambda chances, drawn, view, params: _figures(system, chances, drawn, view),
    )


def _view(training: Training, number: int, state: State, batch, key: Key) -> cost_learner.View:
    """Covers embedded into up to a sub-image, and what its generator sees."""
    system, medium = training.system, training.system.medium
    covers = medium.elements(batch["cover"])
    # Two independent sets of keys: the masks must not be drawn from the noise that decides over
    # changes.
    keys, noise_keys = jax.vmap(jax.random.split, out_axes=1)(
        parallel.example_keys(key, covers.shape[0])
    )
    whole = adjustment.recipe(system, state)
    earlier = whole._replace(visits=whole.visits[: number - 1])
    begun = _simulated(system, state, covers, keys, earlier)
    before = begun.modifications
    initial = adjustment.initial_probabilities(system, state, covers)
    weight = medium.weights(adjustment.texture(medium.pictures(covers + before)))
    if training.rewards.unit_texture:
        weight = weight / jnp.maximum(jnp.mean(weight, axis=(1, 2), keepdims=True), 1e-3)
    return cost_learner.View(
        adjustment.maps(system, before, initial, covers),
        covers,
        before,
        begun.lattices == number - 1,
        system.bits(covers, number),
        noise_keys,
        weight,
        context=(initial, begun.lattices < number - 1),
    )


def _simulated(system, state, covers, keys, recipe) -> embed.Simulated:
    scheme = embed.Scheme("", adjustment.initial_cost(system, state), recipe)
    return system.medium.simulated(keys, covers, system.payload, scheme=scheme)


def _initial_step(training: Training) -> Callable:
    """The train step of a learned initial scheme: SPAR-RL's, with one steganalyzer or several."""
    system, weights, rewards = training.system, training.weights, training.rewards
    leaves, steganalyzers = training.leaves, training.steganalyzers.initial

    def view(state, batch, key):
        covers = batch["cover"][..., 0]
        return cost_learner.View(
            batch["cover"] / 255.0,
            covers,
            jnp.zeros_like(covers),
            jnp.ones_like(covers, bool),
            system.bits(covers),
            parallel.example_keys(key, covers.shape[0]),
        )

    def terms(chances, view):
        return {"entropy": weights.entropy * leaves.entropy(chances, view.bits, view.mask)}

    learner = cost_learner.Learner(
        "initial",
        system.initial,
        {name: cost_learner.Role(name, module) for name, module in steganalyzers.items()},
        view,
        cost_learner.rewarded(rewards.scale, rule=rewards.rule, loss=leaves.adversarial),
        terms,
        guides=cost_learner.strongest_guides,
        learns=cost_learner.weakest_learns,
        weight=weights.adversarial,
        loss=leaves.steganalyzer,
        figures=lambda chances, drawn, view, params: cost_learner.payload_figures(chances, view),
    )
    descents = dict.fromkeys(steganalyzers, training.optimizers.d2)
    descents[cost_learner.GENERATOR] = training.optimizers.generator
    return cost_learner.train_step(learner, descents)


def _reference_step(training: Training, state: State, batch, key: Key):
    """The train step where there is one sub-image alone: D1 learns to detect the initial scheme."""
    system, covers = training.system, training.system.medium.elements(batch["cover"])
    keys = parallel.example_keys(key, covers.shape[0])
    recipe = adjustment.recipe(system, state)
    changes = _simulated(system, state, covers, keys, recipe).modifications
    verdict = cost_learner.examine(
        training.steganalyzers.d1,
        state.params["d1"],
        state.batch_stats["d1"],
        covers,
        changes + covers,
        key=key,
        loss=training.leaves.steganalyzer,
        pictures=system.medium.pictures,
    )
    params, opt_state, norm = networks.descend(
        training.optimizers.d1, verdict.by_params, state.opt_state["d1"], state.params["d1"]
    )
    values = {"loss": verdict.loss, "d1_accuracy": verdict.accuracy, "gradient_norm": norm}
    after = State(
        state.step + 1,
        {**state.params, "d1": params},
        {**state.batch_stats, "d1": verdict.batch_stats},
        {**state.opt_state, "d1": opt_state},
    )
    return after, parallel.mean(values)


def _predict(training: Training, state: State, batch, key: Key) -> dict[str, Array]:
    system, medium = training.system, training.system.medium
    covers = medium.elements(batch["cover"])
    keys = parallel.example_keys(key, covers.shape[0])
    done = _simulated(system, state, covers, keys, adjustment.recipe(system, state))
    seen = medium.pictures(covers)[..., None]
    stego = medium.pictures(covers + done.modifications)[..., None]
    outputs = {
        "stego": round_to_pixels(stego),
        "changes": 127.5 * (1 + done.modifications[..., None]),
    }
    if training.steganalyzers.d1 is not None:
        params, stats = state.params["d1"], state.batch_stats["d1"]
        for what, pictures in (("cover", seen), ("stego", stego)):
            logits = networks.apply(training.steganalyzers.d1, params, stats, pictures)
            outputs[f"d1_{what}_score"] = jax.nn.softmax(logits)[:, steganalyzer.STEGO]
    there = [n for n in range(2, len(system.shares) + 1) if f"generator{n}" in state.params]
    if there:
        number = there[-1]
        costs, new = done.costs[number - 1], done.lattices == number - 1
        initial = adjustment.initial_probabilities(system, state, covers)
        view = cost_learner.View(
            covers,
            covers,
            done.before[number - 1],
            new,
            system.bits(covers, number),
            keys,
            context=(initial, done.lattices < number - 1),
        )
        chances = cost_learner.implied_probabilities(costs, formula=system.formula)
        outputs |= _figures(system, chances, done.modifications * new, view)
    return outputs


def _measure(batch, outputs) -> dict[str, Array]:
    figures = {
        "change_rate": jnp.mean(jnp.abs(outputs["changes"] / 127.5 - 1), axis=(1, 2, 3)),
        **{name: outputs[name] for name in FIGURES if name in outputs},
    }
    if "d1_cover_score" in outputs:
        scores = {what: outputs[f"d1_{what}"] for what in ("cover_score", "stego_score")}
        figures["d1_accuracy"] = steganalyzer.measure(batch, scores)["accuracy"]
    return figures


def _describe(training: Training, batch) -> tuple[str, ...]:
    system, (height, width) = training.system, batch["cover"].shape[1:3]
    last, rate = len(system.shares), f"{system.payload:g} {system.medium.domain.words.unit}"
    if last == 1:
        name = LEARNED if system.learns_initial else system.initial.name
        return (f"one sub-image: {name} at {rate}, of which D1 alone learns",)
    if system.medium.quality:
        return (f"{last} sub-images of coefficients carry {rate} together",)
    planes = batch["cover"][..., 0]
    each = ", ".join(f"{system.bits(planes, number):.0f}" for number in range(1, last + 1))
    return (f"{last} sub-images of a {width}x{height} picture carry {each} bits",)


def _figures(
    system: adjustment.System, chances: ChangeProbabilities, drawn: Array, view: cost_learner.View
) -> dict:
    """What is measured of a generator: `FIGURES`."""
    initial, kept = view.context
    moved = sum(jnp.abs(given - aim) for given, aim in zip(chances, initial))
    aim = jnp.sum(kept * (initial.plus + initial.minus), axis=(1, 2))
    return {
        **cost_learner.payload_figures(chances, view),
        "neighbour_correlation": adjustment.neighbour_correlation(
            drawn, view.before, view.mask, medium=system.medium
        ),
        "drift": jnp.sum(kept * moved, axis=(1, 2)) / jnp.maximum(aim, 1e-6),
    }


def _system(fields: Fields, load: trained.Load | None) -> adjustment.System:
    """What a section's names stand for."""
    _check_names(
        fields, inputs=adjustment.INPUTS, start=STARTS, formula=FORMULAS, generator=GENERATORS
    )
    medium = of_quality(fields.jpeg_quality)
    _check_medium(fields, medium)
    options = dict(
        width=fields.width,
        depth=fields.depth,
        output_bias=cost_learner.uniform_logit(fields.payload),
        attention=fields.generator == "attention",
        axis_name=parallel.AXIS,
    )
    generator = models.Adjustment(
        two_encoders=fields.inputs == "two_encoders",
        from_last_map=fields.start != "uniform",
        modes=bool(medium.quality),
        **options,
    )
    if fields.scheme == LEARNED:
        initial = cost_learner.Generator(models.Adjustment(branches=1, **options))
    else:
        initial = trained.scheme(fields.scheme, load, domain=medium.domain)
    return adjustment.System(
        initial,
        cost_learner.Generator(generator, domain=medium.domain),
        adjustment.INPUTS[fields.inputs],
        float(fields.payload),
        tuple(int(share) for share in fields.shares),
        fields.formula,
        IMITATED.get(fields.start),
        medium,
    )


def _check_medium(fields: Fields, medium: Medium) -> None:
    """Refuses what belongs to another medium."""
    wrong = [
        ("start", fields.start in IMITATED and fields.start not in medium.domain.recipes),
        ("start", medium.quality and fields.start == "uniform"),
        ("inputs", fields.inputs == "decompressed" and not medium.quality),
        ("scheme", medium.quality and fields.scheme == LEARNED),
    ]
    for name, refused in wrong:
        if refused:
            raise InputError(
                f"method.{name}={getattr(fields, name)!r} does not go with "
                f"method.jpeg_quality={medium.quality}; see configs/asymmetric.py and "
                "configs/asymmetric_jpeg.py"
            )


def _named_steganalyzers(fields: Fields, system: adjustment.System) -> Steganalyzers:
    module = steganalyzer.build(fields.network, width=fields.steganalyzer_width)
    initial = {
        f"steganalyzer{i}": steganalyzer.build(
            name, width=fields.steganalyzer_width, field="initial_networks"
        )
        for i, name in enumerate(fields.initial_networks, start=1)
    }
    initial = initial if system.learns_initial else {}
    if len(system.shares) == 1:
        return Steganalyzers(module, None, initial=initial)
    who = fields.steganalyzers
    return Steganalyzers(
        None if who == "d2" else module,
        None if who == "d1" else module,
        shared=who == "shared",
        initial=initial,
    )


def _check_names(fields: Fields, **known) -> None:
    for field, names in known.items():
        if getattr(fields, field) not in names:
            raise InputError(
                f"method.{field} {getattr(fields, field)!r} is unknown; there are "
                f"{', '.join(names)}"
            )
