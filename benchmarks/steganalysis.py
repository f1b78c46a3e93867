"""Warm time per picture of feature-based steganalysis, in a batch and one picture at a time, beside sealwatch's.

    python benchmarks/steganalysis.py                                    a bundled photograph, scaled to 512 x 512
    python benchmarks/steganalysis.py --image picture.png --batch 16 --repeats 5
    python benchmarks/steganalysis.py --sealwatch other/bin/python       an interpreter that has sealwatch, if this one has not

A figure is the median over the repeats, after one call that compiles; the processor time is what all cores together spent per
picture. A batch holds the picture turned and mirrored in turn. sealwatch works on one picture at a time. The Markdown table goes
to standard output.
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
extract = {"SPAM": sealwatch.spam.extract, "SRM": sealwatch.srm.extract, "SRMQ1": sealwatch.srm.srmq1.extract}
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

    return np.asarray(Image.fromarray(skimage.data.camera()).resize((size, size), Image.Resampling.BICUBIC))


def measured(run, planes, repeats: int) -> tuple[float, float, float]:
    """Milliseconds of the first call, and per plane of a later one: elapsed and processor time, both medians."""
    import jax

    elapsed, busy = [], []
    for _ in range(1 + repeats):
        start, before = time.perf_counter(), time.process_time()
        jax.block_until_ready(run(planes))
        elapsed.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.process_time() - before))
    return elapsed[0], statistics.median(elapsed[1:]) / len(planes), statistics.median(busy[1:]) / len(planes)


def sealwatchs(pixels, python: str, repeats: int) -> dict[str, float]:
    """The features' milliseconds in sealwatch, by an interpreter that may have it; nothing where it has not."""
    import numpy as np

    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, pixels)
        done = subprocess.run([python, "-c", SEALWATCH, file.name, str(repeats)], stdout=subprocess.PIPE, text=True)
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}


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
    print(f"Features of grey pictures of {pixels.shape[1]} x {pixels.shape[0]}, {jax.default_backend()}, "
          f"batch of {flags.batch}, median of {flags.repeats}, ms per picture\n")
    print("| features | first call, alone | alone | in a batch | in a batch, processor time | sealwatch | times faster |")
    print("|---|---|---|---|---|---|---|")
    for name, extract in (("SPAM", spam.features), ("SRM", srm.features), ("SRMQ1", srm.features_q1)):
        run = jax.jit(lambda planes, extract=extract: extract(planes, at_once=flags.at_once))
        first, alone, _ = measured(run, batch[:1], flags.repeats)
        _, together, busy = measured(run, batch, flags.repeats)
        cells = [name, f"{first:.0f}", f"{alone:.1f}", f"{together:.1f}", f"{busy:.1f}"]
        cells += [f"{theirs[name]:.1f}", f"{theirs[name] / together:.0f}"] if name in theirs else ["not installed", ""]
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    """Measures and prints, section by section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="", help="grey picture to measure on instead of the bundled one")
    parser.add_argument("--size", type=int, default=512, help="side of the bundled picture")
    parser.add_argument("--batch", type=int, default=8, help="pictures in a batch")
    parser.add_argument("--at_once", type=int, default=1, help="pictures of the batch that are worked on together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sealwatch", default=sys.executable, metavar="PYTHON", help="an interpreter that has sealwatch")
    flags = parser.parse_args()
    for section in (features,):
        section(flags)


if __name__ == "__main__":
    main()
