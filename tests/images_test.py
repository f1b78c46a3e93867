"""Files come back bit by bit or are refused; colour and resizing agree with hand arithmetic and
with the definition.
"""

import errno
import io
import os
import struct
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stegojax import images
from stegojax.data import embedded
from stegojax.errors import InputError


@pytest.fixture
def photo() -> np.ndarray:
    """A piece of a real photograph, uint8 [61, 83, 3]."""
    return images.read(embedded.path_of("chelsea")).pixels[100:161, 200:283]


def _png(size, *, bit_depth, colour_type, rows):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", size[1], size[0], bit_depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("ending", [".png", ".PNG", ".tif", ".tiff", ".bmp", ".ppm", ".pnm"])
def test_colour_pixels_survive_a_file(tmp_path, photo, ending):
    images.write(tmp_path / f"a{ending}", photo)
    back = images.read(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(back.pixels, photo)
    assert back.alpha is None and images.size_of(tmp_path / f"a{ending}") == (61, 83)


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp", ".pgm", ".pnm"])
def test_grey_pixels_survive_a_file_with_one_channel(tmp_path, photo, ending):
    images.write(tmp_path / f"a{ending}", photo[..., 1:2])
    back = images.read(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(back.pixels, photo[..., 1:2])


def test_png_is_read_as_another_decoder_reads_it(photo):
    rows = [row.tobytes() for row in photo]
    np.testing.assert_array_equal(
        images.read(_png((61, 83), bit_depth=8, colour_type=2, rows=rows)).pixels, photo
    )


def test_palettes_black_and_white_and_transparent_grey(tmp_path):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 4, (9, 7), np.uint8)
    colours = np.array([[1, 2, 3], [250, 0, 7], [9, 9, 9], [77, 66, 55]], np.uint8)
    palette = Image.frombytes("P", (7, 9), indices.tobytes())
    palette.putpalette(colours.ravel().tolist())
    palette.save(tmp_path / "p.png", transparency=bytes([0, 100, 200, 255]))
    back = images.read(tmp_path / "p.png")
    np.testing.assert_array_equal(back.pixels, colours[indices])
    np.testing.assert_array_equal(back.alpha, np.array([0, 100, 200, 255])[indices])
    assert back.mode == "P"
    bits = rng.integers(0, 2, (9, 7)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "b.png")
    np.testing.assert_array_equal(images.read(tmp_path / "b.png").pixels[..., 0], 255 * bits)
    grey = rng.integers(0, 256, (9, 7), np.uint8)
    Image.fromarray(grey).save(tmp_path / "l.png", transparency=int(grey[0, 0]))
    back = images.read(tmp_path / "l.png")
    np.testing.assert_array_equal(back.pixels[..., 0], grey)
    np.testing.assert_array_equal(back.alpha, np.where(grey == grey[0, 0], 0, 255))


def test_a_stego_file_says_what_its_cover_file_said(tmp_path, photo):
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "M. Müller")
    text.add_text("Title", "Ωmega")
    text.add(b"gAMA", struct.pack(">I", 45455))
    text.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    exif = Image.Exif()
    exif[0x010E] = "a cat"
    alpha = np.arange(61 * 83, dtype=np.uint32).reshape(61, 83).astype(np.uint8)
    profile = images.read(embedded.path_of("chelsea")).metadata.icc_profile
    image = Image.fromarray(np.concatenate([photo, alpha[..., None]], 2))
    image.save(tmp_path / "cover.png", pnginfo=text, exif=exif, icc_profile=profile, dpi=(300, 300))
    cover = images.read(tmp_path / "cover.png")
    stego = photo ^ 1
    images.write(tmp_path / "stego.png", stego, like=cover)
    back = images.read(tmp_path / "stego.png")
    np.testing.assert_array_equal(back.pixels, stego)
    np.testing.assert_array_equal(back.alpha, alpha)
    assert back.metadata == cover.metadata
    assert dict(back.metadata.text) == {"Author": "M. Müller", "Title": "Ωmega"}
    assert (
        back.metadata.gamma == pytest.approx(0.45455)
        and back.metadata.icc_profile == profile
        and len(profile) > 100
    )
    assert back.metadata.chromaticity[0] == pytest.approx(
        0.3127
    ) and back.metadata.dpi == pytest.approx((300, 300), abs=0.01)
    with Image.open(tmp_path / "stego.png") as raw:
        assert raw.getexif()[0x010E] == "a cat"
    images.write(tmp_path / "grey.png", stego[..., :1], like=cover)
    assert images.read(tmp_path / "grey.png").metadata.icc_profile is None


def test_srgb_chunk_is_kept(tmp_path, photo):
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\x02")
    Image.fromarray(photo).save(tmp_path / "a.png", pnginfo=info)
    cover = images.read(tmp_path / "a.png")
    images.write(tmp_path / "b.png", photo, like=cover)
    assert images.read(tmp_path / "b.png").metadata.srgb == cover.metadata.srgb == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path, photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    turned = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.swapaxes(0, 1),
        6: np.rot90(photo, -1),
        7: photo[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(photo, 1),
    }
    cover = images.read(tmp_path / "a.png")
    np.testing.assert_array_equal(cover.pixels, turned[orientation])
    assert images.size_of(tmp_path / "a.png") == turned[orientation].shape[:2]
    images.write(tmp_path / "b.png", cover.pixels, like=cover)
    np.testing.assert_array_equal(images.read(tmp_path / "b.png").pixels, turned[orientation])


def test_deep_animated_foreign_and_broken_files_are_one_line_errors(tmp_path, photo):
    deep = photo.astype(">u2") * 257
    (tmp_path / "deep.png").write_bytes(
        _png((61, 83), bit_depth=16, colour_type=2, rows=[row.tobytes() for row in deep])
    )
    rows = [row.tobytes() for row in deep[..., 0]]
    (tmp_path / "deepgrey.png").write_bytes(_png((61, 83), bit_depth=16, colour_type=0, rows=rows))
    (tmp_path / "deep.ppm").write_bytes(b"P6\n83 61\n65535\n" + deep.tobytes())
    (tmp_path / "deep.pgm").write_bytes(
        b"P5\n83 61\n1023\n" + (deep[..., 0] // 64).astype(">u2").tobytes()
    )
    frames = [Image.fromarray(photo), Image.fromarray(photo[::-1].copy())]
    frames[0].save(tmp_path / "animated.png", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray(photo[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(photo).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    expected = {
        "deep.png": "8 bits",
        "deepgrey.png": "8 bits",
        "deep.ppm": "8 bits",
        "deep.pgm": "8 bits",
        "float.tif": "8 bits",
        "animated.png": "2 pictures",
        "pages.tif": "2 pictures",
        "cmyk.jpg": "CMYK",
        "cut.png": "broken",
        "text.png": "not a picture",
        "empty.png": "not a picture",
        "missing.png": "no such file",
    }
    for name, words in expected.items():
        with pytest.raises(InputError, match=words) as caught:
            images.read(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.webp", "a.heic", "a.jxl"])
def test_lossy_formats_are_refused_with_the_reason(tmp_path, photo, name):
    with pytest.raises(InputError, match="lossy"):
        images.write(tmp_path / name, photo)
    assert not os.listdir(tmp_path)


def test_what_a_format_cannot_hold_is_refused(tmp_path, photo):
    with_alpha = images.Picture(photo, photo[..., 0])
    for name, pixels, like in (
        ("a.pgm", photo, None),
        ("a.ppm", photo[..., :1], None),
        ("a.bmp", photo, with_alpha),
        ("a.ppm", photo, with_alpha),
        ("a.xyz", photo, None),
        ("a", photo, None),
    ):
        with pytest.raises(InputError, match="a(.pgm|.ppm|.bmp|.xyz)?: "):
            images.write(tmp_path / name, pixels, like=like)
    for wrong in (photo.astype(np.float32), photo[..., 0], photo[..., :2]):
        with pytest.raises(ValueError, match="uint8"):
            images.write(tmp_path / "a.png", wrong)
    assert not os.listdir(tmp_path)


def test_an_existing_file_is_replaced_only_when_asked(tmp_path, photo):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    path.chmod(0o640)
    with pytest.raises(InputError, match="exists already"):
        images.write(path, photo)
    assert path.read_bytes() == b"precious"
    images.write(path, photo, overwrite=True)
    np.testing.assert_array_equal(images.read(path).pixels, photo)
    assert path.stat().st_mode & 0o777 == 0o640 and os.listdir(tmp_path) == ["a.png"]


def test_new_files_have_the_usual_permissions(tmp_path, photo):
    (tmp_path / "usual").touch()
    images.write(tmp_path / "a.png", photo)
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_leaves_nothing_behind_and_the_old_file_alone(tmp_path, photo, monkeypatch):
    path = tmp_path / "a.png"
    images.write(path, photo)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="a.png: cannot be written .No space left"):
        images.write(path, photo ^ 1, overwrite=True)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.png"]


def test_an_interruption_while_writing_leaves_nothing_behind(tmp_path, photo, monkeypatch):
    def interrupted(self, file, **options):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.write(tmp_path / "a.png", photo)
    assert not os.listdir(tmp_path)


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, photo, monkeypatch):
    original = os.link

    def appear_first(source, target):
        target.write_bytes(b"somebody else's")
        original(source, target)

    monkeypatch.setattr(os, "link", appear_first)
    with pytest.raises(InputError, match="exists already"):
        images.write(tmp_path / "a.png", photo)
    assert (tmp_path / "a.png").read_bytes() == b"somebody else's" and os.listdir(tmp_path) == [
        "a.png"
    ]


def test_file_systems_without_hard_links(tmp_path, photo, monkeypatch):
    def unsupported(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    images.write(tmp_path / "a.png", photo)
    with pytest.raises(InputError, match="exists already"):
        images.write(tmp_path / "a.png", photo ^ 1)
    np.testing.assert_array_equal(images.read(tmp_path / "a.png").pixels, photo)
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_folder_that_is_not_there_is_a_one_line_error(tmp_path, photo):
    with pytest.raises(InputError, match="cannot be written"):
        images.write(tmp_path / "nowhere" / "a.png", photo)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        images.write(tmp_path / "folder.png", photo, overwrite=True)


def test_jpeg_recompression_is_what_a_jpeg_file_holds(photo):
    for pixels in (photo, photo[..., :1]):
        for quality in (30, 90):
            buffer = io.BytesIO()
            flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            Image.fromarray(flat).save(buffer, "JPEG", quality=quality)
            expected = np.array(Image.open(buffer)).reshape(pixels.shape)
            np.testing.assert_array_equal(images.jpeg_recompress(pixels, quality), expected)
    errors = [
        np.abs(images.jpeg_recompress(photo, quality).astype(float) - photo).mean()
        for quality in (20, 60, 98)
    ]
    assert errors[0] > errors[1] > errors[2] > 0
    for quality in (0, 101):
        with pytest.raises(ValueError, match="quality"):
            images.jpeg_recompress(photo, quality)


def test_ycbcr_of_primary_colours_by_hand():
    rgb = jnp.array([[[255.0, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]]])
    expected = np.array(
        [
            [
                [76.245, 84.97232, 255.5],
                [149.685, 43.52768, 21.23456],
                [29.07, 255.5, 107.26544],
                [255, 128, 128],
                [18.15, 134.68736, 122.18688],
            ]
        ]
    )
    np.testing.assert_allclose(images.rgb_to_ycbcr(rgb), expected, atol=2e-3)
    np.testing.assert_allclose(images.grey(rgb)[..., 0], expected[..., 0], atol=1e-4)


def test_ycbcr_is_that_of_jpeg_files(photo):
    ours = np.asarray(images.rgb_to_ycbcr(jnp.asarray(photo, jnp.float32)))
    pillow = np.array(Image.fromarray(photo).convert("YCbCr"), np.float64)
    assert np.abs(np.clip(ours, 0, 255) - pillow).max() < 1.01


def test_ycbcr_there_and_back_is_exact_and_works_on_stacks(photo):
    stack = jnp.asarray(np.stack([photo, photo[::-1]])[None], jnp.float32)
    back = images.ycbcr_to_rgb(images.rgb_to_ycbcr(stack))
    assert back.shape == stack.shape
    np.testing.assert_allclose(back, stack, atol=1e-3)
    np.testing.assert_array_equal(images.round_to_pixels(back), stack)


def test_round_to_pixels():
    rounded = images.round_to_pixels(jnp.array([-3.0, 0.4, 0.5, 1.5, 254.6, 300.0]))
    np.testing.assert_array_equal(rounded, [0, 0, 0, 2, 255, 255])
    assert images.round_to_pixels(jnp.zeros(3)).dtype == jnp.float32


def test_resize_weights_for_doubling_by_hand():
    # New sample 2i+1 lies a quarter behind old sample i: distances 1.25, 0.25, 0.75, 1.75 in Keys'
    # kernel.
    quarter = np.array([-9, 111, 29, -3]) / 128
    weights = images.resize_weights(6, 12)
    np.testing.assert_allclose(weights[5], [0, *quarter, 0], atol=1e-15)
    np.testing.assert_allclose(weights[4], [*quarter[::-1], 0, 0], atol=1e-15)
    # At the border sample -1 mirrors to 0 and -2 to 1: for new sample 0 the taps -2, -1, 0, 1 fold
    # onto 1, 0, 0, 1.
    np.testing.assert_allclose(
        weights[0], [(29 + 111) / 128, (-3 - 9) / 128, 0, 0, 0, 0], atol=1e-15
    )


def test_resize_weights_for_halving_by_hand():
    # Distances of the eight taps in new samples: 1/4, 3/4, 5/4, 7/4 on either side, each weight
    # half of the kernel's.
    half = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    weights = images.resize_weights(20, 10)
    np.testing.assert_allclose(weights[5, 7:15], half, atol=1e-15)
    np.testing.assert_array_equal(weights[5, [6, 15]], 0)
    # New sample 0 has taps -3 .. 4, of which -3, -2, -1 mirror to 2, 1, 0.
    folded = [half[2] + half[3], half[1] + half[4], half[0] + half[5], half[6], half[7]]
    np.testing.assert_allclose(weights[0, :5], folded, atol=1e-15)


def _brute_force(plane, size):
    """imresize by its definition, one sample at a time."""

    def kernel(x):
        x = abs(x)
        return (
            (1.5 * x**3 - 2.5 * x**2 + 1)
            if x <= 1
            else (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
            if x <= 2
            else 0.0
        )

    def one_dimension(samples, new):
        old, result = len(samples), []
        scale = new / old
        stretch = min(1.0, scale)
        for i in range(1, new + 1):
            centre, total, value = i / scale + 0.5 * (1 - 1 / scale), 0.0, 0.0
            for tap in range(-4 * old, 5 * old):
                weight = kernel(stretch * (centre - tap))
                mirrored = (tap - 1) % (2 * old)
                total += weight
                value += weight * samples[mirrored if mirrored < old else 2 * old - 1 - mirrored]
            result.append(value / total)
        return np.array(result)

    rows = np.stack([one_dimension(column, size[0]) for column in plane.T], axis=1)
    return np.stack([one_dimension(row, size[1]) for row in rows])


@pytest.mark.parametrize("size", [(5, 19), (23, 7), (11, 13), (1, 1), (16, 5), (40, 3)])
def test_imresize_is_its_definition(photo, size):
    plane = photo[:11, :13, 1].astype(np.float64)
    np.testing.assert_allclose(
        images.imresize(jnp.asarray(plane, jnp.float32), size), _brute_force(plane, size), atol=2e-4
    )


def test_imresize_of_planes_pictures_and_stacks_agree(photo):
    picture = jnp.asarray(photo, jnp.float32)
    whole = jax.jit(images.imresize, static_argnums=1)(
        jnp.stack([picture, picture[::-1]]), (30, 50)
    )
    assert whole.shape == (2, 30, 50, 3) and whole.dtype == jnp.float32
    np.testing.assert_allclose(
        whole[0, ..., 2], images.imresize(picture[..., 2], (30, 50)), atol=1e-3
    )
    np.testing.assert_allclose(whole[1], whole[0, ::-1], atol=1e-3)
    np.testing.assert_allclose(images.imresize(picture, picture.shape[:2]), picture, atol=1e-4)
    with pytest.raises(ValueError, match="image must be"):
        images.imresize(picture[None, :, :, :2], (3, 3))


def test_functions_say_what_they_were_given():
    with pytest.raises(ValueError, match=r"\[4, 4, 1\]"):
        images.rgb_to_ycbcr(jnp.zeros((4, 4, 1)))
    with pytest.raises(ValueError, match="uint8"):
        images.ycbcr_to_rgb(jnp.zeros((4, 4, 3), jnp.uint8))
    with pytest.raises(ValueError, match=r"\[4, 2\]"):
        images.grey(jnp.zeros((4, 2)))
    with pytest.raises(ValueError, match="0 -> 3"):
        images.resize_weights(0, 3)
