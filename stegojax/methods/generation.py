"""The game of three networks that SGAN and SSGAN share: covers are generated, so that they look
real and are good to hide in.

A generator makes pictures from noise. A discriminator tells them from photographs, and a
steganalyzer tells those with a message from those without; the generator is trained against both. A
batch is `{"cover": [B, H, W, 3]}`, photographs in pixel units 0..255. Noise is `[B, 100]`, uniform
in (-1, 1). Covers that a person gets, and all that the steganalyzer sees, are rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import domains, embed, losses, parallel, probabilities
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import network
from stegojax.models import dcgan
from stegojax.types import Array, Batch, ChangeProbabilities, Key, Method, Metrics, Params, State

COVER, STEGO = 0, 1
"""The steganalyzers' labels."""

NAMES = ("generator", "discriminator", "steganalyzer")

Simulator = Callable[[Key, Array], Array]
"""`(key, covers [B, H, W, 3]) -> modifications` in {-1, 0, 1}, same shape, to be called under
`parallel.AXIS`.
"""


class Networks(NamedTuple):
    """The players, as modules with batch statistics averaged over `parallel.AXIS`.

    generator:     noise `[B, 100]` -> pictures `[B, H, W, 3]`, 0..255.
    discriminator: pictures -> scores `[B]`, larger for photographs.
    steganalyzer:  pictures -> logits `[B, 2]` of cover and stego.
    """

    generator: nn.Module
    discriminator: nn.Module
    steganalyzer: nn.Module


class Optimizers(NamedTuple):
    """By what each player is trained."""

    generator: optax.GradientTransformation
    discriminator: optax.GradientTransformation
    steganalyzer: optax.GradientTransformation


def _cross_entropy(logits: Array, label: int) -> Array:
    return losses.softmax_cross_entropy(logits, jnp.full(logits.shape[0], label))


def steganalyzer_loss(of_covers: Array, of_stegos: Array) -> Array:
    """The mean cross entropy of both with their own labels.

    Args:
      of_covers, of_stegos: logits `[B, 2]` of cover and stego.

    Returns:
      `[B]`.
    """
    return (_cross_entropy(of_covers, COVER) + _cross_entropy(of_stegos, STEGO)) / 2


def deceit_by_covers(of_covers: Array, of_stegos: Array) -> Array:
    """What the generator descends where its covers shall pass for stegos.

    Args:
      of_covers, of_stegos: logits `[B, 2]` of cover and stego.

    Returns:
      `[B]`.
    """
    del of_stegos
    return _cross_entropy(of_covers, STEGO)


def deceit_by_both(of_covers: Array, of_stegos: Array) -> Array:
    """What the generator descends where its stegos shall pass for covers, too.

    Args:
      of_covers, of_stegos: logits `[B, 2]` of cover and stego.

    Returns:
      `[B]`.
    """
    return deceit_by_covers(of_covers, of_stegos) + _cross_entropy(of_stegos, COVER)


DECEITS = {"cover": deceit_by_covers, "both": deceit_by_both}
"""What the generator wants the steganalyzer to take for the other, by the names of configs."""


def deceit(name: str) -> Callable[[Array, Array], Array]:
    """A deceit as a config names it.

    Args:
      name: in `DECEITS`.

    Returns:
      `(logits of covers, logits of stegos) -> [B]`.

    Raises:
      InputError: the name is unknown.
    """
    if name not in DECEITS:
        raise InputError(f"method.deceit {name!r} is unknown; there are {', '.join(DECEITS)}")
    return DECEITS[name]


class Contest(NamedTuple):
    """What the players minimise, one value per example.

    discriminator: `(scores of photographs, scores of generated pictures) -> [B]`.
    generator:     `scores of generated pictures -> [B]`, of looking real.
    steganalyzer:  `(logits of covers, logits of stegos) -> [B]`.
    deceit:        the same, of the generator: of being good to hide in.
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]
    steganalyzer: Callable[[Array, Array], Array] = steganalyzer_loss
    deceit: Callable[[Array, Array], Array] = deceit_by_covers


class Rules(NamedTuple):
    """The numbers of a game.

    alpha:                 weight of looking real against being good to hide in, above 0, at most 1.
    discriminator_updates: of the discriminator in every step; all see the same photographs.
    generator_updates:     of the generator in every step.
    clip:                  the discriminator's parameters are kept within +-clip; 0 for no bound.
    penalty:               weight of the gradient penalty on the discriminator, for one that judges
                           every picture by itself; 0 for none.
    """

    alpha: float
    discriminator_updates: int = 1
    generator_updates: int = 2
    clip: float = 0.0
    penalty: float = 0.0


def _binary(scores: Array, label: float) -> Array:
    return losses.bit_cross_entropy(scores[:, None], jnp.full_like(scores, label)[:, None])


CROSS_ENTROPY = Contest(
    lambda real, generated: _binary(real, 1.0) + _binary(generated, 0.0),
    lambda generated: _binary(generated, 1.0),
)
"""SGAN's: the score is a logit, and the generator's loss the one that does not saturate (Goodfellow
et al. 2014).
"""

WASSERSTEIN = Contest(lambda real, generated: generated - real, lambda generated: -generated)
"""SSGAN's: the score has no bounds, and its slope must have one (Arjovsky et al. 2017)."""


def simulator(name: str, *, payload: float) -> Simulator:
    """How a sender changes covers, by its distribution; no message is coded.

    Args:
      name: in `SIMULATORS`, or COST or COST-RECIPE, a scheme: an optimal sender, each channel by
        itself.
      payload: bits per sample of a channel that is used.

    Returns:
      The simulator.

    Raises:
      InputError: the name is unknown, or the payload is none.
    """
    if not 0 < payload <= 1:
        raise InputError(f"method.payload={payload} must be above 0 and at most 1 bit per sample")
    if name in SIMULATORS:
        one = partial(SIMULATORS[name], payload=payload)
    else:
        try:
            scheme = embed.parse_scheme(name)
        except InputError as error:
            raise InputError(f"{error}; or {' or '.join(SIMULATORS)}") from error
        one = partial(_optimal, payload=payload, scheme=scheme)
    return lambda key, covers: jax.vmap(one)(parallel.example_keys(key, covers.shape[0]), covers)


def _optimal(key: Key, cover: Array, *, payload: float, scheme: embed.Scheme) -> Array:
    planes = jnp.moveaxis(cover, -1, 0)
    bits = payload * planes.shape[1] * planes.shape[2]
    changes = embed.simulate(key, planes, bits, scheme=scheme)
    return jnp.moveaxis(changes, 0, -1)


def _changes(key: Key, cover: Array, rate: Array) -> Array:
    """Changes with probability `rate`, up or down with equal chances, but the one way that there is
    at the ends of the range.
    """
    lowest, highest = domains.PIXELS.lowest, domains.PIXELS.highest
    up = jnp.where(cover <= lowest, 1.0, jnp.where(cover >= highest, 0.0, 0.5))
    return probabilities.simulate(key, ChangeProbabilities(rate * up, rate * (1.0 - up)))


def lsb_matching(key: Key, cover: Array, *, payload: float) -> Array:
    """LSB matching: every sample of every channel carries a bit with probability `payload`, and
    where it carries the wrong one, changes up or down with equal chances.

    Args:
      key: PRNG key.
      cover: `[H, W, C]`, whole numbers 0..255.
      payload: bits per sample.

    Returns:
      Modifications in {-1, 0, 1}, same shape.
    """
    return _changes(key, cover, jnp.full(cover.shape, payload / 2))


def red_channel(key: Key, cover: Array, *, payload: float) -> Array:
    """LSB matching of the first `payload H W` samples of the first channel, row by row, as SGAN's
    code does it.

    Args:
      key: PRNG key.
      cover: `[H, W, C]`, whole numbers 0..255.
      payload: bits per sample of the first channel.

    Returns:
      Modifications in {-1, 0, 1}, same shape.
    """
    height, width, channels = cover.shape
    number = jnp.arange(height * width).reshape(height, width, 1)
    carries = (number < int(payload * height * width)) & (
        jnp.arange(channels).reshape(1, 1, channels) == 0
    )
    return _changes(key, cover, jnp.where(carries, 0.5, 0.0))


SIMULATORS = {"lsb-matching": lsb_matching, "red-channel": red_channel}
"""Ways to change covers without costs."""


def noise(key: Key, count: int) -> Array:
    """Draws what pictures are made from, that of an example from its own key; to be called under
    `parallel.AXIS`.

    Args:
      key: PRNG key, the same on all devices.
      count: examples of this device.

    Returns:
      `[count, 100]`, uniform in (-1, 1).
    """
    return jax.vmap(lambda key: jax.random.uniform(key, (dcgan.NOISE,), minval=-1.0, maxval=1.0))(
        parallel.example_keys(key, count)
    )


def game(
    networks: Networks,
    contest: Contest,
    optimizers: Optimizers,
    rules: Rules,
    hide: Simulator,
    *,
    noise: Callable[[Key, int], Array] = noise,
) -> Method:
    """The game as a `Method`; its networks are "generator", "discriminator" and "steganalyzer".

    In a step the discriminator and the steganalyzer are trained on the same generated pictures,
    then the generator, with new noise for every update. It minimises alpha times its loss against
    the discriminator plus (1 - alpha) times its deceit of the steganalyzer. A stego passes the
    gradient on as if nothing had been rounded or changed.

    Args:
      networks: the players.
      contest: what they want.
      optimizers: by what they are trained.
      rules: the numbers.
      hide: the embedding.
      noise: `(key, count) -> [count, 100]`, what pictures are made from.

    Returns:
      The method.

    Raises:
      InputError: a number is out of range.
    """
    if not 0 < rules.alpha <= 1:
        raise InputError(f"method.alpha={rules.alpha} must be above 0 and at most 1")
    if min(rules.discriminator_updates, rules.generator_updates) < 1:
        raise InputError(
            "method.discriminator_updates and method.generator_updates must be at least 1"
        )
    if min(rules.clip, rules.penalty) < 0:
        raise InputError("method.clip and method.penalty must not be negative")
    return Method(
        partial(_init, networks, optimizers, rules),
        partial(_train_step, networks, contest, optimizers, rules, hide, noise),
        partial(_predict, networks, hide, noise),
        measure,
    )


def _init(
    networks: Networks, optimizers: Optimizers, rules: Rules, key: Key, batch: Batch
) -> State:
    keys, cover = network.split_keys(key, *NAMES), batch["cover"]
    inputs = {
        "generator": jnp.zeros((1, dcgan.NOISE)),
        "discriminator": cover,
        "steganalyzer": cover,
    }
    initial = {}
    for name, module in networks._asdict().items():
        initial[name] = network.initialise(keys[name], module, inputs[name])
        if name == "generator":
            _check_size(module, initial[name], cover)
    params = {name: value for name, (value, _) in initial.items()}
    params["discriminator"] = _clipped(params["discriminator"], rules.clip)
    return State(
        jnp.int32(0),
        params,
        {name: stats for name, (_, stats) in initial.items()},
        {name: getattr(optimizers, name).init(params[name]) for name in NAMES},
    )


def _check_size(generator: nn.Module, initial: tuple[Params, Params], cover: Array) -> None:
    """Refuses photographs that are not of the generated pictures' size."""
    pictures = jax.eval_shape(
        lambda: network.apply(generator, *initial, jnp.zeros((1, dcgan.NOISE)))
    )
    if cover.shape[1:] != pictures.shape[1:]:
        height, width, channels = cover.shape[1:]
        raise InputError(
            f"the generator makes {pictures.shape[2]}x{pictures.shape[1]} colour pictures and the "
            f"data are {width}x{height} with {channels} channels; set method.size and data.crop to "
            "one size, and data.colour"
        )


def _logits(
    module: nn.Module, params: Params, stats: Params, covers: Array, key: Key, hide: Simulator
) -> tuple[Array, Array, Params]:
    """The steganalyzer's logits of covers and of their stegos, which are in one batch so that they
    share its statistics.
    """
    covers = covers + jax.lax.stop_gradient(round_to_pixels(covers) - covers)
    stegos = covers + jax.lax.stop_gradient(hide(key, covers))
    logits, stats = network.apply_training(module, params, stats, jnp.concatenate([covers, stegos]))
    count = covers.shape[0]
    return logits[:count], logits[count:], stats


def _discriminator_loss(
    params: Params,
    stats: Params,
    real: Array,
    generated: Array,
    key: Key,
    module: nn.Module,
    contest: Contest,
    penalty: float,
) -> tuple[Array, tuple[Params, Array]]:
    # Photographs and generated pictures are judged apart, as in DCGAN: each in a batch of its own
    # kind.
    of_real, stats = network.apply_training(module, params, stats, real)
    of_generated, stats = network.apply_training(module, params, stats, generated)
    loss = contest.discriminator(of_real, of_generated)
    if penalty:
        loss = loss + penalty * _slope_penalty(module, params, stats, real, generated, key)
    return jnp.mean(loss), (stats, jnp.mean(of_real - of_generated))


def _steganalyzer_loss(
    params: Params,
    stats: Params,
    covers: Array,
    key: Key,
    module: nn.Module,
    contest: Contest,
    hide: Simulator,
) -> tuple[Array, tuple[Params, Array]]:
    of_covers, of_stegos, stats = _logits(module, params, stats, covers, key, hide)
    is_right = jnp.concatenate(
        [of_covers[:, STEGO] < of_covers[:, COVER], of_stegos[:, STEGO] >= of_stegos[:, COVER]]
    )
    return jnp.mean(contest.steganalyzer(of_covers, of_stegos)), (stats, jnp.mean(is_right))


def _generator_loss(
    params: Params,
    state: State,
    noise: Array,
    key: Key,
    networks: Networks,
    contest: Contest,
    alpha: float,
    hide: Simulator,
) -> tuple[Array, tuple[Params, Array, Array]]:
    """The loss of the generator; beside it its new statistics and both parts."""
    pictures, stats = network.apply_training(
        networks.generator, params, state.batch_stats["generator"], noise
    )
    scores, _ = network.apply_training(
        networks.discriminator,
        state.params["discriminator"],
        state.batch_stats["discriminator"],
        pictures,
    )
    realism = contest.generator(scores)
    if alpha == 1:
        return jnp.mean(realism), (stats, realism, jnp.zeros_like(realism))
    of_covers, of_stegos, _ = _logits(
        networks.steganalyzer,
        state.params["steganalyzer"],
        state.batch_stats["steganalyzer"],
        pictures,
        key,
        hide,
    )
    safety = contest.deceit(of_covers, of_stegos)
    return jnp.mean(alpha * realism + (1.0 - alpha) * safety), (stats, realism, safety)


def _descended(
    state: State,
    name: str,
    gradients: Params,
    stats: Params,
    optimizers: Optimizers,
    clip: float = 0.0,
) -> tuple[State, Array]:
    """The state after a step of one player, with its new statistics, and the gradient's norm."""
    params, opt_state, norm = network.descend(
        getattr(optimizers, name), gradients, state.opt_state[name], state.params[name]
    )
    state = state._replace(
        params={**state.params, name: _clipped(params, clip)},
        batch_stats={**state.batch_stats, name: stats},
        opt_state={**state.opt_state, name: opt_state},
    )
    return state, norm


def _train_step(
    networks: Networks,
    contest: Contest,
    optimizers: Optimizers,
    rules: Rules,
    hide: Simulator,
    noise: Callable[[Key, int], Array],
    state: State,
    batch: Batch,
    key: Key,
) -> tuple[State, Metrics]:
    keys, real, values = network.split_keys(key, *NAMES), batch["cover"], {}
    count = real.shape[0]
    for update in range(rules.discriminator_updates):
        own = network.split_keys(
            jax.random.fold_in(keys["discriminator"], update), "noise", "mixture"
        )
        generated, stats = network.apply_training(
            networks.generator,
            state.params["generator"],
            state.batch_stats["generator"],
            noise(own["noise"], count),
        )
        state = state._replace(batch_stats={**state.batch_stats, "generator": stats})
        (values["discriminator_loss"], (stats, values["discriminator_gap"])), gradients = (
            jax.value_and_grad(_discriminator_loss, has_aux=True)(
                state.params["discriminator"],
                state.batch_stats["discriminator"],
                real,
                generated,
                own["mixture"],
                networks.discriminator,
                contest,
                rules.penalty,
            )
        )
        state, values["discriminator_gradient_norm"] = _descended(
            state, "discriminator", gradients, stats, optimizers, rules.clip
        )
    (values["steganalyzer_loss"], (stats, values["steganalyzer_accuracy"])), gradients = (
        jax.value_and_grad(_steganalyzer_loss, has_aux=True)(
            state.params["steganalyzer"],
            state.batch_stats["steganalyzer"],
            generated,
            keys["steganalyzer"],
            networks.steganalyzer,
            contest,
            hide,
        )
    )
    state, values["steganalyzer_gradient_norm"] = _descended(
        state, "steganalyzer", gradients, stats, optimizers
    )
    for update in range(rules.generator_updates):
        own = network.split_keys(jax.random.fold_in(keys["generator"], update), "noise", "change")
        (values["loss"], (stats, realism, safety)), gradients = jax.value_and_grad(
            _generator_loss, has_aux=True
        )(
            state.params["generator"],
            state,
            noise(own["noise"], count),
            own["change"],
            networks,
            contest,
            rules.alpha,
            hide,
        )
        state, values["generator_gradient_norm"] = _descended(
            state, "generator", gradients, stats, optimizers
        )
    values |= {"loss_realism": jnp.mean(realism), "loss_safety": jnp.mean(safety)}
    return state._replace(step=state.step + 1), parallel.mean(values)


def _predict(
    networks: Networks,
    hide: Simulator,
    noise: Callable[[Key, int], Array],
    state: State,
    batch: Batch,
    key: Key,
) -> dict[str, Array]:
    def apply(name, pictures):
        return network.apply(
            getattr(networks, name), state.params[name], state.batch_stats[name], pictures
        )

    if "noise" in batch:
        return {"generated": round_to_pixels(apply("generator", batch["noise"]))}
    keys = network.split_keys(key, "noise", "change")
    generated = round_to_pixels(apply("generator", noise(keys["noise"], batch["cover"].shape[0])))
    stego = generated + hide(keys["change"], generated)
    return {
        "generated": generated,
        "generated_stego": stego,
        "real_score": apply("discriminator", batch["cover"]),
        "generated_score": apply("discriminator", generated),
        "cover_score": jax.nn.softmax(apply("steganalyzer", generated))[:, STEGO],
        "stego_score": jax.nn.softmax(apply("steganalyzer", stego))[:, STEGO],
    }


def measure(batch: Batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """How the generated pictures compare.

    Args:
      batch: not used.
      outputs: of `Method.predict`.

    Returns:
      `[B]` each: "discriminator_gap", how much higher the discriminator scores photographs, and
      "steganalyzer_accuracy", the share of right answers of the steganalyzer in training.
    """
    del batch
    right = (outputs["cover_score"] < 0.5).astype(jnp.float32) + (outputs["stego_score"] >= 0.5)
    return {
        "discriminator_gap": outputs["real_score"] - outputs["generated_score"],
        "steganalyzer_accuracy": right / 2,
    }


def _clipped(params: Params, bound: float) -> Params:
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -bound, bound), params) if bound else params


def _slope_penalty(
    module: nn.Module, params: Params, stats: Params, real: Array, generated: Array, key: Key
) -> Array:
    """Gulrajani et al. 2017, Algorithm 1: at points between photographs and generated pictures, on
    the scale [-1, 1].
    """
    shares = jax.vmap(jax.random.uniform)(parallel.example_keys(key, real.shape[0])).reshape(
        -1, 1, 1, 1
    )
    between = generated + shares * (real - generated)

    def score(pictures):
        return jnp.sum(network.apply_training(module, params, stats, pictures)[0])

    return losses.gradient_penalty(127.5 * jax.grad(score)(between))
