"""Named operations on one picture, and the chains they are written in."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from stegojax import images
from stegojax.data import embedded, preprocess
from stegojax.errors import InputError


@pytest.fixture
def photo():
    """A real photograph, uint8 [300, 451, 3]."""
    return embedded.Embedded("held_out")[0]


def _rng(seed=0):
    return np.random.default_rng(seed)


def test_random_crops_are_windows_and_reach_every_place():
    picture = np.arange(6 * 5, dtype=np.uint8).reshape(6, 5, 1)
    seen = set()
    for seed in range(300):
        crop = preprocess.random_crop(_rng(seed), picture, (4, 4))
        top, left = divmod(int(crop[0, 0, 0]), 5)
        np.testing.assert_array_equal(crop, picture[top : top + 4, left : left + 4])
        seen.add((top, left))
    assert seen == {(top, left) for top in range(3) for left in range(2)}
    np.testing.assert_array_equal(preprocess.random_crop(_rng(), picture, (6, 5)), picture)


def test_centre_crop_by_hand():
    picture = np.arange(7 * 4, dtype=np.uint8).reshape(7, 4, 1)
    np.testing.assert_array_equal(
        preprocess.centre_crop(picture, (3, 2))[..., 0], [[9, 10], [13, 14], [17, 18]]
    )
    np.testing.assert_array_equal(
        preprocess.centre_crop(picture, (4, 1))[..., 0], [[5], [9], [13], [17]]
    )


def test_crops_that_do_not_fit_say_what_to_do(photo):
    for crop in (
        lambda: preprocess.random_crop(_rng(), photo, (301, 64)),
        lambda: preprocess.centre_crop(photo, (64, 452)),
    ):
        with pytest.raises(InputError, match="is 300x451, smaller than the crop .*lower data.crop"):
            crop()


def test_resize_rounds_after_each_pass(photo):
    small = photo[:90, :70]
    for size in ((40, 50), (50, 30), (120, 99), (30, 140)):
        scales = size[0] / 90, size[1] / 70
        passes = [("ih,hwc->iwc", 90, size[0]), ("jw,hwc->hjc", 70, size[1])]
        expected = small.astype(np.float64)
        for letters, old, new in passes if scales[0] <= scales[1] else passes[::-1]:
            exact = np.einsum(letters, images.resize_weights(old, new), expected)
            expected = np.clip(np.floor(exact + 0.5), 0, 255)
        np.testing.assert_array_equal(preprocess.resize(small, size), expected.astype(np.uint8))


def test_resize_is_close_to_imresize_and_to_pillow(photo):
    small = preprocess.resize(photo, (128, 200))
    floats = np.asarray(
        images.round_to_pixels(images.imresize(jnp.asarray(photo, jnp.float32), (128, 200)))
    )
    assert np.abs(small - floats).max() <= 2 and np.mean(small != floats) < 0.3
    pillow = np.array(Image.fromarray(photo).resize((200, 128), Image.Resampling.BICUBIC), float)
    assert np.abs(small[8:-8, 8:-8] - pillow[8:-8, 8:-8]).max() <= 4
    assert small.dtype == np.uint8 and small.flags.c_contiguous
    np.testing.assert_array_equal(preprocess.resize(photo, photo.shape[:2]), photo)


def test_grey_and_colour(photo):
    grey = preprocess.to_grey(photo)
    exact = np.asarray(images.grey(jnp.asarray(photo, jnp.float32)))
    assert grey.shape == (300, 451, 1) and grey.dtype == np.uint8
    assert np.abs(grey - exact).max() <= 0.501
    np.testing.assert_array_equal(
        preprocess.to_grey(np.array([[[255, 255, 255], [1, 2, 250]]], np.uint8))[..., 0],
        [[255, 30]],
    )
    colour = preprocess.to_colour(grey)
    assert colour.shape == photo.shape
    np.testing.assert_array_equal(preprocess.to_grey(colour), grey)
    assert preprocess.to_colour(photo) is photo and preprocess.to_grey(grey) is grey


def test_jpeg_is_the_jpeg_of_images(photo):
    np.testing.assert_array_equal(preprocess.jpeg(photo, 50), images.jpeg_recompress(photo, 50))
    assert (preprocess.jpeg(photo, 50) != photo).any()


def test_flips_and_turns_are_all_of_theirs(photo):
    square = photo[:32, :32]
    flips = {preprocess.random_flip(_rng(seed), square).tobytes() for seed in range(40)}
    assert flips == {square.tobytes(), square[:, ::-1].tobytes()}
    turns = {preprocess.random_rot90(_rng(seed), square).tobytes() for seed in range(80)}
    assert turns == {np.rot90(square, quarter).tobytes() for quarter in range(4)}
    with pytest.raises(InputError, match="square"):
        preprocess.random_rot90(_rng(), photo)


def test_chains_do_one_step_after_another(photo):
    steps = preprocess.parse(("centre_crop:256", "jpeg:50", "resize:100x90", "grey"))
    by_hand = photo[22:278, 97:353]
    by_hand = preprocess.to_grey(preprocess.resize(images.jpeg_recompress(by_hand, 50), (100, 90)))
    np.testing.assert_array_equal(preprocess.apply(_rng(), photo, steps), by_hand)
    assert [step.text for step in steps] == ["centre_crop:256", "jpeg:50", "resize:100x90", "grey"]


def test_random_chains_follow_the_generator(photo):
    steps = preprocess.parse(["random_crop:64x48", "random_flip", "colour"])
    one, same, other = (preprocess.apply(_rng(seed), photo, steps) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (64, 48, 3) and (one != other).any()


def test_the_size_after_a_chain_is_known_without_the_picture(photo):
    for texts in (
        ("resize:100x90", "centre_crop:64"),
        ("random_crop:60x80", "grey", "jpeg:9"),
        ("centre_crop:30", "random_rot90"),
    ):
        steps = preprocess.parse(texts)
        assert (
            preprocess.size_after((300, 451), steps)
            == preprocess.apply(_rng(), photo, steps).shape[:2]
        )
    with pytest.raises(InputError, match="smaller than the crop 101x101"):
        preprocess.size_after((300, 451), preprocess.parse(("resize:100", "centre_crop:101")))
    with pytest.raises(InputError, match="square"):
        preprocess.size_after((300, 451), preprocess.parse(("random_rot90",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sharpen", "unknown operation 'sharpen'; known are random_crop"),
        ("resize", "like resize:256"),
        ("resize:0", "like resize:256"),
        ("resize:12y", "like resize:256"),
        ("jpeg:101", "like jpeg:75"),
        ("jpeg", "like jpeg:75"),
        ("grey:3", "takes no argument"),
    ],
)
def test_unreadable_chains_are_one_line_errors(text, words):
    with pytest.raises(InputError, match=words) as caught:
        preprocess.parse(("grey", text))
    assert "\n" not in str(caught.value)


def test_a_chain_is_not_a_single_text():
    with pytest.raises(InputError, match="sequence of texts"):
        preprocess.parse("grey")


def test_functions_say_what_they_were_given(photo):
    for wrong in (photo.astype(np.float32), photo[..., 0], photo[None]):
        with pytest.raises(ValueError, match="picture must be uint8"):
            preprocess.to_grey(wrong)


def test_shrinking_takes_the_mean_of_the_area_that_a_pixel_covers():
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    weights = [np.zeros((new, old)) for new, old in ((6, 9), (8, 12))]
    for matrix in weights:
        for row in range(len(matrix)):
            for column in range(matrix.shape[1]):
                overlap = min(column + 1, 1.5 * (row + 1)) - max(column, 1.5 * row)
                matrix[row, column] = max(0.0, overlap) / 1.5
    expected = np.einsum("ih,hwc,jw->ijc", weights[0], picture.astype(float), weights[1])
    small = preprocess.apply(_rng(), picture, preprocess.parse(("shrink:1.5",)))
    assert small.shape == (6, 8, 3) and preprocess.size_after(
        (9, 12), preprocess.parse(("shrink:1.5",))
    ) == (6, 8)
    assert np.abs(small - expected).max() < 0.5 + 1e-9
    for text in ("shrink", "shrink:1", "shrink:nan", "shrink:100"):
        with pytest.raises(InputError, match="write it like shrink:1.5"):
            preprocess.parse((text,))
