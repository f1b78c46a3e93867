"""Warm time per picture of feature-based steganalysis, beside sealwatch's, and of every network's
judging and training.

    python benchmarks/steganalysis.py                               a bundled photograph, 512 x 512
    python benchmarks/steganalysis.py --only networks --pairs 16    or features
    python benchmarks/steganalysis.py --image picture.png --batch 16 --repeats 5
    python benchmarks/steganalysis.py --sealwatch other/bin/python  an interpreter that has
                                                                    sealwatch, if this one has not

A figure is the median over the repeats, after one call that compiles; the processor time is what
all cores together spent per picture. A batch holds the picture turned and mirrored in turn.
sealwatch works on one picture at a time. Networks see 256 x 256 pictures; a training step is
forward, backward and optimiser on pairs of covers and ready-made stegos. Markdown tables go to
standard output.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

SEALWATCH = """
import sys, time, statistics
import numpy
try:
    import sealwatch
except ImportError:
    sys.exit("not installed")
pixels, repeats = numpy.load(sys.argv[1]), int(sys.argv[2])
extract = {
    "SPAM": sealwatch.spam.extract,
    "SRM": sealwatch.srm.extract,
    "SRMQ1": sealwatch.srm.srmq1.extract,
}
for name, run in extract.items():
    spent = []
    for _ in range(1 + (repeats if name == "SPAM" else 1)):
        start = time.perf_counter()
        run(pixels)
        spent.append(1e3 * (time.perf_counter() - start))
    print(name, statistics.median(spent[1:]))
"""


def photograph(path: str, size: int):
    """A grey picture as uint8: the file as it is, or a bundled photograph at the given size."""
    import numpy as np
    from PIL import Image

    if path:
        return np.asarray(Image.open(path).convert("L"))
    import skimage.data

    return np.asarray(
        Image.fromarray(skimage.data.camera()).resize((size, size), Image.Resampling.BICUBIC)
    )


def measured(run, planes, repeats: int) -> tuple[float, float, float]:
    """Milliseconds of the first call, and per plane of a later one: elapsed and processor time,
    both medians.
    """
    import jax

    elapsed, busy = [], []
    for _ in range(1 + repeats):
        start, before = time.perf_counter(), time.process_time()
        jax.block_until_ready(run(planes))
        elapsed.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.process_time() - before))
    return (
        elapsed[0],
        statistics.median(elapsed[1:]) / len(planes),
        statistics.median(busy[1:]) / len(planes),
    )


def sealwatchs(pixels, python: str, repeats: int) -> dict[str, float]:
    """The features' milliseconds in sealwatch, by an interpreter that may have it; nothing where it
    has not.
    """
    import numpy as np

    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, pixels)
        done = subprocess.run(
            [python, "-c", SEALWATCH, file.name, str(repeats)], stdout=subprocess.PIPE, text=True
        )
    return {
        name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())
    }


def features(flags) -> None:
    """The table of SPAM, SRM and SRMQ1."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from stegojax.steganalysis import spam, srm

    pixels = photograph(flags.image, flags.size)
    lying = [np.rot90(pixels, 2 * turn) for turn in range(2)]
    lying += [picture[:, ::-1] for picture in lying]
    batch = jnp.asarray(np.stack([lying[at % 4] for at in range(flags.batch)]), jnp.float32)
    theirs = sealwatchs(pixels, flags.sealwatch, flags.repeats)
    print(
        f"Features of grey pictures of {pixels.shape[1]} x {pixels.shape[0]}, "
        f"{jax.default_backend()}, "
        f"batch of {flags.batch}, median of {flags.repeats}, ms per picture\n"
    )
    print(
        "| features | first call, alone | alone | in a batch | in a batch, processor time | "
        "sealwatch | times faster |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, extract in (
        ("SPAM", spam.features),
        ("SRM", srm.features),
        ("SRMQ1", srm.features_q1),
    ):
        run = jax.jit(lambda planes, extract=extract: extract(planes, at_once=flags.at_once))
        first, alone, _ = measured(run, batch[:1], flags.repeats)
        _, together, busy = measured(run, batch, flags.repeats)
        cells = [name, f"{first:.0f}", f"{alone:.1f}", f"{together:.1f}", f"{busy:.1f}"]
        cells += (
            [f"{theirs[name]:.1f}", f"{theirs[name] / together:.0f}"]
            if name in theirs
            else ["not installed", ""]
        )
        print("| " + " | ".join(cells) + " |", flush=True)


def networks(flags) -> None:
    """The table of pictures per second, for judging and for a training step."""
    import jax
    import numpy as np

    from stegojax import parallel
    from stegojax.methods import steganalyzer

    parallel.start()
    size = 256
    pixels = photograph(flags.image, size)[:size, :size].astype(np.float32)
    rng = np.random.default_rng(0)
    covers = np.stack(
        [np.roll(pixels, shift, axis=(0, 1)) for shift in rng.integers(0, size, flags.pairs)]
    )[..., None]
    stegos = np.clip(covers + rng.choice([-1, 0, 0, 0, 1], covers.shape), 0, 255).astype(np.float32)
    batch = {"cover": covers, "stego": stegos}
    print(
        f"\nNetworks on {size} x {size}, {jax.devices()[0].device_kind}, {flags.pairs} pairs, "
        f"median of {flags.repeats}\n"
    )
    print(
        "| network | judging, pictures/s | training, pictures/s | training step, ms "
        "|\n|---|---|---|---|"
    )
    for name in steganalyzer.NETWORKS:
        sgd = dict(name="sgd", learning_rate=1e-3, momentum=0.9)
        made = steganalyzer.from_config(dict(network=name, optimizer=sgd), steps_per_epoch=1)
        state = parallel.replicate(jax.jit(made.init)(jax.random.key(0), batch))
        judge, step = parallel.over_devices(made.predict), parallel.train_step(made.train_step)
        sharded, key, spent = parallel.shard(batch), jax.random.key(1), {"judge": [], "train": []}
        for _ in range(1 + flags.repeats):
            start = time.perf_counter()
            jax.block_until_ready(judge(state, sharded, key))
            spent["judge"].append(time.perf_counter() - start)
            start = time.perf_counter()
            state, metrics = step(state, sharded, key)
            jax.block_until_ready(metrics)
            spent["train"].append(time.perf_counter() - start)
        judging, training = (statistics.median(spent[what][1:]) for what in ("judge", "train"))
        print(
            f"| {name} | {2 * flags.pairs / judging:.1f} | {2 * flags.pairs / training:.1f} | "
            f"{1e3 * training:.0f} |",
            flush=True,
        )


def main():
    """Measures and prints, section by section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--image", default="", help="grey picture to measure on instead of the bundled one"
    )
    parser.add_argument("--size", type=int, default=512, help="side of the bundled picture")
    parser.add_argument("--batch", type=int, default=8, help="pictures in a batch")
    parser.add_argument(
        "--at_once", type=int, default=1, help="pictures of the batch that are worked on together"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--sealwatch",
        default=sys.executable,
        metavar="PYTHON",
        help="an interpreter that has sealwatch",
    )
    parser.add_argument("--pairs", type=int, default=4, help="pairs in a network's batch")
    parser.add_argument("--only", choices=("features", "networks"), help="one section")
    flags = parser.parse_args()
    for section in (features, networks):
        if flags.only in (None, section.__name__):
            section(flags)


if __name__ == "__main__":
    main()
