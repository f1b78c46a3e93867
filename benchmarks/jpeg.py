"""JPEG: files, costs, features, and the command, side by side with the peers.

    python benchmarks/jpeg.py                    files of 12 megapixels made of a bundled photograph
    python benchmarks/jpeg.py --image photo.jpg  another file

files: time on one core from bytes to coefficients, alone and checked that the file comes back, from
       coefficients to bytes, and peak memory; beside jpeglib where it is installed, which changes
       more than the coefficients.
costs: J-UNIWARD and UERD of 512 x 512 pixels at quality 75, beside conseal where it is installed.
features: DCTR, GFR and JRM of 512 x 512 pixels at quality 75, four pictures together, per picture;
       beside sealwatch where it is installed.
codes: distortion over the bound, J-UNIWARD and UERD at .4 and .1 bits per non-zero AC coefficient,
       syndrome-trellis code of height 10; and what it does to the size of the file.
hide:  the whole process `stegojax hide`, second run: 2 kB in 512 x 512 pixels in colour, 50 kB in
       12 megapixels of 4:2:0; processor and wall clock, and peak memory.

A figure is the least processor time over the repeats, after one call that compiles. Tables go to
standard output, in Markdown.
"""

import argparse
import io
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402


def least(function, repeats: int) -> float:
    """Seconds of the fastest of some calls, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        function()
        times.append(time.process_time() - begun)
    return min(times)


def large_picture() -> Image.Image:
    """4032 x 3024 pixels in colour: a bundled photograph, again and again with other contrasts."""
    import skimage.data

    tile = skimage.data.astronaut().astype(np.float32)
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(6):
        tiles = [
            tile * generator.uniform(0.5, 1) + generator.normal(0, 2, tile.shape) for _ in range(8)
        ]
        rows.append(np.concatenate(tiles, axis=1))
    pixels = np.clip(np.concatenate(rows)[:3024, :4032], 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def saved(picture: Image.Image, **options) -> bytes:
    """A picture as a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def files(image: str, repeats: int) -> None:
    """Prints the table of reading and writing."""
    from stegojax.domains import jpeg_codec

    if image:
        contents = {image: pathlib.Path(image).read_bytes()}
    else:
        picture = large_picture()
        contents = {
            "4:2:0, quality 75": saved(picture, quality=75),
            "4:2:0, quality 90": saved(picture, quality=90),
            "4:2:0, quality 90, optimised": saved(picture, quality=90, optimize=True),
            "4:2:0, quality 90, progressive": saved(picture, quality=90, progressive=True),
        }
    print("| file | bytes | read, s | read and checked, s | written, s | jpeglib, s | peak, MiB |")
    print("|---|---|---|---|---|---|---|")
    for name, content in contents.items():
        coefficients = jpeg_codec.decode(content)
        read = least(lambda: jpeg_codec.decode(content, rewritable=False), repeats)  # noqa: B023
        checked = least(lambda: jpeg_codec.decode(content), repeats)  # noqa: B023
        written = least(
            lambda: jpeg_codec.encode(coefficients.planes, coefficients.rest),  # noqa: B023
            repeats,
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"| {name} | {len(content):,} | {read:.2f} | {checked:.2f} | {written:.2f} "
            f"| {by_jpeglib(content, repeats)} | {peak} |"
        )


def by_jpeglib(content: bytes, repeats: int) -> str:
    """Seconds that jpeglib takes to read and to write a file."""
    try:
        import jpeglib
    except ImportError:
        return "absent"
    with tempfile.TemporaryDirectory() as folder:
        path, copy = os.path.join(folder, "a.jpg"), os.path.join(folder, "b.jpg")
        pathlib.Path(path).write_bytes(content)

        def read():
            picture = jpeglib.read_dct(path)
            picture.load()
            return picture

        picture = read()
        return f"{least(read, repeats):.2f}, {least(lambda: picture.write_dct(copy), repeats):.2f}"


def costs(repeats: int) -> None:
    """Prints the table of costs."""
    import jax
    import skimage.data

    from stegojax.costs import dct
    from stegojax.costs.juniward import juniward
    from stegojax.costs.uerd import uerd
    from stegojax.domains import jpeg_codec

    content = saved(Image.fromarray(skimage.data.camera()), quality=75)
    (plane,), (table,), _ = jpeg_codec.decode(content)
    blocks = plane.reshape(64, 8, 64, 8).transpose(0, 2, 1, 3)
    pixels = np.asarray(dct.integer_pixels(plane, table)).astype(float)
    steps = table.astype(float)
    peers = {}
    try:
        import conseal

        peers = {
            "J-UNIWARD": lambda: conseal.juniward.compute_cost_adjusted(pixels, blocks, steps),
            "UERD": lambda: conseal.uerd.compute_cost_adjusted(blocks, steps),
        }
    except ImportError:
        pass
    print("| cost | stegojax, ms | conseal, ms | times |")
    print("|---|---|---|---|")
    for name, cost in (("J-UNIWARD", juniward), ("UERD", uerd)):
        own = 1000 * least(lambda: jax.block_until_ready(cost(plane, table)), repeats)  # noqa: B023
        if name not in peers:
            print(f"| {name} | {own:.1f} | absent | |")
            continue
        peer = 1000 * least(peers[name], max(1, repeats // 3))
        print(f"| {name} | {own:.1f} | {peer:.1f} | {peer / own:.0f} |")


def features(repeats: int) -> None:
    """Prints the table of features."""
    import skimage.data

    from stegojax.costs import dct
    from stegojax.domains import jpeg_codec
    from stegojax.steganalysis import dctr, gfr, jrm

    content = saved(Image.fromarray(skimage.data.camera()), quality=75)
    (plane,), (table,), _ = jpeg_codec.decode(content)
    planes, tables = np.stack([plane] * 4), np.stack([table] * 4)
    pixels = np.asarray(dct.unrounded_pixels(plane, table), float)
    blocks = plane.reshape(64, 8, 64, 8).transpose(0, 2, 1, 3)
    peers = {}
    try:
        import sealwatch

        peers = {
            "DCTR": lambda: sealwatch.dctr.extract(pixels, 4),
            "GFR": lambda: sealwatch.gfr.extract(pixels, quantization_steps=(2, 4, 6, 8)),
            "JRM": lambda: sealwatch.jrm.extract(blocks),
        }
    except ImportError:
        pass
    print("| features | stegojax, s a picture | sealwatch, s a picture | times |")
    print("|---|---|---|---|")
    for name, compute in (("DCTR", dctr.features), ("GFR", gfr.features), ("JRM", jrm.features)):
        own = least(lambda: np.asarray(compute(planes, tables)), repeats) / 4  # noqa: B023
        if name not in peers:
            print(f"| {name} | {own:.3f} | absent | |")
            continue
        begun = time.process_time()
        peers[name]()
        peer = time.process_time() - begun
        print(f"| {name} | {own:.3f} | {peer:.2f} | {peer / own:.0f} |")


def codes() -> None:
    """Prints the table of the code's distortion and of the sizes of files."""
    import skimage.data

    from stegojax import embed, probabilities
    from stegojax.coding import ternary
    from stegojax.domains import JPEG, jpeg
    from stegojax.types import WET_COST, Costs

    content = saved(Image.fromarray(skimage.data.camera()), quality=75)
    cover, rest = jpeg.decode(content)
    print("| scheme | bits per nzAC | distortion over the bound, % | size of the file, % |")
    print("|---|---|---|---|")
    for name in ("juniward", "uerd"):
        for payload in (0.4, 0.1):
            scheme = embed.parse_scheme(name, domain=JPEG)
            bits = round(payload * JPEG.weight(cover))
            rho = Costs(
                *(each[0] for each in embed.first_costs([cover], scheme=scheme, domain=JPEG))
            )
            lambda_ = probabilities.lambda_for_payload(rho, bits, axes=1)
            chances = probabilities.gibbs(rho, lambda_)
            bound = float(probabilities.expected_distortion(rho, chances, axes=1))
            generator = np.random.default_rng(0)
            order = generator.permutation(cover.elements)
            parts = embed.carriers(order, cover.shapes, recipe=scheme.recipe)
            message = generator.integers(0, 2, bits, dtype=np.uint8)
            code = ternary.stc_code(constraint_height=10)
            changes, _ = embed.embed(parts, cover, message, scheme=scheme, code=code, domain=JPEG)
            paid = np.where(changes > 0, rho.plus, np.where(changes < 0, rho.minus, 0))
            assert paid.max() < WET_COST
            file = io.BytesIO()
            JPEG.save(file, cover.with_elements(cover.flat() + changes), rest, path="x.jpg")
            size = 100 * (len(file.getvalue()) / len(content) - 1)
            over = 100 * (paid.sum(dtype=float) / bound - 1)
            print(f"| {name} | {payload} | {over:.1f} | {size:+.2f} |")


def hide() -> None:
    """Prints the table of the whole command."""
    import skimage.data

    covers = {
        "2 kB in 512 x 512, colour": (saved(Image.fromarray(skimage.data.astronaut())), 2_000),
        "50 kB in 4032 x 3024, 4:2:0": (saved(large_picture(), quality=75), 50_000),
    }
    print("| hide | wall clock, s | processor, s | peak, MiB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "key").write_bytes(bytes(32))
        for name, (content, size) in covers.items():
            (place / "cover.jpg").write_bytes(content)
            (place / "message").write_bytes(np.random.default_rng(0).bytes(size))
            words = "hide cover.jpg message -o stego.jpg --overwrite --key-file key".split()
            for _ in range(2):
                begun = time.perf_counter()
                process = subprocess.Popen(
                    [sys.executable, "-m", "stegojax.cli", *words],
                    cwd=folder,
                    env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **os.environ},
                    stdout=subprocess.DEVNULL,
                )
                _, status, used = os.wait4(process.pid, 0)
                wall = time.perf_counter() - begun
                assert status == 0, name
            processor = used.ru_utime + used.ru_stime
            print(f"| {name} | {wall:.1f} | {processor:.1f} | {used.ru_maxrss // 1024} |")


def main() -> None:
    """Parses the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--image", default="", help="a JPEG file to read and write")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("files", "costs", "features", "codes", "hide"))
    arguments = parser.parse_args()
    sections = {
        "files": lambda: files(arguments.image, arguments.repeats),
        "costs": lambda: costs(arguments.repeats),
        "features": lambda: features(arguments.repeats),
        "codes": codes,
        "hide": hide,
    }
    for name, section in sections.items():
        if arguments.only in (None, name):
            section()
            print()


if __name__ == "__main__":
    main()
