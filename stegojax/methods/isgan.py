"""ISGAN: a grey picture in the Y channel of a colour picture, with a steganalyzer in the training
(Dong, Zhang, Liu 2018).

The encoder and the decoder are trained together on `L(Y, Y') + gamma L(s, s') + delta A`, the
steganalyzer against them on pictures in YCbCr; without the steganalyzer it is the paper's basic
model. Pictures are 0..255.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr, ycbcr_to_rgb
from stegojax.methods import channels, network, picture_hiding, trained
from stegojax.methods.channels import Channel, undamaged
from stegojax.methods.fields import read
from stegojax.models import isgan as models
from stegojax.similarity import ms_ssim_scales
from stegojax.types import Array, Batch, Key, Method, Metrics, Params, State

COVER, STEGO = 0, 1
"""The steganalyzer's labels."""

CODERS = ("encoder", "decoder")


class Networks(NamedTuple):
    """The modules, with batch statistics averaged over `parallel.AXIS`.

    encoder:          `(luma of the cover, secret) -> luma of the stego`, all `[B, H, W, 1]`.
    decoder:          `luma of the stego -> revealed secret`.
    steganalyzer:     `YCbCr [B, H, W, 3] -> logits [B, 2]` of cover and stego; None for the basic
                      model.
    receptive_radius: see `Method`.
    """

    encoder: nn.Module
    decoder: nn.Module
    steganalyzer: nn.Module | None = None
    receptive_radius: int | None = max(models.HIDE_RADIUS, models.REVEAL_RADIUS)


class Objective(NamedTuple):
    """What the networks descend, Eq. (4) and (12).

    picture_loss:      `(x, y) -> [B]`, of the stego's luma and of the revealed secret.
    steganalyzer_loss: `(logits [B, 2], labels [B]) -> [B]`, of the steganalyzer and, with the label
                       "cover" for stegos, of the encoder that deceives it.
    gamma:             weight of the revealed secret.
    delta:             weight of the deceit.
    flip:              share of the steganalyzer's labels that are flipped.
    noise:             what lies between the stego's luma and the decoder.
    """

    picture_loss: Callable[[Array, Array], Array]
    steganalyzer_loss: Callable[[Array, Array], Array]
    gamma: float
    delta: float
    flip: float
    noise: Channel = undamaged


NORMS: dict[str, Callable[[Array, Array], Array]] = {
    "mean": lambda x, y: losses.mse(x, y, max_value=1.0),
    "sum": lambda x, y: x[0].size * losses.mse(x, y, max_value=1.0),
    "root": lambda x, y: jnp.sqrt(x[0].size * losses.mse(x, y, max_value=1.0) + 1e-12),
}
"""What the paper's "MSE" may be of pictures on its scale: the mean squared error, the sum of
squared errors, and its root, the norm that Eq. (5) writes.
"""


def weighted_loss(
    x: Array,
    y: Array,
    *,
    ssim_weight: float = 0.5,
    ms_ssim_weight: float = 0.5,
    mse_weight: float = 0.3,
    mse_scale: float = 255.0,
    mse_norm: str = "mean",
) -> Array:
    """The terms of Eq. (10) with any weights; a term of weight 0 is left out.

    Args:
      x, y: `[B, H, W, C]`, 0..255.
      ssim_weight, ms_ssim_weight, mse_weight: alpha, 1 - alpha and beta in the paper.
      mse_scale: how many grey levels are 1 in the squared error: 255 for pictures in [0, 1], 127.5
        for [-1, 1], 1 for 0..255.
      mse_norm: a name in `NORMS`.

    Returns:
      `[B]`.
    """
    terms = (
        (ssim_weight, losses.ssim_loss),
        (ms_ssim_weight, losses.ms_ssim_loss),
        (mse_weight, lambda x, y: NORMS[mse_norm](x / mse_scale, y / mse_scale)),
    )
    return sum(weight * leaf(x, y) for weight, leaf in terms if weight)


def networks(*, width: float = 1.0, dtype: Any = jnp.float32, adversarial: bool = True) -> Networks:
    """The paper's networks, Tables 1 to 3.

    Args:
      width: factor on every hidden channel count; 1 is the paper's.
      dtype: of the computation inside encoder and decoder. The steganalyzer stays in float32: what
        it looks for is weak.
      adversarial: False for the basic model, without a steganalyzer.

    Returns:
      The modules.
    """
    options = dict(width=width, axis_name=parallel.AXIS)
    return Networks(
        models.Encoder(dtype=dtype, **options),
        models.Decoder(dtype=dtype, **options),
        models.Steganalyzer(**options) if adversarial else None,
    )


def make(
    networks: Networks,
    *,
    optimizer: optax.GradientTransformation,
    steganalyzer_optimizer: optax.GradientTransformation,
    picture_loss: Callable[[Array, Array], Array] = weighted_loss,
    steganalyzer_loss: Callable[[Array, Array], Array] = losses.softmax_cross_entropy,
    gamma: float = 0.85,
    delta: float = 0.001,
    flip: float = 0.05,
    noise: Channel = undamaged,
) -> Method:
    """ISGAN as a `Method`, Sec. 3 of the paper; its networks are "encoder", "decoder" and, if there
    is one, "steganalyzer".

    Args:
      networks: the modules.
      optimizer: of encoder and decoder.
      steganalyzer_optimizer: of the steganalyzer.
      picture_loss: `(x, y) -> [B]` of pictures `[B, H, W, 1]`, 0..255: Eq. (10).
      steganalyzer_loss: `(logits [B, 2], labels [B]) -> [B]`.
      gamma: weight of the revealed picture in Eq. (12).
      delta: weight of the adversarial term.
      flip: share of the steganalyzer's labels that are flipped.
      noise: what lies between the stego's luma and the decoder in training.

    Returns:
      The method.

    Raises:
      InputError: the share is out of range.
    """
    if not 0 <= flip < 0.5:
        raise InputError(f"method.flip={flip} must be at least 0 and under 0.5")
    objective = Objective(picture_loss, steganalyzer_loss, gamma, delta, flip, noise)
    descents = {"generator": optimizer, "steganalyzer": steganalyzer_optimizer}
    return Method(
        partial(_init, networks, descents),
        partial(_train_step, networks, objective, descents),
        picture_hiding.predict_with(partial(_embed, networks), partial(_reveal, networks)),
        picture_hiding.measure,
        receptive_radius=networks.receptive_radius,
        describe=_describe,
    )


class Fields(NamedTuple):
    """The `method` section of a config.

    optimizer, steganalyzer_optimizer: the arguments of `optimizers.make`.
    ssim_weight, ms_ssim_weight, mse_weight, mse_scale, mse_norm: see `weighted_loss`. A zero
                         weight leaves the term out, as Table 4 does.
    gamma, delta, flip:  see `make`.
    noise:               what may happen to the stego, one of them in every step, see
                         `channels.noise`.
    adversarial, width, dtype: see `networks`; "float32" or "bfloat16".
    """

    optimizer: Mapping[str, Any]
    steganalyzer_optimizer: Mapping[str, Any]
    ssim_weight: float = 0.5
    ms_ssim_weight: float = 0.5
    mse_weight: float = 0.3
    mse_scale: float = 255.0
    mse_norm: str = "mean"
    gamma: float = 0.85
    adversarial: bool = True
    delta: float = 0.001
    flip: float = 0.05
    width: float = 1.0
    dtype: str = "float32"
    noise: Sequence[str] = ()


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """ISGAN as a config names it.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    del load
    fields = read(Fields, section)
    weights = {
        name: getattr(fields, name) for name in ("ssim_weight", "ms_ssim_weight", "mse_weight")
    }
    if min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise InputError("the loss weights must not be negative, and one of them must be above 0")
    if not fields.mse_scale > 0 or fields.mse_norm not in NORMS:
        raise InputError(
            f"method.mse_scale={fields.mse_scale} must be above 0, and method.mse_norm="
            f"{fields.mse_norm!r} one of {', '.join(NORMS)}"
        )
    return make(
        networks(width=fields.width, dtype=jnp.dtype(fields.dtype), adversarial=fields.adversarial),
        optimizer=optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch),
        steganalyzer_optimizer=optimizers.make(
            **fields.steganalyzer_optimizer, steps_per_epoch=steps_per_epoch
        ),
        picture_loss=partial(
            weighted_loss, **weights, mse_scale=fields.mse_scale, mse_norm=fields.mse_norm
        ),
        gamma=fields.gamma,
        delta=fields.delta,
        flip=fields.flip,
        noise=channels.one_of(list(channels.by_name(fields.noise).values())),
    )


def _init(
    networks: Networks, descents: dict[str, optax.GradientTransformation], key: Key, batch: Batch
) -> State:
    keys = network.split_keys(key, *CODERS, "steganalyzer")
    secret = batch["secret"]
    params, stats = {}, {}
    params["encoder"], stats["encoder"] = network.initialise(
        keys["encoder"], networks.encoder, secret, secret
    )
    params["decoder"], stats["decoder"] = network.initialise(
        keys["decoder"], networks.decoder, secret
    )
    opt_state = {"generator": descents["generator"].init(params)}
    if networks.steganalyzer is not None:
        params["steganalyzer"], stats["steganalyzer"] = network.initialise(
            keys["steganalyzer"], networks.steganalyzer, batch["cover"]
        )
        opt_state["steganalyzer"] = descents["steganalyzer"].init(params["steganalyzer"])
    return State(jnp.int32(0), params, stats, opt_state)


def _generator_loss(
    params: dict[str, Params],
    state: State,
    batch: Batch,
    key: Key,
    networks: Networks,
    objective: Objective,
) -> tuple[Array, tuple[dict[str, Params], Array, Metrics]]:
    """The loss of encoder and decoder; beside it the new statistics, covers and stegos one after
    another in YCbCr, and the leaves.
    """
    stats = dict(state.batch_stats)
    cover = rgb_to_ycbcr(batch["cover"])
    luma, chroma = cover[..., :1], cover[..., 1:]
    stego_luma, stats["encoder"] = network.apply_training(
        networks.encoder, params["encoder"], stats["encoder"], luma, batch["secret"]
    )
    revealed, stats["decoder"] = objective.noise(
        # The key itself is the steganalyzer's.
        jax.random.fold_in(key, 1),
        stego_luma,
        luma,
        lambda arrived: network.apply_training(
            networks.decoder, params["decoder"], stats["decoder"], arrived
        ),
    )
    leaves = {
        "loss_cover": objective.picture_loss(luma, stego_luma),
        "loss_secret": objective.picture_loss(batch["secret"], revealed),
    }
    total = leaves["loss_cover"] + objective.gamma * leaves["loss_secret"]
    pictures = jnp.concatenate([cover, jnp.concatenate([stego_luma, chroma], axis=-1)])
    if networks.steganalyzer is not None:
        count = cover.shape[0]
        logits, _ = network.apply_training(
            networks.steganalyzer, state.params["steganalyzer"], stats["steganalyzer"], pictures
        )
        # The non-saturating form of Eq. (4): the stego is to be called a cover.
        leaves["loss_adversarial"] = objective.steganalyzer_loss(
            logits[count:], jnp.full(count, COVER, jnp.int32)
        )
        total = total + objective.delta * leaves["loss_adversarial"]
    return jnp.mean(total), (stats, jax.lax.stop_gradient(pictures), leaves)


def _steganalyzer_loss(
    params: Params,
    stats: Params,
    pictures: Array,
    key: Key,
    networks: Networks,
    objective: Objective,
) -> tuple[Array, tuple[Params, Array]]:
    """The loss on covers and as many stegos after them, some labels flipped; beside it the new
    statistics and which answers are right.
    """
    pairs = pictures.shape[0] // 2
    labels = jnp.repeat(jnp.asarray([COVER, STEGO]), pairs)
    flipped = jax.vmap(lambda key: jax.random.bernoulli(key, objective.flip, (2,)))(
        parallel.example_keys(key, pairs)
    )
    logits, stats = network.apply_training(networks.steganalyzer, params, stats, pictures)
    loss = objective.steganalyzer_loss(logits, jnp.where(flipped.T.reshape(-1), 1 - labels, labels))
    return jnp.mean(loss), (stats, jnp.argmax(logits, axis=-1) == labels)


def _train_step(
    networks: Networks,
    objective: Objective,
    descents: dict[str, optax.GradientTransformation],
    state: State,
    batch: Batch,
    key: Key,
) -> tuple[State, Metrics]:
    params, opt_state = dict(state.params), dict(state.opt_state)
    coders = {name: params[name] for name in CODERS}
    (loss, (stats, pictures, leaves)), gradients = jax.value_and_grad(
        _generator_loss, has_aux=True
    )(coders, state, batch, key, networks, objective)
    coders, opt_state["generator"], norm = network.descend(
        descents["generator"], gradients, opt_state["generator"], coders
    )
    params.update(coders)
    values = {"loss": loss, "gradient_norm": norm}
    values |= {name: jnp.mean(value) for name, value in leaves.items()}
    if networks.steganalyzer is not None:
        (loss, (stats["steganalyzer"], right)), gradients = jax.value_and_grad(
            _steganalyzer_loss, has_aux=True
        )(params["steganalyzer"], stats["steganalyzer"], pictures, key, networks, objective)
        params["steganalyzer"], opt_state["steganalyzer"], norm = network.descend(
            descents["steganalyzer"], gradients, opt_state["steganalyzer"], params["steganalyzer"]
        )
        values |= {
            "steganalyzer_loss": loss,
            "steganalyzer_gradient_norm": norm,
            "steganalyzer_accuracy": jnp.mean(right),
        }
    return State(state.step + 1, params, stats, opt_state), parallel.mean(values)


def _embed(networks: Networks, state: State, cover: Array, secret: Array) -> Array:
    cover = rgb_to_ycbcr(cover)
    luma = network.apply(
        networks.encoder,
        state.params["encoder"],
        state.batch_stats["encoder"],
        cover[..., :1],
        secret,
    )
    return ycbcr_to_rgb(jnp.concatenate([luma, cover[..., 1:]], axis=-1))


def _reveal(networks: Networks, state: State, stego: Array) -> Array:
    luma = rgb_to_ycbcr(stego)[..., :1]
    return network.apply(
        networks.decoder, state.params["decoder"], state.batch_stats["decoder"], luma
    )


def _describe(batch: Batch) -> tuple[str, ...]:
    height, width = batch["cover"].shape[1:3]
    scales = ms_ssim_scales(height, width)
    if scales == 5:
        return ()
    return (f"MS-SSIM is taken over {scales} of its 5 scales, those that fit {height}x{width}",)
