"""The asymmetric-cost GAN: a symmetric scheme's costs, adjusted to what the part of the message
already embedded has changed.

The pixels fall into two to four random sub-images. The first carries its share of the message with
the costs of the initial scheme; for each of the others a generator sees the modifications so far
and the initial scheme's change probabilities, and gives the probabilities of +1 and of -1, from
which costs follow. It is trained with a simulated embedder against two steganalyzers: D1 tells
  covers from stegos, D2 the partly embedded picture before the sub-image from the one after it.
  Sub-images are trained one
after another, each in a stage of its own; the initial scheme may itself be learned, in a first
stage.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from stegojax import embed, losses, optimizers, parallel, probabilities
from stegojax.costs import COSTS, forbid_saturated
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.methods.steganalyzer import COVER, NETWORKS, STEGO
from stegojax.models import asymmetric as models
from stegojax.types import Array, ChangeProbabilities, Costs, Key, Method, Params, Stage, State

INPUTS = {"concatenated": 2, "probabilities": 1, "filtered": 2, "two_encoders": 2}
"""What the generator is given (Section 3.5) -> how many maps; "concatenated" is the paper's."""
STARTS = ("uniform", "initial")
"""Where the generator's output starts: with equal probabilities that carry the payload, or with the
initial scheme's.
"""
DISCRIMINATORS = {"both": ("d1", "d2"), "d1": ("d1",), "d2": ("d2",), "shared": ("d1", "d2")}
"""Who judges; "shared" is strategy #4: one network in both roles."""
LEARNED = "learned"
UNITS = ("steps", "epochs")
_FRESH = (1, 32, 32)
_PLANES_AT_ONCE = 1
"""Planes that a generator adjusts together when embedding: on a CPU one after the other is the
fastest.
"""


class Parts(NamedTuple):
    """What embedding needs of a trained system, but for the parameters.

    initial:   name of the initial scheme: in `costs.COSTS`, or `LEARNED`.
    payload:   bits per pixel at which the initial scheme's change probabilities are taken.
    shares:    weights of the sub-images.
    inputs:    a name in `INPUTS`.
    formula:   how costs follow from probabilities, see `probabilities.costs_from_probabilities`.
    generator: the adjustment network.
    symmetric: the network of a learned initial scheme.
    """

    initial: str
    payload: float
    shares: tuple[int, ...]
    inputs: str
    formula: str
    generator: nn.Module
    symmetric: nn.Module


def texture(planes: Array) -> Array:
    """The magnitude of a plane's 3x3 Laplacian, 8 in the middle and -1 around it (T in eq. (5));
    borders are continued.

    Args:
      planes: `[..., H, W]`.

    Returns:
      The same shape.
    """
    return jnp.abs(9 * planes - _sum_3x3(planes, "edge"))


def network_input(inputs: str, modifications: Array, chances: ChangeProbabilities) -> Array:
    """What the generator sees (Sections 2.1 and 3.5).

    Args:
      inputs: a name in `INPUTS`: "concatenated" and "two_encoders" are M and P, "probabilities" P
        alone, "filtered" the sum of M over the eight neighbours, and P.
      modifications: M, `[B, H, W]`, those made so far.
      chances: of the initial scheme; P is the probability of either change.

    Returns:
      `[B, H, W, 2 or 1]`.
    """
    change = chances.plus + chances.minus
    if inputs == "probabilities":
        return change[..., None]
    if inputs == "filtered":
        modifications = _sum_3x3(modifications, "constant") - modifications
    return jnp.stack([modifications, change], axis=-1)


def neighbour_correlation(modifications: Array, before: Array, mask: Array) -> Array:
    """How much changes go the way of the four neighbours' earlier ones: the correlation, about 0,
    of the two.

    Args:
      modifications: the new ones, `[..., H, W]`.
      before: those before them, same shape.
      mask: where the new ones are.

    Returns:
      `[...]`, -1 to 1, 0 where there are none of either.
    """
    padded = jnp.pad(before, [(0, 0)] * (before.ndim - 2) + [(1, 1), (1, 1)])
    around = (
        padded[..., :-2, 1:-1]
        + padded[..., 2:, 1:-1]
        + padded[..., 1:-1, :-2]
        + padded[..., 1:-1, 2:]
    )
    new, old = modifications * mask, around * mask
    powers = jnp.sum(new**2, axis=(-2, -1)) * jnp.sum(old**2, axis=(-2, -1))
    return jnp.sum(new * old, axis=(-2, -1)) / jnp.sqrt(jnp.maximum(powers, 1.0))


def change_probabilities(costs: Costs, payload: float) -> ChangeProbabilities:
    """The initial scheme's change probabilities at a payload: P1.

    Args:
      costs: `[..., H, W]`.
      payload: bits per pixel.

    Returns:
      ChangeProbabilities of that shape.
    """
    height, width = costs.plus.shape[-2:]
    return probabilities.gibbs(
        costs, probabilities.lambda_for_payload(costs, payload * height * width)
    )


def initial_cost(parts: Parts, state: State) -> embed.CostFunction:
    """The initial scheme's costs, `plane [..., H, W] -> Costs`, equal for both directions but for
    saturated pixels.
    """
    if parts.initial != LEARNED:
        return COSTS[parts.initial]
    function = functools.partial(_learned_cost, parts=parts)
    return Partial(function, state.params["initial"], state.batch_stats["initial"])


def recipe(parts: Parts, state: State) -> embed.Recipe:
    """The phased embedding that a state stands for; sub-images whose generator is not there get the
    initial scheme's costs.
    """
    rules = [embed.no_adjustment]
    for number in range(2, len(parts.shares) + 1):
        name = f"generator{number}"
        rules.append(
            Partial(
                functools.partial(_adjust, parts=parts), state.params[name], state.batch_stats[name]
            )
            if name in state.params
            else embed.no_adjustment
        )
    return embed.masks(parts.shares, rules)


def trained_scheme(state: State, *, name: str = "asymmetric", **section) -> embed.Scheme:
    """What a trained run embeds with.

    Args:
      state: of the run.
      name: what to call it.
      **section: the arguments of `make`, as the run's config has them.

    Returns:
      The scheme: cost function and recipe, holding the state's parameters.
    """
    state = jax.tree.map(jnp.asarray, state)
    made = _parts(**{field: value for field, value in section.items() if field in _PARTS})
    return embed.Scheme(name, initial_cost(made, state), recipe(made, state))


def make(
    *,
    steps_per_epoch: int,
    generator_optimizer: Mapping[str, Any],
    d1_optimizer: Mapping[str, Any],
    d2_optimizer: Mapping[str, Any],
    scheme: str = "hill",
    payload: float = 0.4,
    shares: Sequence[int] = (1, 1),
    inputs: str = "concatenated",
    start: str = "uniform",
    network: str = "dengnet",
    discriminators: str = "both",
    eta: float = 5.0,
    learn_eta: bool = False,
    d1_after_epochs: float = 0.0,
    d1_every_epochs: int = 1,
    adversarial_weight: float = 1.0,
    entropy_weight: float = 1e-6,
    reconstruction_weight: float = 10.0,
    reward_scale: float = 1e7,
    unit_texture: bool = False,
    formula: str = "symmetric",
    width: float = 1.0,
    depth: int = 8,
    discriminator_width: float = 1.0,
    initial_networks: Sequence[str] = ("dengnet",),
    stage_lengths: Sequence[float] = (),
    stage_unit: str = "steps",
    adversarial_loss: Callable = losses.rewarded_changes,
    entropy_loss: Callable = losses.payload_error,
    reconstruction_loss: Callable = losses.probability_error,
    discriminator_loss: Callable = losses.softmax_cross_entropy,
) -> Method:
    """The asymmetric-cost GAN as a `Method`; its networks are "generator2" and so on, one for every
    sub-image but the first,
    "d1" and "d2", and for a learned initial scheme "initial" and, while it is learned, "judge1" and
    so on.

    Args:
      steps_per_epoch: the unit of the optimisers' schedules.
      generator_optimizer, d1_optimizer, d2_optimizer: the arguments of `optimizers.make`.
      scheme: the initial scheme, a name in `costs.COSTS`; or "learned": a first stage trains a
        symmetric generator of its own.
      payload: q, bits per pixel.
      shares: weights of the sub-images in size and message, one to four whole numbers 1..15; (3, 7)
        are 30 % and 70 %. One
        alone is the initial scheme: nothing but D1 is trained then.
      inputs: what the generator is given, a name in `INPUTS`.
      start: where the generators' outputs start, a name in `STARTS`.
      network: both steganalyzers, a name in `steganalyzer.NETWORKS`.
      discriminators: a name in `DISCRIMINATORS`.
      eta: weight of D1's gradient, eq. (10).
      learn_eta: whether eta is a parameter of the generator's that starts there.
      d1_after_epochs: epochs of a stage before D1's gradient reaches the generator (strategy #2);
        D1 is trained from the start.
      d1_every_epochs: D1 is trained in one of so many epochs (strategy #3).
      adversarial_weight, entropy_weight, reconstruction_weight: alpha, beta and gamma in eq. (3).
      reward_scale: epsilon in eq. (5).
      unit_texture: whether the texture weight t is divided by its mean over the picture.
      formula: of the costs, "symmetric" (the paper's eq. (2)) or "exact"; no part of the training.
      width, depth: of the generators, see `models.asymmetric.Adjustment`.
      discriminator_width: multiplies the steganalyzers' channels.
      initial_networks: the steganalyzers against which a learned initial scheme is trained; in
        every step only the weakest of them learns, and the strongest's gradient guides the
        generator.
      stage_lengths: how long each stage is, where there are several: the learned initial scheme's,
        then one for each sub-image but the first.
      stage_unit: what they are in, "steps" or "epochs".
      adversarial_loss, entropy_loss, reconstruction_loss, discriminator_loss: leaf losses in place
        of `losses`'s own.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, 1]}` and gives the stego of an optimal
      embedder at the payload, "changes" (a picture of the modifications, grey where there are none,
      white +1, black -1), and figures of the last generator.

    Raises:
      InputError: a name is unknown or a number out of range.
    """
    parts = _parts(
        scheme=scheme,
        payload=payload,
        shares=shares,
        inputs=inputs,
        start=start,
        formula=formula,
        width=width,
        depth=depth,
    )
    for value, known, what in (
        (network, NETWORKS, "network"),
        (discriminators, DISCRIMINATORS, "discriminators"),
        (stage_unit, UNITS, "stage_unit"),
        *((name, NETWORKS, "initial_networks") for name in initial_networks),
    ):
        if value not in known:
            raise InputError(f"method.{what} {value!r} is unknown; there are {', '.join(known)}")
    if not eta > 0 or d1_every_epochs < 1 or d1_after_epochs < 0 or not initial_networks:
        raise InputError(
            f"method.eta={eta} must be above 0, d1_every_epochs={d1_every_epochs} at least 1, "
            "d1_after_epochs="
            f"{d1_after_epochs} not negative, and initial_networks={tuple(initial_networks)} not "
            "empty"
        )
    roles = DISCRIMINATORS[discriminators]
    owner = {role: "d1" if discriminators == "shared" else role for role in roles}
    judges = {
        f"judge{i}": NETWORKS[name](width=discriminator_width, axis_name=parallel.AXIS)
        for i, name in enumerate(initial_networks, start=1)
    }
    steganalyzer = NETWORKS[network](width=discriminator_width, axis_name=parallel.AXIS)
    steps = {
        name: optimizers.make(**options, steps_per_epoch=steps_per_epoch)
        for name, options in (
            ("generator", generator_optimizer),
            ("d1", d1_optimizer),
            ("d2", d2_optimizer),
        )
    }
    last = len(parts.shares)
    trained = ["d1"] if last == 1 else sorted(set(owner.values()))

    def bits(planes: Array, number: int | None = None) -> float:
        """Payload of a picture, or of one of its sub-images."""
        whole = payload * planes.shape[-2] * planes.shape[-1]
        return whole if number is None else whole * parts.shares[number - 1] / sum(parts.shares)

    def init(key, batch):
        keys = networks.split_keys(key, "initial", *trained, *judges)
        params, stats = {}, {}
        for name in trained:
            params[name], stats[name] = networks.initialise(
                keys[name], steganalyzer, batch["cover"]
            )
        state = State(jnp.int32(0), params, stats, {})
        if parts.initial != LEARNED:
            return begin_adjusting(min(2, last))(state, key)
        params["initial"], stats["initial"] = networks.initialise(
            keys["initial"], parts.symmetric, batch["cover"]
        )
        state.opt_state["initial"] = steps["generator"].init(params["initial"])
        for name, module in judges.items():
            params[name], stats[name] = networks.initialise(keys[name], module, batch["cover"])
            state.opt_state[name] = steps["d2"].init(params[name])
        return state

    def begin_adjusting(number: int) -> Callable[[State, Key], State]:
        """The state at the start of a sub-image's stage: a fresh generator, all before it frozen;
        the steganalyzers go on.
        """

        def begin(state, key):
            params = {name: value for name, value in state.params.items() if name not in judges}
            stats = {name: value for name, value in state.batch_stats.items() if name not in judges}
            opt_state = {name: steps[name].init(params[name]) for name in trained}
            if number > 1:
                name = f"generator{number}"
                params[name], stats[name] = networks.initialise(
                    networks.split_keys(key, name)[name],
                    parts.generator,
                    jnp.zeros((*_FRESH, INPUTS[inputs])),
                )
                learned = {name: params[name]}
                if learn_eta:
                    # Softplus keeps it positive.
                    params["eta"] = learned["eta"] = {"value": jnp.log(jnp.expm1(jnp.float32(eta)))}
                opt_state["generator"] = steps["generator"].init(learned)
            return State(state.step, params, stats, opt_state)

        return begin

    def judge(module, params, stats, first, stego, key):
        """A steganalyzer's loss on pictures and the same embedded into, its accuracy, and the
        gradients by its parameters and,
        as all devices' mean has them, by the stego's pixels."""

        def loss_fn(params, stego):
            pairs = jnp.stack([first, stego], axis=1).reshape(-1, *stego.shape[1:])[..., None]
            logits, changed = networks.apply_training(module, params, stats, pairs, key=key)
            labels = jnp.tile(jnp.asarray([COVER, STEGO]), stego.shape[0])
            return jnp.mean(discriminator_loss(logits, labels)), (
                changed,
                jnp.mean(jnp.argmax(logits, axis=-1) == labels),
            )

        (value, (stats, right)), gradients = jax.value_and_grad(
            loss_fn, argnums=(0, 1), has_aux=True
        )(params, stego)
        return value, right, stats, gradients[0], gradients[1] / jax.lax.psum(1, parallel.AXIS)

    def draw(keys, chances):
        return jax.vmap(probabilities.simulate)(keys, chances)

    def train_adjustment(number: int, first_step: int):
        """The train step of a sub-image's stage."""
        name = f"generator{number}"

        def train_step(state, batch, key):
            params, stats, opt_state = (
                dict(state.params),
                dict(state.batch_stats),
                dict(state.opt_state),
            )
            covers = batch["cover"][..., 0]
            epoch = (state.step - first_step) // steps_per_epoch
            # Two independent sets of keys: the masks must not be drawn from the noise that decides
            # over changes.
            keys, noise_keys = jax.vmap(jax.random.split, out_axes=1)(
                parallel.example_keys(key, covers.shape[0])
            )
            cost, whole = initial_cost(parts, state), recipe(parts, state)
            earlier = whole._replace(visits=whole.visits[: number - 1])
            begun = jax.vmap(
                lambda key, cover: embed.simulate_visits(
                    key, cover, bits(cover), cost=cost, recipe=earlier
                )
            )(keys, covers)
            before, kept, new = (
                begun.modifications,
                begun.lattices < number - 1,
                begun.lattices == number - 1,
            )
            initial = change_probabilities(cost(covers), payload)
            maps = network_input(inputs, before, initial)

            def forward(generator):
                found, changed = networks.apply_training(
                    parts.generator, generator, stats[name], maps
                )
                return _allowed(covers, found), changed

            chances, pull, stats[name] = jax.vjp(forward, params[name], has_aux=True)
            drawn = draw(noise_keys, chances) * new
            partial, stego = covers + before, covers + before + drawn
            values, by_params, by_stego = {}, {}, {}
            for role, first in (("d1", covers), ("d2", partial)):
                if role in roles:
                    who = owner[role]
                    value, right, stats[who], mine, by_stego[role] = judge(
                        steganalyzer,
                        params[who],
                        stats[who],
                        first,
                        stego,
                        jax.random.fold_in(key, len(values)),
                    )
                    by_params[who] = (
                        mine
                        if who not in by_params
                        else jax.tree.map(jnp.add, by_params[who], mine)
                    )
                    values |= {f"{role}_loss": value, f"{role}_accuracy": right}
            weight = texture(partial)
            if unit_texture:
                weight = weight / jnp.maximum(jnp.mean(weight, axis=(1, 2), keepdims=True), 1e-3)
            rewards = {
                role: reward_scale * drawn * gradient * weight
                for role, gradient in by_stego.items()
            }
            wanted = bits(covers, number)

            def loss_fn(chances, learned_eta):
                weights = {
                    "d1": jax.nn.softplus(learned_eta["value"]) if learn_eta else eta,
                    "d2": 1.0,
                }
                weights["d1"] = jnp.where(epoch >= d1_after_epochs, weights["d1"], 0.0)
                terms = {
                    "adversarial": adversarial_weight
                    * sum(
                        weights[role] * adversarial_loss(chances, drawn, reward)
                        for role, reward in rewards.items()
                    ),
                    "entropy": entropy_weight * entropy_loss(chances, wanted, new),
                    "reconstruction": reconstruction_weight
                    * reconstruction_loss(chances, initial, kept),
                }
                return jnp.mean(sum(terms.values())), {
                    f"loss_{term}": jnp.mean(value) for term, value in terms.items()
                }

            (loss, terms), (by_chances, by_eta) = jax.value_and_grad(
                loss_fn, argnums=(0, 1), has_aux=True
            )(chances, params.get("eta", {}))
            gradients, learned = {name: pull(by_chances)[0]}, {name: params[name]}
            if learn_eta:
                gradients["eta"], learned["eta"] = by_eta, params["eta"]
                values["eta"] = jax.nn.softplus(params["eta"]["value"])
            learned, opt_state["generator"], norm = networks.descend(
                steps["generator"], gradients, opt_state["generator"], learned
            )
            params.update(learned)
            for who, mine in by_params.items():
                found = networks.descend(steps[who], mine, opt_state[who], params[who])[:2]
                if who == "d1" and d1_every_epochs > 1:
                    due = epoch % d1_every_epochs == 0
                    found = jax.tree.map(
                        lambda now, then: jnp.where(due, now, then),
                        found,
                        (params[who], opt_state[who]),
                    )
                params[who], opt_state[who] = found
            values |= {
                "loss": loss,
                **terms,
                "gradient_norm": norm,
                "change_rate": jnp.mean(jnp.abs(before + drawn)),
                **{
                    key: jnp.mean(value)
                    for key, value in _figures(
                        chances, drawn, before, initial, kept, new, wanted
                    ).items()
                },
            }
            return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

        return train_step

    def train_initial(state, batch, key):
        """The train step of a learned initial scheme: SPAR-RL's, with one steganalyzer or
        several.
        """
        params, stats, opt_state = (
            dict(state.params),
            dict(state.batch_stats),
            dict(state.opt_state),
        )
        covers = batch["cover"][..., 0]
        keys = parallel.example_keys(key, covers.shape[0])

        def forward(symmetric):
            found, changed = networks.apply_training(
                parts.symmetric, symmetric, stats["initial"], batch["cover"] / 255.0
            )
            return _allowed(covers, found), changed

        chances, pull, stats["initial"] = jax.vjp(forward, params["initial"], has_aux=True)
        drawn = draw(keys, chances)
        found = {
            name: judge(
                module,
                params[name],
                stats[name],
                covers,
                covers + drawn,
                jax.random.fold_in(key, i),
            )
            for i, (name, module) in enumerate(judges.items())
        }
        judged = parallel.mean(jnp.stack([value for value, *_ in found.values()]))
        by_stego = jnp.stack([gradient for *_, gradient in found.values()])[jnp.argmin(judged)]
        reward, everywhere = reward_scale * drawn * by_stego, jnp.ones_like(covers, bool)

        def loss_fn(chances):
            terms = {
                "adversarial": adversarial_weight * adversarial_loss(chances, drawn, reward),
                "entropy": entropy_weight * entropy_loss(chances, bits(covers), everywhere),
            }
            return jnp.mean(sum(terms.values())), {
                f"loss_{term}": jnp.mean(value) for term, value in terms.items()
            }

        (loss, terms), by_chances = jax.value_and_grad(loss_fn, has_aux=True)(chances)
        params["initial"], opt_state["initial"], norm = networks.descend(
            steps["generator"], pull(by_chances)[0], opt_state["initial"], params["initial"]
        )
        accuracy = jnp.stack([right for _, right, *_ in found.values()])
        for i, (name, (_, _, stats[name], mine, _)) in enumerate(found.items()):
            now = networks.descend(steps["d2"], mine, opt_state[name], params[name])[:2]
            params[name], opt_state[name] = jax.tree.map(
                lambda new, old, i=i: jnp.where(jnp.argmax(judged) == i, new, old),
                now,
                (params[name], opt_state[name]),
            )
        carried = jnp.sum(probabilities.ternary_entropy(chances), axis=(1, 2)) / bits(covers)
        values = {
            "loss": loss,
            **terms,
            "gradient_norm": norm,
            "judge_loss": jnp.mean(judged),
            "judge_accuracy": jnp.mean(accuracy),
            "change_rate": jnp.mean(jnp.abs(drawn)),
            "payload_error": jnp.mean(jnp.abs(carried - 1)),
            "payload_bias": jnp.mean(carried - 1),
        }
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def train_reference(state, batch, key):
        """The train step where there is one sub-image alone: D1 learns to detect the initial
        scheme.
        """
        params, stats, opt_state = (
            dict(state.params),
            dict(state.batch_stats),
            dict(state.opt_state),
        )
        stego = simulated(state, batch["cover"][..., 0], key).modifications + batch["cover"][..., 0]
        value, right, stats["d1"], mine, _ = judge(
            steganalyzer, params["d1"], stats["d1"], batch["cover"][..., 0], stego, key
        )
        params["d1"], opt_state["d1"], norm = networks.descend(
            steps["d1"], mine, opt_state["d1"], params["d1"]
        )
        values = {"loss": value, "d1_accuracy": right, "gradient_norm": norm}
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def simulated(state, covers, key) -> embed.Simulated:
        cost, rules = initial_cost(parts, state), recipe(parts, state)
        return jax.vmap(
            lambda key, cover: embed.simulate_visits(
                key, cover, bits(cover), cost=cost, recipe=rules
            )
        )(parallel.example_keys(key, covers.shape[0]), covers)

    def predict(state, batch, key):
        covers = batch["cover"][..., 0]
        done = simulated(state, covers, key)
        stego = batch["cover"] + done.modifications[..., None]
        outputs = {"stego": stego, "changes": 127.5 * (1 + done.modifications[..., None])}
        for what, planes in (
            (("cover", batch["cover"]), ("stego", stego)) if "d1" in trained else ()
        ):
            logits = networks.apply(
                steganalyzer, state.params["d1"], state.batch_stats["d1"], planes
            )
            outputs[f"d1_{what}_score"] = jax.nn.softmax(logits)[:, STEGO]
        number = max((n for n in range(2, last + 1) if f"generator{n}" in state.params), default=0)
        if number:
            chances = _allowed_costs(covers, done.costs[number - 1], formula)
            initial = change_probabilities(initial_cost(parts, state)(covers), payload)
            kept, new = done.lattices < number - 1, done.lattices == number - 1
            outputs |= _figures(
                chances,
                done.modifications * new,
                done.before[number - 1],
                initial,
                kept,
                new,
                bits(covers, number),
            )
        return outputs

    def measure(batch, outputs):
        figures = {
            "change_rate": jnp.mean(jnp.abs(outputs["stego"] - batch["cover"]), axis=(1, 2, 3)),
            **{name: outputs[name] for name in FIGURES if name in outputs},
        }
        if "d1_cover_score" in outputs:
            right = (outputs["d1_cover_score"] < 0.5).astype(jnp.float32) + (
                outputs["d1_stego_score"] >= 0.5
            )
            figures["d1_accuracy"] = right / 2
        return figures

    def describe(batch):
        height, width = batch["cover"].shape[1:3]
        if last == 1:
            return (
                f"one sub-image: {scheme} at {payload:g} bits per pixel, of which D1 alone learns",
            )
        each = ", ".join(
            f"{payload * height * width * share / sum(parts.shares):.0f}" for share in parts.shares
        )
        return (f"{last} sub-images of a {width}x{height} picture carry {each} bits",)

    plan = [("initial", train_initial, None)] if parts.initial == LEARNED else []
    plan += [(f"sub-image {number}", train_adjustment, number) for number in range(2, last + 1)]
    if len(plan) < 2:
        if stage_lengths:
            raise InputError(
                f"method.stage_lengths={tuple(stage_lengths)} belongs to trainings of several "
                "stages; this one has "
                "one: leave it empty"
            )
        step = (
            train_reference
            if last == 1 and not plan
            else plan[0][1]
            if plan[0][2] is None
            else train_adjustment(2, 0)
        )
        return Method(init, step, predict, measure, describe=describe)
    if len(stage_lengths) != len(plan):
        raise InputError(
            f"method.stage_lengths needs {len(plan)} numbers, one for each of "
            f"{', '.join(name for name, *_ in plan)}; "
            f"got {tuple(stage_lengths)}"
        )
    counts = [
        round(length * (steps_per_epoch if stage_unit == "epochs" else 1))
        for length in stage_lengths
    ]
    stages = []
    for place, (name, step, number) in enumerate(plan):
        step = step if number is None else step(number, sum(counts[:place]))
        begin = begin_adjusting(number) if place else lambda state, key: state
        stages.append(Stage(name, counts[place], step, begin))
    return Method(init, stages[0].train_step, predict, measure, tuple(stages), describe=describe)


FIGURES = ("payload_error", "payload_bias", "neighbour_correlation", "drift")
"""Figures of a generator, one value per example: how far what its probabilities carry in its
sub-image is from what they
should, relative to it, as a size and with its sign; how its changes correlate with their
neighbours'; and how far its probabilities are from the initial scheme's where the message already
is, relative to these."""

_PARTS = ("scheme", "payload", "shares", "inputs", "start", "formula", "width", "depth")


def _parts(
    *,
    scheme: str = "hill",
    payload: float = 0.4,
    shares: Sequence[int] = (1, 1),
    inputs: str = "concatenated",
    start: str = "uniform",
    formula: str = "symmetric",
    width: float = 1.0,
    depth: int = 8,
) -> Parts:
    for value, known, what in (
        (scheme, (*COSTS, LEARNED), "scheme"),
        (inputs, INPUTS, "inputs"),
        (start, STARTS, "start"),
        (formula, ("symmetric", "exact"), "formula"),
    ):
        if value not in known:
            raise InputError(f"method.{what} {value!r} is unknown; there are {', '.join(known)}")
    if not 0 < payload < 1.5:
        raise InputError(f"method.payload={payload} must be above 0 and under 1.5 bits per pixel")
    shares = embed.masks(shares, [embed.no_adjustment] * len(shares)).shares or (1,)
    options = dict(
        width=width, depth=depth, output_bias=_output_bias(payload), axis_name=parallel.AXIS
    )
    generator = models.Adjustment(
        two_encoders=inputs == "two_encoders", from_last_map=start == "initial", **options
    )
    return Parts(
        scheme,
        float(payload),
        shares,
        inputs,
        formula,
        generator,
        models.Adjustment(branches=1, **options),
    )


def _output_bias(payload: float) -> float:
    """Where the network's output starts: with the same probabilities everywhere, which carry the
    payload.
    """
    low, high = 1e-6, 1 / 3 - 1e-6
    for _ in range(40):
        middle = (low + high) / 2
        carried = -2 * middle * math.log2(middle) - (1 - 2 * middle) * math.log2(1 - 2 * middle)
        low, high = (middle, high) if carried < payload else (low, middle)
    return math.log(3 * low / (1 - 3 * low))


def _allowed(covers: Array, found: Array) -> ChangeProbabilities:
    """The network's maps, one or two, as probabilities; 0 where a change would leave 0..255."""
    return ChangeProbabilities(
        jnp.where(covers < 255, found[..., 0], 0.0), jnp.where(covers > 0, found[..., -1], 0.0)
    )


def _costs(covers: Array, found: Array, formula: str) -> Costs:
    chances = ChangeProbabilities(found[..., 0], found[..., -1])
    return forbid_saturated(
        covers, *probabilities.costs_from_probabilities(chances, formula=formula)
    )


def _allowed_costs(covers: Array, costs: Costs, formula: str) -> ChangeProbabilities:
    """The probabilities that `_costs` was given."""
    if formula == "exact":
        return probabilities.gibbs(costs, 1.0)
    plus, minus = (1 / (jnp.exp(jnp.minimum(rho, 80.0)) + 2) for rho in costs)
    return _allowed(covers, jnp.stack([plus, minus], axis=-1))


def _plane_by_plane(function: Callable, *planes: Array) -> Costs:
    """Applies a function of `[B, H, W]` to planes `[..., H, W]`, a few at a time, so that memory
    does not grow with them.
    """
    shape = planes[0].shape
    flat = [plane.reshape(-1, *shape[-2:]) for plane in planes]
    if flat[0].shape[0] <= _PLANES_AT_ONCE:
        costs = function(*flat)
    else:
        costs = jax.lax.map(
            lambda one: jax.tree.map(lambda rho: rho[0], function(*(plane[None] for plane in one))),
            flat,
            batch_size=_PLANES_AT_ONCE,
        )
    return Costs(*(rho.reshape(shape) for rho in costs))


def _adjust(
    params: Params,
    stats: Params,
    cost: embed.CostFunction,
    cover: Array,
    modifications: Array,
    *,
    parts: Parts,
) -> Costs:
    """The rule of a sub-image's visit: the generator's costs, given the modifications before it."""

    def adjusted(covers, before):
        maps = network_input(
            parts.inputs, before, change_probabilities(cost(covers), parts.payload)
        )
        return _costs(covers, networks.apply(parts.generator, params, stats, maps), parts.formula)

    return _plane_by_plane(adjusted, cover, modifications)


def _learned_cost(params: Params, stats: Params, cover: Array, *, parts: Parts) -> Costs:
    def costs(covers):
        found = networks.apply(parts.symmetric, params, stats, covers[..., None] / 255.0)
        return _costs(covers, found, "symmetric")

    return _plane_by_plane(costs, cover)


def _figures(chances, drawn, before, initial, kept, new, wanted) -> dict[str, Array]:
    carried = (
        jnp.sum(jnp.where(new, probabilities.ternary_entropy(chances), 0.0), axis=(1, 2)) / wanted
        - 1
    )
    moved = sum(jnp.abs(found - aim) for found, aim in zip(chances, initial))
    aim = jnp.sum(kept * (initial.plus + initial.minus), axis=(1, 2))
    return {
        "payload_error": jnp.abs(carried),
        "payload_bias": carried,
        "neighbour_correlation": neighbour_correlation(drawn, before, new),
        "drift": jnp.sum(kept * moved, axis=(1, 2)) / jnp.maximum(aim, 1e-6),
    }


def _sum_3x3(planes: Array, mode: str) -> Array:
    height, width = planes.shape[-2:]
    padded = jnp.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(1, 1), (1, 1)], mode=mode)
    rows = sum(padded[..., i : i + height, :] for i in range(3))
    return sum(rows[..., j : j + width] for j in range(3))
