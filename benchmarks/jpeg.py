"""JPEG: reading and writing files, and costs of their coefficients, side by side with the peers.

    python benchmarks/jpeg.py                    files of 12 megapixels made of a bundled photograph
    python benchmarks/jpeg.py --image photo.jpg  another file

files: time on one core from bytes to coefficients, alone and checked that the file comes back, from
       coefficients to bytes, and peak memory; beside jpeglib where it is installed, which changes
       more than the coefficients.
costs: J-UNIWARD and UERD of 512 x 512 pixels at quality 75, beside conseal where it is installed.

A figure is the least over the repeats, after one call that compiles. Tables go to standard output,
in Markdown.
"""

import argparse
import io
import os
import pathlib
import resource
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


def main() -> None:
    """Parses the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--image", default="", help="a JPEG file to read and write")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("files", "costs"))
    arguments = parser.parse_args()
    if arguments.only != "costs":
        files(arguments.image, arguments.repeats)
        print()
    if arguments.only != "files":
        costs(arguments.repeats)


if __name__ == "__main__":
    main()
