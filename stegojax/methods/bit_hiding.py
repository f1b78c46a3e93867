"""What the methods that hide bits in a picture share: the shape of their messages, `predict` and
`measure`.

A batch is `{"cover": [B, H, W, C]}`, pixel units 0..255, from data of the kind "pictures"; messages
are drawn anew in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from stegojax import metrics, parallel
from stegojax.images import round_to_pixels
from stegojax.types import Array, Batch, Key, State


class MessageShape(NamedTuple):
    """How many bits a system hides, and in what.

    channels: 1 for a grey picture (the channels of a colour picture are hidden in one by one), 3
      for a colour picture.
    depth:    bits per pixel of a message `[B, H, W, depth]` as large as the picture; 0 where
              messages are `[B, length]`.
    length:   bits per picture of the size that the run was trained at, where depth is 0.
    """

    channels: int
    depth: int
    length: int = 0


def message_size(cover: Array, shape: MessageShape) -> tuple[int, ...]:
    """The shape of one example's message.

    Args:
      cover: the pictures, `[B, H, W, C]`.
      shape: of the messages.

    Returns:
      (H, W, depth), or (length,).
    """
    return cover.shape[1:3] + (shape.depth,) if shape.depth else (shape.length,)


def draw(key: Key, cover: Array, shape: MessageShape) -> Array:
    """Draws fair bits, those of an example from its own key.

    Args:
      key: PRNG key, the same on all devices.
      cover: this device's share of the pictures, `[B, H, W, C]`.
      shape: of the messages.

    Returns:
      float32 {0, 1}, `[B, H, W, depth]` or `[B, length]`.
    """
    size = message_size(cover, shape)
    keys = parallel.example_keys(key, cover.shape[0])
    return jax.vmap(lambda key: jax.random.bernoulli(key, 0.5, size))(keys).astype(jnp.float32)


def predict_with(
    embed: Callable[[State, Array, Array], Array],
    read: Callable[[State, Array], Array],
    shape: MessageShape,
    read_unrounded: Callable[[State, Array], Array] | None = None,
) -> Callable[[State, Batch, Key], dict[str, Array]]:
    """`Method.predict` from the parts of a method.

    Args:
      embed: `(state, cover [B, H, W, C], message) -> stego [B, H, W, C]`, not yet rounded.
      read: `(state, stego) -> logits` of the message's shape, positive for 1; by the last stage's
        decoder.
      shape: of the messages.
      read_unrounded: the same by the decoder of the stage that is trained on stegos with fractions;
        None for `read`.

    Returns:
      A function. From a batch with "cover", and with "message" or else one drawn from the key, it
      gives "message", "stego" (rounded), "unrounded", "logits" (read from the rounded stego), and
      "unrounded_logits" and "rounded_logits" of the first stage's decoder; from a batch with
      "stego" alone, "logits".
    """
    first = read_unrounded or read

    def predict(state, batch, key):
        if "stego" in batch:
            return {"logits": read(state, batch["stego"])}
        message = batch["message"] if "message" in batch else draw(key, batch["cover"], shape)
        unrounded = embed(state, batch["cover"], message)
        stego = round_to_pixels(unrounded)
        return {
            "message": message,
            "unrounded": unrounded,
            "stego": stego,
            "logits": read(state, stego),
            "unrounded_logits": first(state, unrounded),
            "rounded_logits": first(state, stego),
        }

    return predict


def accuracy(logits: Array, message: Array) -> Array:
    """The share of right bits.

    Args:
      logits: positive for 1, `[B, ...]`.
      message: {0, 1}, same shape.

    Returns:
      `[B]`.
    """
    is_right = (logits > 0) == (message > 0.5)
    return jnp.mean(is_right, axis=tuple(range(1, is_right.ndim)), dtype=jnp.float32)


def measure(batch: Batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """SFTN's Table III.

    Args:
      batch: with "cover".
      outputs: of `predict_with`'s function.

    Returns:
      `[B]` each: "accuracy_unrounded", "accuracy_rounded" and "accuracy", the share of right bits
      before and after rounding and after the last stage; "stego_psnr" (dB) and "stego_ssim" of the
      8-bit stego.
    """
    message = outputs["message"]
    return {
        "accuracy_unrounded": accuracy(outputs["unrounded_logits"], message),
        "accuracy_rounded": accuracy(outputs["rounded_logits"], message),
        "accuracy": accuracy(outputs["logits"], message),
        "stego_psnr": metrics.psnr(outputs["stego"], batch["cover"]),
        "stego_ssim": metrics.ssim(outputs["stego"], batch["cover"]),
    }
