"""SFTN's separable fine-tuning stage, for any encoder and decoder: the encoder stands still, the
decoder learns to read files.

Rounding has no gradient to train an encoder by. Here it needs none: the stegos are rounded as files
hold them, and what is trained is a second decoder, "image_decoder", which begins as the first.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import parallel
from stegojax.images import round_to_pixels
from stegojax.methods import bit_hiding, network
from stegojax.methods.channels import Channel, undamaged
from stegojax.types import Array, Batch, Key, Stage, State

NAME = "image_decoder"
"""The second decoder among a state's networks."""

Embed = Callable[[State, Array, Array], Array]
"""`(state, cover [B, H, W, C], message) -> stego [B, H, W, C]`, not yet rounded, of an encoder that
is not trained.
"""


def stage(
    *,
    steps: int,
    embed: Embed,
    decoder: nn.Module,
    message_loss: Callable[[Array, Array], Array],
    shape: bit_hiding.MessageShape,
    optimizer: optax.GradientTransformation,
    channel: Channel = undamaged,
    choice: str = "",
    first: str = "decoder",
) -> Stage:
    """The stage that fine-tunes a decoder on rounded stegos: SFTN, Sec. III-B, Eq. (13), on stegos
    of Eq. (14).

    The encoder is applied with its running BatchNorm statistics; neither its parameters nor they
    are changed.

    Args:
      steps: how long.
      embed: of the trained encoder.
      decoder: the decoder's module, `stego -> output`.
      message_loss: `(output, message) -> [B]`.
      shape: of the messages.
      optimizer: of the second decoder; it starts afresh.
      channel: what lies between the file and the decoder.
      choice: the held-out figure by which the state is chosen that the stage begins from; "" for
        the last one.
      first: the network whose parameters and statistics the second decoder begins with.

    Returns:
      The stage; from its beginning on a state has the network `NAME`, and an optimiser's state for
      that alone.
    """

    def begin(state, key):
        del key
        params = {**state.params, NAME: state.params[first]}
        stats = {**state.batch_stats, NAME: state.batch_stats[first]}
        return state._replace(
            params=params, batch_stats=stats, opt_state={NAME: optimizer.init(params[NAME])}
        )

    def train_step(state, batch, key):
        def loss_fn(params):
            output, message, stats = _read(
                params, state, batch, key, embed, decoder, shape, channel
            )
            return jnp.mean(message_loss(output, message)), stats

        (loss, stats), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params[NAME])
        params, opt_state, norm = network.descend(
            optimizer, gradients, state.opt_state[NAME], state.params[NAME]
        )
        state = State(
            state.step + 1,
            {**state.params, NAME: params},
            {**state.batch_stats, NAME: stats},
            {NAME: opt_state},
        )
        return state, parallel.mean({"loss": loss, "gradient_norm": norm})

    return Stage("separable", steps, train_step, begin, choice)


def refresh(
    state: State,
    batch: Batch,
    key: Key,
    *,
    embed: Embed,
    decoder: nn.Module,
    shape: bit_hiding.MessageShape,
    channel: Channel = undamaged,
) -> State:
    """Brings the second decoder's BatchNorm statistics up to date, and no other's: `Method.refresh`
    of this stage.

    Args:
      state, batch, key: as of a step of the stage.
      embed, decoder, shape, channel: as for `stage`.

    Returns:
      The state with new statistics of `NAME`.
    """
    _, _, stats = _read(state.params[NAME], state, batch, key, embed, decoder, shape, channel)
    return state._replace(batch_stats={**state.batch_stats, NAME: stats})


def _read(params, state, batch, key, embed, decoder, shape, channel):
    """What the second decoder makes of rounded stegos in training: its output, the message, its new
    statistics.
    """
    message_key, channel_key = jax.random.split(key)
    cover = batch["cover"]
    message = bit_hiding.draw(message_key, cover, shape)
    stego = jax.lax.stop_gradient(round_to_pixels(embed(state, cover, message)))
    output, stats = channel(
        channel_key,
        stego,
        cover,
        lambda arrived: network.apply_training(decoder, params, state.batch_stats[NAME], arrived),
    )
    return output, message, stats
