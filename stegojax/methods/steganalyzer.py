"""A steganalyzer trained to tell stegos from covers, in pairs: Xu-Net, Ye-Net, Yedroudj-Net, SRNet,
Deng-Net or GNCNN.

A batch holds covers, and either ready-made stegos of the same pictures or none: then a simulator
makes the stegos inside the step, anew in every step (an optimal sender's draws; no message is
coded). A curriculum begins with a higher payload, which is easier to detect.

Pictures are float32 whole numbers 0..255, `[B, H, W, 1]` for the networks in `NETWORKS`. Where
stegos are JPEG files, networks see what the files' luminance decompresses to, unrounded
(`medium.py`), of covers and stegos alike; ready-made pairs are then such already.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import embed, losses, optimizers, parallel
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import network as networks
from stegojax.methods import trained
from stegojax.methods.fields import read
from stegojax.methods.medium import Medium, of_quality
from stegojax.models import dengnet, gncnn, srnet, xunet, yedroudjnet, yenet
from stegojax.types import Array, Batch, Key, Method, Params, Stage, State

NETWORKS = {
    "xunet": xunet.XuNet,
    "xunet6": functools.partial(xunet.XuNet, front="basic"),
    "yenet": yenet.YeNet,
    "yedroudjnet": yedroudjnet.YedroudjNet,
    "srnet": srnet.SRNet,
    "dengnet": dengnet.DengNet,
    "gncnn": gncnn.GNCNN,
}
"""Name -> module: planes `[B, H, W, 1]` in 0..255 -> logits `[B, 2]` of cover and stego; "xunet6"
is Xu-Net behind the six filters of SPAR-RL and UT-GAN.
"""

COVER, STEGO = 0, 1
NAME = "steganalyzer"
FROZEN = "frozen"
"""The name in a state of what the simulator holds, which is never trained."""

Loss = Callable[[Array, Array], Array]
"""`(logits [B, 2], labels [B]) -> [B]`."""


class Simulator(NamedTuple):
    """What makes the stegos of a training.

    stegos: `(frozen, batch, key, payload) -> pictures` of the covers' shape, at so many bits per
            pixel or `unit`, on one device's share of the batch.
    frozen: arrays that it needs, such as another run's parameters; any tree, () for none.
    covers: `batch -> pictures`, the covers as networks see them.
    unit:   of the payload, for people.
    """

    stegos: Callable[[Any, Batch, Key, float], Array]
    frozen: Any = ()
    covers: Callable[[Batch], Array] = lambda batch: batch["cover"]
    unit: str = PIXELS.words.unit


class Fields(NamedTuple):
    """The `method` section of a config.

    network:      a name in `NETWORKS`.
    optimizer:    the arguments of `optimizers.make`.
    scheme:       how stegos are made where the batch has none, see `trained.scheme`.
    payload:      bits per pixel; of JPEG files, per non-zero AC coefficient.
    curriculum:   (payload, steps) of each stage, the last at the payload wanted; empty for one
                  stage at `payload`.
    width:        multiplies the network's channels.
    network_from: a run whose steganalyzer this one begins from; "" for none.
    jpeg_quality: of the JPEG files that pictures become; 0 for pixels.
    """

    network: str
    optimizer: Mapping[str, Any]
    scheme: str = "hill"
    payload: float = 0.4
    curriculum: Sequence[tuple[float, int]] = ()
    width: float = 1.0
    network_from: str = ""
    jpeg_quality: int = 0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimiser's schedule.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields = read(Fields, section)
    given = trained.network(load, fields.network_from, NAME)
    medium = of_quality(fields.jpeg_quality)
    try:
        scheme = trained.scheme(fields.scheme, load, domain=medium.domain)
    except InputError as error:
        if not medium.quality:
            raise
        raise InputError(f"method.jpeg_quality={medium.quality}: {error}") from error
    return make(
        build(fields.network, width=fields.width),
        optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch),
        simulator(scheme, medium),
        payload=fields.payload,
        curriculum=fields.curriculum,
        start={} if given is None else {NAME: given},
    )


def build(name: str, *, width: float = 1.0, field: str = "network") -> nn.Module:
    """A steganalyzer's module, whose batch statistics are averaged over the devices.

    Args:
      name: in `NETWORKS`.
      width: multiplies its channels.
      field: of the config's `method` section, for the message.

    Returns:
      The module.

    Raises:
      InputError: the name is unknown.
    """
    if name not in NETWORKS:
        raise InputError(f"method.{field} {name!r} is unknown; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](width=width, axis_name=parallel.AXIS)


def simulator(scheme: embed.Scheme, medium: Medium = Medium()) -> Simulator:
    """Stegos as an optimal sender makes them with a scheme.

    Args:
      scheme: any; arrays that its cost or its rules hold become the simulator's.
      medium: what it embeds into.

    Returns:
      The simulator of covers `[B, H, W, 1]`.
    """
    frozen = trained.freeze(scheme)

    def stegos(arrays, batch, key, payload):
        planes = medium.elements(batch["cover"])
        keys = parallel.example_keys(key, planes.shape[0])
        done = medium.simulated(keys, planes, payload, scheme=frozen.attach(arrays))
        return medium.pictures(planes + done.modifications)[..., None]

    def covers(batch):
        return medium.pictures(medium.elements(batch["cover"]))[..., None]

    return Simulator(stegos, frozen.arrays, covers, medium.domain.words.unit)


def compare(
    module: nn.Module,
    params: Params,
    batch_stats: Params,
    cover: Array,
    stego: Array,
    *,
    key: Key,
    loss: Loss = losses.softmax_cross_entropy,
) -> tuple[Array, tuple[Params, Array]]:
    """A steganalyzer's loss on covers and their stegos, which it sees in one batch.

    Args:
      module, params, batch_stats: the steganalyzer.
      cover: `[B, H, W, C]`.
      stego: same shape.
      key: what dropout draws from, for modules that have it.
      loss: leaf loss.

    Returns:
      The mean loss; then its new batch statistics, and its accuracy.
    """
    # Pairs stay together, in whatever part of the batch a network looks at.
    pairs = jnp.stack([cover, stego], axis=1).reshape(2 * cover.shape[0], *cover.shape[1:])
    logits, stats = networks.apply_training(module, params, batch_stats, pairs, key=key)
    labels = jnp.tile(jnp.asarray([COVER, STEGO]), cover.shape[0])
    accuracy = jnp.mean(jnp.argmax(logits, axis=-1) == labels)
    return jnp.mean(loss(logits, labels)), (stats, accuracy)


def make(
    module: nn.Module,
    optimizer: optax.GradientTransformation,
    simulator: Simulator,
    *,
    payload: float = 0.4,
    curriculum: Sequence[tuple[float, int]] = (),
    loss: Loss = losses.softmax_cross_entropy,
    start: Mapping[str, trained.Network] | None = None,
) -> Method:
    """The training of a steganalyzer as a `Method`.

    Args:
      module: pictures `[B, H, W, C]` -> logits `[B, 2]` of cover and stego.
      optimizer: its optimiser.
      simulator: makes the stegos where the batch has none.
      payload: bits per pixel, or per the simulator's unit.
      curriculum: (payload, steps) of each stage, the last at the payload wanted; empty for one
        stage at `payload`.
      loss: leaf loss.
      start: the network named `NAME` where it begins from another run's.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, C]}` with or without `"stego"`, or
      `{"stego"}` alone, and gives the probability of being a stego as `cover_score` and
      `stego_score`.

    Raises:
      InputError: a payload is none, or the curriculum does not end at the payload.
    """
    payloads = _payloads(payload, curriculum)
    given = (start or {}).get(NAME)

    def pairs(state: State, batch: Batch, key: Key, bpp: float) -> tuple[Array, Array]:
        if "stego" in batch:
            return batch["cover"], batch["stego"]
        frozen = state.params.get(FROZEN, ())
        return simulator.covers(batch), simulator.stegos(frozen, batch, key, bpp)

    def init(key, batch):
        pictures = batch["cover" if "cover" in batch else "stego"]
        params, stats = trained.begin(key, module, pictures, given=given, what=NAME)
        frozen = {FROZEN: simulator.frozen} if jax.tree.leaves(simulator.frozen) else {}
        return State(
            jnp.int32(0), {NAME: params, **frozen}, {NAME: stats}, {NAME: optimizer.init(params)}
        )

    def loss_fn(params, state, batch, key, bpp):
        cover, stego = jax.lax.stop_gradient(pairs(state, batch, key, bpp))
        return compare(module, params, state.batch_stats[NAME], cover, stego, key=key, loss=loss)

    def train_step(state, batch, key, bpp=payloads[-1]):
        (value, (stats, accuracy)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params[NAME], state, batch, key, bpp
        )
        params, opt_state, norm = networks.descend(
            optimizer, gradients, state.opt_state[NAME], state.params[NAME]
        )
        metrics = parallel.mean({"loss": value, "accuracy": accuracy, "gradient_norm": norm})
        params = {**state.params, NAME: params}
        return State(state.step + 1, params, {NAME: stats}, {NAME: opt_state}), metrics

    def refresh(state, batch, key):
        _, (stats, _) = loss_fn(state.params[NAME], state, batch, key, payloads[-1])
        return state._replace(batch_stats={NAME: stats})

    def score(state, pictures):
        logits = networks.apply(module, state.params[NAME], state.batch_stats[NAME], pictures)
        return jax.nn.softmax(logits)[:, STEGO]

    def predict(state, batch, key):
        if "cover" not in batch:
            return {"stego_score": score(state, batch["stego"])}
        cover, stego = pairs(state, batch, key, payloads[-1])
        return {
            "stego": round_to_pixels(stego),
            "cover_score": score(state, cover),
            "stego_score": score(state, stego),
        }

    def at(bpp):
        return lambda state, batch, key: train_step(state, batch, key, bpp)

    unit = simulator.unit
    stages = tuple(Stage(f"{p:g} {unit}", int(steps), at(float(p))) for p, steps in curriculum)
    return Method(init, train_step, predict, measure, stages, refresh=refresh)


def measure(batch: Batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """The share of right decisions on each pair, at a probability of .5.

    Args:
      batch: not used.
      outputs: `cover_score` and `stego_score`, `[B]`.

    Returns:
      `accuracy`, `[B]`: 0, .5 or 1.
    """
    del batch
    right = (outputs["cover_score"] < 0.5).astype(jnp.float32) + (outputs["stego_score"] >= 0.5)
    return {"accuracy": right / 2}


def _payloads(payload: float, curriculum: Sequence[tuple[float, int]]) -> list[float]:
    payloads = [float(p) for p, _ in curriculum] or [float(payload)]
    if not all(0 < p <= 1.58 for p in payloads) or any(int(steps) < 1 for _, steps in curriculum):
        raise InputError(
            "payloads are above 0 and at most log2 3 bits per pixel, stages at least one step "
            f"long; got {payloads} and {[int(steps) for _, steps in curriculum]}"
        )
    if curriculum and payloads[-1] != payload:
        raise InputError(
            f"the curriculum ends at {payloads[-1]} bpp and method.payload is {payload}; they "
            "must be equal"
        )
    return payloads
