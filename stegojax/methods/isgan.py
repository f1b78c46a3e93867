"""ISGAN: a grey picture in the Y channel of a colour picture, with a steganalyzer in the training
(Dong, Zhang, Liu 2018).

The encoder and the decoder are trained together on `L(Y, Y') + gamma L(s, s') + delta A`, the
steganalyzer against them on pictures in YCbCr; without the steganalyzer it is the paper's basic
model. Pictures are 0..255.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr, ycbcr_to_rgb
from stegojax.methods import network, picture_hiding
from stegojax.models import isgan as models
from stegojax.similarity import ms_ssim_scales
from stegojax.types import Array, Method, State

PictureLoss = Callable[[Array, Array], Array]


def weighted_loss(
    x: Array, y: Array, *, ssim_weight: float, ms_ssim_weight: float, mse_weight: float
) -> Array:
    """The terms of Eq. (10) with any weights; a term of weight 0 is left out.

    Args:
      x, y: `[B, H, W, C]`, 0..255.
      ssim_weight, ms_ssim_weight, mse_weight: alpha, 1 - alpha and beta in the paper.

    Returns:
      `[B]`.
    """
    terms = (
        (ssim_weight, losses.ssim_loss),
        (ms_ssim_weight, losses.ms_ssim_loss),
        (mse_weight, losses.mse),
    )
    return sum(weight * leaf(x, y) for weight, leaf in terms if weight)


def make(
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    steganalyzer_optimizer: Mapping[str, Any],
    ssim_weight: float = 0.5,
    ms_ssim_weight: float = 0.5,
    mse_weight: float = 0.3,
    gamma: float = 0.85,
    adversarial: bool = True,
    delta: float = 0.001,
    flip: float = 0.05,
    width: float = 1.0,
    dtype: str = "float32",
    picture_loss: PictureLoss | None = None,
) -> Method:
    """ISGAN as a `Method`, Sec. 3 of the paper; its networks are "encoder", "decoder" and, if
    adversarial, "steganalyzer".

    Args:
      steps_per_epoch: the unit of the optimisers' schedules.
      optimizer: of encoder and decoder, the arguments of `optimizers.make`.
      steganalyzer_optimizer: of the steganalyzer, likewise.
      ssim_weight, ms_ssim_weight, mse_weight: the weights in Eq. (10) and (11): alpha, 1 - alpha,
        beta. A zero leaves the term out, as Table 4 does.
      gamma: weight of the revealed picture in Eq. (12).
      adversarial: False for the basic model.
      delta: weight of the adversarial term.
      flip: share of the steganalyzer's labels that are flipped.
      width: factor on every hidden channel count; 1 is the paper's.
      dtype: of the computation inside encoder and decoder, "float32" or "bfloat16".
      picture_loss: `(x, y) -> [B]` in place of the weighted sum.

    Raises:
      InputError: a weight or share is out of range.
    """
    if not 0 <= flip < 0.5:
        raise InputError(f"method.flip={flip} must be at least 0 and under 0.5")
    if picture_loss is None:
        if (
            min(ssim_weight, ms_ssim_weight, mse_weight) < 0
            or ssim_weight + ms_ssim_weight + mse_weight <= 0
        ):
            raise InputError(
                "the loss weights must not be negative, and one of them must be above 0"
            )
        picture_loss = partial(
            weighted_loss,
            ssim_weight=ssim_weight,
            ms_ssim_weight=ms_ssim_weight,
            mse_weight=mse_weight,
        )
    options = dict(width=width, axis_name=parallel.AXIS, dtype=jnp.dtype(dtype))
    encoder, decoder = models.Encoder(**options), models.Decoder(**options)
    # The steganalyzer stays in float32 whatever the generator computes in: what it looks for is
    # weak.
    steganalyzer = models.Steganalyzer(width=width, axis_name=parallel.AXIS)
    generator_steps = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)
    steganalyzer_steps = optimizers.make(**steganalyzer_optimizer, steps_per_epoch=steps_per_epoch)

    def init(key, batch):
        keys = network.split_keys(key, "encoder", "decoder", "steganalyzer")
        secret = batch["secret"]
        params, stats = {}, {}
        params["encoder"], stats["encoder"] = network.initialise(
            keys["encoder"], encoder, secret, secret
        )
        params["decoder"], stats["decoder"] = network.initialise(keys["decoder"], decoder, secret)
        opt_state = {"generator": generator_steps.init(params)}
        if adversarial:
            params["steganalyzer"], stats["steganalyzer"] = network.initialise(
                keys["steganalyzer"], steganalyzer, batch["cover"]
            )
            opt_state["steganalyzer"] = steganalyzer_steps.init(params["steganalyzer"])
        return State(jnp.int32(0), params, stats, opt_state)

    def generator_loss(params, state, batch):
        """The loss of encoder and decoder, with everything that the steganalyzer's step needs."""
        stats = dict(state.batch_stats)
        cover = rgb_to_ycbcr(batch["cover"])
        luma, chroma = cover[..., :1], cover[..., 1:]
        stego_luma, stats["encoder"] = network.apply_training(
            encoder, params["encoder"], stats["encoder"], luma, batch["secret"]
        )
        revealed, stats["decoder"] = network.apply_training(
            decoder, params["decoder"], stats["decoder"], stego_luma
        )
        cover_loss = picture_loss(luma, stego_luma)
        secret_loss = picture_loss(batch["secret"], revealed)
        total = cover_loss + gamma * secret_loss
        values = {"loss_cover": cover_loss, "loss_secret": secret_loss}
        stego = jnp.concatenate([stego_luma, chroma], axis=-1)
        if adversarial:
            logits, _ = network.apply_training(
                steganalyzer,
                state.params["steganalyzer"],
                stats["steganalyzer"],
                jnp.concatenate([cover, stego]),
            )
            # Flipped labels: the stego is to be called a cover, which is the non-saturating form of
            # Eq. (4).
            deceit = losses.softmax_cross_entropy(
                logits[cover.shape[0] :], jnp.zeros(cover.shape[0], jnp.int32)
            )
            total = total + delta * deceit
            values["loss_adversarial"] = deceit
        return jnp.mean(total), (
            stats,
            jax.lax.stop_gradient(jnp.concatenate([cover, stego])),
            values,
        )

    def steganalyzer_loss(params, stats, pictures, key):
        """Cross entropy on covers (label 0) and stegos (label 1), some labels flipped."""
        pairs = pictures.shape[0] // 2
        labels = jnp.repeat(jnp.asarray([0, 1]), pairs)
        flipped = jax.vmap(lambda key: jax.random.bernoulli(key, flip, (2,)))(
            parallel.example_keys(key, pairs)
        )
        logits, stats = network.apply_training(steganalyzer, params, stats, pictures)
        value = losses.softmax_cross_entropy(
            logits, jnp.where(flipped.T.reshape(-1), 1 - labels, labels)
        )
        return jnp.mean(value), (stats, jnp.argmax(logits, axis=-1) == labels)

    def train_step(state, batch, key):
        params, opt_state = dict(state.params), dict(state.opt_state)
        trained = {name: params[name] for name in ("encoder", "decoder")}
        (loss, (stats, pictures, values)), gradients = jax.value_and_grad(
            generator_loss, has_aux=True
        )(trained, state, batch)
        trained, opt_state["generator"], norm = network.descend(
            generator_steps, gradients, opt_state["generator"], trained
        )
        params.update(trained)
        values = {
            "loss": loss,
            "gradient_norm": norm,
            **{name: jnp.mean(value) for name, value in values.items()},
        }
        if adversarial:
            (loss, (stats["steganalyzer"], right)), gradients = jax.value_and_grad(
                steganalyzer_loss, has_aux=True
            )(params["steganalyzer"], stats["steganalyzer"], pictures, key)
            params["steganalyzer"], opt_state["steganalyzer"], norm = network.descend(
                steganalyzer_steps, gradients, opt_state["steganalyzer"], params["steganalyzer"]
            )
            values |= {
                "steganalyzer_loss": loss,
                "steganalyzer_gradient_norm": norm,
                "steganalyzer_accuracy": jnp.mean(right),
            }
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def embed(state, cover, secret):
        cover = rgb_to_ycbcr(cover)
        luma = network.apply(
            encoder, state.params["encoder"], state.batch_stats["encoder"], cover[..., :1], secret
        )
        return ycbcr_to_rgb(jnp.concatenate([luma, cover[..., 1:]], axis=-1))

    def reveal(state, stego):
        return network.apply(
            decoder,
            state.params["decoder"],
            state.batch_stats["decoder"],
            rgb_to_ycbcr(stego)[..., :1],
        )

    def describe(batch):
        height, width = batch["cover"].shape[1:3]
        scales = ms_ssim_scales(height, width)
        return (
            (f"MS-SSIM is taken over {scales} of its 5 scales, those that fit {height}x{width}",)
            if scales < 5
            else ()
        )

    return Method(
        init,
        train_step,
        picture_hiding.predict_with(embed, reveal),
        picture_hiding.measure,
        receptive_radius=max(models.HIDE_RADIUS, models.REVEAL_RADIUS),
        describe=describe,
    )
