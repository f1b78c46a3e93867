"""A picture file is a cover of its samples and a rest that comes back as it was."""

import io

import numpy as np
import pytest
from support.photographs import photograph

from stegojax import domains, images
from stegojax.domains import PIXELS, pixels
from stegojax.errors import InputError


@pytest.mark.parametrize("shape", [(5, 7, 1), (6, 4, 3)])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_file_comes_back_as_it_was(tmp_path, shape, transparent):
    picture = photograph(shape)
    alpha = np.full(shape[:2], 255, np.uint8)
    alpha[1, 2], alpha[3, 0] = 0, 1
    metadata = images.Metadata(gamma=0.45455, text=(("Author", "somebody"),))
    picture = picture._replace(alpha=alpha if transparent else None, metadata=metadata)
    images.write(tmp_path / "a.png", picture.pixels, like=picture)

    cover, rest = PIXELS.read(tmp_path / "a.png")
    assert cover.shapes == (shape[:2],) * shape[2] and cover.elements == np.prod(shape)
    assert all(plane.dtype == np.int16 for plane in cover.planes)
    np.testing.assert_array_equal(cover.flat(), np.moveaxis(picture.pixels, -1, 0).ravel())
    if transparent:
        assert all(np.argwhere(frozen).tolist() == [[1, 2]] for frozen in cover.frozen)
        assert len(cover.frozen) == shape[2]
    else:
        assert cover.frozen == ()

    stego = cover.with_elements(cover.flat() ^ 1)
    PIXELS.check("b.png", stego, rest)
    file = io.BytesIO()
    PIXELS.save(file, stego, rest, path="b.png")
    written = images.read(file.getvalue())
    np.testing.assert_array_equal(written.pixels, picture.pixels ^ 1)
    assert written.metadata == metadata
    np.testing.assert_array_equal(written.alpha, picture.alpha)


def test_what_a_format_cannot_hold_is_refused_before_the_work():
    cover, rest = pixels.cover_of(photograph((4, 4, 3))), pixels.Rest()
    for path, given, words in (
        ("a.jpg", rest, "lossy"),
        ("a", rest, "cannot write"),
        ("a.pgm", rest, "grey pictures only"),
        ("a.bmp", rest._replace(alpha=np.zeros((4, 4), np.uint8)), "transparency"),
    ):
        with pytest.raises(InputError, match=words):
            PIXELS.check(path, cover, given)
        with pytest.raises(InputError, match=words):
            PIXELS.save(io.BytesIO(), cover, given, path=path)


def test_elements_that_are_none_of_the_domain_are_refused():
    cover = pixels.cover_of(photograph((4, 4, 1)))
    for values in (np.full(16, 256), np.full(16, -1)):
        with pytest.raises(ValueError, match="0..255"):
            pixels.picture_of(cover.with_elements(values))
    for values in (np.zeros(15), np.full(16, 0.5), np.full(16, 1 << 16)):
        with pytest.raises(ValueError, match="takes as many int16 numbers"):
            cover.with_elements(values)


@pytest.mark.parametrize("name", ["a.png", "b.TIFF", "c", "d.unknown"])
def test_pixels_are_the_domain_of_every_other_file(name):
    assert domains.of(name) is PIXELS
