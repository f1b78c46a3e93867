"""Costs, the search for lambda, and codes: time, distortion over the bound and memory, side by side
with the peers.

    python benchmarks/embedding.py                      a bundled photograph, 512 x 512, HILL,
                                                        0.4 bpp, two layers
    python benchmarks/embedding.py --pystc FILE         with the C++, its compiled extension (found
                                                        by itself where pystcstego is installed)
    python benchmarks/embedding.py --image picture.png --payload 0.1 --repeats 9
    python benchmarks/embedding.py --only costs         or codes, pipeline, hide, memory

costs:    every cost and the search for lambda, beside conseal (its HILL is its compiled backend)
          where it is installed.
codes:    every code, beside the C++ of syndrome-trellis codes. Costs and message at hand to stego
          at hand: the search for lambda, both layers, and the check that the message is carried.
          The batch is different permutations of the picture with different messages, time per
          picture; the C++ takes them one by one. "viterbi" is the search as one lax.scan, which
          `stc.embed` does without.
pipeline: a batch of grey pictures from pixels to pixels: HILL, lambda, STC h = 10.
hide:     the whole process `stegojax hide` of 10 kB in a 768 x 512 colour picture, compilation
          cached on disk.
memory:   peak memory of one 4096 x 4096 embedding, h = 10, in a process of its own.

All sides take turns, so that whatever else the machine does falls on all. A figure is the least
over the repeats, after one call that compiles. Tables go to standard output, in Markdown.
"""

import argparse
import ctypes
import functools
import importlib.util
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

SECTIONS = ("costs", "codes", "pipeline", "hide", "memory")


def photograph(path: str, size: int) -> np.ndarray:
    """A grey picture as uint8: the file as it is, or a bundled photograph at the given size."""
    from PIL import Image

    if path:
        return np.asarray(Image.open(path).convert("L"))
    import skimage.data

    return np.asarray(
        Image.fromarray(skimage.data.camera()).resize((size, size), Image.Resampling.BICUBIC)
    )


def in_turns(runs: dict, repeats: int) -> dict:
    """Name -> the first result, and the least wall-clock and processor seconds of `repeats` further
    calls, in turns.
    """
    results = {name: [run(), np.inf, np.inf] for name, run in runs.items()}
    for _ in range(repeats):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            results[name][1] = min(results[name][1], time.perf_counter() - wall)
            results[name][2] = min(results[name][2], time.process_time() - processor)
    return results


def our_costs(pixels: np.ndarray, payload: float) -> dict:
    """Name -> function that runs one cost or search here and waits for it."""
    import jax
    import jax.numpy as jnp

    from stegojax import probabilities
    from stegojax.costs import COSTS, mipod_probabilities

    plane = jnp.asarray(pixels, jnp.float32)
    runs = {name: jax.jit(COSTS[name]) for name in ("hill", "wow", "suniward", "hugo")}
    runs = {name: (lambda cost=cost: cost(plane)) for name, cost in runs.items()}
    probability = jax.jit(lambda plane: mipod_probabilities(plane, payload))
    runs["mipod"] = lambda: probability(plane)
    for name in ("hill", "suniward"):
        costs = COSTS[name](plane)
        runs[f"lambda for {name}"] = lambda costs=costs: probabilities.lambda_for_payload(
            costs, payload
        )
    return {name: (lambda run=run: jax.block_until_ready(run())) for name, run in runs.items()}


def conseal_costs(pixels: np.ndarray, rate: float) -> dict:
    """The same runs by conseal; none where it is not installed."""
    try:
        import conseal
        from conseal.mipod import _simulate as mipod
        from conseal.simulate import _ternary as ternary
    except ImportError:
        return {}

    def hill():
        before = conseal.tools.get_backend()
        conseal.tools.set_backend(conseal.tools.BACKEND_RUST)
        try:
            return conseal.hill.compute_cost_adjusted(pixels)
        finally:
            conseal.tools.set_backend(before)

    runs = {
        name: (lambda module=getattr(conseal, name): module.compute_cost_adjusted(pixels))
        for name in ("wow", "suniward", "hugo")
    }
    runs |= {"hill": hill, "mipod": lambda: mipod.probability(pixels, rate)}
    for name in ("hill", "suniward"):
        costs = getattr(conseal, name).compute_cost_adjusted(pixels)
        runs[f"lambda for {name}"] = lambda costs=costs: ternary.probability(
            rhos=costs, alpha=rate, n=pixels.size
        )
    return runs


def costs(options: argparse.Namespace) -> None:
    """MiPOD is timed to its change probabilities at the payload, Fisher information included."""
    pixels = photograph(options.image, 512)
    here = our_costs(pixels, options.payload * pixels.size)
    there = conseal_costs(pixels, options.payload)
    runs = {
        (name, side): run
        for side, runs in (("here", here), ("there", there))
        for name, run in runs.items()
    }
    results = in_turns(runs, options.repeats)
    print(
        f"\nCosts of {pixels.shape[1]} x {pixels.shape[0]}, {options.payload} bpp, least of "
        f"{options.repeats}, ms\n"
    )
    print("| what | stegojax | conseal | times faster |\n|---|---|---|---|")
    for name in here:
        seconds, beside = results[name, "here"][1], "not installed | |"
        if name in there:
            conseal = results[name, "there"][1]
            beside = f"{1e3 * conseal:.0f} | {conseal / seconds:.0f} |"
        print(f"| {name} | {1e3 * seconds:.1f} | {beside}")


def scene(pixels: np.ndarray, rate: float, count: int):
    """Covers, costs and messages of `count` keyed permutations of one picture, `[count, N]`."""
    from stegojax.costs import COSTS
    from stegojax.domains import PIXELS
    from stegojax.types import WET_COST, Costs

    plus, minus = COSTS["hill"](pixels.astype(np.float32))
    rho = (
        np.where(pixels == PIXELS.highest, WET_COST, plus).ravel(),
        np.where(pixels == PIXELS.lowest, WET_COST, minus).ravel(),
    )
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(pixels.size) for _ in range(count)])
    messages = rng.integers(0, 2, (count, int(rate * pixels.size))).astype(np.uint8)
    return pixels.ravel()[orders], Costs(*(cost[orders] for cost in rho)), messages


def distortion(covers: np.ndarray, stegos: np.ndarray, rho) -> np.ndarray:
    step = stegos.astype(int) - covers
    return (rho.plus * (step == 1) + rho.minus * (step == -1)).sum(axis=-1, dtype=np.float64)


def bound(rho, bits: int) -> float:
    """The least expected distortion at which independent changes carry so many bits."""
    from stegojax import probabilities

    lambda_ = probabilities.lambda_for_payload(rho, bits, axes=1)
    return float(probabilities.expected_distortion(rho, probabilities.gibbs(rho, lambda_), axes=1))


def original(path: str):
    """The C++'s two-layer embedding `(cover, costs, message, height) -> stego`, or None where it is
    not to be found.
    """
    if not path:
        spec = importlib.util.find_spec("pystc")
        folders = map(pathlib.Path, spec.submodule_search_locations if spec else [])
        path = next((str(file) for folder in folders for file in folder.glob("stc_extension*")), "")
    if not path:
        return None
    library = ctypes.CDLL(path)
    height_at = ctypes.c_uint.in_dll(library, "h")

    def embed(cover, rho, message, height):
        height_at.value = height
        limit = np.float32(2**31 - 1)
        triples = np.stack([rho.minus, np.zeros_like(rho.plus), rho.plus], axis=1)
        triples = np.ascontiguousarray(np.minimum(triples, limit), np.float32)
        cover, stego = np.ascontiguousarray(cover, np.int32), np.zeros(cover.size, np.int32)
        pointers = [
            array.ctypes.data_as(ctypes.c_void_p) for array in (cover, triples, message, stego)
        ]
        library.stc_hide(
            cover.size, pointers[0], pointers[1], message.size, pointers[2], pointers[3]
        )
        return stego

    return embed


def by_viterbi(height: int):
    """Syndrome-trellis codes without lanes, one cover after the other."""
    import jax

    from stegojax.coding import block_columns, stc, ternary, viterbi

    @jax.jit
    def search(rho, targets, columns):
        one = functools.partial(viterbi, columns=columns, constraint_height=height)
        return jax.lax.map(lambda row: one(*row), (rho, targets))

    def embed(bits, rho, message):
        options = {"message_length": message.shape[-1], "constraint_height": height}
        columns = block_columns(bits.shape[-1], **options)
        path = search(rho, message ^ stc.syndrome(bits, **options), columns)
        return bits ^ np.asarray(path.changes_N)

    return ternary.Code(embed, functools.partial(stc.extract, constraint_height=height))


def contestants(path: str) -> dict:
    """Name -> `(covers, costs, messages) -> stegos` of a batch; the C++ goes one by one."""
    from stegojax.coding import ternary
    from stegojax.types import Costs

    codes = {}
    for height in (7, 10, 12):
        for segments in (1, 32):
            name = f"STC h={height}" + (f", {segments} segments" if segments > 1 else "")
            codes[name] = ternary.stc_code(constraint_height=height, segments=segments)
    codes["STC h=10, viterbi"] = by_viterbi(10)
    codes |= {f"SPC L={size}": ternary.polar_code(list_size=size) for size in (1, 4, 8)}
    runs = {}
    for name, code in codes.items():
        runs[name] = lambda covers, rho, messages, code=code: ternary.embed(
            covers, rho, messages, code=code
        )[0]
    reference = original(path)
    if reference:
        for height in (7, 10, 12):
            runs[f"C++ h={height}"] = lambda covers, rho, messages, height=height: np.stack(
                [
                    reference(cover, Costs(*pair), message, height)
                    for cover, pair, message in zip(covers, zip(*rho), messages, strict=True)
                ]
            )
    return runs


def codes(options: argparse.Namespace) -> None:
    """The distortion is the mean over the batch, with its standard error."""
    from stegojax.types import Costs

    pixels = photograph(options.image, 512)
    covers, rho, messages = scene(pixels, options.payload, options.batch)
    runs = contestants(options.pystc)
    least = bound(Costs(rho.plus[0], rho.minus[0]), messages.shape[1])
    many = in_turns(
        {name: (lambda run=run: run(covers, rho, messages)) for name, run in runs.items()},
        max(1, options.repeats // 3),
    )
    first = covers[:1], Costs(rho.plus[:1], rho.minus[:1]), messages[:1]
    single = in_turns(
        {name: (lambda run=run: run(*first)) for name, run in runs.items()}, options.repeats
    )
    print(
        f"\nCodes at {pixels.shape[1]} x {pixels.shape[0]}, HILL, {options.payload} bpp, two "
        f"layers; batch of {options.batch}\n"
    )
    print(
        "| code | over the bound | one picture: wall clock (processor), ms | batch: the same, per "
        "picture |"
    )
    print("|---|---|---|---|")
    for name, (stegos, wall, processor) in many.items():
        over = 100 * (distortion(covers, stegos, rho) / least - 1)
        cells = [
            f"{1e3 * seconds[0] / count:.0f} ({1e3 * seconds[1] / count:.0f})"
            for seconds, count in ((single[name][1:], 1), ((wall, processor), options.batch))
        ]
        print(
            f"| {name} | {over.mean():+.2f} % +- {over.std() / len(over) ** 0.5:.2f} | "
            + " | ".join(cells)
            + " |"
        )


def pipeline(options: argparse.Namespace) -> None:
    """From pixels to pixels, in batches, with messages at hand."""
    import jax

    from stegojax import embed
    from stegojax.coding import ternary
    from stegojax.types import Cover

    pixels = photograph(options.image, 512)
    rng = np.random.default_rng(0)
    covers = [
        Cover((np.roll(pixels, shift, axis=(0, 1)).astype(np.int16),))
        for shift in rng.integers(0, 512, options.batch)
    ]
    orders = np.stack([rng.permutation(pixels.size) for _ in covers])
    shape = len(covers), int(options.payload * pixels.size)
    messages = rng.integers(0, 2, shape).astype(np.uint8)

    def run(scheme):
        parts = [
            embed.carriers(order, cover.shapes, recipe=scheme.recipe)
            for order, cover in zip(orders, covers, strict=True)
        ]
        embed.embed_many(parts, covers, messages, scheme=scheme, code=ternary.stc_code())

    runs = {
        f"HILL, {recipe}, STC h=10": functools.partial(run, embed.parse_scheme(f"hill-{recipe}"))
        for recipe in ("plain", "cmd")
    }
    results = in_turns(runs, max(1, options.repeats // 3))
    print(
        f"\nPixels to pixels on {jax.devices()[0].device_kind}, batch of {len(covers)}, "
        f"{options.payload} bpp\n"
    )
    print("| what | ms per picture | pictures per second |\n|---|---|---|")
    for name, (_, wall, _) in results.items():
        print(f"| {name} | {1e3 * wall / len(covers):.0f} | {len(covers) / wall:.1f} |")


def hide(options: argparse.Namespace) -> None:
    """The first run fills the cache on disk and is not counted."""
    import skimage.data
    from PIL import Image

    main = "import sys; from stegojax.cli import main; sys.exit(main())"
    with tempfile.TemporaryDirectory() as folder:
        cover, message, key, stego = (
            os.path.join(folder, name) for name in ("cover.png", "message", "key", "stego.png")
        )
        picture = Image.fromarray(skimage.data.astronaut())
        picture.resize((768, 512), Image.Resampling.BICUBIC).save(cover)
        pathlib.Path(message).write_bytes(os.urandom(10_240))
        pathlib.Path(key).write_bytes(os.urandom(32))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": folder}
        paths = [cover, message, "-o", stego, "--key-file", key, "--overwrite"]
        print("\n`stegojax hide`, 10 kB in 768 x 512 colour, whole process\n")
        print("| code | first run, s | least of later runs, s |\n|---|---|---|")
        for code in ("stc", "polar"):
            spent = []
            for _ in range(1 + max(2, options.repeats // 2)):
                begin = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-c", main, "hide", *paths, "--code", code],
                    check=True,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                )
                spent.append(time.perf_counter() - begin)
            print(f"| {code} | {spent[0]:.1f} | {min(spent[1:]):.1f} |")


def memory(options: argparse.Namespace) -> None:
    """Embeds once; the peak is the process's."""
    from stegojax.coding import ternary

    pixels = np.tile(photograph(options.image, 512), (8, 8))[:4096, :4096]
    covers, rho, messages = scene(pixels, options.payload, 1)
    cover, message, rho = covers[0], messages[0], type(rho)(rho.plus[0], rho.minus[0])
    del covers, messages
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall = time.perf_counter()
    stego, lengths = ternary.embed(cover, rho, message)
    wall = time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (ternary.extract(stego, lengths) == message).all()
    print("\n| picture | payload | code | seconds | memory before | peak memory |")
    print("|---|---|---|---|---|---|")
    sizes = f"{before / 2**20:.2f} GiB | {peak / 2**20:.2f} GiB"
    print(f"| 4096 x 4096 | {options.payload} bpp | STC h=10 | {wall:.1f} | {sizes} |")


def main() -> None:
    """Runs the sections, each in a process of its own where there are several."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", default="", help="a grey picture")
    parser.add_argument("--payload", type=float, default=0.4, help="bits per pixel")
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16, help="pictures at once")
    parser.add_argument(
        "--pystc",
        default="",
        help="the compiled extension of pystcstego, or its sources built as a library",
    )
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()
    if not options.only:
        for section in SECTIONS:
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", section], check=True)
        return
    warnings.simplefilter("ignore")
    globals()[options.only](options)


if __name__ == "__main__":
    main()
