"""A neural steganalyzer trained to tell stegos from covers, in pairs: Xu-Net, Ye-Net, Yedroudj-Net,
SRNet, Deng-Net or GNCNN.

A batch holds covers, and either ready-made stegos of the same pictures or none: then the stegos are
  simulated inside the step
with a cost-based scheme at a payload, anew in every step (an optimal sender's draws; no message is
coded). A curriculum begins with a higher payload, which is easier to detect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from stegojax import embed, losses, optimizers, parallel
from stegojax.costs import COSTS
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.models import dengnet, gncnn, srnet, xunet, yedroudjnet, yenet
from stegojax.types import Array, Batch, Key, Method, Stage, State

NETWORKS = {
    "xunet": xunet.XuNet,
    "yenet": yenet.YeNet,
    "yedroudjnet": yedroudjnet.YedroudjNet,
    "srnet": srnet.SRNet,
    "dengnet": dengnet.DengNet,
    "gncnn": gncnn.GNCNN,
}
"""Name -> module: planes `[B, H, W, 1]` in 0..255 -> logits `[B, 2]` of cover and stego."""

COVER, STEGO = 0, 1
NAME = "steganalyzer"


def make(
    *,
    network: str,
    optimizer: Mapping[str, Any],
    steps_per_epoch: int,
    scheme: str = "hill",
    payload: float = 0.4,
    curriculum: Sequence[tuple[float, int]] = (),
    width: float = 1.0,
    loss: Any = losses.softmax_cross_entropy,
) -> Method:
    """The training of a steganalyzer as a `Method`.

    Args:
      network: a name in `NETWORKS`.
      optimizer: the arguments of `optimizers.make`.
      steps_per_epoch: the unit of the optimiser's schedule.
      scheme: how stegos are made where the batch has none: "COST" or "COST-RECIPE", with names in
        `costs.COSTS` and `embed.RECIPES`.
      payload: bits per pixel.
      curriculum: (payload, steps) of each stage, the last at the payload wanted; empty for one
        stage at `payload`.
      width: multiplies the network's channels.
      loss: leaf loss `(logits [B, 2], labels [B]) -> [B]`.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, 1]}` with or without `"stego"`, or
      `{"stego"}` alone, and gives the probability of being a stego as `cover_score` and
      `stego_score`.

    Raises:
      InputError: an unknown network or scheme, or a payload that is none.
    """
    if network not in NETWORKS:
        raise InputError(f"method.network {network!r} is unknown; there are {', '.join(NETWORKS)}")
    cost, recipe = parse_scheme(scheme)
    payloads = [float(p) for p, _ in curriculum] or [float(payload)]
    if not all(0 < p <= 1.58 for p in payloads) or any(int(steps) < 1 for _, steps in curriculum):
        raise InputError(
            "payloads are above 0 and at most log2 3 bits per pixel, stages at least one step "
            f"long; got {payloads} "
            f"and {[int(steps) for _, steps in curriculum]}"
        )
    if curriculum and payloads[-1] != payload:
        raise InputError(
            f"the curriculum ends at {payloads[-1]} bpp and method.payload is {payload}; they "
            "must be equal"
        )
    # BatchNorm's statistics are averaged over the devices.
    module = NETWORKS[network](width=width, axis_name=parallel.AXIS)
    optimizer_steps = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)

    def stegos(batch: Batch, key: Key, bpp: float) -> Array:
        if "stego" in batch:
            return batch["stego"]
        covers = batch["cover"][..., 0]
        bits = bpp * covers.shape[1] * covers.shape[2]

        def one(key, cover):
            return cover + embed.simulate(key, cover, bits, cost=cost, recipe=recipe)

        return jax.vmap(one)(parallel.example_keys(key, covers.shape[0]), covers)[..., None]

    def init(key, batch):
        params, stats = networks.initialise(
            key, module, batch["cover" if "cover" in batch else "stego"]
        )
        return State(
            jnp.int32(0), {NAME: params}, {NAME: stats}, {NAME: optimizer_steps.init(params)}
        )

    def forward(params, stats, batch, key, bpp):
        cover, stego = batch["cover"], stegos(batch, key, bpp)
        logits, stats = networks.apply_training(
            module, params, stats, _side_by_side(cover, stego), key=key
        )
        labels = jnp.tile(jnp.asarray([COVER, STEGO]), cover.shape[0])
        return logits, labels, stats

    def train_step(state, batch, key, bpp=payloads[-1]):
        def loss_fn(params):
            logits, labels, stats = forward(params, state.batch_stats[NAME], batch, key, bpp)
            right = jnp.mean(jnp.argmax(logits, axis=-1) == labels)
            return jnp.mean(loss(logits, labels)), (stats, right)

        (value, (stats, right)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params[NAME]
        )
        params, opt_state, norm = networks.descend(
            optimizer_steps, gradients, state.opt_state[NAME], state.params[NAME]
        )
        metrics = parallel.mean({"loss": value, "accuracy": right, "gradient_norm": norm})
        return State(state.step + 1, {NAME: params}, {NAME: stats}, {NAME: opt_state}), metrics

    def refresh(state, batch, key):
        _, _, stats = forward(state.params[NAME], state.batch_stats[NAME], batch, key, payloads[-1])
        return state._replace(batch_stats={NAME: stats})

    def score(state, planes):
        logits = networks.apply(module, state.params[NAME], state.batch_stats[NAME], planes)
        return jax.nn.softmax(logits)[:, STEGO]

    def predict(state, batch, key):
        if "cover" not in batch:
            return {"stego_score": score(state, batch["stego"])}
        stego = stegos(batch, key, payloads[-1])
        return {
            "stego": stego,
            "cover_score": score(state, batch["cover"]),
            "stego_score": score(state, stego),
        }

    def measure(batch, outputs):
        right = (outputs["cover_score"] < 0.5).astype(jnp.float32) + (outputs["stego_score"] >= 0.5)
        return {"accuracy": right / 2}

    def at(bpp):
        return lambda state, batch, key: train_step(state, batch, key, bpp)

    stages = tuple(Stage(f"{p:g} bpp", int(steps), at(float(p))) for p, steps in curriculum)
    return Method(init, train_step, predict, measure, stages, refresh=refresh)


def parse_scheme(scheme: str) -> tuple[embed.CostFunction, embed.Recipe]:
    """The cost function and the recipe that "hill" or "hill-cmd" names.

    Raises:
      InputError: one of them is unknown.
    """
    cost, dash, recipe = scheme.partition("-")
    recipe = recipe if dash else "plain"
    if cost not in COSTS or recipe not in embed.RECIPES:
        raise InputError(
            f"scheme {scheme!r} is unknown; write COST or COST-RECIPE with a cost of "
            f"{', '.join(COSTS)} and a recipe "
            f"of {', '.join(embed.RECIPES)}"
        )
    return COSTS[cost], embed.RECIPES[recipe]


def _side_by_side(cover: Array, stego: Array) -> Array:
    """Cover, stego, cover, stego: pairs stay together in whatever part of the batch a network looks
    at.
    """
    return jnp.stack([cover, stego], axis=1).reshape(2 * cover.shape[0], *cover.shape[1:])
