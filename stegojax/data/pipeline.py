"""From a config section to an iterator of batches: order, crops, hosts, workers and prefetch, on
Grain.

What an example is, and what it follows from, `kinds` says. Batch k holds the examples k B .. k B +
B - 1, so the position in the data is one whole number, the batches consumed: starting there gives
the very same numbers, whatever the number of worker processes, threads or hosts. Batches are
float32 in 0..255, `{"cover": [B, H, W, C]}` and, for pairs, `"secret": [B, H, W, C']`; sentences
are rows of word numbers, int32.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import grain
import numpy as np
from absl import flags

from stegojax.data.kinds import Examples, kind_of
from stegojax.errors import InputError


def example(section: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A batch of one black example, or empty sentence, with the shapes that the data have.

    Args:
      section: as for `make`; no data is read.

    Returns:
      `{name: [1, ...]}`.

    Raises:
      InputError: there is no such kind of data.
    """
    kind, fields = kind_of(section)
    return kind.example(**fields)


def files(section: Mapping[str, Any]) -> dict[str, bytes]:
    """What a run must keep of its data so that it can be used without them, by file name.

    Args:
      section: as for `make`.

    Returns:
      For sentences the vocabulary; for pictures nothing.

    Raises:
      InputError: the data cannot be used.
    """
    kind, fields = kind_of(section)
    return kind.files(**fields)


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
        except InputError as error:
            self.close()
            raise InputError(str(error).splitlines()[0]) from error  # Grain adds lines of its own
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
      section: `kind` (a name in `kinds.KINDS`) and the fields of that kind; and for the loader
        itself `workers` (processes that make batches; 0 for threads of this process), `threads`
        (per process), `prefetch` (finished batches kept ready) and `held_out_examples` (how many,
        over all hosts; 0 for an epoch).
      split: "train", "held_out" or, of pictures, "test".
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
      split: "train", "held_out" or, of pictures, "test".

    Returns:
      The number of pairs or pictures.

    Raises:
      InputError: as `make`.
    """
    options = {name: value for name, value in dict(section).items() if name not in _LOADER_FIELDS}
    return _examples(options, split=split, seed=0).per_epoch


_LOADER_FIELDS = ("workers", "threads", "prefetch", "held_out_examples")


def _examples(section: Mapping[str, Any], *, split: str, seed: int) -> Examples:
    kind, fields = kind_of(section)
    return kind.examples(split=split, seed=seed, **fields)


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
