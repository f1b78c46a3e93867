"""Steganalyzers that are a network: trained on the pairs of one split, and tested on others. Of
coefficients of JPEG files they see the decompressed pictures, unrounded.
"""

from __future__ import annotations

import json
import pathlib
from typing import NamedTuple

import jax
import ml_collections
import numpy as np

from stegojax import batches, files, parallel, run, train
from stegojax.costs import dct
from stegojax.domains import JPEG
from stegojax.security import parts
from stegojax.types import State

Pairs = dict[str, tuple[list[int], list[int]]]
"""Part of a split -> numbers of covers, and of what stands for their stegos."""


_ANY_QUALITY = 75


class Pictures(NamedTuple):
    """Two arrays of planes `[N, H, W]`, uint8 or unrounded pixels, float32; their files with the
    list of the split.

    covers, stegos: the planes.
    files:          those of the covers, the stegos and the list.
    """

    covers: np.ndarray
    stegos: np.ndarray
    files: tuple[pathlib.Path, pathlib.Path, pathlib.Path]


def decompressed(path: pathlib.Path, planes: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """What coefficients decompress to, unrounded, made once and kept in a file.

    Args:
      path: the file.
      planes: coefficients `[N, H, W]`.
      tables: their quantisation, `[N, 8, 8]`.

    Returns:
      float32 `[N, H, W]`, mapped.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        one = jax.jit(dct.unrounded_pixels)
        pictures = [np.asarray(one(*given), np.float32) for given in zip(planes, tables)]
        parts.save(path, np.stack(pictures))
    return np.load(path, mmap_mode="r")


def halves(folder: pathlib.Path, covers: np.ndarray, pairs: Pairs) -> Pictures:
    """Covers against other covers, as if these were stegos: nothing to detect.

    Args:
      folder: where their files are written.
      covers: all planes.
      pairs: numbers on either side.

    Returns:
      The two sides as pictures of their own, part after part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "half.npy", folder / "other_half.npy", folder / "parts.json"
    for path, side in zip(paths, (0, 1)):
        places = [place for part in pairs.values() for place in part[side]]
        parts.save(path, np.asarray(covers[places]))
    ends = np.cumsum([0, *(len(part[0]) for part in pairs.values())]).tolist()
    listed = {part: list(range(*ends[i : i + 2])) for i, part in enumerate(pairs)}
    files.write_bytes(paths[2], json.dumps(listed).encode())
    return Pictures(covers, covers, paths)


def fit(
    section: ml_collections.ConfigDict,
    folder: pathlib.Path,
    pictures: Pictures,
    *,
    validated: int,
    start: State | None = None,
) -> run.Loaded:
    """Trains a network, or finds it trained.

    Args:
      section: the config of its run, but for data and evaluation.
      folder: the work directory.
      pictures: what it learns from.
      validated: number of validation pairs: all of them decide which state is the best.
      start: the state whose networks it begins from; None for fresh ones.

    Returns:
      The run, in its best state.

    Raises:
      InputError: it was interrupted, or the config cannot be used.
    """
    covers, stegos, listed = map(str, pictures.files)
    config = run.changed(
        section,
        {
            "data": ml_collections.ConfigDict(
                dict(
                    kind="cover_stego",
                    covers=covers,
                    stegos=stegos,
                    parts=listed,
                    crop=pictures.covers.shape[1],
                    augment=("random_rot90", "random_flip"),
                )
            ),
            # All validation pictures decide which state is the best.
            "evaluation.batches": -(-validated // section.batch_size),
        },
    )
    if pictures.covers.dtype == np.float32:
        # With ready-made stegos these say no more than that networks see JPEG files.
        fields = {"method.jpeg_quality": _ANY_QUALITY, "method.scheme": JPEG.scheme}
        config = run.changed(config, fields)
    made = run.method(config, run.lengths(config))
    if start is not None:
        fresh = made.init
        made = made._replace(
            init=lambda key, batch: fresh(key, batch)._replace(
                params=start.params, batch_stats=start.batch_stats
            )
        )
    return train.to_the_end(config, folder, made=made)


def scores(
    loaded: run.Loaded, pictures: Pictures, places: tuple[list[int], list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of being a stego that a network gives pairs of pictures.

    Args:
      loaded: its run.
      pictures: all of them.
      places: numbers of covers, and of stegos.

    Returns:
      Those of the covers and of the stegos, `[n]` each.
    """
    predict, state = parallel.over_devices(loaded.method.predict), parallel.replicate(loaded.state)

    def of(numbers):
        batch = {
            "cover": np.asarray(pictures.covers[numbers[0]], np.float32)[..., None],
            "stego": np.asarray(pictures.stegos[numbers[1]], np.float32)[..., None],
        }
        outputs = predict(state, parallel.shard(batch), jax.random.key(0))
        outputs = parallel.gather(outputs)
        return outputs["cover_score"], outputs["stego_score"]

    numbers = tuple(map(np.asarray, places))
    return batches.apply(of, numbers, size=loaded.config.batch_size)
