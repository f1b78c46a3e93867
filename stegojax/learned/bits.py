"""Hiding any file with a trained run whose networks write and read bits (SFTN and its family), and
getting it back exactly.

The networks read some bits wrong. An error-correcting code (`coding.correction`) is therefore sized
by a trial on this very cover: random bits are hidden, read from the rounded stego, and counted.
  What is hidden is then read back by the run's own decoder, with
every output of it moved a little towards the wrong side, so that a machine that rounds otherwise
reads it too.

Every bit that the networks hide is an element: `[H, W, depth]` of a picture, or block by block and
  bit by bit where a run hides
so many bits in a picture of one size; a picture larger than that is cut into such blocks from the
top left. A run for grey pictures hides in each channel of a colour picture by itself, and the
channels' elements follow each other. A stego carries

    salt     128 bits coded in 512 elements, R times, in the first elements of the public order
    header   224 bits coded in 1024 elements, R times, in the first of the others in the keyed order
    body     the sealed message, coded, in all the rest of the keyed order

where R is 1, 2, 4, 8 or 16, which the receiver tries. What salt, header and body are, and the
  orders: `secret.py`. In the header
the layout byte is 64, `segments` is 1, and the 16 bytes of `upper` say how much to trust the
networks' outputs (`correction.calibrate`). Salt elements are added to the stream of the key
`PUBLIC_BITS_KEY`, all others in their order to that of the key "signs", so that the networks hide
fair bits. The receiver needs the run at the very step that hid.

The password keeps the message secret. It does not hide that there is one from somebody who has the
  run: networks read their own
stegos with more certainty than other pictures, and the salt is coded in public.

Pictures are uint8 `[H, W, C]` here, as in files.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import secrets
import struct
import tempfile
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax import files, hiding, images, metrics, run, secret
from stegojax.coding import correction
from stegojax.data import preprocess
from stegojax.errors import InputError
from stegojax.learned.prediction import predict, predict_many
from stegojax.methods import METHODS
from stegojax.methods.bit_hiding import MessageShape

PUBLIC_BITS_KEY = hashlib.sha256(b"stegojax 1 public bits").digest()
MARGIN = 0.02
"""By how much every output may move towards the wrong side, as a share of the outputs' mean size,
without harm to a message.
XLA's results on other machines differ by about 1e-6 of it in float32, and by 1e-3 where matrices
are multiplied in TF32.
"""

_SALT_ELEMENTS, _HEADER_ELEMENTS = 512, 1024
_SALT_BITS, _HEADER_BITS = 8 * secret.SALT_BYTES, 8 * secret.HEADER_BYTES
_REPEATS = (1, 2, 4, 8, 16)
_LAYOUT = 64
_UPPER = struct.Struct(f"<{secret.PHASES}I")
_HOPELESS = 0.98
# What log-likelihood ratios are taken to be on average where it is not yet known how much to trust
# the outputs, and at most.
_BLIND_MEAN, _BLIND_MOST = 3.0, 8.0


class Sounding(NamedTuple):
    """What a trial with random bits found out about a cover.

    elements:    bits that the networks hide in it, right or wrong.
    accuracy:    share of them that they read right from the rounded stego.
    information: what one element tells on average, in bits.
    trust:       how much to trust outputs, from `correction.calibrate`.
    """

    elements: int
    accuracy: float
    information: float
    trust: np.ndarray


class Capacity(NamedTuple):
    """What a cover can carry with a run.

    sounding: of the cover.
    most:     bytes of message (after compression) that fit, None where not even an empty message
              does.
    """

    sounding: Sounding
    most: int | None


class Hidden(NamedTuple):
    """What came of hiding a file.

    bits_per_pixel: of the message, as it is, that come back without an error.
    psnr:           of the written file against the cover, dB.
    """

    bits_per_pixel: float
    psnr: float


def message_shape(loaded: run.Loaded) -> MessageShape:
    """How many bits a run hides, and in what.

    Args:
      loaded: a trained run.

    Returns:
      The shape.

    Raises:
      InputError: the run's messages are no bits.
    """
    named, section = run.entry(loaded.config)
    if named.message is None:
        hide = ", ".join(name for name, known in METHODS.items() if known.message)
        raise InputError(
            f"a run of {loaded.config.method.name} does not hide bits in pictures; there are runs "
            f"of {hide} for that"
        )
    return named.message(section)


def write_bits(loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray) -> np.ndarray:
    """A picture with bits written into it by a run's encoder, rounded.

    Args:
      loaded: a trained run.
      pixels: the cover.
      bits_N: `[N]` uint8, as many as `elements` says.

    Returns:
      The stego, uint8 `[H, W, C]`; of three channels where the run is for colour pictures.
    """
    stegos = []
    for plane, message in _planes_and_messages(loaded, pixels, bits_N):
        if message.ndim == 3:
            stegos.append(
                predict(loaded, {"cover": plane, "message": message}, names=("stego",))["stego"]
            )
        else:
            batch = {"cover": _blocks(plane, _block_size(loaded)), "message": message}
            stegos.append(
                _with_blocks(plane, predict_many(loaded, batch, names=("stego",))["stego"])
            )
    return np.concatenate(stegos, axis=-1).astype(np.uint8)


def measure(loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray) -> dict[str, float]:
    """The figures of `Method.measure` on a whole picture.

    Args:
      loaded: a trained run.
      pixels: the cover.
      bits_N: `[N]` uint8, as many as `elements` says.

    Returns:
      Their means over the channels or blocks of the picture.
    """
    found = []
    for plane, message in _planes_and_messages(loaded, pixels, bits_N):
        if message.ndim == 3:
            batch = {"cover": plane, "message": message}
            outputs = {name: value[None] for name, value in predict(loaded, batch).items()}
            batch = {"cover": plane[None].astype(np.float32)}
        else:
            batch = {
                "cover": _blocks(plane, _block_size(loaded)).astype(np.float32),
                "message": message,
            }
            outputs = predict_many(loaded, batch)
        found.append(loaded.method.measure(batch, outputs))
    return {name: float(np.mean([np.mean(values[name]) for values in found])) for name in found[0]}


def read_bits(loaded: run.Loaded, pixels: np.ndarray) -> np.ndarray:
    """What a run's decoder says of every bit of a stego.

    Args:
      loaded: a trained run.
      pixels: the stego, of three channels where the run is for colour pictures.

    Returns:
      `[N]` float32 logits, positive for 1.
    """
    shape, size = message_shape(loaded), _block_size(loaded)
    logits = []
    for plane in _planes(pixels, shape):
        if shape.depth:
            found = predict(loaded, {"stego": plane}, names=("logits",))
        else:
            found = predict_many(loaded, {"stego": _blocks(plane, size)}, names=("logits",))
        logits.append(found["logits"].ravel())
    return np.concatenate(logits)


def elements(loaded: run.Loaded, pixels: np.ndarray) -> int:
    """How many bits a run hides in a picture, right or wrong.

    Args:
      loaded: a trained run.
      pixels: the picture.

    Returns:
      The number N.
    """
    shape, (height, width) = message_shape(loaded), _block_size(loaded)
    planes = pixels.shape[2] if shape.channels == 1 else 1
    if shape.depth:
        return planes * pixels.shape[0] * pixels.shape[1] * shape.depth
    return planes * (pixels.shape[0] // height) * (pixels.shape[1] // width) * shape.length


def sound(loaded: run.Loaded, pixels: np.ndarray) -> Sounding:
    """Hides random bits in a cover, always the same ones, and counts how they come back.

    Args:
      loaded: a trained run.
      pixels: the cover.

    Returns:
      The figures.

    Raises:
      InputError: the cover is smaller than a block of the run.
    """
    count = elements(loaded, pixels)
    if not count:
        height, width = _block_size(loaded)
        raise InputError(
            f"the picture is {pixels.shape[1]}x{pixels.shape[0]}, smaller than the "
            f"{width}x{height} that the run "
            "hides in; take a larger one"
        )
    bits = np.random.default_rng(0).integers(0, 2, count).astype(np.uint8)
    return _measure(read_bits(loaded, write_bits(loaded, pixels, bits)), bits)


def capacity(loaded: run.Loaded, pixels: np.ndarray) -> Capacity:
    """What a cover can carry, by a trial on it.

    Args:
      loaded: a trained run.
      pixels: the cover.

    Returns:
      The capacity.

    Raises:
      InputError: the cover is smaller than a block of the run.
    """
    found = sound(loaded, pixels)
    most = most_bytes(found)
    return Capacity(found, most if most >= 0 else None)


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
    attempts: int = 6,
    sounding: Sounding | None = None,
) -> np.ndarray:
    """Hides a message in the pixels of a picture, such that `reveal` gives it back exactly.

    Args:
      loaded: a trained run.
      shared: password or key.
      pixels: the cover.
      message: any bytes, none included.
      attempts: how often it is tried, each time with a fresh salt; from the middle on salt and
        header are coded more strongly.
      sounding: of this cover, where it has been made already.

    Returns:
      The stego, uint8 `[H, W, C]`.

    Raises:
      InputError: the message does not fit; it says what does.
    """
    sounding, packed = sounding or sound(loaded, pixels), secret.pack(message)
    most, length = most_bytes(sounding), len(packed) + 16
    if most < 0:
        raise InputError(
            f"the run reads {100 * sounding.accuracy:.1f} % of {sounding.elements} bits right on "
            "this cover, which "
            "is too little for any message; take a larger or another cover, or a run that is "
            "better trained"
        )
    refused = InputError(
        f"the message takes {len(packed) - 1} bytes (after compression), and this cover carries "
        f"{most} with this "
        "run; shorten it or take a larger cover"
    )
    repeats = _repeats(sounding)
    for attempt in range(attempts):
        if attempt and attempt == attempts // 2:
            repeats = min(2 * repeats, _REPEATS[-1])
        space = sounding.elements - repeats * (_SALT_ELEMENTS + _HEADER_ELEMENTS)
        if 8 * length > _HOPELESS * space * sounding.information:
            raise refused
        # A fresh salt each time: no two attempts are sealed under one key.
        salt = secrets.token_bytes(secret.SALT_BYTES)
        keys = secret.derive(shared, salt)
        bits = _all_bits(keys, salt, packed, sounding, repeats)
        stego = write_bits(loaded, pixels, bits)
        logits = read_bits(loaded, stego)
        harmed = logits - MARGIN * np.abs(logits).mean() * (2.0 * bits - 1)
        try:
            if _salt(harmed, repeats) == salt and _open(keys, harmed, repeats) == message:
                return stego
        except InputError:
            pass
        sounding = _measure(logits, bits)
    raise refused


def reveal(loaded: run.Loaded, shared: secret.Secret, pixels: np.ndarray) -> bytes:
    """Reads the message that `hide` put into a picture.

    Args:
      loaded: the same run, at the same step.
      shared: password or key.
      pixels: the stego.

    Returns:
      The message, exactly.

    Raises:
      InputError: there is no message for this secret; nothing tells a wrong secret from a picture
        without or with a damaged message. Or the picture is grey and the run is for colour
        pictures.
    """
    if message_shape(loaded).channels == 3 and pixels.shape[2] != 3:
        raise InputError(
            "a stego of this run is a colour picture, this one is grey; give the file as it was "
            "written"
        )
    if not elements(loaded, pixels):
        raise InputError(secret.NO_MESSAGE)
    logits = read_bits(loaded, pixels)
    for repeats in _REPEATS:
        if repeats * (_SALT_ELEMENTS + _HEADER_ELEMENTS) >= logits.size:
            break
        try:
            return _open(secret.derive(shared, _salt(logits, repeats)), logits, repeats)
        except InputError as error:
            if str(error) != secret.NO_MESSAGE:
                raise
    raise InputError(secret.NO_MESSAGE)


def hide_file(
    workdir: str | os.PathLike,
    shared: secret.Secret,
    cover: str | os.PathLike,
    message: bytes,
    stego: str | os.PathLike,
    *,
    overwrite: bool = False,
) -> Hidden:
    """Hides a message in a picture file; the file gets its name when the message has been read from
    it.

    Args:
      workdir: of the run.
      shared: password or key.
      cover: the picture file; it is not touched.
      message: any bytes.
      stego: the lossless picture file to write.
      overwrite: whether `stego` may replace a file (never the cover).

    Returns:
      The figures of the written file.

    Raises:
      InputError: a file cannot be read or written, the folder is no run that hides bits, or the
        message does not fit.
    """
    stego = pathlib.Path(stego)
    hiding.check_output(stego, overwrite=overwrite)
    images.lossless_format(stego)
    if not stego.parent.is_dir():
        raise InputError(f"{stego}: cannot be written: there is no folder {stego.parent}")
    picture = images.read(cover)
    if stego.exists() and os.path.samefile(cover, stego):
        raise InputError(
            f"{stego}: is the cover itself, which is never modified; choose another name"
        )
    loaded = run.load(pathlib.Path(workdir))
    try:
        pixels = hide(loaded, shared, picture.pixels, message)
    except InputError as error:
        raise InputError(f"{cover}: {error}") from error
    try:
        with tempfile.TemporaryDirectory(dir=stego.parent, prefix=".stegojax-") as folder:
            trial = pathlib.Path(folder) / stego.name
            images.write(trial, pixels, like=picture)
            if not _comes_back(loaded, shared, trial, message):
                raise InputError(
                    f"{stego}: did not give the message back and was not written; check the disk "
                    "and try again"
                )
            files.write(stego, lambda file: file.write(trial.read_bytes()), overwrite=overwrite)
    except OSError as error:
        raise InputError(f"{stego}: cannot be written: {error.strerror or error}") from error
    height, width = pixels.shape[:2]
    before = np.broadcast_to(picture.pixels, pixels.shape)
    psnr = metrics.psnr(*(jnp.asarray(value[None], jnp.float32) for value in (pixels, before)))
    return Hidden(8 * len(message) / (height * width), float(psnr[0]))


def reveal_file(
    workdir: str | os.PathLike, shared: secret.Secret, stego: str | os.PathLike
) -> bytes:
    """Reads the message hidden in a picture file.

    Args:
      workdir: of the run that hid it.
      shared: password or key.
      stego: the file.

    Returns:
      The message.

    Raises:
      InputError: the file cannot be read, the folder is no run that hides bits, or there is no
        message for this secret.
    """
    picture = images.read(stego)
    try:
        return reveal(run.load(pathlib.Path(workdir)), shared, picture.pixels)
    except InputError as error:
        raise InputError(f"{stego}: {error}") from error


def _comes_back(
    loaded: run.Loaded, shared: secret.Secret, path: pathlib.Path, message: bytes
) -> bool:
    try:
        return reveal(loaded, shared, images.read(path).pixels) == message
    except InputError:
        return False


def _block_size(loaded: run.Loaded) -> tuple[int, int]:
    return run.example(loaded.config)["cover"].shape[1:3]


def _planes_and_messages(
    loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the networks see, and the bits for it: `[H, W, depth]`, or `[blocks, length]`."""
    shape = message_shape(loaded)
    planes = _planes(pixels, shape)
    sizes = [
        (*plane.shape[:2], shape.depth) if shape.depth else (-1, shape.length) for plane in planes
    ]
    return [
        (plane, bits.reshape(size))
        for plane, bits, size in zip(planes, bits_N.reshape(len(planes), -1), sizes, strict=True)
    ]


def _planes(pixels: np.ndarray, shape: MessageShape) -> list[np.ndarray]:
    """The pictures `[H, W, channels]` that the networks see."""
    if shape.channels == 3:
        return [preprocess.to_colour(pixels)]
    return [pixels[..., channel : channel + 1] for channel in range(pixels.shape[2])]


def _blocks(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[n, h, w, C]`, row by row from the top left; what is left over on the right and below is in
    none.
    """
    down, across = (side // block for side, block in zip(plane.shape, size))
    cut = plane[: down * size[0], : across * size[1]]
    return (
        cut.reshape(down, size[0], across, size[1], -1)
        .swapaxes(1, 2)
        .reshape(-1, *size, plane.shape[2])
    )


def _with_blocks(plane: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The plane with blocks put in, the inverse of `_blocks`."""
    size = blocks.shape[1:3]
    down, across = (side // block for side, block in zip(plane.shape, size))
    whole = plane.astype(np.float32)
    whole[: down * size[0], : across * size[1]] = (
        blocks.reshape(down, across, *blocks.shape[1:])
        .swapaxes(1, 2)
        .reshape(down * size[0], across * size[1], -1)
    )
    return whole


def _measure(logits_N: np.ndarray, bits_N: np.ndarray) -> Sounding:
    trust = correction.calibrate(logits_N, bits_N)
    return Sounding(
        bits_N.size,
        float(np.mean((logits_N > 0) == (bits_N > 0))),
        correction.information(trust),
        trust,
    )


def _repeats(sounding: Sounding) -> int:
    """How often salt and header must be said to be read; 0 where no number of times is enough."""
    for repeats in _REPEATS:
        information = 1 - (1 - sounding.information) ** repeats
        if (
            correction.room(_SALT_ELEMENTS, information) >= _SALT_BITS
            and correction.room(_HEADER_ELEMENTS, information) >= _HEADER_BITS
        ):
            return repeats
    return 0


class _Places(NamedTuple):
    """Which elements carry header and body, in order, and the bits that are added to them."""

    header: np.ndarray
    body: np.ndarray
    header_stream: np.ndarray
    body_stream: np.ndarray


def _stream(key: bytes, count: int) -> np.ndarray:
    return secret.to_bits(secret.keystream(key, -(-count // 8)))[:count]


def _salt_places(count: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """The elements of the salt, in order, and the bits that are added to them."""
    places = secret.public_order(count)[: repeats * _SALT_ELEMENTS]
    return places, _stream(PUBLIC_BITS_KEY, places.size)


def _places(keys: secret.Keys, count: int, repeats: int) -> _Places:
    taken = np.zeros(count, bool)
    taken[_salt_places(count, repeats)[0]] = True
    order = secret.order(keys.order, count)
    order = order[~taken[order]]
    stream, header = _stream(keys.signs, order.size), repeats * _HEADER_ELEMENTS
    return _Places(order[:header], order[header:], stream[:header], stream[header:])


def _all_bits(
    keys: secret.Keys, salt: bytes, packed: bytes, sounding: Sounding, repeats: int
) -> np.ndarray:
    """The bit of every element."""
    count, upper = sounding.elements, _UPPER.unpack(sounding.trust.tobytes())
    body = secret.to_bits(secret.seal(keys, packed, layout=_LAYOUT, segments=1))
    header = secret.write_header(keys, secret.Header(_LAYOUT, 1, body.size // 8, upper))
    places, (salt_at, salt_stream) = _places(keys, count, repeats), _salt_places(count, repeats)
    bits = np.empty(count, np.uint8)
    salt_code = correction.encode(secret.to_bits(salt), elements=_SALT_ELEMENTS)
    header_code = correction.encode(secret.to_bits(header), elements=_HEADER_ELEMENTS)
    bits[salt_at] = salt_stream ^ np.tile(salt_code, repeats)
    bits[places.header] = places.header_stream ^ np.tile(header_code, repeats)
    bits[places.body] = places.body_stream ^ correction.encode(body, elements=places.body.size)
    return bits


def _blind(logits_N: np.ndarray) -> np.ndarray:
    """Log-likelihood ratios where nothing is known of the networks' certainty."""
    scale = _BLIND_MEAN / max(float(np.abs(logits_N).mean()), 1e-30)
    return -np.clip(scale * logits_N, -_BLIND_MOST, _BLIND_MOST).astype(np.float32)


def _decoded(
    llr_N: np.ndarray, stream_N: np.ndarray, repeats: int, message_length: int
) -> np.ndarray:
    """A message that was coded, said several times, and added to a stream of bits."""
    return correction.decode(
        (llr_N * (1 - 2.0 * stream_N)).reshape(repeats, -1).sum(axis=0),
        message_length=message_length,
    )


def _salt(logits_N: np.ndarray, repeats: int) -> bytes:
    places, stream = _salt_places(logits_N.size, repeats)
    return secret.to_bytes(_decoded(_blind(logits_N)[places], stream, repeats, _SALT_BITS))


def _open(keys: secret.Keys, logits_N: np.ndarray, repeats: int) -> bytes:
    """The message in what a decoder says.

    Raises:
      InputError: there is none for these keys.
    """
    places = _places(keys, logits_N.size, repeats)
    embedded = _decoded(
        _blind(logits_N)[places.header], places.header_stream, repeats, _HEADER_BITS
    )
    header = secret.read_header(keys, secret.to_bytes(embedded))
    if header.layout != _LAYOUT or not 0 < 8 * header.length <= places.body.size:
        raise InputError(secret.NO_MESSAGE)
    trust = np.frombuffer(_UPPER.pack(*header.upper), np.uint8)
    # By the ranks among all elements, as they were counted.
    llr = correction.likelihoods(logits_N, trust)[places.body]
    body = _decoded(llr, places.body_stream, 1, 8 * header.length)
    return secret.unseal(keys, secret.to_bytes(body), header)
