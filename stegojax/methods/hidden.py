"""HiDDeN: a message in a picture that is damaged between encoder and decoder (Zhu et al. 2018)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from stegojax import losses, parallel
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, joint, network, separable
from stegojax.methods.bit_hiding import MessageShape
from stegojax.models import hidden as models
from stegojax.types import Array, Key, Method

STRENGTHS = {
    "dropout": ("keep", float),
    "cropout": ("keep", float),
    "crop": ("keep", float),
    "gaussian_blur": ("sigma", float),
    "jpeg_drop": ("quality", int),
}
"""Of the noises with a strength: the argument of the function in `models.hidden`, and its type."""

Noise = Callable[[Key, Array, Array], Array]


def message(*, length: int = 30, **section) -> MessageShape:
    """`length` bits in a colour picture of the size that the run was trained at."""
    del section
    return MessageShape(channels=3, depth=0, length=length)


def noise(text: str) -> Noise:
    """A noise as a config names it: "jpeg_mask", or with its strength "dropout:0.3".

    Args:
      text: a name in `hidden.NOISES`, or `NAME:NUMBER` for those in `STRENGTHS`.

    Returns:
      `(keys [B], stego, cover) -> damaged stego`, each example from its own key.

    Raises:
      InputError: the name is unknown, or the number is none or not for it.
    """
    name, colon, number = text.partition(":")
    if name not in models.NOISES:
        raise InputError(
            f"method.noises: {name!r} is unknown; there are {', '.join(models.NOISES)}"
        )
    options = {}
    if colon:
        argument, kind = STRENGTHS.get(name, ("", None))
        try:
            options[argument] = kind(number)
        except (TypeError, ValueError):
            raise InputError(
                f"method.noises: {text!r} is not understood; write NAME, or NAME:NUMBER for "
                f"{', '.join(STRENGTHS)}"
            ) from None
    function = functools.partial(models.NOISES[name], **options)

    def damage(keys, stego, cover):
        return jax.vmap(lambda key, stego, cover: function(key, stego[None], cover[None])[0])(
            keys, stego, cover
        )

    return damage


def channel(noises: Sequence[Noise]) -> separable.Channel:
    """One of several noises in every step, all alike, as HiDDeN's combined model has it.

    Args:
      noises: of `noise`.

    Returns:
      The channel.
    """

    def through(key, stego, cover, read):
        kind_key, noise_key = jax.random.split(key)
        keys = parallel.example_keys(noise_key, stego.shape[0])
        branches = [
            lambda stego, damage=damage: read(damage(keys, stego, cover)) for damage in noises
        ]
        if len(branches) == 1:
            return branches[0](stego)
        return jax.lax.switch(jax.random.randint(kind_key, (), 0, len(branches)), branches, stego)

    return through


def make(
    *,
    length: int = 30,
    noises: Sequence[str] = ("identity",),
    width: float = 1.0,
    critic_width: float = 1.0,
    adversarial_weight: float = 0.001,
    **training,
) -> Method:
    """HiDDeN as a `Method`, Sec. 3; its adversary is the "critic". Held-out figures have the
    accuracy under every noise too.

    Args:
      length: bits per picture.
      noises: what may happen to the stego (see `noise`), one of them in every step.
      width: factor on every hidden channel count of encoder and decoder; 1 is the paper's.
      critic_width: the same of the adversary.
      adversarial_weight: of the cross entropy by which the adversary is deceived; 0 leaves it out.
      **training: of `joint.make`; `cover_weight` is that of the squared error of pictures in [-1,
        1].

    Raises:
      InputError: a name or number is out of range.
    """
    if not (isinstance(length, int) and length > 0):
        raise InputError(f"method.length={length} must be a whole number above 0")
    noises = tuple(noises)
    if not noises or len(set(noises)) < len(noises):
        raise InputError(f"method.noises needs at least one noise and each once, got {noises}")
    damages = {text: noise(text) for text in noises}
    options = dict(width=width, axis_name=parallel.AXIS)
    adversary = joint.classifier(
        models.Adversary(width=critic_width, axis_name=parallel.AXIS), adversarial_weight
    )
    decoder = models.Decoder(length=length, **options)
    system = joint.System(
        shape=message(length=length),
        encoder=models.Encoder(**options),
        decoder=decoder,
        message_loss=losses.squared_bit_error,
        cover_loss=joint.squared_error(127.5),
        critics={"critic": adversary} if adversarial_weight else {},
        # The least squared error is that of the bit's expectation.
        logits=joint.logits_of,
        critic_first=True,
    )
    made = joint.make(system, noise=channel(list(damages.values())), **training)

    def predict(state, batch, key):
        outputs = made.predict(state, batch, key)
        if "stego" in batch or "message" in batch:
            return outputs
        # An evaluation, which draws its messages.
        name = separable.NAME if separable.NAME in state.params else "decoder"
        for index, (text, damage) in enumerate(damages.items()):
            keys = parallel.example_keys(jax.random.fold_in(key, index), batch["cover"].shape[0])
            arrived = damage(keys, outputs["stego"], batch["cover"])
            outputs[f"after_{text}"] = joint.logits_of(
                network.apply(decoder, state.params[name], state.batch_stats[name], arrived)
            )
        return outputs

    def measure(batch, outputs):
        figures = bit_hiding.measure(batch, outputs)
        for text in damages:
            if f"after_{text}" in outputs:
                right = (outputs[f"after_{text}"] > 0) == (outputs["message"] > 0.5)
                figures[f"accuracy_{text.partition(':')[0]}"] = jnp.mean(
                    right, axis=1, dtype=jnp.float32
                )
        return figures

    return made._replace(predict=predict, measure=measure)
