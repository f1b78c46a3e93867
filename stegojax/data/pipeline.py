"""From a config section to an iterator of batches: order, pairing, crops, hosts, workers and
prefetch, on Grain.

Every example is a function of (seed, its number) alone, and batch k holds the examples k B .. k B +
B - 1, so the position in
the data is one whole number, the batches consumed: starting there gives the very same numbers,
  whatever the number of worker
processes, threads or hosts. Batches are float32 in 0..255, `{"cover": [B, H, W, C]}` and, for
pairs, `"secret": [B, H, W, C']`; sentences are rows of word numbers, int32.

An *epoch* is `crops_per_photo` passes through the source; every pass has its own order.
"""

from __future__ import annotations

import functools
import inspect
import multiprocessing
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import grain
import numpy as np
from absl import flags, logging

from stegojax.data import preprocess as preprocessing
from stegojax.data.cover_stego import open_pairs
from stegojax.data.sentences import Corpus, open_corpus
from stegojax.data.sources import Source, check_disjoint, open_source
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
    covers = open_one(source)
    cover_steps, secret_steps = chain(colour=colour), chain(colour=secret_colour)
    _check_sizes(covers, cover_steps)
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
    _check_disjoint_once(covers, secrets)
    _check_sizes(secrets, secret_steps)
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
) -> Examples:
    """Covers alone: `{"cover": [H, W, 1 or 3]}`; shuffled in training, in the source's order when
    held out.

    Args:
      split, seed, source, crop, preprocess, augment, held_out_crop, crops_per_photo, data_dir,
        train_share: as for `pairs`.
      colour: three channels or one.

    Returns:
      The examples.

    Raises:
      InputError: the source cannot be opened or holds pictures smaller than the crop.
    """
    covers = _opened(source, split=split, data_dir=data_dir, train_share=train_share)
    steps = _chain(
        split=split,
        crop=crop,
        preprocess=preprocess,
        augment=augment,
        held_out_crop=held_out_crop,
        colour=colour,
    )
    _check_sizes(covers, steps)
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
    source = _opened_pairs(
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
    _check_sizes(source, steps)
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
    _check_sizes(opened, steps)
    make = functools.partial(
        _sentence, corpus, length, opened, steps, seed if split == "train" else None
    )
    return Examples(make, len(corpus.sentences))


KINDS = {"pairs": pairs, "pictures": pictures, "cover_stego": cover_stego, "sentences": sentences}
"""What `kind` may name in a config section; the section's other fields are the function's keyword
arguments.
"""


def files(section: Mapping[str, Any]) -> dict[str, bytes]:
    """What a run must keep of its data so that it can be used without them, by file name.

    Args:
      section: as for `make`.

    Returns:
      For sentences the vocabulary; for pictures nothing.

    Raises:
      InputError: the data cannot be used.
    """
    if section.get("kind", "pairs") != "sentences":
        return {}
    fields = (
        "length",
        "longest",
        "vocabulary",
        "min_count",
        "unknown",
        "train_share",
        "shortest",
        "limit",
    )
    options = {name: section[name] for name in fields if name in section}
    return {
        VOCABULARY_NAME: _corpus(
            section.get("source", "embedded"), "train", **options
        ).vocabulary.content()
    }


class Loader(Iterator):
    """Batches, made ahead of time in the background.

    batches:            batches consumed since the beginning of the data, the position that a
                        checkpoint stores.
    waited:             seconds that `next` has waited for data.
    examples_per_epoch: examples in an epoch, over all hosts.
    examples:           how many examples the data have, over all hosts; None where they have no
                        end. They fill `length` batches; where the last is not full, the rest of it
                        are further examples, for the caller to leave out.
    length:             number of batches, or None.

    Args:
      batches: the data set of this host's batches, beginning at `start`.
      put: what to do with a batch in the background before it is handed out, for instance the
        transfer to the devices.
      prefetch: how many finished batches to keep ready.
      start: batches consumed before.
      examples_per_epoch, examples, length: see above.
    """

    def __init__(
        self,
        batches: grain.IterDataset,
        *,
        put: Callable[[dict], Any] | None,
        prefetch: int,
        start: int,
        examples_per_epoch: int,
        examples: int | None = None,
        length: int | None = None,
    ):
        self.batches, self.waited = start, 0.0
        self.examples_per_epoch, self.examples, self.length = examples_per_epoch, examples, length
        ready = batches.map(_to_float32)
        ready = ready if put is None else ready.map(put)
        self._iterators = [
            iter(grain.experimental.ThreadPrefetchIterDataset(ready, prefetch_buffer_size=prefetch))
        ]
        self._iterators[0].start_prefetch()
        # Also where the program forgets or fails: threads and processes must end, and Grain's
        # iterator must be gone, before the interpreter takes its modules apart.
        self._close = weakref.finalize(self, _close_all, self._iterators)

    def __next__(self) -> Any:
        if not self._close.alive:
            raise StopIteration
        begin = time.perf_counter()
        try:
            batch = next(self._iterators[0])
        except BaseException:
            self.close()
            raise
        finally:
            self.waited += time.perf_counter() - begin
        self.batches += 1
        return batch

    def close(self) -> None:
        """Stops the threads and worker processes; `next` then ends the iteration."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def make(
    section: Mapping[str, Any],
    *,
    split: str,
    batch_size: int,
    seed: int,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    put: Callable[[dict], Any] | None = None,
) -> Loader:
    """Builds the loader that a config section describes: endless for training, finite and always
    the same when held out.

    Args:
      section: `kind` (a name in `KINDS`) and that function's arguments; and for the loader itself
        `workers` (processes that make batches; 0 for threads of this process), `threads` (per
        process), `prefetch` (finished batches kept ready) and `held_out_examples` (how many, over
        all hosts; 0 for an epoch).
      split: "train" or "held_out".
      batch_size: examples in a batch, over all hosts.
      seed: 0 .. 2^32 - 1.
      start: batches consumed before; the loader goes on from there.
      process_index, process_count: this host and how many there are; each gets its contiguous share
        of every batch.
      put: applied to every batch in the background; a batch is `{name: float32 [batch_size /
        process_count, H, W, C]}`, and of sentences `{"ids": int32 [batch_size / process_count, T]}`
        beside that.

    Returns:
      The loader.

    Raises:
      InputError: a field is unknown or unusable, or the data are.
      ValueError: the batch does not divide by the hosts, or a number is out of range.
    """
    if batch_size < 1 or batch_size % process_count:
        raise ValueError(
            f"batch_size must be a positive multiple of the number of hosts {process_count}, got "
            f"{batch_size}"
        )
    if not 0 <= process_index < process_count:
        raise ValueError(f"process_index must be 0..{process_count - 1}, got {process_index}")
    if not 0 <= seed < 2**32 or start < 0:
        raise ValueError(f"seed must be 0..2^32 - 1 and start not negative, got {seed} and {start}")
    options = dict(section)
    workers, threads = int(options.pop("workers", 0)), int(options.pop("threads", 2))
    prefetch, held_out_examples = (
        int(options.pop("prefetch", 2)),
        int(options.pop("held_out_examples", 0)),
    )
    if workers < 0 or threads < 1 or prefetch < 1 or held_out_examples < 0:
        raise InputError(
            "data: workers and held_out_examples must be at least 0, threads and prefetch at "
            "least 1; got "
            f"{workers}, {held_out_examples}, {threads} and {prefetch}"
        )
    examples = _examples(options, split=split, seed=seed)
    count = None if split == "train" else held_out_examples or examples.per_epoch
    length = None if count is None else -(-count // batch_size)
    local = batch_size // process_count
    total = sys.maxsize // batch_size * batch_size if length is None else length * batch_size
    data = grain.MapDataset.range(total).random_map(_Make(examples.make), seed=seed)
    data = data.batch(local, batch_fn=_stack)[
        start * process_count + process_index :: process_count
    ]
    if not len(data):
        raise ValueError(f"start = {start} lies at or beyond the end of the data, {length} batches")
    data = data.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    )
    if workers:
        if not flags.FLAGS.is_parsed():
            # Grain's processes read absl flags, which scripts and test runners do not parse.
            flags.FLAGS.mark_as_parsed()
        data = data.mp_prefetch(
            grain.multiprocessing.MultiprocessingOptions(
                num_workers=workers, per_worker_buffer_size=2
            ),
            worker_init_fn=_end_with_parent,
        )
    return Loader(
        data,
        put=put,
        prefetch=prefetch,
        start=start,
        examples_per_epoch=examples.per_epoch,
        examples=count,
        length=length,
    )


def examples_per_epoch(section: Mapping[str, Any], *, split: str) -> int:
    """How many examples an epoch of a config section has, over all hosts.

    Args:
      section: as for `make`.
      split: "train" or "held_out".

    Returns:
      The number of pairs or pictures.

    Raises:
      InputError: as `make`.
    """
    options = {name: value for name, value in dict(section).items() if name not in _LOADER_FIELDS}
    return _examples(options, split=split, seed=0).per_epoch


_LOADER_FIELDS = ("workers", "threads", "prefetch", "held_out_examples")


def _examples(options: dict[str, Any], *, split: str, seed: int) -> Examples:
    kind = options.pop("kind", "pairs")
    if kind not in KINDS:
        raise InputError(f"data.kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    known = [
        name for name in inspect.signature(KINDS[kind]).parameters if name not in ("split", "seed")
    ]
    unknown = [name for name in options if name not in known]
    if unknown:
        fields = ", ".join(("kind", *known, *_LOADER_FIELDS))
        raise InputError(f"data.{unknown[0]} is not a field of {kind}; its fields are {fields}")
    return KINDS[kind](split=split, seed=seed, **options)


class _Make:
    """Grain's order of arguments, and a name for its logs."""

    def __init__(self, function):
        self._function = function

    def __call__(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return self._function(rng, index)


def _close_all(iterators: list[grain.DatasetIterator]) -> None:
    while iterators:
        iterators.pop().close()


def _end_with_parent(worker_index: int, worker_count: int) -> None:
    """Ends a worker process when the program was killed and could not end it; Ctrl-C is for the
    program alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    """A picture after its chain, and its number in the source: another one where the wanted one is
    broken.
    """
    index, picture = _readable(source, int(index), other_than)
    try:
        return np.ascontiguousarray(preprocessing.apply(rng, picture, steps)), index
    except InputError as error:
        raise InputError(f"{source.names[index]} {error}") from error


def _readable(source: Source, index: int, other_than: int | None) -> tuple[int, np.ndarray]:
    """The first readable picture from `index` on: which one that is depends on the files alone."""
    last = None
    for candidate in ((index + step) % len(source) for step in range(len(source))):
        if candidate == other_than:
            continue
        try:
            return candidate, source[candidate]
        except InputError as error:
            last = error
            _warn_once(str(error))
    raise InputError(f"no picture of the source {source!r} can be read; the last one: {last}")


@functools.cache
def _warn_once(message: str) -> None:
    logging.warning("another picture is used instead: %s", message)


def _same_size(cover: np.ndarray, secret: np.ndarray) -> dict[str, np.ndarray]:
    if cover.shape[:2] != secret.shape[:2]:
        (h, w, _), (other_h, other_w, _) = cover.shape, secret.shape
        raise InputError(
            f"cover {h}x{w} and secret {other_h}x{other_w} differ in size; set data.crop or end "
            "data.preprocess "
            "with a resize"
        )
    return {"cover": cover, "secret": secret}


def _stack(examples: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    for name in examples[0]:
        shapes = sorted({example[name].shape for example in examples})
        if len(shapes) > 1:
            (h, w, _), (other_h, other_w, _) = shapes[0], shapes[-1]
            raise InputError(
                f"pictures of different sizes in one batch ({h}x{w} and {other_h}x{other_w}); set "
                "data.crop or "
                "end data.preprocess with a resize"
            )
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}


def _to_float32(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pictures as float32; word numbers stay whole."""
    return {
        name: values if values.dtype == np.int32 else values.astype(np.float32)
        for name, values in batch.items()
    }


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


def _check_sizes(source: Source, steps: Sequence[preprocessing.Step]) -> None:
    """Where a source knows the sizes of its pictures, finds those that do not fit before anything
    runs.
    """
    sizes = source.sizes()
    if sizes is None:
        return
    wrong, after, known = [], set(), {}
    for index, size in enumerate(sizes):
        if size not in known:
            try:
                known[size] = preprocessing.size_after(size, steps)
            except InputError as error:
                known[size] = error
        if isinstance(known[size], InputError):
            wrong.append(f"{source.names[index]} {known[size]}")
        else:
            after.add(known[size])
    if wrong:
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


def _positive(name: str, value: int) -> int:
    if int(value) < 1:
        raise InputError(f"data.{name} must be at least 1, got {value}")
    return int(value)
