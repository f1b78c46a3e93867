"""Sending a sentence as a picture that a trained run makes under a key, and reading it from the
picture (Seq2Seq-GAN).

The sender makes pictures until one says the sentence exactly when it is read as the receiver will,
from whole pixel values. The receiver makes the sentence that it reads into pictures again: only if
one of them is the picture at hand, the sentence is given out. So a wrong key, a changed picture and
one from elsewhere are told from a message: a wrong sentence would need a picture that is the same
within the tolerance.

From the key alone follow the arrays that the networks take and `NOISES` arrays of noise, one of
which goes into a picture; the sender tries them in random order, so that one sentence has up to
`NOISES` pictures under one key. There is no salt: a picture has no room for it. One key's pictures
therefore share what the networks take, and whoever knows enough sentences with their pictures can
solve for it. The key keeps a run's other owners from reading, as a password to a door; it is no
cipher.
"""

from __future__ import annotations

import functools
import secrets
from typing import NamedTuple

import jax
import numpy as np

from stegojax import batches, run
from stegojax.data import kinds, tokenizer
from stegojax.errors import InputError
from stegojax.hiders import comparison
from stegojax.hiders.contract import Hider, Options, Stego, cover_of, pixels_of, refuse
from stegojax.methods import seq2seq_gan
from stegojax.methods.sentence_keys import NOISES, Material, material

TOLERANCE = 0.5
"""Mean difference, in levels, up to which two pictures are the same: rounding may fall differently
on another machine.
"""

BATCH = 16
"""Pictures that are made or read at once."""

NOT_READ = (
    "no sentence can be read: the picture was made under another key or by another run, "
    "or it was changed"
)


class Sent(NamedTuple):
    """What came of sending a sentence.

    sentence: in the normal form in which it will be read.
    tries:    pictures that were read until one said it.
    """

    sentence: str
    tries: int


class Sender(NamedTuple):
    """A trained run with the words it knows.

    loaded:     the run.
    vocabulary: its words.
    """

    loaded: run.Loaded
    vocabulary: tokenizer.Vocabulary


def hider(loaded: run.Loaded, options: Options) -> Hider:
    """What sends sentences.

    Args:
      loaded: a run of sentences.
      options: as a person gave them; none is of use here.

    Returns:
      The hider. It takes a key where the run's networks do.

    Raises:
      InputError: an option is given, or the run's vocabulary is missing.
    """
    refuse(options, "scheme", "code", "constraint_height")
    return hider_of(Sender(loaded, tokenizer.load(loaded.workdir / kinds.VOCABULARY_NAME)))


def hider_of(sender: Sender) -> Hider:
    """What sends sentences with a run and its words.

    Args:
      sender: both.

    Returns:
      The hider.
    """
    method = sender.loaded.config.method
    keyed, size = method.keyed, method.size
    own_of = functools.partial(material, keyed=keyed, state=method.state)

    def hide(shared, cover, message):
        del cover
        own = own_of(shared)
        pixels, sent = send(sender, _line(message), own)
        if receive(sender, pixels, own) != sent.sentence:
            raise InputError("the picture does not say the sentence again; try again")
        return Stego(cover_of(pixels), f"{sent.sentence} at try {sent.tries}")

    def reveal(shared, stego):
        pixels = pixels_of(stego)
        if pixels.shape != (size, size, 3):
            raise InputError(
                f"is {comparison.described(stego)}, and the run's pictures are "
                f"{size}x{size} colour; give the file as it was written"
            )
        return receive(sender, pixels, own_of(shared))

    def capacity(cover):
        raise InputError("a run of sentences makes its own pictures, each of which says one")

    return Hider(
        takes_cover=False, takes_secret=keyed != "none", hide=hide, reveal=reveal, capacity=capacity
    )


def _line(message: bytes) -> str:
    try:
        lines = [line for line in message.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError("the message is not UTF-8 text; convert it") from error
    if len(lines) > 1:
        raise InputError(
            f"the message has {len(lines)} lines, and a picture holds one sentence; send each in "
            "its own picture"
        )
    return "".join(lines)


@functools.lru_cache(maxsize=4)
def _compiled(predict):
    return jax.jit(lambda state, batch: predict(state, batch, jax.random.key(0)))


def predict(loaded: run.Loaded, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`Method.predict` on any number of rows, `BATCH` at a time.

    Args:
      loaded: a trained run.
      batch: arrays `[n, ...]`, as `predict` takes them with the key's arrays given.

    Returns:
      What it gives, `[n, ...]`.
    """
    compiled = _compiled(loaded.method.predict)
    return batches.apply(lambda part: compiled(loaded.state, part), batch, size=BATCH)


def rows_of(own: Material, count: int) -> dict[str, np.ndarray]:
    """A key's arrays for several examples.

    Args:
      own: of the key.
      count: examples B.

    Returns:
      The arrays, `[B, ...]`.
    """
    return {name: np.repeat(values, count, axis=0) for name, values in own.arrays.items()}


class Exact(NamedTuple):
    """A picture that says a sentence exactly.

    pixels: uint8 `[H, H, 3]`.
    tries:  pictures that were read until this one.
    """

    pixels: np.ndarray
    tries: int


def search(
    loaded: run.Loaded, ids: np.ndarray, own: Material, *, order: np.ndarray
) -> Exact | None:
    """The first picture that says a sentence exactly when it is read.

    Args:
      loaded: a trained run.
      ids: `[T]`, the sentence.
      own: of sender and receiver.
      order: numbers of the noises, in the order in which they are tried.

    Returns:
      The picture; None if there is none.
    """
    for first in range(0, len(order), BATCH):
        part = order[first : first + BATCH]
        batch = {
            "ids": np.repeat(ids[None], len(part), axis=0),
            "noise": own.noise[part],
            **rows_of(own, len(part)),
        }
        outputs = predict(loaded, batch)
        saying_it = np.flatnonzero((outputs["read_ids"] == ids).all(axis=1))
        # The receiver reads a picture by itself: what it will see there decides.
        for place in saying_it:
            pixels = outputs["stego"][place].astype(np.uint8)
            if np.array_equal(read_ids(loaded, pixels[None], own)[0], ids):
                return Exact(pixels, first + int(place) + 1)
    return None


def read_ids(loaded: run.Loaded, pixels: np.ndarray, own: Material) -> np.ndarray:
    """The word numbers that pictures say.

    Args:
      loaded: a trained run.
      pixels: uint8 `[n, H, H, 3]`.
      own: under which they are read.

    Returns:
      `[n, T]`, int32.
    """
    rows = rows_of(own, len(pixels))
    given = rows if seq2seq_gan.KEYINGS[loaded.config.method.keyed].received else {}
    return predict(loaded, {"stego": pixels.astype(np.float32), **given})["read_ids"]


def distance(loaded: run.Loaded, ids: np.ndarray, pixels: np.ndarray, own: Material) -> float:
    """How far a picture is from the nearest of those that the sender could have made of a sentence.

    Args:
      loaded: a trained run.
      ids: `[T]`, the sentence.
      pixels: uint8 `[H, H, 3]`.
      own: the sender's.

    Returns:
      Mean absolute difference, in levels.
    """
    count = NOISES if loaded.config.method.noise else 1
    batch = {
        "ids": np.repeat(ids[None], count, axis=0),
        "noise": own.noise[:count],
        **rows_of(own, count),
    }
    stegos = predict(loaded, batch)["stego"]
    return float(np.abs(stegos - pixels.astype(np.float32)).mean(axis=(1, 2, 3)).min())


def send(sender: Sender, sentence: str, own: Material) -> tuple[np.ndarray, Sent]:
    """A picture that says a sentence exactly.

    Args:
      sender: the run.
      sentence: any text of known words.
      own: of sender and receiver.

    Returns:
      uint8 `[H, H, 3]`, and what came of it.

    Raises:
      InputError: the sentence is empty, too long or has an unknown word; or no picture of it is
        read exactly.
    """
    loaded, vocabulary = sender
    ids = vocabulary.encode(sentence, length=loaded.config.method.length).ids
    order = list(range(NOISES if loaded.config.method.noise else 1))
    secrets.SystemRandom().shuffle(order)
    exact = search(loaded, ids, own, order=np.asarray(order))
    if exact is None:
        raise InputError(
            f"the run cannot send this sentence: of {len(order)} pictures none is read exactly; "
            "put it in other words, or train longer"
        )
    return exact.pixels, Sent(vocabulary.decode(ids), exact.tries)


def receive(sender: Sender, pixels: np.ndarray, own: Material) -> str:
    """The sentence that a picture says, or nothing.

    Args:
      sender: the run.
      pixels: uint8 `[H, H, 3]`.
      own: of sender and receiver.

    Returns:
      The sentence in its normal form.

    Raises:
      InputError: the picture is none that the run makes of what it says, under this key.
    """
    loaded, vocabulary = sender
    ids = read_ids(loaded, pixels[None], own)[0]
    words = vocabulary.decode(ids) if ids.max() < len(vocabulary) else ""
    # What no sender can have meant needs no comparison.
    if (
        not words
        or tokenizer.UNKNOWN in ids
        or tokenizer.END not in ids
        or distance(loaded, ids, pixels, own) > TOLERANCE
    ):
        raise InputError(NOT_READ)
    return words
