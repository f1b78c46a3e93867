"""Where sentences come from: a synthetic grammar, a file with one sentence per line, an export of
the Tatoeba project.

A source is a tuple of sentences as they were written, no two of one normal form
(`tokenizer.normalise`). Which side of the split a sentence is on follows from a hash of its normal
form alone, so that a sentence, and what differs from it by capital letters or spaces only, is never
on both sides, and adding sentences never moves another across. Lengths are counted in the words and
marks of the normal form.
"""

from __future__ import annotations

import bz2
import collections
import functools
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from absl import logging

from stegojax.data import grammar, tokenizer
from stegojax.data.folder import split_of
from stegojax.errors import InputError

SYNTHETIC = 50_000
"""How many sentences of the grammar `embedded` stands for, before repetitions are left out."""


def open_sentences(
    text: str,
    split: str,
    *,
    train_share: float = 0.9,
    shortest: int = 1,
    longest: int = tokenizer.LENGTH - 2,
    limit: int = 0,
) -> tuple[str, ...]:
    """The sentences of one side of the split of the source that a config names.

    Of several sentences with one normal form the first is kept. What is too short, too long or
    without a word is left out, with one line in the log that says how many.

    Args:
      text: `embedded` or `embedded:N` for the grammar's first N sentences; `lines:PATH` for a text
        file (UTF-8) with a sentence per line; `tatoeba:PATH` or `tatoeba:PATH@LANGUAGE` for a table
        with the columns number, language and text, parted by tabs, of which the sentences of one
        language are taken ("eng" where none is given). Files may be compressed (.bz2).
      split: "train", "held_out", or "all".
      train_share: the share of the sentences that the hash sends to training, between 0 and 1.
      shortest, longest: least and greatest number of words and marks.
      limit: how many sentences to take, chosen by their hashes and so spread over the source; 0 for
        all.

    Returns:
      The sentences, in the source's order.

    Raises:
      InputError: the text names no source, the file cannot be read or is no such table, or no
        sentence is left.
      ValueError: `split` is none of the three.
    """
    if split not in ("train", "held_out", "all"):
        raise ValueError(
            f'open_sentences: split must be "train", "held_out" or "all", {split!r} was given'
        )
    if not 1 <= shortest <= longest or limit < 0:
        raise InputError(
            f"sentences need lengths 1 <= shortest <= longest and a limit from 0 on, {shortest}, "
            f"{longest} and "
            f"{limit} were given"
        )
    everything, left_out = _usable(text, shortest, longest)
    chosen = {
        normal: sentence
        for normal, sentence in everything.items()
        if split in ("all", split_of(normal, train_share=train_share))
    }
    if not chosen:
        raise InputError(
            f"{text}: none of its {len(everything)} usable sentences falls into the split {split} "
            "with "
            f"train_share = {train_share} ({_reasons(left_out)}); change the limits or add "
            "sentences"
        )
    if limit and len(chosen) > limit:
        first = set(sorted(chosen, key=_digest)[:limit])
        chosen = {normal: sentence for normal, sentence in chosen.items() if normal in first}
    return tuple(chosen.values())


class Corpus(NamedTuple):
    """The sentences of one side of a split and the words that they may have.

    sentences:  as they were written.
    vocabulary: of the training side, whichever side the sentences are.
    """

    sentences: tuple[str, ...]
    vocabulary: tokenizer.Vocabulary


@functools.lru_cache(maxsize=8)
def open_corpus(
    text: str,
    split: str,
    *,
    vocabulary: int,
    min_count: int = 2,
    unknown: str = "mark",
    train_share: float = 0.9,
    shortest: int = 1,
    longest: int = tokenizer.LENGTH - 2,
    limit: int = 0,
) -> Corpus:
    """The sentences of one side of the split with the vocabulary of the training side, which
    follows from the source alone.

    Args:
      text: of the source, as for `open_sentences`.
      split: "train" or "held_out".
      vocabulary: how many entries the vocabulary may have, the special ones included.
      min_count: how often a word must occur in training.
      unknown: what becomes of sentences with a word that has no number: "mark" keeps them, for
        `Vocabulary.encode` to mark that word; "leave_out" leaves them out, on both sides.
      train_share, shortest, longest: as for `open_sentences`.
      limit: how many training sentences to take, before any is left out; 0 for all.

    Returns:
      The corpus.

    Raises:
      InputError: as `open_sentences` and `tokenizer.build`; or `unknown` is neither; or nothing is
        left.
    """
    if unknown not in ("mark", "leave_out"):
        raise InputError(f'data.unknown must be "mark" or "leave_out", {unknown!r} was given')
    options = dict(train_share=train_share, shortest=shortest, longest=longest)
    training = open_sentences(text, "train", limit=limit, **options)
    words = tokenizer.build(training, min_count=min_count, max_size=vocabulary)
    chosen = training if split == "train" else open_sentences(text, split, **options)
    if unknown == "leave_out":
        chosen = tuple(
            sentence
            for sentence in chosen
            if all(token in words for token in tokenizer.split(sentence))
        )
    if not chosen:
        raise InputError(
            f"{text}: every sentence of the split {split} has a word outside the vocabulary of "
            f"{len(words)} entries; "
            "allow a larger one"
        )
    return Corpus(chosen, words)


@functools.lru_cache(maxsize=8)
def _usable(text: str, shortest: int, longest: int) -> tuple[dict[str, str], collections.Counter]:
    """Sentences by normal form, and how many were left out for which reason."""
    kept, left_out = {}, collections.Counter()
    for sentence in _read(text):
        tokens = tokenizer.split(sentence)
        normal = tokenizer.join(tokens)
        if not any(token[0].isalnum() for token in tokens):
            left_out["without a word"] += 1
        elif len(tokens) < shortest:
            left_out["too short"] += 1
        elif len(tokens) > longest:
            left_out["too long"] += 1
        elif normal in kept:
            left_out["repeated"] += 1
        else:
            kept[normal] = sentence
    if left_out:
        logging.info("%s: %d sentences; %s", text, len(kept), _reasons(left_out))
    return kept, left_out


def _reasons(left_out: collections.Counter) -> str:
    return "left out: " + (
        ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
    )


def _digest(normal: str) -> bytes:
    # Not the hash of the split, of which one side's values all begin alike.
    return hashlib.sha256(b"limit " + normal.encode("utf-8", "surrogateescape")).digest()


def _read(text: str) -> Iterable[str]:
    kind, _, rest = text.partition(":")
    if kind == "embedded":
        if rest and not (rest.isascii() and rest.isdigit() and int(rest)):
            raise InputError(
                f"sentence source {text!r} is unknown; use embedded or embedded:N with N from 1 on"
            )
        return map(grammar.sentence, range(int(rest or SYNTHETIC)))
    if kind == "lines" and rest:
        return (line for _, line in _lines(rest))
    if kind == "tatoeba" and rest:
        path, at, language = rest.rpartition("@")
        return _rows(path if at else rest, language if at else "eng")
    raise InputError(f"unknown sentence source {text!r}; use embedded, lines:PATH or tatoeba:PATH")


def _rows(path: str | os.PathLike, language: str) -> Iterator[str]:
    languages = set()
    for number, line in _lines(path):
        columns = line.split("\t")
        if len(columns) < 3:
            raise InputError(
                f"{path}: line {number} has {len(columns)} column(s); a Tatoeba table has number, "
                "language and "
                "text, parted by tabs"
            )
        languages.add(columns[1])
        if columns[1] == language:
            yield columns[2]
    if language not in languages:
        known = ", ".join(sorted(languages)[:10]) or "none"
        raise InputError(
            f"{path}: has no sentence in the language {language!r}; name one that it has: {known}"
        )


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers, without spaces around them."""
    path, number = pathlib.Path(path).expanduser(), 0
    try:
        with (bz2.open if path.suffix == ".bz2" else open)(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                sentence = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if sentence:
                    yield number, sentence
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {number} is not UTF-8; convert the file") from error
    except (OSError, EOFError) as error:
        raise InputError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); name a text "
            "file"
        ) from error
