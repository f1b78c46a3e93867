"""The covers of the security protocol: tiles of photographs, and splits that no photograph
straddles.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import ml_collections
import numpy as np
import tqdm
from absl import logging

from stegojax import files, images
from stegojax.data import preprocess
from stegojax.data.sources import Source, open_source
from stegojax.domains import DOMAINS, JPEG, PIXELS, Domain, jpeg
from stegojax.errors import InputError
from stegojax.security import parts
from stegojax.types import Cover

PARTS = ("train", "validation", "test")

PHOTOGRAPHS = {"all": ("train", "held_out"), "held_out": ("held_out",)}
"""What `photographs` of a config's `covers` may be: all of the source, or those that a run of the
same source and `train_share` was not trained on; the splits of each.
"""


class Covers(NamedTuple):
    """All covers.

    planes:      `[N, H, W]`, mapped from a file: pixels, uint8, or luminance coefficients, int16.
    names:       of each: its photograph's, and its place there.
    photographs: the number of the photograph that each was cut from.
    tables:      of coefficients, their quantisation, int32 `[N, 8, 8]`; of pixels None.
    """

    planes: np.ndarray
    names: list[str]
    photographs: list[int]
    tables: np.ndarray | None = None

    def floats(self, numbers: np.ndarray) -> np.ndarray:
        """Some covers as float32 `[n, H, W]`."""
        return np.asarray(self.planes[numbers], np.float32)

    @property
    def domain(self) -> Domain:
        """What they are made of."""
        return PIXELS if self.tables is None else JPEG

    def one(self, number: int) -> Cover:
        """A cover for embedding."""
        side = () if self.tables is None else ((self.tables[number],),)
        return Cover((np.asarray(self.planes[number]),), side=side)


def domain_of(section: ml_collections.ConfigDict) -> Domain:
    """What the covers of a config are made of.

    Args:
      section: `covers` of the protocol's config.

    Returns:
      The domain.

    Raises:
      InputError: there is no such domain.
    """
    name = section.get("domain", "pixels")
    if name not in DOMAINS:
        raise InputError(f"covers.domain is one of {', '.join(DOMAINS)}; got {name!r}")
    return DOMAINS[name]


def prepare(workdir: pathlib.Path, section: ml_collections.ConfigDict) -> Covers:
    """Cuts the covers and keeps them in WORKDIR/covers.npy and covers.json, or finds them there.

    Args:
      workdir: of the protocol.
      section: `covers` of its config.

    Returns:
      The covers.

    Raises:
      InputError: the source cannot be used, or has fewer than four photographs.
    """
    path, notes = workdir / "covers.npy", workdir / "covers.json"
    tables = workdir / "tables.npy"
    if not notes.exists():
        pictures, names, groups, left_out, quantisation = [], [], [], [], []
        cut = {PIXELS: _photographs_cut, JPEG: _coefficients_cut}[domain_of(section)]
        everything = tqdm.tqdm(cut(section), "covers", file=sys.stderr, leave=False)
        for number, (name, cutting) in enumerate(everything):
            try:
                own = list(cutting)
            except InputError as error:
                left_out.append(str(error))
                continue
            for place, tile, table in own:
                pictures.append(tile)
                names.append(f"{name}{place}")
                groups.append(number)
                quantisation.append(table)
        if left_out and not groups:
            raise InputError(left_out[0])
        if left_out:
            count = len(left_out) + len(set(groups))
            logging.warning("%d of %d photographs left out: %s", len(left_out), count, left_out[0])
        if len(set(groups)) < 4:
            raise InputError(
                f"covers.source {section.source!r} has {len(set(groups))} photographs; at least 4 "
                "are needed to train and test on different ones"
            )
        if quantisation[0] is not None:
            parts.save(tables, np.stack(quantisation))
        parts.save(path, np.stack(pictures))
        files.write_bytes(notes, json.dumps({"names": names, "photographs": groups}).encode())
    known = json.loads(notes.read_text())
    return Covers(
        np.load(path, mmap_mode="r"),
        known["names"],
        known["photographs"],
        None if domain_of(section) is PIXELS else np.load(tables),
    )


def _photographs_cut(section) -> Iterator[tuple[str, Iterable]]:
    """Of every photograph its name, and its tiles: a place, pixels, and no table."""
    size = (int(section.crop),) * 2
    for name, picture in photographs(section):
        yield (
            name,
            ((place, tile, None) for place, tile in tiles(picture, size, section.tiles, name)),
        )


def _coefficients_cut(section) -> Iterator[tuple[str, Iterable]]:
    """Of every photograph its name, and its tiles: a place, luminance coefficients, and their
    quantisation. The photographs are compressed to a quality, or are JPEG files as they are.
    """
    quality = int(section.get("quality", 0))
    if not 0 <= quality <= 100 or section.crop % 8:
        raise InputError(
            "covers.quality is 1 to 100, or 0 for the JPEG files' own, and covers.crop a multiple "
            f"of 8; got {quality} and {section.crop}"
        )
    if quality:
        for name, cutting in _photographs_cut(section):
            yield name, (_compressed(place, tile, quality) for place, tile, _ in cutting)
        return
    kind, _, folder = section.source.partition(":")
    if kind != "folder" or list(section.preprocess):
        raise InputError(
            "JPEG files as they are come from a folder and are not preprocessed: set "
            "covers.source=folder:PATH and covers.preprocess=(), or a covers.quality"
        )
    paths = sorted(
        path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in JPEG.endings
    )
    for path in paths[: section.limit or None]:
        yield path.relative_to(folder).as_posix(), _tiles_of_file(path, section)


def _compressed(place, tile, quality):
    cover, _ = jpeg.decode(images.jpeg_file(tile[..., None], quality))
    return place, cover.planes[0], cover.side[0][0]


def _tiles_of_file(path, section):
    cover, _ = JPEG.read(path)
    rows, columns = (side // 8 for side in cover.shapes[0])
    blocks = cover.planes[0].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    numbers = np.arange(rows * columns).reshape(rows, columns, 1)
    size = (int(section.crop) // 8,) * 2
    for place, chosen in tiles(numbers, size, section.tiles, f"{path}, in blocks,"):
        tile = blocks[chosen].transpose(0, 2, 1, 3).reshape(*(8 * side for side in chosen.shape))
        yield place, tile, cover.side[0][0]


def photographs(section: ml_collections.ConfigDict) -> list[tuple[str, np.ndarray]]:
    """The photographs of a source, those of `PHOTOGRAPHS` that the section names, after the
    preprocessing; where `limit` is less than there are, as many drawn at random, always the same.

    Args:
      section: `covers` of the config.

    Returns:
      Name and grey pixels `[H, W, 1]` of each.

    Raises:
      InputError: the source cannot be opened, or the preprocessing is random, or there is no such
        choice of photographs.
    """
    steps = preprocess.parse(section.preprocess)
    if any("random" in text for text in section.preprocess):
        raise InputError(
            "covers.preprocess must not be random: a cover is one picture in all splits"
        )
    chosen = section.get("photographs", "all")
    if chosen not in PHOTOGRAPHS:
        raise InputError(f"covers.photographs is one of {', '.join(PHOTOGRAPHS)}; got {chosen!r}")
    options = {name: section[name] for name in ("train_share",) if name in section}
    places: dict[str, tuple[Source, int]] = {}
    for split in PHOTOGRAPHS[chosen]:
        source = open_source(section.source, split, data_dir=section.data_dir, **options)
        for index, name in enumerate(source.names):
            places.setdefault(name, (source, index))
    names = list(places)
    if section.limit and section.limit < len(names):
        drawn = np.random.default_rng(0).choice(len(names), section.limit, replace=False)
        names = [names[number] for number in np.sort(drawn)]
    pictures = []
    for name in names:
        source, index = places[name]
        grey = preprocess.to_grey(source[index])
        pictures.append((name, preprocess.apply(np.random.default_rng(0), grey, steps)))
    return pictures


def tiles(
    picture: np.ndarray, size: tuple[int, int], most: int, name: str
) -> Iterable[tuple[str, np.ndarray]]:
    """Windows that do not overlap, from the middle of a picture outwards.

    Args:
      picture: `[H, W, 1]`.
      size: height and width of a window; 0 for the whole picture.
      most: how many at the most; 0 for all.
      name: of the picture, for the message.

    Yields:
      A name for the window's place, and its plane.

    Raises:
      InputError: the picture is smaller than a window.
    """
    size = size if min(size) else picture.shape[:2]
    if picture.shape[0] < size[0] or picture.shape[1] < size[1]:
        raise InputError(
            f"{name} is {picture.shape[0]}x{picture.shape[1]}, smaller than "
            f"covers.crop={size[0]}; lower it, begin covers.preprocess with a resize, or leave the "
            "picture out"
        )
    if most == 1:
        top, left = ((whole - side) // 2 for whole, side in zip(picture.shape, size))
        yield "", picture[top : top + size[0], left : left + size[1], 0]
        return
    down, across = (whole // side for whole, side in zip(picture.shape, size))
    top, left = (
        (whole - count * side) // 2
        for whole, count, side in zip(picture.shape, (down, across), size)
    )
    places = sorted(
        ((i, j) for i in range(down) for j in range(across)),
        key=lambda place: (place[0] - (down - 1) / 2) ** 2 + (place[1] - (across - 1) / 2) ** 2,
    )
    for i, j in places[: most or None]:
        y, x = top + i * size[0], left + j * size[1]
        yield f"[{i},{j}]", picture[y : y + size[0], x : x + size[1], 0]


def split(
    workdir: pathlib.Path, number: int, covers: Covers, config: ml_collections.ConfigDict
) -> dict[str, list[int]]:
    """One split of the covers, made once and kept in WORKDIR/splits.

    Args:
      workdir: of the protocol.
      number: of the split.
      covers: all of them.
      config: of the protocol; `splits` holds the shares of the parts.

    Returns:
      Numbers of covers by part, photographs kept together.

    Raises:
      InputError: a part with a share gets no photograph.
    """
    path = workdir / "splits" / f"{number}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        shares = [config.splits[part] for part in PARTS]
        seed = [config.seed, number]
        chosen = split_photographs(covers.photographs, shares, seed=seed)
        files.write_bytes(path, json.dumps(dict(zip(PARTS, chosen, strict=True))).encode())
    return json.loads(path.read_text())


def split_photographs(
    groups: Sequence[int], shares: Sequence[float], *, seed: Sequence[int]
) -> list[list[int]]:
    """Splits pictures by chance so that those of one photograph stay together.

    Args:
      groups: of every picture, the number of its photograph.
      shares: of the photographs for each part, adding up to at most 1.
      seed: whole numbers.

    Returns:
      The pictures' numbers for each part.

    Raises:
      InputError: a part with a share gets no photograph.
    """
    order = np.random.default_rng(list(seed)).permutation(np.unique(groups))
    ends = np.round(np.cumsum([0, *shares]) * len(order)).astype(int)
    places = []
    for share, begin, end in zip(shares, ends, ends[1:]):
        if share and begin == end:
            raise InputError(
                f"{len(order)} photographs are too few for shares of {list(shares)}; add "
                "photographs"
            )
        places.append(np.flatnonzero(np.isin(groups, order[begin:end])).tolist())
    return places
