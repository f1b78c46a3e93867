"""Random round trips through `stegojax.hiding`: how many messages are lost, and how long hiding and
revealing take.

    python benchmarks/roundtrips.py [--trips 2000] [--seed 0] [--longest 96] [--group 25]
    python benchmarks/roundtrips.py --run WORKDIR --trips 300 --longest 192 [--photographs DIR]
    python benchmarks/roundtrips.py --run WORKDIR --trips 200 --payload 0.5 --photographs DIR

Trips go in groups, since every size, cost and scheme is compiled anew: a group draws a size, a
  cost, a scheme and a code. Each
trip of it draws a cover (noise, a crop of an embedded photograph, a smooth or a partly saturated
picture; grey or colour, 28 to `longest` pixels a side), a message (empty, one byte, or up to the
capacity) and a secret, hides, reveals, and reveals with another key. Lost are messages that do not
come back exactly, and every wrong key that gives bytes. Covers that carry nothing are drawn anew; a
message within the capacity that is refused counts as refused. The exit code is 1 where something
was lost.

With --run the messages go through the networks of a trained run that hides bits
(`stegojax.learned.bits`), in crops of held-out photographs of the run's data or in those of a
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

from stegojax import hiding, images, run, secret
from stegojax.costs import COSTS
from stegojax.data import embedded, preprocess
from stegojax.data.sources import open_source
from stegojax.errors import InputError
from stegojax.learned import bits

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
) -> tuple[str, images.Picture]:
    """A random cover and the name of its kind."""
    height, width, channels = shape
    kind = str(generator.choice(["noise", "photograph", "smooth", "saturated"]))
    if kind == "noise":
        pixels = generator.integers(0, 256, shape)
    elif kind == "photograph":
        photograph = photographs[generator.integers(len(photographs))]
        top, left = (
            generator.integers(0, size - side + 1)
            for size, side in zip(photograph.shape, (height, width))
        )
        pixels = photograph[top : top + height, left : left + width, :channels]
    else:
        i, j = np.indices((height, width))
        waves = (
            128
            + 60 * np.sin(i / generator.uniform(3, 30))
            + 60 * np.cos(j / generator.uniform(3, 30))
        )
        pixels = waves[..., None] * (1.3 if kind == "saturated" else 0.9) + generator.normal(
            0, 2, shape
        )
    return kind, images.Picture(
        np.ascontiguousarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))
    )


def photographs_of(loaded: run.Loaded, options: argparse.Namespace, most: int) -> list[np.ndarray]:
    """Photographs of a folder, or held out by the run; grey where the run is for grey ones."""
    section = loaded.config.data
    source = f"folder:{options.photographs}" if options.photographs else section.source
    splits = ("held_out", "train") if options.photographs else ("held_out",)
    opened = [open_source(source, split, data_dir=section.data_dir) for split in splits]
    found = [pictures[index] for pictures in opened for index in range(len(pictures))][:most]
    return (
        found
        if bits.message_shape(loaded).channels == 3
        else [preprocess.to_grey(picture) for picture in found]
    )


def one_payload(options: argparse.Namespace) -> int:
    """A file of one number of bits per pixel in every photograph."""
    loaded, generator = run.load(pathlib.Path(options.run)), np.random.default_rng(options.seed)
    photographs = photographs_of(loaded, options, options.trips)
    counts, psnr = collections.Counter(), []
    for photograph in tqdm.tqdm(
        photographs, file=sys.stderr, mininterval=1.0 if sys.stderr.isatty() else 60.0
    ):
        message = generator.bytes(
            int(options.payload * photograph.shape[0] * photograph.shape[1] / 8)
        )
        shared = secret.key_file(generator.bytes(32))
        try:
            stego = bits.hide(loaded, shared, photograph, message)
        except InputError:
            counts["refused"] += 1
            continue
        try:
            counts["came back" if bits.reveal(loaded, shared, stego) == message else "lost"] += 1
        except InputError:
            counts["lost"] += 1
        psnr.append(10 * np.log10(255**2 / np.mean((stego.astype(float) - photograph) ** 2)))
    print(
        f"{len(photographs)} photographs, {options.payload:g} bits per pixel: {counts['lost']} "
        f"lost, {counts['came back']} came "
        f"back, {counts['refused']} refused; {np.mean(psnr or [0]):.2f} dB on average, "
        f"{np.min(psnr or [0]):.2f} dB at least"
    )
    return 1 if counts["lost"] else 0


def through_networks(options: argparse.Namespace) -> int:
    """Round trips through a run that hides bits."""
    loaded, generator = run.load(pathlib.Path(options.run)), np.random.default_rng(options.seed)
    photographs = photographs_of(loaded, options, PHOTOGRAPHS)
    counts, seconds, carried = collections.Counter(), collections.Counter(), []
    for _ in tqdm.trange(
        options.trips,
        unit="trip",
        file=sys.stderr,
        mininterval=1.0 if sys.stderr.isatty() else 60.0,
    ):
        photograph = photographs[generator.integers(len(photographs))]
        longest = int(generator.choice(np.linspace(options.longest // 2, options.longest, SIDES)))
        sides = [min(side, longest) for side in photograph.shape[:2]]
        top, left = (
            int(generator.integers(0, size - side + 1))
            for size, side in zip(photograph.shape, sides)
        )
        cover = np.ascontiguousarray(photograph[top : top + sides[0], left : left + sides[1]])
        most = bits.capacity(loaded, cover).most
        if most is None:
            counts["carries nothing"] += 1
            continue
        length = int(
            generator.choice(
                [0, 1, most, generator.integers(0, int(1.1 * most) + 1)], p=[0.1, 0.1, 0.2, 0.6]
            )
        )
        message, shared = generator.bytes(length), secret.key_file(generator.bytes(32))
        start = time.perf_counter()
        try:
            stego = bits.hide(loaded, shared, cover, message)
        except InputError:
            counts[
                "refused within the capacity" if length <= most else "refused beyond the capacity"
            ] += 1
            continue
        middle = time.perf_counter()
        try:
            found = bits.reveal(loaded, shared, stego)
        except InputError:
            found = None
        seconds["hide"] += middle - start
        seconds["reveal"] += time.perf_counter() - middle
        counts["came back" if found == message else "lost"] += 1
        counts["beyond the capacity and came back"] += length > most and found == message
        if length >= most:
            carried.append(8 * length / (cover.shape[0] * cover.shape[1]))
        try:
            bits.reveal(loaded, secret.key_file(generator.bytes(32)), stego)
            counts["lost"] += 1
        except InputError:
            counts["wrong key refused"] += 1
    lost, hidden = counts.pop("lost", 0), max(counts["came back"] + counts["lost"], 1)
    print(
        f"{options.trips} trips: {lost} lost; "
        + ", ".join(f"{name} {count}" for name, count in counts.items())
    )
    print(
        f"{len(carried)} messages as long as the capacity or longer: "
        f"{np.mean(carried or [0]):.4f} bits per pixel on average"
    )
    print(
        f"hide {seconds['hide'] / hidden:.3f} s, reveal {seconds['reveal'] / hidden:.3f} s on "
        "average"
    )
    return 1 if lost else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=int, default=96)
    parser.add_argument(
        "--group", type=int, default=25, help="trips with one size, cost, scheme and code"
    )
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
    if options.run and options.payload:
        return one_payload(options)
    if options.run:
        return through_networks(options)
    generator = np.random.default_rng(options.seed)
    photographs = [
        images.read(embedded.path_of(name)).pixels for name in ("chelsea", "coffee", "astronaut")
    ]
    counts, seconds = collections.Counter(), collections.Counter()
    done = 0
    progress = tqdm.tqdm(
        total=options.trips,
        unit="trip",
        file=sys.stderr,
        mininterval=1.0 if sys.stderr.isatty() else 60.0,
    )
    drawn = 0
    while done < options.trips:
        if drawn % options.group == 0:
            shape = draw_shape(generator, options.longest)
            choices = hiding.Choices(
                cost=str(generator.choice(list(COSTS))),
                scheme=str(generator.choice(hiding.SCHEMES)),
                code=str(generator.choice(["stc", "polar"], p=[0.7, 0.3])),
                constraint_height=int(generator.choice([7, 10])),
            )
        drawn += 1
        kind, cover = draw_cover(generator, photographs, shape)
        most = hiding.capacity(cover, choices=choices).most
        if most is None:
            counts["carries nothing"] += 1
            continue
        length = int(generator.choice([0, 1, generator.integers(0, most + 1)], p=[0.1, 0.1, 0.8]))
        message = generator.bytes(min(length, most))
        shared = secret.key_file(generator.bytes(32))
        done += 1
        progress.update()
        counts[kind] += 1
        start = time.perf_counter()
        try:
            stego = hiding.hide(shared, cover, message, choices=choices)
        except InputError as error:
            counts["refused"] += 1
            print(
                f"refused: {kind} {cover.pixels.shape} {choices} {len(message)} of {most} bytes: "
                f"{error}",
                file=sys.stderr,
            )
            continue
        middle = time.perf_counter()
        try:
            found = hiding.reveal(shared, stego)
        except InputError:
            found = None
        seconds["hide"] += middle - start
        seconds["reveal"] += time.perf_counter() - middle
        if found != message or np.abs(stego.astype(int) - cover.pixels).max() > 1:
            counts["lost"] += 1
            print(
                f"LOST: {kind} {cover.pixels.shape} {choices} {len(message)} bytes", file=sys.stderr
            )
        try:
            hiding.reveal(secret.key_file(generator.bytes(32)), stego)
            counts["lost"] += 1
        except InputError:
            counts["wrong key refused"] += 1
    progress.close()
    hidden = done - counts["refused"]
    print(
        f"{done} trips: {counts['lost']} lost, {counts['refused']} refused within the capacity; "
        f"{counts['carries nothing']} covers carried nothing"
    )
    print(
        ", ".join(
            f"{kind} {counts[kind]}" for kind in ("noise", "photograph", "smooth", "saturated")
        )
    )
    print(
        f"hide {seconds['hide'] / max(hidden, 1):.3f} s, reveal "
        f"{seconds['reveal'] / max(hidden, 1):.4f} s on average"
    )
    return 1 if counts["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
