"""The game of three networks that SGAN and SSGAN share: covers are generated, so that they look
real and are good to hide in.

A generator makes pictures from noise. A discriminator tells them from photographs, and a
steganalyzer tells those with a message from those without; the generator is trained against both. A
batch is `{"cover": [B, H, W, 3]}`, photographs in pixel units 0..255. Noise is `[B, 100]`, uniform
in (-1, 1). Covers that a person gets, and all that the steganalyzer sees, are rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from stegojax import embed, losses, optimizers, parallel, probabilities
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import network
from stegojax.models import dcgan
from stegojax.types import Array, ChangeProbabilities, Key, Method, Params, State

COVER, STEGO = 0, 1
"""The steganalyzers' labels."""

NAMES = ("generator", "discriminator", "steganalyzer")

DECEITS = ("cover", "both")
"""What the generator wants the steganalyzer to take for the other: its pictures without a message,
or also those with one.
"""

SCHEMES = ("lsb-matching", "red-channel")
"""Ways to hide without costs; every other name is that of a cost, with or without a recipe."""

Simulator = Callable[[Key, Array], Array]


class Networks(NamedTuple):
    """The players, as modules with batch statistics averaged over `parallel.AXIS`.

    generator:     noise `[B, 100]` -> pictures `[B, H, W, 3]`, 0..255.
    discriminator: pictures -> scores `[B]`, larger for photographs.
    steganalyzer:  pictures -> logits `[B, 2]` of cover and stego.
    """

    generator: nn.Module
    discriminator: nn.Module
    steganalyzer: nn.Module


class Contest(NamedTuple):
    """What the generator and the discriminator want of the discriminator's scores `[B]`; both
    minimise, one value per example.

    discriminator: `(scores of photographs, scores of made pictures) -> [B]`.
    generator:     `scores of made pictures -> [B]`.
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]


def _binary(scores: Array, label: float) -> Array:
    return losses.bit_cross_entropy(scores[:, None], jnp.full_like(scores, label)[:, None])


CROSS_ENTROPY = Contest(
    lambda real, made: _binary(real, 1.0) + _binary(made, 0.0), lambda made: _binary(made, 1.0)
)
"""SGAN's: the score is a logit, and the generator's loss the one that does not saturate (Goodfellow
et al. 2014).
"""

WASSERSTEIN = Contest(lambda real, made: made - real, lambda made: -made)
"""SSGAN's: the score is a critic's, whose slope must be bounded (Arjovsky et al. 2017)."""


def simulator(scheme: str, *, payload: float) -> Simulator:
    """How a sender changes covers, by its distribution; no message is coded.

    Args:
      scheme: "lsb-matching": every sample of every channel carries a bit with probability
        `payload`, and where it carries the wrong one, changes up or down with equal chances;
        "red-channel": SGAN's code does so to the first `payload H W` samples of the first channel,
        row by row; or COST or COST-RECIPE, names in `costs.COSTS` and `embed.RECIPES`: an optimal
        sender, each channel by itself.
      payload: bits per sample of a channel that is used.

    Returns:
      `(key, covers [B, H, W, 3]) -> modifications` in {-1, 0, 1}, same shape, to be called under
      `parallel.AXIS`.

    Raises:
      InputError: the scheme is unknown, or the payload is none.
    """
    if not 0 < payload <= 1:
        raise InputError(f"method.payload={payload} must be above 0 and at most 1 bit per sample")
    if scheme in SCHEMES:
        draw = _lsb_matching if scheme == "lsb-matching" else _red_channel
        return lambda key, covers: jax.vmap(lambda key, cover: draw(key, cover, payload))(
            parallel.example_keys(key, covers.shape[0]), covers
        )
    try:
        named = embed.parse_scheme(scheme)
    except InputError as error:
        raise InputError(f"{error}; or {' or '.join(SCHEMES)}") from error

    def optimal(key, cover):
        planes = jnp.moveaxis(cover, -1, 0)
        bits = payload * planes.shape[1] * planes.shape[2]
        changed = embed.simulate(key, planes, bits, cost=named.cost, recipe=named.recipe)
        return jnp.moveaxis(changed, 0, -1)

    return lambda key, covers: jax.vmap(optimal)(
        parallel.example_keys(key, covers.shape[0]), covers
    )


def _changes(key: Key, cover: Array, rate: Array) -> Array:
    """Changes with probability `rate`, up or down with equal chances, but up at 0 and down at
    255.
    """
    up = jnp.where(cover <= 0.0, 1.0, jnp.where(cover >= 255.0, 0.0, 0.5))
    return probabilities.simulate(key, ChangeProbabilities(rate * up, rate * (1.0 - up)))


def _lsb_matching(key: Key, cover: Array, payload: float) -> Array:
    return _changes(key, cover, jnp.full(cover.shape, payload / 2))


def _red_channel(key: Key, cover: Array, payload: float) -> Array:
    height, width, channels = cover.shape
    number = jnp.arange(height * width).reshape(height, width, 1)
    carries = (number < int(payload * height * width)) & (
        jnp.arange(channels).reshape(1, 1, channels) == 0
    )
    return _changes(key, cover, jnp.where(carries, 0.5, 0.0))


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
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    steganalyzer_optimizer: Mapping[str, Any],
    size: int,
    alpha: float,
    scheme: str,
    payload: float,
    deceit: str = "cover",
    discriminator_updates: int = 1,
    generator_updates: int = 2,
    clip: float = 0.0,
    penalty: float = 0.0,
) -> Method:
    """The game as a `Method`; its networks are "generator", "discriminator" and "steganalyzer".

    In a step the discriminator and the steganalyzer are trained on the same generated pictures,
    then the generator, with new noise for every update. It minimises alpha times its loss against
    the discriminator plus (1 - alpha) times the cross entropy of the steganalyzer with the wrong
    labels. A stego passes the gradient on as if nothing had been rounded or changed.

    Args:
      networks: the players.
      contest: what generator and discriminator want.
      steps_per_epoch: the unit of the optimiser's schedule.
      optimizer: of generator and discriminator, the arguments of `optimizers.make`.
      steganalyzer_optimizer: of the steganalyzer, likewise.
      size: height and width of the pictures.
      alpha: weight of looking real against being good to hide in, above 0, at most 1.
      scheme, payload: of the embedding, see `simulator`.
      deceit: "cover": covers shall pass for stegos; "both": and stegos for covers.
      discriminator_updates, generator_updates: in every step; the discriminator's see the same
        photographs.
      clip: the discriminator's parameters are kept within +-clip; 0 for no bound.
      penalty: weight of the gradient penalty on the discriminator, for one that judges every
        picture by itself; 0 for none.

    Raises:
      InputError: a number is out of range, or a name is unknown.
    """
    if not 0 < alpha <= 1:
        raise InputError(f"method.alpha={alpha} must be above 0 and at most 1")
    if deceit not in DECEITS:
        raise InputError(f"method.deceit {deceit!r} is unknown; there are {', '.join(DECEITS)}")
    if min(discriminator_updates, generator_updates) < 1:
        raise InputError(
            "method.discriminator_updates and method.generator_updates must be at least 1"
        )
    if min(clip, penalty) < 0:
        raise InputError("method.clip and method.penalty must not be negative")
    modules = networks._asdict()
    hide = simulator(scheme, payload=payload)
    descents = {
        name: optimizers.make(
            **(steganalyzer_optimizer if name == "steganalyzer" else optimizer),
            steps_per_epoch=steps_per_epoch,
        )
        for name in NAMES
    }

    def init(key, batch):
        cover = batch["cover"]
        if cover.shape[1:] != (size, size, 3):
            height, width, channels = cover.shape[1:]
            raise InputError(
                f"the generator makes {size}x{size} colour pictures and the data are "
                f"{width}x{height} with {channels} "
                "channels; set method.size and data.crop to one size, and data.colour"
            )
        keys = network.split_keys(key, *NAMES)
        inputs = {
            "generator": jnp.zeros((1, dcgan.NOISE)),
            "discriminator": cover,
            "steganalyzer": cover,
        }
        found = {
            name: network.initialise(keys[name], modules[name], inputs[name]) for name in NAMES
        }
        params = {
            name: _clipped(found[name][0], clip if name == "discriminator" else 0.0)
            for name in NAMES
        }
        return State(
            jnp.int32(0),
            params,
            {name: found[name][1] for name in NAMES},
            {name: descents[name].init(params[name]) for name in NAMES},
        )

    def make_covers(params, stats, key, count):
        return network.apply_training(networks.generator, params, stats, noise(key, count))

    def judge(params, stats, covers, key):
        """The steganalyzer's logits of covers and of their stegos, which are in one batch so that
        they share its statistics.
        """
        covers = covers + jax.lax.stop_gradient(round_to_pixels(covers) - covers)
        stegos = covers + jax.lax.stop_gradient(hide(key, covers))
        logits, stats = network.apply_training(
            networks.steganalyzer, params, stats, jnp.concatenate([covers, stegos])
        )
        count = covers.shape[0]
        return logits[:count], logits[count:], stats

    def discriminator_loss(params, stats, real, made, key):
        # Photographs and made pictures are judged apart, as in DCGAN: each in a batch of its own
        # kind.
        real_scores, stats = network.apply_training(networks.discriminator, params, stats, real)
        made_scores, stats = network.apply_training(networks.discriminator, params, stats, made)
        loss = contest.discriminator(real_scores, made_scores)
        if penalty:
            loss = loss + penalty * _slope_penalty(
                networks.discriminator, params, stats, real, made, key
            )
        return jnp.mean(loss), (stats, jnp.mean(real_scores - made_scores))

    def steganalyzer_loss(params, stats, covers, key):
        of_covers, of_stegos, stats = judge(params, stats, covers, key)
        loss = _against(of_covers, COVER) + _against(of_stegos, STEGO)
        right = jnp.concatenate(
            [of_covers[:, STEGO] < of_covers[:, COVER], of_stegos[:, STEGO] >= of_stegos[:, COVER]]
        )
        return jnp.mean(loss) / 2, (stats, jnp.mean(right))

    def generator_loss(params, state_params, stats, count, key):
        keys = network.split_keys(key, "noise", "change")
        made, generator_stats = make_covers(params, stats["generator"], keys["noise"], count)
        scores, _ = network.apply_training(
            networks.discriminator, state_params["discriminator"], stats["discriminator"], made
        )
        realism = contest.generator(scores)
        if alpha == 1:
            return jnp.mean(realism), (generator_stats, realism, jnp.zeros_like(realism))
        of_covers, of_stegos, _ = judge(
            state_params["steganalyzer"], stats["steganalyzer"], made, keys["change"]
        )
        safety = _against(of_covers, STEGO)
        if deceit == "both":
            safety = safety + _against(of_stegos, COVER)
        return jnp.mean(alpha * realism + (1.0 - alpha) * safety), (
            generator_stats,
            realism,
            safety,
        )

    def train_step(state, batch, key):
        params, stats, opt_state = (
            dict(state.params),
            dict(state.batch_stats),
            dict(state.opt_state),
        )
        keys, real, values = network.split_keys(key, *NAMES), batch["cover"], {}
        count = real.shape[0]

        def descend(name, gradients):
            new, opt_state[name], norm = network.descend(
                descents[name], gradients, opt_state[name], params[name]
            )
            params[name] = _clipped(new, clip if name == "discriminator" else 0.0)
            values[f"{name}_gradient_norm"] = norm

        for update in range(discriminator_updates):
            own = network.split_keys(
                jax.random.fold_in(keys["discriminator"], update), "noise", "mixture"
            )
            made, stats["generator"] = make_covers(
                params["generator"], stats["generator"], own["noise"], count
            )
            (
                (
                    values["discriminator_loss"],
                    (stats["discriminator"], values["discriminator_gap"]),
                ),
                gradients,
            ) = jax.value_and_grad(discriminator_loss, has_aux=True)(
                params["discriminator"], stats["discriminator"], real, made, own["mixture"]
            )
            descend("discriminator", gradients)
        (
            (values["steganalyzer_loss"], (stats["steganalyzer"], values["steganalyzer_accuracy"])),
            gradients,
        ) = jax.value_and_grad(steganalyzer_loss, has_aux=True)(
            params["steganalyzer"], stats["steganalyzer"], made, keys["steganalyzer"]
        )
        descend("steganalyzer", gradients)
        for update in range(generator_updates):
            (values["loss"], (stats["generator"], realism, safety)), gradients = jax.value_and_grad(
                generator_loss, has_aux=True
            )(
                params["generator"],
                params,
                stats,
                count,
                jax.random.fold_in(keys["generator"], update),
            )
            descend("generator", gradients)
        values |= {"loss_realism": jnp.mean(realism), "loss_safety": jnp.mean(safety)}
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def predict(state, batch, key):
        def apply(name, *inputs):
            return network.apply(
                modules[name], state.params[name], state.batch_stats[name], *inputs
            )

        if "noise" in batch:
            return {"generated": round_to_pixels(apply("generator", batch["noise"]))}
        keys = network.split_keys(key, "noise", "change")
        made = round_to_pixels(apply("generator", noise(keys["noise"], batch["cover"].shape[0])))
        stego = made + hide(keys["change"], made)
        return {
            "generated": made,
            "generated_stego": stego,
            "real_score": apply("discriminator", batch["cover"]),
            "made_score": apply("discriminator", made),
            "cover_score": jax.nn.softmax(apply("steganalyzer", made))[:, STEGO],
            "stego_score": jax.nn.softmax(apply("steganalyzer", stego))[:, STEGO],
        }

    return Method(init, train_step, predict, measure)


def measure(batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """How much higher the discriminator scores photographs, and the share of right answers of the
    steganalyzer in training.
    """
    del batch
    right = (outputs["cover_score"] < 0.5).astype(jnp.float32) + (outputs["stego_score"] >= 0.5)
    return {
        "discriminator_gap": outputs["real_score"] - outputs["made_score"],
        "steganalyzer_accuracy": right / 2,
    }


def _against(logits: Array, label: int) -> Array:
    return losses.softmax_cross_entropy(logits, jnp.full(logits.shape[0], label))


def _clipped(params: Params, bound: float) -> Params:
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -bound, bound), params) if bound else params


def _slope_penalty(
    module: nn.Module, params: Params, stats: Params, real: Array, made: Array, key: Key
) -> Array:
    """Gulrajani et al. 2017, Algorithm 1: at points between photographs and made pictures, on the
    scale [-1, 1].
    """
    shares = jax.vmap(jax.random.uniform)(parallel.example_keys(key, real.shape[0])).reshape(
        -1, 1, 1, 1
    )
    between = made + shares * (real - made)

    def score(pictures):
        return jnp.sum(network.apply_training(module, params, stats, pictures)[0])

    return losses.gradient_penalty(127.5 * jax.grad(score)(between))
