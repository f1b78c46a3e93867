"""Picture files and the elementary operations on pixels: lossless reading and writing, colour,
resizing, JPEG.

A stego file must hold exactly the pixels that were computed, so writing is lossless or refused, and
a file is either complete or absent. Pixels in files are uint8 `[H, W, C]` with C = 1 (grey) or 3
(red, green, blue); an alpha channel is kept apart and never modified. Arithmetic is on float32
arrays in pixel units 0..255, `[..., H, W, C]`; colour is full-range BT.601 (the convention of JPEG
files), and resizing follows MATLAB's `imresize`, which is how the literature makes its data sets.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import pathlib
import struct
from typing import BinaryIO, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from stegojax import files
from stegojax.errors import InputError

Array = jax.Array

LUMA = (0.299, 0.587, 0.114)
"""BT.601 weights of red, green and blue in the luma Y."""

LOSSLESS = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
}
"""File name endings that pixels may be written to, and Pillow's names of the formats."""

READABLE = (*LOSSLESS, ".jpg", ".jpeg")
"""File name endings of the pictures that a folder is searched for."""

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_XMP = "XML:com.adobe.xmp"
_DRAWINGS = ("EPS", "WMF")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


class Metadata(NamedTuple):
    """What a file says about its pixels, kept so that a stego file can say the same as its cover
    file.

    icc_profile:  the embedded colour profile, or None.
    gamma:        the exponent of PNG's gAMA chunk, or None.
    srgb:         the rendering intent of PNG's sRGB chunk, or None.
    chromaticity: the eight numbers of PNG's cHRM chunk, or None.
    dpi:          horizontal and vertical resolution, or None.
    text:         keyword -> text of PNG's text chunks.
    exif:         the EXIF block without its orientation (the pixels were turned accordingly), or
                  None.
    """

    icc_profile: bytes | None = None
    gamma: float | None = None
    srgb: int | None = None
    chromaticity: tuple[float, ...] | None = None
    dpi: tuple[float, float] | None = None
    text: tuple[tuple[str, str], ...] = ()
    exif: bytes | None = None


class Picture(NamedTuple):
    """A picture as a file holds it.

    pixels:   uint8 `[H, W, C]`, C = 1 or 3.
    alpha:    uint8 `[H, W]`, or None where the file has no transparency.
    mode:     Pillow's name of the file's pixel layout, for instance "L", "RGB" or "P".
    format:   Pillow's name of the file format, for instance "PNG".
    metadata: colour profile, gamma, text and the like.
    lossy:    the name of the lossy compression that the pixels went through in this file, "" for
              none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = "RGB"
    format: str = "PNG"
    metadata: Metadata = Metadata()
    lossy: str = ""


def read(source: str | os.PathLike | bytes, *, name: str | None = None) -> Picture:
    """Reads a picture exactly; a photograph that its EXIF orientation turns is returned upright.

    Args:
      source: the file's path, or the bytes of a file.
      name: what error messages call the picture; by default the path.

    Returns:
      The `Picture`: palettes are resolved to their colours, black-and-white becomes 0 and 255,
      alpha is kept apart.

    Raises:
      InputError: the file is missing, broken, of more than 8 bits a channel, animated, or in a
        colour space other than grey, RGB or a palette of these.
    """
    name = name or ("picture" if isinstance(source, bytes) else os.fspath(source))
    with _opened(source, name) as image:
        _check_kind(image, name)
        file_format, mode, lossy = image.format or "", image.mode, _lossy(image)
        image.load()
        exif = _exif(image)
        upright = ImageOps.exif_transpose(image) if len(exif) else image
        pixels, alpha = _channels(upright)
        metadata = _metadata(image, exif)
    return Picture(pixels, alpha, mode, file_format, metadata, lossy)


def size_of(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width in pixels of a picture file, from its header alone.

    Args:
      path: the file.

    Returns:
      `(height, width)`, after turning by the EXIF orientation (of a PNG, where that stands before
      the pixels).

    Raises:
      InputError: as `read`, as far as the header shows it.
    """
    name = os.fspath(path)
    with _opened(path, name) as image:
        _check_kind(image, name)
        width, height = image.size
        turned = False
        if (
            image.format != "PNG" or "exif" in image.info
        ):  # a PNG without it here would be decoded in search of it
            turned = _exif(image).get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def write(
    path: str | os.PathLike,
    pixels: np.ndarray,
    *,
    like: Picture | None = None,
    overwrite: bool = False,
) -> None:
    """Writes pixels to a lossless file, whole or not at all, see `files.write`.

    Args:
      path: where to; the name's ending says the format (`LOSSLESS`).
      pixels: uint8 `[H, W, C]`, C = 1 or 3.
      like: the picture whose alpha and metadata the file shall carry, see `save`.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: as `check_format`; or the file exists, or the disk refuses.
      ValueError: as `save`.
    """
    _check_pixels(pixels)
    check_format(path, pixels, alpha=None if like is None else like.alpha)
    files.write(path, lambda file: save(file, pixels, path=path, like=like), overwrite=overwrite)


def save(
    file: BinaryIO, pixels: np.ndarray, *, path: str | os.PathLike, like: Picture | None = None
) -> None:
    """Writes pixels to a binary file in a lossless format.

    Args:
      file: where to.
      pixels: uint8 `[H, W, C]`, C = 1 or 3.
      path: the name that the file has or shall have: its ending says the format (`LOSSLESS`).
      like: the picture whose alpha, colour profile, gamma, resolution, text and EXIF the file shall
        carry, as far as its format can; a colour profile only where the number of channels is the
        same.

    Raises:
      InputError: as `check_format`.
      ValueError: the array is not a picture, or `like.alpha` has another size.
    """
    _check_pixels(pixels)
    alpha = None if like is None else like.alpha
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"alpha is {list(alpha.shape)} but pixels are {list(pixels.shape)}")
    check_format(path, pixels, alpha=alpha)
    planes = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    image = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    file_format = lossless_format(path)
    options = _save_options(file_format, like, channels=pixels.shape[2])
    image.save(file, format=file_format, **options)


def check_format(
    path: str | os.PathLike, pixels: np.ndarray, *, alpha: np.ndarray | None = None
) -> None:
    """Refuses a file name whose format cannot hold a picture exactly.

    Args:
      path: the name of the file to write.
      pixels: `[H, W, C]`; only the number of channels matters.
      alpha: the picture's transparency, or None.

    Raises:
      InputError: the format is lossy or unknown, or has no room for colours, for grey alone, or for
        transparency.
    """
    path = pathlib.Path(path)
    if lossless_format(path) in ("PPM", "BMP") and alpha is not None:
        raise InputError(
            f"{path}: {path.suffix} files cannot hold the transparency of the picture; write a "
            ".png file"
        )
    if path.suffix.lower() == ".pgm" and pixels.shape[2] == 3:
        raise InputError(f"{path}: .pgm files hold grey pictures only; write a .ppm or .png file")
    if path.suffix.lower() == ".ppm" and pixels.shape[2] == 1:
        raise InputError(f"{path}: .ppm files hold colour pictures only; write a .pgm or .png file")


def lossless_format(path: str | os.PathLike) -> str:
    """Pillow's name of the lossless format that a file name asks for.

    Args:
      path: a file name with its ending.

    Returns:
      A value of `LOSSLESS`.

    Raises:
      InputError: the ending is that of a lossy or unknown format.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending in LOSSLESS:
        return LOSSLESS[ending]
    if ending in (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".jp2",
        ".jxl",
        ".heic",
        ".heif",
        ".avif",
    ):
        raise InputError(
            f"{path}: {ending} files are lossy and would not hold these pixels exactly; write a "
            ".png file"
        )
    raise InputError(
        f"{path}: cannot write {ending or 'a file without an ending'}; use one of "
        f"{', '.join(LOSSLESS)}"
    )


def jpeg_file(pixels: np.ndarray, quality: int) -> bytes:
    """A picture as a JPEG file (baseline, chroma 4:2:0 for colour).

    Args:
      pixels: uint8 `[H, W, C]`, C = 1 or 3.
      quality: 1..100, the quality factor of the IJG tables.

    Returns:
      The file.

    Raises:
      ValueError: the array is not a picture, or the quality is out of range.
    """
    _check_pixels(pixels)
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality must be 1..100, got {quality}")
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def jpeg_recompress(pixels: np.ndarray, quality: int) -> np.ndarray:
    """What is left of a picture after saving it as JPEG and opening it again (baseline, chroma
    4:2:0 for colour).

    Args:
      pixels: uint8 `[H, W, C]`, C = 1 or 3.
      quality: 1..100, the quality factor of the IJG tables.

    Returns:
      uint8 `[H, W, C]`.

    Raises:
      ValueError: the array is not a picture, or the quality is out of range.
    """
    with Image.open(io.BytesIO(jpeg_file(pixels, quality))) as image:
        return _channels(image)[0]


def rgb_to_ycbcr(rgb: Array) -> Array:
    """Colour to luma and chroma, full-range BT.601 as in JPEG files (JFIF 1.02).

    Args:
      rgb: float32 `[..., H, W, 3]`, 0..255.

    Returns:
      float32 `[..., H, W, 3]`: Y 0..255, Cb and Cr 0..255 with 128 for grey.
    """
    _check_colour(rgb, "rgb")
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    cb = (blue - y) * (0.5 / (1 - LUMA[2])) + 128
    cr = (red - y) * (0.5 / (1 - LUMA[0])) + 128
    return jnp.stack([y, cb, cr], axis=-1)


def ycbcr_to_rgb(ycbcr: Array) -> Array:
    """The inverse of `rgb_to_ycbcr` (not clipped: a changed Y can lead outside 0..255).

    Args:
      ycbcr: float32 `[..., H, W, 3]`.

    Returns:
      float32 `[..., H, W, 3]`: red, green, blue.
    """
    _check_colour(ycbcr, "ycbcr")
    y, cb, cr = ycbcr[..., 0], ycbcr[..., 1] - 128, ycbcr[..., 2] - 128
    red = y + 2 * (1 - LUMA[0]) * cr
    blue = y + 2 * (1 - LUMA[2]) * cb
    green = y - (LUMA[0] * 2 * (1 - LUMA[0]) * cr + LUMA[2] * 2 * (1 - LUMA[2]) * cb) / LUMA[1]
    return jnp.stack([red, green, blue], axis=-1)


def grey(image: Array) -> Array:
    """The luma Y of a picture (BT.601 weights); a grey picture is returned as it is.

    Args:
      image: float32 `[..., H, W, C]`, C = 1 or 3.

    Returns:
      float32 `[..., H, W, 1]`.
    """
    if image.ndim < 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"image must be [..., H, W, 1 or 3], got {list(image.shape)}")
    if image.shape[-1] == 1:
        return image
    return LUMA[0] * image[..., 0:1] + LUMA[1] * image[..., 1:2] + LUMA[2] * image[..., 2:3]


def round_to_pixels(image: Array) -> Array:
    """Rounds to whole numbers (ties to even) and clips to 0..255: the values that an 8-bit file can
    hold.

    Args:
      image: float32, any shape, pixel units.

    Returns:
      float32 of the same shape, whole numbers 0..255. Its gradient is zero.
    """
    return jnp.clip(jnp.round(image), 0.0, 255.0)


@functools.lru_cache(maxsize=256)
def resize_weights(old: int, new: int) -> np.ndarray:
    """The matrix that resizes one dimension as MATLAB's `imresize(..., 'bicubic')` does.

    Row i holds the weights of the old samples in the new sample i: Keys' cubic kernel with a = -1/2
    around the position (i + 1/2) old/new - 1/2, stretched by old/new when shrinking (antialiasing),
    normalised to sum 1, with samples beyond the border mirrored (the border sample is repeated).

    Args:
      old, new: number of samples before and after.

    Returns:
      float64 `[new, old]`, read-only.

    Raises:
      ValueError: a number of samples is not positive.
    """
    if old < 1 or new < 1:
        raise ValueError(f"sizes must be positive, got {old} -> {new}")
    scale = new / old
    stretch = min(scale, 1.0)
    width = 4 / stretch
    centre = (np.arange(new) + 0.5) / scale - 0.5
    taps = np.floor(centre - width / 2)[:, None] + np.arange(math.ceil(width) + 2)[None, :]
    weights = _keys_kernel(stretch * (centre[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.mod(taps.astype(np.int64), 2 * old)
    mirrored = np.where(mirrored < old, mirrored, 2 * old - 1 - mirrored)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], mirrored), weights)
    matrix.setflags(write=False)
    return matrix


def imresize(image: Array, size: tuple[int, int]) -> Array:
    """Bicubic resizing with antialiasing and mirrored borders, as MATLAB's `imresize` on
    floating-point pictures.

    Neither rounded nor clipped: the kernel overshoots at edges. (MATLAB's result on uint8 is
    `data.preprocess.resize`.)

    Args:
      image: float32 `[..., H, W, C]` with C = 1 or 3, or a plane `[H, W]`.
      size: `(height, width)` of the result.

    Returns:
      float32 `[..., height, width, C]`, or a plane `[height, width]`.

    Raises:
      ValueError: the array has one dimension, or its last dimension is neither 1 nor 3.
    """
    plane = image.ndim == 2
    if not plane and (image.ndim < 3 or image.shape[-1] not in (1, 3)):
        raise ValueError(f"image must be [H, W] or [..., H, W, 1 or 3], got {list(image.shape)}")
    stack = image[..., None] if plane else image
    rows = jnp.asarray(resize_weights(stack.shape[-3], int(size[0])), jnp.float32)
    columns = jnp.asarray(resize_weights(stack.shape[-2], int(size[1])), jnp.float32)
    resized = jnp.einsum(
        "ih,...hwc,jw->...ijc", rows, stack, columns, precision=jax.lax.Precision.HIGHEST
    )
    return resized[..., 0] if plane else resized


def _keys_kernel(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _check_pixels(pixels: np.ndarray) -> None:
    shape, dtype = np.shape(pixels), np.asarray(pixels).dtype
    if dtype != np.uint8 or len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        raise ValueError(f"pixels must be uint8 [H, W, 1 or 3], got {dtype} {list(shape)}")


def _check_colour(image: Array, name: str) -> None:
    if image.ndim < 3 or image.shape[-1] != 3:
        raise ValueError(f"{name} must be [..., H, W, 3], got {list(image.shape)}")
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"{name} must be floating point in 0..255, got {image.dtype}")


@contextlib.contextmanager
def _opened(source: str | os.PathLike | bytes, name: str):
    """Opens a picture with Pillow; what cannot be opened, or read within, is an `InputError`.

    A damaged file leads Pillow's readers to exceptions of every kind.
    """
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; check the path") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: not a picture file that can be read; use PNG, TIFF, BMP, PGM/PPM or JPEG"
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read as a picture ({reason})") from error
    with image:
        try:
            yield image
        except (InputError, MemoryError):
            raise
        except Exception as error:
            raise InputError(f"{name}: broken picture file ({error}); replace the file") from error


def _lossy(image: Image.Image) -> str:
    """The lossy compression of an opened file, by its name in the field; "" for none."""
    kind, compression = image.format or "", str(image.info.get("compression", ""))
    if kind in ("JPEG", "MPO"):
        return "JPEG"
    if kind == "TIFF" and "jpeg" in compression:
        return "JPEG"
    if any(tile[0] == "bcn" for tile in getattr(image, "tile", ())):
        return "texture compression"
    if kind in _LOSSY:
        return _LOSSY[kind](_beginning(image))
    return ""


def _beginning(image: Image.Image) -> bytes:
    """Enough of an opened file to hold what says how it is compressed."""
    file = image.fp if image.fp is not None else io.BytesIO()
    place = file.tell()
    file.seek(0)
    content = file.read(1 << 16)
    file.seek(place)
    return content


def _lossy_webp(content: bytes) -> str:
    """Of the chunks of a WebP file, VP8 is lossy and VP8L is not."""
    place = 12
    while place + 8 <= len(content):
        kind, length = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        if kind in (b"VP8 ", b"VP8L"):
            return "WebP" if kind == b"VP8 " else ""
        place += 8 + length + length % 2
    return "WebP"  # far behind a long colour profile


def _lossy_jpeg2000(content: bytes) -> str:
    """The last number of the marker COD (ISO/IEC 15444-1, A.6.1) is 1 for the wavelet that can be
    undone.
    """
    place = content.find(b"\xff\x52")
    return "" if 0 <= place < len(content) - 14 and content[place + 13] == 1 else "JPEG 2000"


_LOSSY = {"WEBP": _lossy_webp, "JPEG2000": _lossy_jpeg2000, "AVIF": lambda content: "AVIF"}


def _check_kind(image: Image.Image, name: str) -> None:
    if image.format in _DRAWINGS:
        raise InputError(
            f"{name}: is a drawing without pixels of its own ({image.format}); save it as a .png "
            "file first"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise InputError(
            f"{name}: holds {frames} pictures (animated or several pages); give a file "
            "with one picture"
        )
    if _deep(image):
        raise InputError(
            f"{name}: has more than 8 bits a channel; convert it to 8 bits a channel first"
        )
    if image.mode not in _MODES:
        raise InputError(
            f"{name}: colour space {image.mode} is not supported; convert it to grey or RGB first"
        )


def _deep(image: Image.Image) -> bool:
    """Whether a channel of the file has more than 8 bits: Pillow opens 16-bit colour PNG, PPM and
    TIFF as 8-bit modes.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return True
    if image.format == "TIFF":
        return max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))) > 8
    tiles = getattr(image, "tile", ())
    layouts = [tile[3] if isinstance(tile[3], tuple) else (tile[3],) for tile in tiles]
    if image.format == "PPM":
        return any(isinstance(part, int) and part > 255 for layout in layouts for part in layout)
    return any(isinstance(part, str) and ";16" in part for layout in layouts for part in layout)


def _channels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels `[H, W, 1 or 3]` and alpha `[H, W]` or None, without a change of any value."""
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
    if image.mode in ("1", "L", "LA"):
        image = image.convert("LA" if transparent else "L")
    else:
        image = image.convert("RGBA" if transparent else "RGB")
    values = np.array(image)
    values = values[..., None] if values.ndim == 2 else values
    return (
        (np.ascontiguousarray(values[..., :-1]), values[..., -1].copy())
        if transparent
        else (values, None)
    )


def _exif(image: Image.Image) -> Image.Exif:
    """The EXIF block; an empty one where it is damaged, which says nothing of the pixels."""
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def _metadata(image: Image.Image, exif: Image.Exif) -> Metadata:
    info = image.info
    turned = exif.pop(_ORIENTATION, 1) != 1
    text = (
        {key: str(value) for key, value in getattr(image, "text", {}).items()}
        if image.format == "PNG"
        else {}
    )
    if turned:
        text.pop(_XMP, None)  # it repeats the orientation, which no longer holds
    return Metadata(
        icc_profile=info.get("icc_profile"),
        gamma=info.get("gamma"),
        srgb=info.get("srgb"),
        chromaticity=tuple(info["chromaticity"]) if "chromaticity" in info else None,
        dpi=(float(info["dpi"][0]), float(info["dpi"][1])) if "dpi" in info else None,
        text=tuple(text.items()),
        exif=exif.tobytes() if len(exif) else None,
    )


def _save_options(file_format: str, like: Picture | None, *, channels: int) -> dict:
    """The keyword arguments of Pillow's `save` that carry the metadata of `like`."""
    if like is None or file_format == "PPM":
        return {}
    metadata, options = like.metadata, {}
    if metadata.dpi is not None and min(metadata.dpi) > 0:
        options["dpi"] = metadata.dpi
    if file_format == "BMP":
        return options
    same_channels = like.pixels.shape[-1] == channels
    if metadata.icc_profile and same_channels:
        options["icc_profile"] = metadata.icc_profile
    if metadata.exif is not None:
        options["exif"] = metadata.exif
    if file_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        if metadata.gamma is not None:
            chunks.add(b"gAMA", struct.pack(">I", round(metadata.gamma * 100000)))
        if metadata.srgb is not None and "icc_profile" not in options:
            chunks.add(b"sRGB", struct.pack(">B", metadata.srgb))
        if metadata.chromaticity is not None:
            chunks.add(
                b"cHRM",
                struct.pack(">8I", *(round(value * 100000) for value in metadata.chromaticity)),
            )
        for keyword, value in metadata.text:
            (chunks.add_itxt if keyword == _XMP else chunks.add_text)(keyword, value)
        options["pnginfo"] = chunks
    return options
