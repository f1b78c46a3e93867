"""What one stego of the asymmetric-cost GAN takes, from the cover's pixels to the coded file,
beside the paper's 0.04 s.

    python benchmarks/asymmetric.py                       256 x 256 grey, 0.4 bits per pixel, the
    paper's network, batch of 8 python benchmarks/asymmetric.py --run runs/asymmetric --size 512
    --batch 4 python benchmarks/asymmetric.py --shares 1 1 1 --constraint_height 7

Without --run the generators are as training begins: what they cost in time does not depend on what
  they have learned. The steps
are timed apart, the least of the repeats after one call that compiles: the initial costs, the
  generator's (which need the initial
ones at the payload first), both sub-images coded, and the PNG file. The last two rows are whole:
  `embed.embed_many` on pixels, and
`hiders.many.hide_many` on files, with keys, header, writing and reading back.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

PAPER = 0.04


def photographs(size: int, count: int) -> np.ndarray:
    """Crops of a bundled photograph, scaled to half so that they are as rough as pictures of this
    size are.
    """
    import skimage.data
    from PIL import Image

    picture = Image.fromarray(skimage.data.camera()).resize(
        (2 * size, 2 * size), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    return np.stack(
        [np.rot90(pixels, turn)[:, :: 1 - 2 * (turn // 4 % 2)] for turn in range(count)]
    )


def scheme(flags):
    """The trained run's costs and recipe, or those of the paper's network as training begins."""
    import jax

    from stegojax import run
    from stegojax.methods import asymmetric

    if flags.run:
        return run.load_scheme(flags.run)
    adam = dict(name="adam", learning_rate=1e-4)
    count = len(flags.shares) - 1
    section = dict(
        shares=tuple(flags.shares),
        payload=flags.payload,
        width=flags.width,
        depth=flags.depth,
        network="xunet",
        generator_optimizer=adam,
        d1_optimizer=adam,
        d2_optimizer=adam,
        stage_lengths=(1,) * count if count > 1 else (),
    )
    made = asymmetric.from_config(section, steps_per_epoch=1)

    @jax.jit
    def build(key):
        state = made.init(key, {"cover": jax.numpy.zeros((1, 32, 32, 1))})
        for stage in made.stages[1:]:
            state = stage.begin(state, key)
        return state

    return asymmetric.scheme(build(jax.random.key(0)), section, name="asymmetric")


def least(function, repeats: int) -> tuple[float, float]:
    """The least wall-clock and processor seconds of some calls, after one that compiles."""
    function()
    found = []
    for _ in range(repeats):
        wall, busy = time.perf_counter(), time.process_time()
        function()
        found.append((time.perf_counter() - wall, time.process_time() - busy))
    return min(wall for wall, _ in found), min(busy for _, busy in found)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--run",
        default="",
        metavar="WORKDIR",
        help="a trained run, in place of the paper's network",
    )
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--payload", type=float, default=0.4, help="bits per pixel")
    parser.add_argument("--shares", type=int, nargs="+", default=[1, 1])
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--constraint_height", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    flags = parser.parse_args()

    import jax

    from stegojax import embed, images, secret
    from stegojax.coding import ternary
    from stegojax.hiders import by_costs, many
    from stegojax.types import Costs, Cover

    used = scheme(flags)
    name, _, recipe = used
    pixels = photographs(flags.size, flags.batch)
    covers = [Cover((plane.astype(np.int16),)) for plane in pixels]
    rng = np.random.default_rng(0)
    parts = [
        embed.carriers(rng.permutation(cover.elements), cover.shapes, recipe=recipe)
        for cover in covers
    ]
    bits = int(flags.payload * covers[0].elements)
    messages = rng.integers(0, 2, (flags.batch, bits)).astype(np.uint8)
    code = ternary.stc_code(constraint_height=flags.constraint_height)
    rows = []

    def add(what: str, function) -> None:
        wall, busy = least(function, flags.repeats)
        rows.append((what, wall / flags.batch, busy / flags.batch))

    changes, _ = embed.embed_many(parts, covers, messages, scheme=used, code=code)
    add("initial costs", lambda: embed.first_costs(covers, scheme=used))
    for visit in recipe.visits[1:]:
        alone = used._replace(recipe=recipe._replace(visits=(visit,)))
        add(
            f"generator of sub-image {visit.lattice + 1}",
            lambda alone=alone: embed.costs_after(covers, changes, scheme=alone),
        )
    costs = embed.costs_after(covers, changes, scheme=used)
    values = np.stack([cover.flat() for cover in covers])

    def coded():
        begin = 0
        for lattice, length in enumerate(embed.shares(parts[0], bits)):
            at = np.arange(flags.batch)[:, None], np.stack([own[lattice] for own in parts])
            plus, minus = (rho[at] for rho in costs)
            message = messages[:, begin : begin + length]
            ternary.embed(values[at], Costs(plus, minus), message, code=code)
            begin += length

    add("both layers of all sub-images", coded)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        add(
            "PNG files",
            lambda: [
                images.write(folder / f"{i}.png", one[..., None], overwrite=True)
                for i, one in enumerate(pixels)
            ],
        )
        add(
            "whole: pixels to coded pixels",
            lambda: embed.embed_many(parts, covers, messages, scheme=used, code=code),
        )
        shared = secret.key_file(bytes(range(32)))
        content = rng.bytes(messages.shape[1] // 8 - secret.OVERHEAD_BYTES)
        choices = by_costs.Choices(used, constraint_height=flags.constraint_height)
        paths = [folder / f"{i}.png" for i in range(flags.batch)]

        def to_files():
            entries = list(
                many.hide_many(
                    shared,
                    paths,
                    [("message", content)],
                    folder / "out",
                    choices=choices,
                    overwrite=True,
                )
            )
            failed = [entry["error"] for entry in entries if "error" in entry]
            if failed:
                raise SystemExit(failed[0])

        add("whole: files to files, read back", to_files)
    shares = ":".join(map(str, recipe.shares or (1,)))
    print(
        f"{name}, sub-images {shares}, {flags.size} x {flags.size}, {flags.payload} bpp, STC h = "
        f"{flags.constraint_height}, batch of {flags.batch}, {jax.default_backend()}, load "
        f"{os.getloadavg()[0]:.1f}; seconds per "
        f"stego, least of {flags.repeats} (the paper: {PAPER})\n"
    )
    print("| what | wall clock | processor |\n|---|---|---|")
    for what, wall, busy in rows:
        print(f"| {what} | {wall:.4f} | {busy:.4f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
