"""Hiding any file with a trained run whose networks write and read bits (SFTN and its family), and
getting it back exactly.

The networks read some bits wrong. An error-correcting code (`coding.correction`) is therefore sized
by a trial on this very cover: random bits are hidden, read from the rounded stego, and counted.
What is hidden is then read back by the run's own decoder, with every output of it moved a little
towards the wrong side, so that a machine that rounds otherwise reads it too. The receiver needs the
run at the very step that hid. Where everything lies: `envelope.py`, "By networks".

The password keeps the message secret. It does not hide that there is one from somebody who has the
run: networks read their own stegos with more certainty than other pictures, and the salt is coded
in public.
"""

from __future__ import annotations

import functools
import secrets
import struct

import jax.numpy as jnp
import numpy as np

from stegojax import envelope, metrics, progress, run, secret
from stegojax.coding import correction
from stegojax.errors import InputError
from stegojax.hiders import bit_channel
from stegojax.hiders.bit_channel import Sounding
from stegojax.hiders.contract import Capacity, Hider, Options, Stego, cover_of, pixels_of, refuse

MARGIN = 0.02
"""By how much every output may move towards the wrong side, as a share of the outputs' mean size,
without harm to a message.

XLA's results on other machines differ by about 1e-6 of it in float32, and by 1e-3 where matrices
are multiplied in TF32.
"""

_SALT_ELEMENTS, _HEADER_ELEMENTS = 512, 1024
_REPEATS = (1, 2, 4, 8, 16)
_UPPER = struct.Struct(f"<{secret.PHASES}I")
_ATTEMPTS = 6
_HOPELESS = 0.98
# What log-likelihood ratios are taken to be on average where it is not yet known how much to trust
# the outputs, and at most.
_BLIND_MEAN, _BLIND_MOST = 3.0, 8.0


def hider(loaded: run.Loaded, options: Options) -> Hider:
    """What hides with a run's networks.

    Args:
      loaded: a run whose networks write and read bits.
      options: as a person gave them; none is of use here.

    Returns:
      The hider.

    Raises:
      InputError: an option is given, or the run's messages are no bits.
    """
    refuse(options, "scheme", "code", "constraint_height")
    bit_channel.message_shape(loaded)

    def hide_and_say(shared, cover, message):
        pixels = pixels_of(cover)
        stego = hide(loaded, shared, pixels, message)
        height, width = pixels.shape[:2]
        pair = [
            jnp.asarray(value[None], jnp.float32)
            for value in (stego, np.broadcast_to(pixels, stego.shape))
        ]
        return Stego(
            cover_of(stego),
            f"{len(message)} bytes hidden, {8 * len(message) / (height * width):.4f} bits per "
            f"pixel, {float(metrics.psnr(*pair)[0]):.2f} dB",
        )

    return Hider(
        takes_cover=True,
        takes_secret=True,
        hide=hide_and_say,
        reveal=lambda shared, stego: reveal(loaded, shared, pixels_of(stego)),
        capacity=lambda cover: capacity(loaded, pixels_of(cover)),
    )


def capacity(loaded: run.Loaded, pixels: np.ndarray) -> Capacity:
    """What a cover can carry, by a trial on it.

    Args:
      loaded: a trained run.
      pixels: the cover, uint8 `[H, W, C]`.

    Returns:
      The capacity.

    Raises:
      InputError: the cover is smaller than a block of the run.
    """
    sounding = bit_channel.sound(loaded, pixels)
    most = most_bytes(sounding)
    lines = [f"{100 * sounding.accuracy:.2f} % of the bits are read right from the stego"]
    if most >= 0:
        rate = 8 * most / (pixels.shape[0] * pixels.shape[1])
        lines.insert(
            0,
            f"carries up to {most} bytes ({loaded.title}, after compression), {rate:.4f} bits "
            "per pixel",
        )
    return Capacity(sounding.elements, "bits written", most if most >= 0 else None, tuple(lines))


def most_bytes(sounding: Sounding) -> int:
    """How long a message may be.

    Args:
      sounding: of the cover.

    Returns:
      Bytes (after compression) that come through with little doubt, negative where not even an
      empty message does.
    """
    repeats = _repeats(sounding)
    space = sounding.elements - repeats * (_SALT_ELEMENTS + _HEADER_ELEMENTS)
    if not repeats or space <= 0:
        return -1
    return correction.room(space, sounding.information) // 8 - secret.OVERHEAD_BYTES


def hide(
    loaded: run.Loaded,
    shared: secret.Secret,
    pixels: np.ndarray,
    message: bytes,
    *,
    attempts: int = _ATTEMPTS,
    sounding: Sounding | None = None,
) -> np.ndarray:
    """Hides a message in the pixels of a picture, such that `reveal` gives it back exactly.

    Args:
      loaded: a trained run.
      shared: password or key.
      pixels: the cover, uint8 `[H, W, C]`.
      message: any bytes, none included.
      attempts: how often it is tried, each time with a fresh salt; from the middle on salt and
        header are coded more strongly.
      sounding: of this cover, where it has been made already.

    Returns:
      The stego, uint8 `[H, W, C]`.

    Raises:
      InputError: the message does not fit; it says what does.
    """
    progress.doing("trying the cover")
    sounding, packed = sounding or bit_channel.sound(loaded, pixels), secret.pack(message)
    most, length = most_bytes(sounding), len(packed) + 16
    if most < 0:
        raise InputError(
            f"the run reads {100 * sounding.accuracy:.1f} % of {sounding.elements} bits right on "
            "this cover, which is too little for any message; take a larger or another cover, or a "
            "run that is better trained"
        )
    refused = InputError(
        f"the message takes {len(packed) - 1} bytes (after compression), and this cover carries "
        f"{most} with this run; shorten it or take a larger cover"
    )
    repeats = _repeats(sounding)
    for attempt in range(attempts):
        if attempt and attempt == attempts // 2:
            repeats = min(2 * repeats, _REPEATS[-1])
        space = sounding.elements - repeats * (_SALT_ELEMENTS + _HEADER_ELEMENTS)
        if 8 * length > _HOPELESS * space * sounding.information:
            raise refused
        progress.doing(f"coding and checking, try {attempt + 1}")
        # A fresh salt each time: no two attempts are sealed under one key.
        salt = secrets.token_bytes(secret.SALT_BYTES)
        keys = secret.derive(shared, salt)
        bits = _written(keys, salt, packed, sounding, repeats)
        stego = bit_channel.write_bits(loaded, pixels, bits)
        logits = bit_channel.read_bits(loaded, stego)
        harmed = logits - MARGIN * np.abs(logits).mean() * (2.0 * bits - 1)
        if _comes_back(keys, salt, harmed, repeats, message):
            return stego
        sounding = bit_channel.sounding_of(logits, bits)
    raise refused


def reveal(loaded: run.Loaded, shared: secret.Secret, pixels: np.ndarray) -> bytes:
    """Reads the message that `hide` put into a picture.

    Args:
      loaded: the same run, at the same step.
      shared: password or key.
      pixels: the stego, uint8 `[H, W, C]`.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for this secret; nothing tells a wrong secret from a picture
        without or with a damaged message. Or the picture is grey and the run is for colour
        pictures.
    """
    if bit_channel.message_shape(loaded).channels == 3 and pixels.shape[2] != 3:
        raise InputError(
            "a stego of this run is a colour picture, this one is grey; give the file as it was "
            "written"
        )
    if not bit_channel.elements(loaded, pixels):
        raise InputError(secret.NO_MESSAGE)
    logits = bit_channel.read_bits(loaded, pixels)
    for repeats in _REPEATS:
        if repeats * (_SALT_ELEMENTS + _HEADER_ELEMENTS) >= logits.size:
            break
        try:
            return _read(functools.partial(secret.derive, shared), logits, repeats)
        except InputError as error:
            if str(error) != secret.NO_MESSAGE:
                raise
    raise InputError(secret.NO_MESSAGE)


def _repeats(sounding: Sounding) -> int:
    """How often salt and header must be said to be read; 0 where no number of times is enough."""
    for repeats in _REPEATS:
        information = 1 - (1 - sounding.information) ** repeats
        if (
            correction.room(_SALT_ELEMENTS, information) >= envelope.SALT_BITS
            and correction.room(_HEADER_ELEMENTS, information) >= envelope.HEADER_BITS
        ):
            return repeats
    return 0


def _sizes(elements: int, repeats: int) -> envelope.Sizes:
    return envelope.Sizes(elements, repeats * _SALT_ELEMENTS, repeats * _HEADER_ELEMENTS)


def _written(
    keys: secret.Keys, salt: bytes, packed: bytes, sounding: Sounding, repeats: int
) -> np.ndarray:
    """The bit of every element."""
    bits = np.empty(sounding.elements, np.uint8)

    def put(number, part, data):
        code = correction.encode(data, elements=part.places.size // repeats)
        bits[part.places] = envelope.stream(part) ^ np.tile(code, repeats)

    def put_bodies(parts, bodies):
        code = correction.encode(bodies[0], elements=parts[0].places.size)
        bits[parts[0].places] = envelope.stream(parts[0]) ^ code
        return [_UPPER.unpack(sounding.trust.tobytes())]

    envelope.write(
        [keys],
        [salt],
        [packed],
        sizes=_sizes(sounding.elements, repeats),
        layout=envelope.BY_NETWORKS,
        segments=1,
        put_bodies=put_bodies,
        put=put,
    )
    return bits


def _read(keys_of, logits_N: np.ndarray, repeats: int) -> bytes:
    """The message in what a decoder says; `keys_of` as for `envelope.read`."""
    scale = _BLIND_MEAN / max(float(np.abs(logits_N).mean()), 1e-30)
    blind = -np.clip(scale * logits_N, -_BLIND_MOST, _BLIND_MOST).astype(np.float32)

    def get(part, length):
        return _decoded(blind, part, repeats, length)

    def get_body(part, header):
        if header.layout != envelope.BY_NETWORKS or not 0 < 8 * header.length <= part.places.size:
            raise InputError(secret.NO_MESSAGE)
        trust = np.frombuffer(_UPPER.pack(*header.upper), np.uint8)
        # By the ranks among all elements, as they were counted.
        return _decoded(correction.likelihoods(logits_N, trust), part, 1, 8 * header.length)

    return envelope.read(keys_of, sizes=_sizes(logits_N.size, repeats), get=get, get_body=get_body)


def _decoded(
    llr_N: np.ndarray, part: envelope.Part, repeats: int, message_length: int
) -> np.ndarray:
    """A message that was coded, said several times, and added to a stream of bits."""
    said = llr_N[part.places] * (1 - 2.0 * envelope.stream(part))
    return correction.decode(said.reshape(repeats, -1).sum(axis=0), message_length=message_length)


def _comes_back(
    keys: secret.Keys, salt: bytes, logits_N: np.ndarray, repeats: int, message: bytes
) -> bool:
    try:
        return _read(envelope.known(keys, salt), logits_N, repeats) == message
    except InputError:
        return False
