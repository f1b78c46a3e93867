"""Random round trips through `stegojax.hiders`: how many messages are lost, and how long hiding and
revealing take.

    python benchmarks/roundtrips.py [--trips 2000] [--seed 0] [--longest 96] [--group 25]
    python benchmarks/roundtrips.py --run WORKDIR --trips 300 --longest 192 [--photographs DIR]
    python benchmarks/roundtrips.py --run WORKDIR --trips 200 --payload 0.5 --photographs DIR

Trips go in groups, since every size and scheme is compiled anew: a group draws a size, a scheme and
a code. Each trip of it draws a cover (noise, a crop of an embedded photograph, a smooth or a partly
saturated picture; grey or colour, 28 to `longest` pixels a side), a message (empty, one byte, or up
to the capacity) and a secret, hides, reveals, and reveals with another key. Lost are messages that
do not come back exactly, and every wrong key that gives bytes. Covers that carry nothing are drawn
anew. The exit code is 1 where something was lost.

With --run the messages go through the networks of a trained run that hides bits
(`stegojax.hiders.bits`), in crops of held-out photographs of the run's data or in those of a
folder, and are up to a tenth longer than the capacity. With --payload every photograph carries one
random file of so many bits per pixel, in the whole of it.
"""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import sys
import tempfile
import time

import jax
import numpy as np
import tqdm

from stegojax import domains, envelope, hiders, images, run, secret
from stegojax.costs import COSTS
from stegojax.data import embedded, preprocess
from stegojax.data.sources import open_source
from stegojax.errors import InputError
from stegojax.hiders import bit_channel, bits
from stegojax.types import Cover

SIDES = 3
"""How many different lengths sides have: every size of a cover is compiled anew."""
PHOTOGRAPHS = 100
"""Of a run's held-out photographs, at most so many are used."""


def draw_shape(generator: np.random.Generator, longest: int) -> tuple[int, int, int]:
    """A random height, width and number of channels."""
    height, width = generator.choice(np.linspace(28, longest, SIDES).astype(int), 2)
    return int(height), int(width), int(generator.choice([1, 3]))


def draw_cover(
    generator: np.random.Generator, photographs: list[np.ndarray], shape: tuple[int, int, int]
) -> tuple[str, np.ndarray]:
    """A random cover and the name of its kind."""
    height, width, channels = shape
    kind = str(generator.choice(["noise", "photograph", "smooth", "saturated"]))
    if kind == "noise":
        return kind, generator.integers(0, 256, shape).astype(np.uint8)
    if kind == "photograph":
        photograph = photographs[generator.integers(len(photographs))]
        return kind, crop(generator, photograph, (height, width))[..., :channels]
    i, j = np.indices((height, width))
    waves = (
        128 + 60 * np.sin(i / generator.uniform(3, 30)) + 60 * np.cos(j / generator.uniform(3, 30))
    )
    pixels = waves[..., None] * (1.3 if kind == "saturated" else 0.9)
    pixels = pixels + generator.normal(0, 2, shape)
    return kind, np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def crop(
    generator: np.random.Generator, photograph: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """A part of a photograph, from a random place."""
    top, left = (
        int(generator.integers(0, whole - side + 1)) for whole, side in zip(photograph.shape, size)
    )
    return photograph[top : top + size[0], left : left + size[1]]


def draw_hider(generator: np.random.Generator) -> hiders.Hider:
    """A random scheme and code."""
    scheme = f"{generator.choice(list(COSTS))}-{generator.choice(envelope.RECIPES)}"
    code = str(generator.choice(["stc", "polar"], p=[0.7, 0.3]))
    height = int(generator.choice([7, 10])) if code == "stc" else None
    return hiders.load(None, hiders.Options(scheme, code, height))


class Tally:
    """What became of the trips.

    counts:  of the trips, by what became of them, and of the covers, by their kind.
    seconds: spent on hiding and on revealing.
    carried: bits per pixel of messages as long as the capacity or longer.
    """

    def __init__(self):
        self.counts = collections.Counter()
        self.seconds = collections.Counter()
        self.carried = []

    def trip(
        self, generator: np.random.Generator, hider: hiders.Hider, cover: Cover, longest: float
    ) -> bool:
        """One trip with a message of up to `longest` times the capacity; False where the cover
        carries nothing.
        """
        most = hider.capacity(cover).most
        if most is None:
            self.counts["carries nothing"] += 1
            return False
        random = generator.integers(0, int(longest * most) + 1)
        length = int(generator.choice([0, 1, most, random], p=[0.1, 0.1, 0.2, 0.6]))
        message = generator.bytes(min(length, int(longest * most)))
        shared, other = (secret.key_file(generator.bytes(32)) for _ in range(2))
        start = time.perf_counter()
        try:
            stego = hider.hide(shared, cover, message).elements
        except InputError:
            within = "within" if len(message) <= most else "beyond"
            self.counts[f"refused {within} the capacity"] += 1
            return True
        middle = time.perf_counter()
        came_back = message_in(hider, shared, stego) == message
        self.seconds["hide"] += middle - start
        self.seconds["reveal"] += time.perf_counter() - middle
        self.counts["came back" if came_back else "lost"] += 1
        if message_in(hider, other, stego) is None:
            self.counts["wrong key refused"] += 1
        else:
            self.counts["lost"] += 1
        if len(message) >= most:
            self.carried.append(8 * len(message) / cover.planes[0].size)
        return True

    def show(self, trips: int) -> int:
        """Prints the figures and gives the exit code."""
        lost, hidden = self.counts.pop("lost", 0), max(self.counts["came back"], 1)
        others = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        print(f"{trips} trips: {lost} lost; {others}")
        print(
            f"{len(self.carried)} messages as long as the capacity or longer: "
            f"{np.mean(self.carried or [0]):.4f} bits per pixel on average"
        )
        print(
            f"hide {self.seconds['hide'] / hidden:.3f} s, "
            f"reveal {self.seconds['reveal'] / hidden:.4f} s on average"
        )
        return 1 if lost else 0


def message_in(hider: hiders.Hider, shared: secret.Secret, stego: Cover) -> bytes | None:
    """What a stego gives under a key; None where nothing."""
    try:
        return hider.reveal(shared, stego)
    except InputError:
        return None


def cover_of(pixels: np.ndarray) -> Cover:
    """Pixels as a cover."""
    return domains.pixels.cover_of(images.Picture(np.ascontiguousarray(pixels)))


def progress(total: int) -> tqdm.tqdm:
    """A bar, or a line a minute where nobody looks."""
    interval = 1.0 if sys.stderr.isatty() else 60.0
    return tqdm.tqdm(total=total, unit="trip", file=sys.stderr, mininterval=interval)


def photographs_of(loaded: run.Loaded, options: argparse.Namespace, most: int) -> list[np.ndarray]:
    """Photographs of a folder, or held out by the run; grey where the run is for grey ones."""
    section = loaded.config.data
    source = f"folder:{options.photographs}" if options.photographs else section.source
    splits = ("held_out", "train") if options.photographs else ("held_out",)
    opened = [open_source(source, split, data_dir=section.data_dir) for split in splits]
    photographs = [pictures[index] for pictures in opened for index in range(len(pictures))][:most]
    if bit_channel.message_shape(loaded).channels == 3:
        return photographs
    return [preprocess.to_grey(photograph) for photograph in photographs]


def one_payload(options: argparse.Namespace) -> int:
    """A file of one number of bits per pixel in every photograph."""
    loaded, generator = run.load(pathlib.Path(options.run)), np.random.default_rng(options.seed)
    photographs = photographs_of(loaded, options, options.trips)
    counts, psnr = collections.Counter(), []
    with progress(len(photographs)) as bar:
        for photograph in photographs:
            bar.update()
            size = photograph.shape[0] * photograph.shape[1]
            message = generator.bytes(int(options.payload * size / 8))
            shared = secret.key_file(generator.bytes(32))
            try:
                stego = bits.hide(loaded, shared, photograph, message)
            except InputError:
                counts["refused"] += 1
                continue
            try:
                came_back = bits.reveal(loaded, shared, stego) == message
            except InputError:
                came_back = False
            counts["came back" if came_back else "lost"] += 1
            psnr.append(10 * np.log10(255**2 / np.mean((stego.astype(float) - photograph) ** 2)))
    print(
        f"{len(photographs)} photographs, {options.payload:g} bits per pixel: {counts['lost']} "
        f"lost, {counts['came back']} came back, {counts['refused']} refused; "
        f"{np.mean(psnr or [0]):.2f} dB on average, {np.min(psnr or [0]):.2f} dB at least"
    )
    return 1 if counts["lost"] else 0


def through_networks(options: argparse.Namespace) -> int:
    """Round trips through a run that hides bits."""
    loaded, generator = run.load(pathlib.Path(options.run)), np.random.default_rng(options.seed)
    photographs = photographs_of(loaded, options, PHOTOGRAPHS)
    hider, tally = bits.hider(loaded, hiders.Options()), Tally()
    lengths = np.linspace(options.longest // 2, options.longest, SIDES)
    with progress(options.trips) as bar:
        for _ in range(options.trips):
            bar.update()
            photograph = photographs[generator.integers(len(photographs))]
            longest = int(generator.choice(lengths))
            size = tuple(min(side, longest) for side in photograph.shape[:2])
            tally.trip(generator, hider, cover_of(crop(generator, photograph, size)), 1.1)
    return tally.show(options.trips)


def by_costs(options: argparse.Namespace) -> int:
    """Round trips by costs and codes."""
    generator, tally = np.random.default_rng(options.seed), Tally()
    names = ("chelsea", "coffee", "astronaut")
    photographs = [images.read(embedded.path_of(name)).pixels for name in names]
    done, drawn = 0, 0
    with progress(options.trips) as bar:
        while done < options.trips:
            if drawn % options.group == 0:
                shape, hider = draw_shape(generator, options.longest), draw_hider(generator)
            drawn += 1
            kind, pixels = draw_cover(generator, photographs, shape)
            if tally.trip(generator, hider, cover_of(pixels), 1.0):
                done += 1
                tally.counts[kind] += 1
                bar.update()
    return tally.show(options.trips)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=int, default=96)
    parser.add_argument("--group", type=int, default=25, help="trips with one size, scheme, code")
    parser.add_argument(
        "--photographs", metavar="DIR", help="with --run: photographs in place of those it held out"
    )
    parser.add_argument(
        "--payload", type=float, default=0.0, help="with --run: bits per pixel of every file"
    )
    parser.add_argument(
        "--run",
        metavar="WORKDIR",
        help="a trained run that hides bits, in place of costs and codes",
    )
    options = parser.parse_args()
    jax.config.update(
        "jax_compilation_cache_dir",
        os.path.join(tempfile.gettempdir(), "stegojax-benchmark-xla-cache"),
    )
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if not options.run:
        return by_costs(options)
    return one_payload(options) if options.payload else through_networks(options)


if __name__ == "__main__":
    sys.exit(main())
