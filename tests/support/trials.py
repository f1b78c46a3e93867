"""What a trial of the command with odd files asks: an exit code with a line, and nothing lost."""

import os
import pathlib
import stat
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin
from support.photographs import photograph

from stegojax import cli

SIDE = 40
"""Of all pictures, so that few functions are compiled."""


class Outcome(NamedTuple):
    """What a call of the command did.

    code:  its exit code.
    out:   what it wrote to standard output, bytes.
    lines: of standard error.
    """

    code: int
    out: bytes
    lines: list[str]


def contents(folder):
    """What is in a folder, by path: the content of files, and what else there is."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found[path] = path.read_bytes()
        else:
            found[path] = os.readlink(path) if stat.S_ISLNK(mode) else stat.S_IFMT(mode)
    return found


def attempt(capture, folder, *arguments, writes=()):
    """Calls the command in this process and holds it to what it promises.

    Args:
      capture: pytest's `capfdbinary`.
      folder: in which nothing may change but `writes`.
      *arguments: of the command.
      writes: files that may be new afterwards, where the exit code is 0.
    """
    before = contents(folder)
    capture.readouterr()
    code = cli.main([str(argument) for argument in arguments])
    captured = capture.readouterr()
    outcome = Outcome(code, captured.out, captured.err.decode().splitlines())
    shown = f"{arguments}: {outcome}"
    assert code in (0, 1), shown
    assert "Traceback" not in captured.err.decode() and "Warning" not in captured.err.decode(), (
        shown
    )
    if code:
        assert len(outcome.lines) == 1 and outcome.lines[0].startswith("stegojax: "), shown
        assert len(outcome.lines[0]) < 1200 and not outcome.out, shown
    after = contents(folder)
    allowed = {pathlib.Path(path) for path in writes} if code == 0 else set()
    assert {path: after.get(path) for path in before} == before, shown
    assert set(after) - set(before) <= allowed, shown
    return outcome


def grey():
    """A photograph of `SIDE`, grey, in Pillow's form."""
    return Image.fromarray(photograph((SIDE, SIDE, 1)).pixels[..., 0])


def colour():
    """The same in colour."""
    return Image.fromarray(photograph((SIDE, SIDE, 3)).pixels)


def _with_alpha(picture, alpha):
    picture = picture.copy()
    picture.putalpha(Image.fromarray(np.full((SIDE, SIDE), alpha, np.uint8)))
    return picture


def _half_seen():
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[:, : SIDE // 2] = 255
    picture = colour()
    picture.putalpha(Image.fromarray(alpha))
    return picture


def _flat(value):
    return Image.new("RGB", (SIDE, SIDE), (value,) * 3)


def _drawn():
    picture = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(picture).ellipse((5, 5, 30, 30), fill=0)
    return picture


def _texts():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a\nb\x00"[:3])
    info.add_itxt("Comment", "\u20ac" * 20)
    info.add_text("Software", "x" * 5000, zip=True)
    return info


def _turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _palette(**options):
    return colour().convert("P", palette=Image.Palette.ADAPTIVE, **options)


GOOD = {
    # name of the file: (picture, options of Pillow's save)
    "grey.png": (grey, {}),
    "colour.png": (colour, {}),
    "fast.png": (colour, dict(compress_level=0)),
    "texts.png": (colour, dict(pnginfo=_texts)),
    "dpi.png": (colour, dict(dpi=(0.1, 1e6))),
    "icc.png": (colour, dict(icc_profile=b"no profile at all")),
    "exif.png": (colour, dict(exif=b"Exif\0\0 but no more")),
    "seen.png": (lambda: _with_alpha(colour(), 255), {}),
    "faint.png": (lambda: _with_alpha(colour(), 1), {}),
    "half.png": (_half_seen, {}),
    "grey_alpha.png": (lambda: _with_alpha(grey(), 200), {}),
    "palette.png": (_palette, {}),
    "palette_seen.png": (_palette, dict(transparency=3)),
    "palette_bytes.png": (_palette, dict(transparency=bytes(range(0, 250, 5)))),
    "grey_key.png": (grey, dict(transparency=7)),
    "colour_key.png": (colour, dict(transparency=(1, 2, 3))),
    "two.png": (lambda: grey().convert("1"), {}),
    "four.png": (lambda: grey().convert("P", palette=Image.Palette.ADAPTIVE, colors=4), {}),
    "black.png": (lambda: _flat(0), {}),
    "white.png": (lambda: _flat(255), {}),
    "drawn.png": (_drawn, {}),
    "plain.tif": (colour, {}),
    "lzw.tif": (colour, dict(compression="tiff_lzw")),
    "deflate.tif": (grey, dict(compression="tiff_adobe_deflate")),
    "packbits.tif": (grey, dict(compression="packbits")),
    "alpha.tif": (_half_seen, {}),
    "fax.tif": (lambda: grey().convert("1"), dict(compression="group4")),
    "colour.bmp": (colour, {}),
    "palette.bmp": (_palette, {}),
    "two.bmp": (lambda: grey().convert("1"), {}),
    "colour.dib": (colour, {}),
    "grey.pgm": (grey, {}),
    "colour.ppm": (colour, {}),
    "two.pbm": (lambda: grey().convert("1"), {}),
    "colour.tga": (colour, {}),
    "run.tga": (grey, dict(compression="tga_rle")),
    "colour.pcx": (colour, {}),
    "colour.sgi": (colour, {}),
    "colour.qoi": (colour, {}),
    "grey.gif": (grey, {}),
    "lossless.webp": (colour, dict(lossless=True)),
    "alpha.webp": (_half_seen, dict(lossless=True)),
    "reversible.jp2": (colour, dict(irreversible=False)),
    **{
        f"turned{number}.png": (colour, dict(exif=lambda n=number: _turned(n)))
        for number in range(10)
    },
    **{f"turned{n}.tif": (colour, dict(exif=lambda n=n: _turned(n))) for n in (3, 6, 8)},
}
"""Pictures of which every one can be a cover."""

LOSSY = {
    "colour.jpg": (colour, dict(quality=90)),
    "grey.jpg": (grey, dict(quality=5)),
    "progressive.jpg": (colour, dict(progressive=True, subsampling=0)),
    "turned.jpg": (colour, dict(exif=lambda: _turned(6))),
    "phone.jpeg": (colour, dict(format="JPEG", exif=lambda: _turned(1))),
    "wrong_name.png": (colour, dict(format="JPEG")),
    "lossy.webp": (colour, dict(quality=80)),
    "lossy_alpha.webp": (_half_seen, dict(quality=80, exif=lambda: _turned(1))),
    "irreversible.jp2": (colour, dict(irreversible=True)),
    "inside.tif": (colour, dict(compression="jpeg")),
    "colour.avif": (colour, dict(quality=60)),
    "blocks.dds": (colour, dict(pixel_format="DXT1")),
}
"""Covers that lossy compression has been through."""

BAD = {
    "ink.tif": (lambda: colour().convert("CMYK"), {}),
    "colours.tif": (lambda: colour().convert("LAB"), {}),
    "floats.tif": (lambda: grey().convert("F"), {}),
    "whole.tif": (lambda: grey().convert("I"), {}),
    "deep.png": (lambda: Image.fromarray(np.full((SIDE, SIDE), 700, np.uint16)), {}),
    "deep.tif": (lambda: Image.fromarray(np.full((SIDE, SIDE), 700, np.uint16)), {}),
    "drawing.eps": (colour, {}),
    "page.pdf": (colour, {}),
    "moving.gif": (colour, dict(save_all=True, append_images=[_flat(3), _flat(200)])),
    "moving.png": (colour, dict(save_all=True, append_images=[_flat(3), _flat(200)])),
    "moving.webp": (colour, dict(save_all=True, append_images=[_flat(3), _flat(200)])),
    "pages.tif": (colour, dict(save_all=True, append_images=[_flat(3)])),
}
"""Pictures that are refused."""


def save(folder, name, kinds):
    """Writes one of a table's pictures, and gives its path."""
    make, options = kinds[name]
    options = {key: value() if callable(value) else value for key, value in options.items()}
    make().save(folder / name, **options)
    return folder / name
