"""JPEG files of every kind that is read, by Pillow or put together from random coefficients."""

import functools
import io

import numpy as np
from PIL import Image

from stegojax.domains import jpeg_codec
from stegojax.domains.jpeg_codec import encoding, markers


def photograph(height, width, *, channels=3, seed=0):
    """Something with flat, smooth, rough and saturated parts, uint8 `[H, W, channels]`."""
    generator = np.random.default_rng(seed)
    i, j = np.mgrid[:height, :width]
    smooth = 128 + 80 * np.sin(i / 17 + seed)[..., None] * np.cos(
        j / 23 + np.arange(channels)[:, None, None]
    ).transpose(1, 2, 0)
    rough = generator.normal(0, 25, (height, width, channels)) * (j > width // 3)[..., None]
    picture = np.where((i < height // 5)[..., None], 250, smooth + rough)
    return np.clip(picture, 0, 255).astype(np.uint8)


def by_pillow(height=61, width=83, *, mode="RGB", seed=0, flat=False, **options):
    """A JPEG file as Pillow writes it."""
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    pixels = photograph(height, width, channels=channels, seed=seed)
    if flat:
        pixels = np.full_like(pixels, 90)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(file, "JPEG", **options)
    return file.getvalue()


def _exif():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description \xff"
    return exif.tobytes()


def _sampled(*factors, number=3, interleaved=True, seed=1):
    """A file with other sampling factors than Pillow offers, of random coefficients."""
    template = by_pillow(75, 91, mode={1: "L", 3: "RGB", 4: "CMYK"}[number], subsampling="4:4:4")
    at = template.index(b"\xff\xc0") + 11
    patched = bytearray(template)
    for component, (horizontal, vertical) in enumerate(factors):
        patched[at + 3 * component] = horizontal << 4 | vertical
    layout = markers.parse(bytes(patched))
    if not interleaved:
        layout = _one_scan_each(layout, patched)
    frame = layout.frame
    generator = np.random.default_rng(seed)
    planes = []
    for component in frame.components:
        values = generator.integers(-60, 61, (8 * component.rows, 8 * component.columns))
        planes.append((values * (generator.random(values.shape) < 0.1)).astype(np.int16))
    counts = [
        component.padded[0] * component.padded[1] - component.rows * component.columns
        for component in frame.components
    ]
    rest = jpeg_codec.Rest(
        layout,
        (False,) * len(layout.tables),
        tuple(np.zeros((count, 64), np.int32) for count in counts),
        tuple(np.ones(1, np.uint8) for _ in layout.scans),
    )
    return jpeg_codec.encode(tuple(planes), rest)


def _one_scan_each(layout, content):
    """The layout with a scan of its own for every component."""
    (scan,) = layout.scans
    header = layout.pieces[layout.pieces.index(0) - 1]
    start = header.rindex(b"\xff\xda")
    chosen = header[start + 5 : -3]
    scans, pieces = [], list(layout.pieces[: layout.pieces.index(0) - 1]) + [header[:start]]
    for place, (dc, ac) in enumerate(zip(scan.dc_tables, scan.ac_tables)):
        one = chosen[2 * place : 2 * place + 2]
        pieces += [b"\xff\xda\x00\x08\x01" + one + b"\x00\x3f\x00", place]
        scans.append(scan._replace(components=(place,), dc_tables=(dc,), ac_tables=(ac,)))
    pieces.append(layout.pieces[-1])
    return layout._replace(pieces=tuple(pieces), scans=tuple(scans))


def _zeros_fill(content):
    """The file with zeros in the last byte of its data instead of ones."""
    layout = markers.parse(content)
    picture = jpeg_codec.decode(content)
    (scan,) = layout.scans
    pictured = jpeg_codec._pictured(picture.planes, picture.rest)
    data = encoding.encode(
        pictured, layout.frame, scan, encoding.codes(layout.tables), np.zeros(1, np.uint8)
    )
    assert data != content[scan.start : scan.end], "its last byte is full"
    return content[: scan.start] + data + content[scan.end :]


CORPUS = {
    "grey": functools.partial(by_pillow, mode="L", quality=75),
    "grey 1x1": functools.partial(by_pillow, 1, 1, mode="L", quality=90),
    "4:4:4": functools.partial(by_pillow, quality=95, subsampling="4:4:4"),
    "4:2:2": functools.partial(by_pillow, 101, 77, quality=50, subsampling="4:2:2"),
    "4:2:0": functools.partial(by_pillow, 101, 77, quality=80, subsampling="4:2:0"),
    "quality 100": functools.partial(by_pillow, quality=100),
    "quality 1": functools.partial(by_pillow, quality=1),
    "optimised": functools.partial(by_pillow, quality=85, optimize=True),
    "progressive": functools.partial(by_pillow, 201, 155, quality=85, progressive=True),
    "progressive 4:4:4": functools.partial(by_pillow, quality=98, progressive=True, subsampling=0),
    "progressive grey": functools.partial(by_pillow, mode="L", quality=60, progressive=True),
    "progressive, intervals": functools.partial(
        by_pillow, 120, 130, quality=90, progressive=True, restart_marker_blocks=3
    ),
    "progressive, flat": functools.partial(
        by_pillow, 1500, 1500, mode="L", flat=True, progressive=True
    ),
    "intervals of an MCU": functools.partial(by_pillow, quality=75, restart_marker_blocks=1),
    "intervals of rows": functools.partial(by_pillow, quality=75, restart_marker_rows=1),
    "optimised, intervals": functools.partial(by_pillow, optimize=True, restart_marker_blocks=7),
    "CMYK": functools.partial(by_pillow, mode="CMYK", quality=75),
    "CMYK, optimised": functools.partial(by_pillow, mode="CMYK", quality=75, optimize=True),
    "EXIF, ICC, comment": lambda: by_pillow(
        exif=_exif(), icc_profile=bytes(range(256)) * 300, comment=b"a comment \xff\xd9"
    ),
    "trailer": lambda: by_pillow() + b"\x00\xff\xd8 more \xff\xda",
    "flat": functools.partial(by_pillow, 900, 1100, flat=True),
    "many lanes": functools.partial(by_pillow, 500, 700, quality=97, subsampling="4:2:0"),
    "zeros in the last byte": lambda: _zeros_fill(by_pillow(61, 84, quality=73)),
    "4:4:0": functools.partial(_sampled, (1, 2), (1, 1), (1, 1)),
    "4:1:1": functools.partial(_sampled, (4, 1), (1, 1), (1, 1)),
    "3x1, 1x2": functools.partial(_sampled, (3, 1), (1, 2), (1, 1)),
    "four components": functools.partial(_sampled, (2, 2), (1, 1), (1, 1), (2, 2), number=4),
    "a scan each": functools.partial(_sampled, (2, 2), (1, 1), (1, 1), interleaved=False),
}
"""Makers of files, by what they are."""


@functools.cache
def corpus(name):
    """The file of that name in `CORPUS`."""
    return CORPUS[name]()
