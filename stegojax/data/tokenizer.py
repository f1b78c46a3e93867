"""Sentences as rows of word numbers and back: a normal form of English text, a vocabulary, arrays
of one length.

The *normal form* of a sentence: Unicode NFKC, lower case, curly quotation marks and apostrophes
  made straight, split into
*tokens*, and put together again with a space between tokens, except before . , ? ! : ; % ) and
after ( $. A token is a word or
one mark. A word is a run of letters and digits in which apostrophes and hyphens may stand, and
  between digits also . , : and /
(don't, 33-year-old, 3,000, 2:30). Splitting the normal form gives the same tokens again, so the
numbers stand for it exactly.

Rows of numbers are int32 `[T]`: `BEGIN`, one number per token, `END`, and `PADDING` up to T. The
mask is true from `BEGIN` to `END`.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stegojax import files
from stegojax.errors import InputError

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
"""The first entries of every vocabulary; none of them can come out of `split`, which would make
three tokens of it.
"""

PADDING, BEGIN, END, UNKNOWN = range(4)
"""The numbers of the special entries."""

LENGTH = 32
"""The usual length of a row: 30 tokens, their beginning and their end (Seq2Seq-GAN, Section 4.1).
"""

_TOKEN = re.compile(r"[^\W_]+(?:(?:['-]|(?<=\d)[.,:/](?=\d))[^\W_]+)*|\S")
_STRAIGHT = str.maketrans("\u2018\u2019\u201b\u201c\u201d\u201f", "'''\"\"\"")
_NO_SPACE_BEFORE = frozenset(".,?!:;%)")
_NO_SPACE_AFTER = frozenset("($")
_FORMAT = "stegojax vocabulary 1"


class Row(NamedTuple):
    """Sentences as arrays of one length.

    ids:  int32 `[T]` or `[B, T]`.
    mask: bool, of the same shape, true from the beginning to the end of the sentence and false in
          the padding.
    """

    ids: np.ndarray
    mask: np.ndarray


def split(sentence: str) -> list[str]:
    """The tokens of a sentence.

    Args:
      sentence: any text.

    Returns:
      Words and marks in their normal form; none for a text without visible characters.
    """
    text, before = sentence, None
    # Lower case can need composing anew, and what was composed can have a lower case of its own.
    while text != before:
        text, before = unicodedata.normalize("NFKC", text).translate(_STRAIGHT).lower(), text
    return _TOKEN.findall(text)


def join(tokens: Sequence[str]) -> str:
    """The normal form that consists of these tokens.

    Args:
      tokens: words and marks, as `split` gives them.

    Returns:
      The text.
    """
    text, close = "", True
    for token in tokens:
        text += token if close or token in _NO_SPACE_BEFORE else f" {token}"
        close = token in _NO_SPACE_AFTER
    return text


def normalise(sentence: str) -> str:
    """A sentence's normal form: what comes back when it is encoded and decoded.

    Args:
      sentence: any text.

    Returns:
      The text; "" for a text without visible characters.
    """
    return join(split(sentence))


class Vocabulary:
    """The words that have numbers.

    Args:
      words: the entries by number: `SPECIAL`, then tokens as `split` gives them, each once.

    Raises:
      InputError: these are not the entries of a vocabulary.
    """

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self.number_of = {word: number for number, word in enumerate(self.words)}
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise InputError(
                f"a vocabulary must begin with {' '.join(SPECIAL)}; build it anew from its "
                "sentences"
            )
        if len(self.number_of) != len(self.words):
            twice = next(
                word for word, times in collections.Counter(self.words).items() if times > 1
            )
            raise InputError(
                f"a vocabulary holds {twice!r} twice; build it anew from its sentences"
            )
        for word in self.words[len(SPECIAL) :]:
            if split(word) != [word]:
                raise InputError(
                    f"a vocabulary holds {word!r}, which is not one word in its normal form; "
                    "build it anew from "
                    "its sentences"
                )

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.number_of and word not in SPECIAL

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} entries)"

    def encode(self, sentence: str, *, length: int = LENGTH, unknown: str = "refuse") -> Row:
        """A sentence as a row of numbers.

        Args:
          sentence: any text; of its tokens at most `length - 2`.
          length: T, how long the row is.
          unknown: what becomes of a word without a number: "refuse", so that what is hidden comes
            back exactly, or "mark" with `UNKNOWN`, for training on a text whose rare words are left
            out.

        Returns:
          `Row` of `[T]`.

        Raises:
          InputError: the sentence is empty, has too many tokens, or has a word that is not in the
            vocabulary; the message names the word, or the first one that has no room.
          ValueError: `unknown` is neither.
        """
        if unknown not in ("refuse", "mark"):
            raise ValueError(
                f'Vocabulary.encode: unknown must be "refuse" or "mark", {unknown!r} was given'
            )
        tokens = split(sentence)
        if not tokens:
            raise InputError("the sentence is empty; give at least one word")
        room = length - 2
        if len(tokens) > room:
            raise InputError(
                f"the sentence has {len(tokens)} words and marks, and there is room for "
                f"{max(room, 0)}; shorten "
                f"it: {tokens[max(room, 0)]!r} is the first too many"
            )
        missing = next((token for token in tokens if token not in self.number_of), None)
        if missing is not None and unknown == "refuse":
            raise InputError(
                f"the word {missing!r} is not in the vocabulary of {len(self) - len(SPECIAL)} "
                "words; use another "
                "word"
            )
        numbers = [BEGIN, *(self.number_of.get(token, UNKNOWN) for token in tokens), END]
        ids = np.full(length, PADDING, np.int32)
        ids[: len(numbers)] = numbers
        return Row(ids, np.arange(length) < len(numbers))

    def encode_all(
        self, sentences: Iterable[str], *, length: int = LENGTH, unknown: str = "refuse"
    ) -> Row:
        """Sentences as rows of numbers.

        Args:
          sentences: B texts, at least one.
          length, unknown: as for `encode`.

        Returns:
          `Row` of `[B, T]`.

        Raises:
          InputError: as `encode`; or there is no sentence.
          ValueError: as `encode`.
        """
        rows = [self.encode(sentence, length=length, unknown=unknown) for sentence in sentences]
        if not rows:
            raise InputError("there is no sentence to encode; give at least one")
        return Row(*(np.stack(arrays) for arrays in zip(*rows, strict=True)))

    def tokens_of(self, ids: np.ndarray) -> list[str]:
        """The tokens of a row of numbers up to its first `END`; without `BEGIN` and `PADDING`.

        Args:
          ids: `[T]`, integers, 0 .. len(self) - 1.

        Returns:
          The tokens; "<unk>" for `UNKNOWN`.

        Raises:
          ValueError: the array is not `[T]` of integers, or a number lies outside the vocabulary.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(
                f"Vocabulary.tokens_of: a row of integers [T] is needed, {ids.dtype} {ids.shape} "
                "was given"
            )
        if ids.size and not (0 <= ids.min() and ids.max() < len(self)):
            raise ValueError(
                f"Vocabulary.tokens_of: numbers 0..{len(self) - 1} are needed, "
                f"{ids.min()}..{ids.max()} were "
                "given"
            )
        ends = np.flatnonzero(ids == END)
        return [
            self.words[i]
            for i in ids[: ends[0] if ends.size else None]
            if i not in (PADDING, BEGIN)
        ]

    def decode(self, ids: np.ndarray) -> str:
        """The sentence that a row of numbers stands for, in its normal form.

        Args:
          ids: as for `tokens_of`.

        Returns:
          The text; for a row that `encode` made without marking a word, `normalise` of what it was
          given.

        Raises:
          ValueError: as `tokens_of`.
        """
        return join(self.tokens_of(ids))

    def save(self, path: str | os.PathLike) -> None:
        """Writes the vocabulary as JSON, `{"format": ..., "words": [...]}`.

        Args:
          path: the file, which is replaced where it exists.

        Raises:
          InputError: the file cannot be written.
        """
        files.write_bytes(path, self.content())

    def content(self) -> bytes:
        """What `save` writes."""
        return json.dumps(
            {"format": _FORMAT, "words": self.words}, ensure_ascii=True, indent=0
        ).encode("ascii")


def build(sentences: Iterable[str], *, min_count: int = 2, max_size: int = 0) -> Vocabulary:
    """The vocabulary of a text: its tokens, the most frequent first, equally frequent ones by their
    characters.

    Args:
      sentences: the text.
      min_count: how often a token must occur.
      max_size: how many entries the vocabulary may have, the special ones included; 0 for any
        number.

    Returns:
      The vocabulary.

    Raises:
      InputError: no token occurs that often, or the numbers make no sense.
    """
    if min_count < 1 or max_size < 0 or 0 < max_size <= len(SPECIAL):
        raise InputError(
            "a vocabulary needs min_count of at least 1 and max_size of 0 or more than "
            f"{len(SPECIAL)}, "
            f"{min_count} and {max_size} were given"
        )
    counts = collections.Counter(token for sentence in sentences for token in split(sentence))
    frequent = [token for token, times in counts.items() if times >= min_count]
    if not frequent:
        raise InputError(
            f"no word occurs {min_count} times in the text; give more sentences or lower min_count"
        )
    frequent.sort(key=lambda token: (-counts[token], token))
    return Vocabulary((*SPECIAL, *frequent[: max_size - len(SPECIAL) if max_size else None]))


def load(path: str | os.PathLike) -> Vocabulary:
    """Reads a vocabulary that `Vocabulary.save` wrote.

    Args:
      path: the file.

    Returns:
      The vocabulary.

    Raises:
      InputError: the file cannot be read or is no vocabulary.
    """
    try:
        content = json.loads(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name a vocabulary file"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON; name a vocabulary file") from error
    words = (
        content.get("words")
        if isinstance(content, dict) and content.get("format") == _FORMAT
        else None
    )
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(
            f"{path}: is not a vocabulary of this program; build it anew from its sentences"
        )
    try:
        return Vocabulary(words)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
