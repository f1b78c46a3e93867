"""The kinds of data that a config can name, in `KINDS`: what an example is, and which one has which
number.

Every example is a function of (seed, its number) alone. Pictures are uint8 `[H, W, C]`; sentences
are rows of word numbers, int32. An *epoch* is `crops_per_photo` passes through the source; every
pass has its own order.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from stegojax import settings
from stegojax.data import preprocess as preprocessing
from stegojax.data.cover_stego import open_pairs
from stegojax.data.sentences import Corpus, open_corpus
from stegojax.data.sources import Chosen, Source, check_disjoint, open_source
from stegojax.errors import InputError

_COVER_ORDER, _SECRET_ORDER, _SENTENCE_ORDER = 0, 1, 2

VOCABULARY_NAME = "vocabulary.json"
"""The file in a run's work directory that says which word has which number."""


class Examples(NamedTuple):
    """What a kind of data yields.

    make:      `(rng, index) -> {name: uint8 [H, W, C]}`, for any index >= 0.
    per_epoch: how many examples an epoch has.
    """

    make: Callable[[np.random.Generator, int], dict[str, np.ndarray]]
    per_epoch: int


def pairs(
    *,
    split: str,
    seed: int,
    source: str = "embedded",
    secret_source: str = "",
    crop: int | str = 64,
    preprocess: Sequence[str] = (),
    augment: Sequence[str] = (),
    held_out_crop: str = "random",
    colour: bool = True,
    secret_colour: bool = False,
    crops_per_photo: int = 1,
    data_dir: str = "",
    train_share: float = 0.9,
) -> Examples:
    """Cover and secret pictures: `{"cover": [H, W, 3 or 1], "secret": [H, W, 1 or 3]}`.

    From one source, every pass shuffles the pictures and takes them two by two, so each is used
    once and none hides itself; of an odd number one sits out. From two sources, each is shuffled by
    itself, and a pass goes once through the covers.

    Args:
      split: "train" or "held_out".
      seed: the order, the pairing and the crops follow from it.
      source: where covers come from, see `sources.open_source`.
      secret_source: where secrets come from; "" for the covers' source.
      crop: size of the crops, `64` or "64x96"; 0 for whole pictures, which must then be of one
        size.
      preprocess: operations on the whole picture, see `preprocess.parse`.
      augment: operations on the crop, in training only.
      held_out_crop: "random" (fixed by the seed) or "centre", where the held-out crops are taken;
        training takes random ones.
      colour, secret_colour: three channels or one.
      crops_per_photo: passes through the source that make an epoch.
      data_dir: the folder of TFDS data sets.
      train_share: the share for training where a source has no split of its own.

    Returns:
      The examples.

    Raises:
      InputError: a source cannot be opened, is too small, holds pictures smaller than the crop, or
        overlaps with the other.
    """
    open_one = functools.partial(_opened, split=split, data_dir=data_dir, train_share=train_share)
    chain = functools.partial(
        _chain,
        split=split,
        crop=crop,
        preprocess=preprocess,
        augment=augment,
        held_out_crop=held_out_crop,
    )
    opened_covers = open_one(source)
    cover_steps, secret_steps = chain(colour=colour), chain(colour=secret_colour)
    covers = _usable(opened_covers, cover_steps)
    passes = _positive("crops_per_photo", crops_per_photo)
    if not secret_source:
        if len(covers) < 2:
            raise InputError(
                f"data source {source} has {len(covers)} picture in the split {split}, and a pair "
                "needs two; add "
                "pictures, change data.train_share, or set data.secret_source"
            )
        make = functools.partial(_pair_from_one, covers, cover_steps, secret_steps, seed)
        return Examples(make, passes * (len(covers) // 2))
    secrets = open_one(secret_source)
    _check_disjoint_once(opened_covers, secrets)
    secrets = _usable(secrets, secret_steps)
    make = functools.partial(_pair_from_two, covers, secrets, cover_steps, secret_steps, seed)
    return Examples(make, passes * len(covers))


def pictures(
    *,
    split: str,
    seed: int,
    source: str = "embedded",
    crop: int | str = 64,
    preprocess: Sequence[str] = (),
    augment: Sequence[str] = (),
    held_out_crop: str = "random",
    colour: bool = False,
    crops_per_photo: int = 1,
    data_dir: str = "",
    train_share: float = 0.9,
    test_share: float = 0.0,
) -> Examples:
    """Covers alone: `{"cover": [H, W, 1 or 3]}`; shuffled in training, in the source's order when
    held out.

    Args:
      split: "train"; "held_out", by which a training is watched and its states are chosen; or
        "test", pictures that nothing was chosen on.
      seed, source, data_dir, train_share: as for `pairs`.
      test_share: see `sources.open_source`.
      crop, preprocess, augment, held_out_crop, crops_per_photo: as for `pairs`.
      colour: three channels or one.

    Returns:
      The examples.

    Raises:
      InputError: the source cannot be opened or holds no picture of the crop's size.
    """
    covers = _opened(
        source, split=split, data_dir=data_dir, train_share=train_share, test_share=test_share
    )
    steps = _chain(
        split=split,
        crop=crop,
        preprocess=preprocess,
        augment=augment,
        held_out_crop=held_out_crop,
        colour=colour,
    )
    covers = _usable(covers, steps)
    make = functools.partial(_picture, covers, steps, seed if split == "train" else None)
    return Examples(make, _positive("crops_per_photo", crops_per_photo) * len(covers))


def cover_stego(
    *,
    split: str,
    seed: int,
    covers: str,
    stegos: str,
    parts: str = "",
    crop: int | str = 0,
    preprocess: Sequence[str] = (),
    augment: Sequence[str] = ("random_rot90", "random_flip"),
    held_out_crop: str = "centre",
    crops_per_photo: int = 1,
    train_share: float = 0.9,
) -> Examples:
    """Covers with their ready-made stegos: `{"cover": [H, W, 1], "stego": [H, W, 1]}`, both
    cropped, turned and flipped alike.

    Args:
      split: "train", or "held_out" for validation.
      seed: the order, the crops and the turns follow from it.
      covers, stegos, parts, train_share: see `data.cover_stego.open_pairs`.
      crop, augment, held_out_crop, crops_per_photo: as for `pairs`.
      preprocess: operations on both that keep pixel values as they are: crops.

    Returns:
      The examples.

    Raises:
      InputError: covers and stegos do not go together, or are smaller than the crop.
    """
    changing = [text for text in preprocess if text.partition(":")[0] in ("resize", "jpeg")]
    if changing:
        raise InputError(
            f"data.preprocess: {changing[0]} would destroy what the stegos carry; prepare covers "
            "before embedding"
        )
    pairs = _opened_pairs(
        covers,
        stegos,
        part="train" if split == "train" else "validation",
        parts=parts,
        train_share=train_share,
    )
    steps = _chain(
        split=split,
        crop=crop,
        preprocess=preprocess,
        augment=augment,
        held_out_crop=held_out_crop,
        colour=None,
    )
    source = _usable(pairs, steps)
    make = functools.partial(_cover_with_stego, source, steps, seed if split == "train" else None)
    return Examples(make, _positive("crops_per_photo", crops_per_photo) * len(source))


def sentences(
    *,
    split: str,
    seed: int,
    vocabulary: int,
    source: str = "embedded",
    length: int = 32,
    shortest: int = 1,
    longest: int = 0,
    limit: int = 0,
    min_count: int = 2,
    unknown: str = "mark",
    photographs: str = "embedded:colour",
    crop: int | str = 64,
    preprocess: Sequence[str] = (),
    augment: Sequence[str] = (),
    held_out_crop: str = "random",
    data_dir: str = "",
    train_share: float = 0.9,
) -> Examples:
    """Sentences, and photographs to compare with: `{"ids": int32 [T], "photograph": [H, W, 3]}`; an
    epoch has each sentence once.

    The n-th sentence does not belong to the photograph beside it. Both are shuffled in training, by
    themselves, and in their sources' order when held out. Words and their numbers are those of the
    training sentences (`files`).

    Args:
      split, seed, crop, preprocess, augment, held_out_crop, data_dir, train_share: as for `pairs`.
      vocabulary: how many entries the vocabulary may have, the special ones included.
      source: where sentences come from, see `data.sentences.open_sentences`.
      length: T, how long the rows are.
      shortest, longest: least and greatest number of words and marks; a longest of 0 for what a row
        has room for.
      limit: how many training sentences to take; 0 for all.
      min_count, unknown: see `data.sentences.open_corpus`.
      photographs: where photographs come from, see `sources.open_source`.

    Returns:
      The examples.

    Raises:
      InputError: a source cannot be opened, a photograph is smaller than the crop, or no sentence
        is left.
    """
    corpus = _corpus(
        source,
        split,
        length=length,
        longest=longest,
        vocabulary=vocabulary,
        min_count=min_count,
        unknown=unknown,
        train_share=train_share,
        shortest=shortest,
        limit=limit,
    )
    opened = _opened(photographs, split=split, data_dir=data_dir, train_share=train_share)
    steps = _chain(
        split=split,
        crop=crop,
        preprocess=preprocess,
        augment=augment,
        held_out_crop=held_out_crop,
        colour=True,
    )
    opened = _usable(opened, steps)
    make = functools.partial(
        _sentence, corpus, length, opened, steps, seed if split == "train" else None
    )
    return Examples(make, len(corpus.sentences))


def _black_pair(*, crop=64, colour=True, secret_colour=False, **_) -> dict[str, np.ndarray]:
    return {"cover": _black(crop, colour), "secret": _black(crop, secret_colour)}


def _black_picture(*, crop=64, colour=False, **_) -> dict[str, np.ndarray]:
    return {"cover": _black(crop, colour)}


def _black_cover_and_stego(*, crop=0, **_) -> dict[str, np.ndarray]:
    return {"cover": _black(crop, False), "stego": _black(crop, False)}


def _empty_sentence(*, length=32, crop=64, **_) -> dict[str, np.ndarray]:
    return {"ids": np.zeros((1, length), np.int32), "photograph": _black(crop, True)}


def _black(crop: int | str, colour: bool) -> np.ndarray:
    height, _, width = str(crop).partition("x")
    return np.zeros((1, int(height), int(width or height), 3 if colour else 1), np.float32)


def _vocabulary_file(*, source="embedded", **fields) -> dict[str, bytes]:
    options = {name: fields[name] for name in _CORPUS_FIELDS if name in fields}
    return {VOCABULARY_NAME: _corpus(source, "train", **options).vocabulary.content()}


_CORPUS_FIELDS = (
    "length",
    "longest",
    "vocabulary",
    "min_count",
    "unknown",
    "train_share",
    "shortest",
    "limit",
)


class Kind(NamedTuple):
    """What a kind of data is.

    examples: `(*, split, seed, **fields) -> Examples`; the names of its fields are those of the
              config section.
    example:  `(**fields) -> {name: [1, ...]}`, a batch of one black or empty example with the
              shapes that the fields give; no data is read.
    files:    `(**fields) -> {file name: content}`, what a run must keep of its data so that it can
              be used without them.
    """

    examples: Callable[..., Examples]
    example: Callable[..., dict[str, np.ndarray]]
    files: Callable[..., dict[str, bytes]] = lambda **fields: {}


KINDS = {
    "pairs": Kind(pairs, _black_pair),
    "pictures": Kind(pictures, _black_picture),
    "cover_stego": Kind(cover_stego, _black_cover_and_stego),
    "sentences": Kind(sentences, _empty_sentence, _vocabulary_file),
}
"""What `kind` may name in a config's data section."""


def kind_of(section: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """The kind that a data section names, and the section's other fields.

    Args:
      section: of a config; without `kind` it is one of pairs.

    Returns:
      The kind, and the fields.

    Raises:
      InputError: there is no such kind, or it has no such field, lacks one, or a value is of
        another kind than its field.
    """
    fields = dict(section)
    name = fields.pop("kind", "pairs")
    if name not in KINDS:
        raise InputError(f"data.kind {name!r} is unknown; use one of {', '.join(KINDS)}")
    known = {
        field: parameter
        for field, parameter in inspect.signature(KINDS[name].examples).parameters.items()
        if field not in ("split", "seed")
    }
    hints = typing.get_type_hints(KINDS[name].examples)
    for field, value in fields.items():
        if field not in known:
            raise InputError(
                f"data.{field} is not a field of {name}; its fields are "
                f"{', '.join(('kind', *known))}"
            )
        settings.need(f"data.{field}", value, hints[field])
    for field, parameter in known.items():
        if parameter.default is parameter.empty and field not in fields:
            raise InputError(f"data.{field} is missing")
    return KINDS[name], fields


# A source is searched and checked once in a process, not again at every evaluation.
_opened = functools.lru_cache(maxsize=16)(open_source)
_opened_pairs = functools.lru_cache(maxsize=16)(open_pairs)
_check_disjoint_once = functools.lru_cache(maxsize=16)(check_disjoint)


def _pair_from_one(source, cover_steps, secret_steps, seed, rng, index):
    number, position = divmod(index, len(source) // 2)
    order = _order(seed, _COVER_ORDER, number, len(source))
    cover, used = _prepared(rng, source, order[2 * position], cover_steps)
    secret, _ = _prepared(rng, source, order[2 * position + 1], secret_steps, other_than=used)
    return _same_size(cover, secret)


def _pair_from_two(covers, secrets, cover_steps, secret_steps, seed, rng, index):
    chosen = []
    for source, which, steps in (
        (covers, _COVER_ORDER, cover_steps),
        (secrets, _SECRET_ORDER, secret_steps),
    ):
        number, position = divmod(index, len(source))
        chosen.append(
            _prepared(rng, source, _order(seed, which, number, len(source))[position], steps)[0]
        )
    return _same_size(*chosen)


def _picture(source, steps, seed, rng, index):
    number, position = divmod(index, len(source))
    place = position if seed is None else _order(seed, _COVER_ORDER, number, len(source))[position]
    return {"cover": _prepared(rng, source, place, steps)[0]}


def _corpus(source: str, split: str, *, length: int = 32, longest: int = 0, **options) -> Corpus:
    if length < 3 or longest > length - 2:
        raise InputError(
            f"data.length={length} has room for {max(0, length - 2)} words and marks between "
            "beginning and end; set "
            f"it to at least {max(3, longest + 2)}"
        )
    return open_corpus(source, split, longest=longest or length - 2, **options)


def _sentence(corpus, length, photographs, steps, seed, rng, index):
    places = []
    for count, which in (
        (len(corpus.sentences), _SENTENCE_ORDER),
        (len(photographs), _COVER_ORDER),
    ):
        number, position = divmod(index, count)
        places.append(
            position if seed is None else int(_order(seed, which, number, count)[position])
        )
    row = corpus.vocabulary.encode(corpus.sentences[places[0]], length=length, unknown="mark")
    return {"ids": row.ids, "photograph": _prepared(rng, photographs, places[1], steps)[0]}


def _cover_with_stego(source, steps, seed, rng, index):
    number, position = divmod(index, len(source))
    place = position if seed is None else _order(seed, _COVER_ORDER, number, len(source))[position]
    pair = _prepared(rng, source, place, steps)[0]
    return {"cover": pair[..., :1], "stego": pair[..., 1:]}


@functools.lru_cache(maxsize=8)
def _order(seed: int, which: int, number: int, length: int) -> np.ndarray:
    """The order of pass `number` through a source of `length` pictures."""
    return np.random.default_rng([seed, which, number]).permutation(length)


def _prepared(rng, source, index, steps, other_than=None) -> tuple[np.ndarray, int]:
    """A picture after its chain, and its number in the source: the next one that can be used where
    the wanted one is broken or too small, which depends on the files alone.
    """
    last = None
    for candidate in ((int(index) + step) % len(source) for step in range(len(source))):
        if candidate == other_than:
            continue
        try:
            picture = source[candidate]
            try:
                return np.ascontiguousarray(preprocessing.apply(rng, picture, steps)), candidate
            except InputError as error:
                raise InputError(f"{source.names[candidate]} {error}") from error
        except InputError as error:
            last = error
            _warn_once(f"another picture is used instead: {error}")
    raise InputError(f"no picture of the source {source!r} can be used; the last one: {last}")


@functools.cache
def _warn_once(message: str) -> None:
    logging.warning("%s", message)


def _same_size(cover: np.ndarray, secret: np.ndarray) -> dict[str, np.ndarray]:
    if cover.shape[:2] != secret.shape[:2]:
        (h, w, _), (other_h, other_w, _) = cover.shape, secret.shape
        raise InputError(
            f"cover {h}x{w} and secret {other_h}x{other_w} differ in size; set data.crop or end "
            "data.preprocess "
            "with a resize"
        )
    return {"cover": cover, "secret": secret}


def _chain(
    *, split, crop, preprocess, augment, held_out_crop, colour
) -> tuple[preprocessing.Step, ...]:
    """All operations on one picture, in order: whole picture, crop, augmentation, number of
    channels (None: as they are).
    """
    if held_out_crop not in ("random", "centre"):
        raise InputError(f'data.held_out_crop must be "random" or "centre", got {held_out_crop!r}')
    texts = list(preprocess)
    if crop and str(crop) != "0":
        texts.append(f"{'random' if split == 'train' else held_out_crop}_crop:{crop}")
    steps = preprocessing.parse(texts)
    after = preprocessing.parse(augment)
    channels = () if colour is None else preprocessing.parse(["colour" if colour else "grey"])
    return (*steps, *(after if split == "train" else ()), *channels)


def _usable(source: Source, steps: Sequence[preprocessing.Step]) -> Source:
    """The pictures of a source that are large enough, where it knows their sizes; what is left out
    is said. Others are found out when they are read (`_prepared`).
    """
    sizes = source.sizes()
    if sizes is None:
        return source
    places, wrong, after, known = [], [], set(), {}
    for index, size in enumerate(sizes):
        if size not in known:
            try:
                known[size] = preprocessing.size_after(size, steps)
            except InputError as error:
                known[size] = error
        if isinstance(known[size], InputError):
            wrong.append(f"{source.names[index]} {known[size]}")
        else:
            places.append(index)
            after.add(known[size])
    if wrong and not places:
        raise InputError(
            wrong[0]
            + (f" ({len(wrong)} of {len(sizes)} pictures are like this)" if len(wrong) > 1 else "")
        )
    if len(after) > 1:
        one, *_, other = sorted(after)
        raise InputError(
            f"pictures of different sizes ({one[0]}x{one[1]} and {other[0]}x{other[1]}) cannot be "
            "batched; set "
            "data.crop or end data.preprocess with a resize"
        )
    if not wrong:
        return source
    _warn_once(f"{len(wrong)} of {len(sizes)} pictures left out: {wrong[0]}")
    return Chosen(source, places)


def _positive(name: str, value: int) -> int:
    if int(value) < 1:
        raise InputError(f"data.{name} must be at least 1, got {value}")
    return int(value)
