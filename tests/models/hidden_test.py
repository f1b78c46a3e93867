"""HiDDeN's networks counted and computed naively; its noise layers against their definitions and
SciPy.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import fft, ndimage
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import hidden


def unit_count(inputs, outputs):
    return 9 * inputs * outputs + 3 * outputs


def test_parameters():
    row = unit_count(3, 64) + 3 * unit_count(64, 64)
    encoder = row + unit_count(64 + 30 + 3, 64) + 64 * 3 + 3
    assert plain.count(hiding.with_bits(hidden.Encoder(), 30), 1, 16, 16, 3) == encoder == 169347
    decoder = row + 3 * unit_count(64, 64) + unit_count(64, 30) + 30 * 30 + 30
    assert plain.count(hidden.Decoder(), 1, 16, 16, 3) == decoder == 242556
    assert (
        plain.count(hidden.Steganalyzer(), 1, 16, 16, 3)
        == unit_count(3, 64) + 2 * unit_count(64, 64) + 65
        == 76097
    )


def unit(x, params, stats):
    return plain.relu(
        plain.normalise(plain.convolve(x, params["conv"]), params["norm"], stats["norm"])
    )


def row(x, variables, count):
    params, stats = variables["params"]["row"], variables["batch_stats"]["row"]
    assert len(params) == count
    for i in range(1, count + 1):
        x = unit(x, params[f"unit{i}"], stats[f"unit{i}"])
    return x


def test_the_encoder_computes_the_table():
    x = plain.picture(0, (2, 9, 7, 3))
    network = hiding.with_bits(hidden.Encoder(width=0.0625), 5)
    variables = plain.variables_of(network, x)
    params, stats = variables["params"], variables["batch_stats"]
    cover, bits = (np.asarray(part, np.float64) for part in network.split(x))
    assert (bits[0] != bits[1]).any()
    cover = cover / 127.5 - 1
    everywhere = np.tile(bits[:, None, None], (1, 9, 7, 1))
    y = unit(
        hiding.beside(row(cover, variables, 4), everywhere, cover), params["fuse"], stats["fuse"]
    )
    hiding.assert_returns(
        network, x, (plain.convolve(y, params["output"]) + 1) / 2 * 255, variables
    )


@pytest.mark.parametrize(
    "network", [hidden.Decoder(length=5, width=0.0625), hidden.Steganalyzer(width=0.0625)]
)
def test_decoder_and_steganalyzer_compute_the_table(network):
    x = plain.picture(1, (2, 11, 8, 3))
    variables = plain.variables_of(network, x)
    params, stats = variables["params"], variables["batch_stats"]
    y = np.asarray(x, np.float64) / 127.5 - 1
    if isinstance(network, hidden.Decoder):
        y = unit(row(y, variables, 7), params["bits"], stats["bits"])
    else:
        y = row(y, variables, 3)
    hiding.assert_returns(network, x, plain.dense(y.mean(axis=(1, 2)), params["full"]), variables)


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: hiding.with_bits(hidden.Encoder(width=0.0625, axis_name=axis), 5),
        plain.picture(2, (4, 9, 8, 3)),
        atol=2e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: hidden.Decoder(length=5, width=0.0625, axis_name=axis),
        plain.picture(2, (4, 9, 8, 3)),
        atol=1e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: hidden.Steganalyzer(width=0.0625, axis_name=axis),
        plain.picture(2, (4, 9, 8, 3)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(
        hiding.with_bits(hidden.Encoder(width=0.0625), 5), (1, 8, 8, 3)
    )
    plain.assert_gradients_are_finite(hidden.Decoder(length=5, width=0.0625), (1, 8, 8, 3))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    cover = jnp.zeros((2, 8, 8, 3))
    for message in (jnp.zeros((1, 9)), jnp.zeros((2, 9, 1)), jnp.zeros((2, 9), jnp.uint8)):
        with pytest.raises(
            ValueError,
            match=r"the message must be float32 bits \[B, L\], .* was given with a cover",
        ):
            init(hidden.Encoder(), cover, message)
    for network in (hidden.Decoder(), hidden.Steganalyzer()):
        with pytest.raises(ValueError, match="pictures must be a float32 array"):
            init(network, cover[0])


KEY = jax.random.key(7)


def pair(shape):
    """A stego and a cover that share no pixel's value."""
    rng = np.random.default_rng(3)
    return tuple(jnp.asarray(rng.uniform(low, low + 120, shape), jnp.float32) for low in (0, 130))


def test_nothing_happens():
    stego, cover = pair((2, 5, 6, 3))
    np.testing.assert_array_equal(hidden.identity(KEY, stego, cover), stego)


def test_dropout_puts_whole_pixels_back():
    stego, cover = pair((2, 100, 60, 3))
    damaged = hidden.dropout(KEY, stego, cover)
    kept = np.asarray(damaged == stego)
    np.testing.assert_array_equal(damaged, np.where(kept, stego, cover))
    assert (kept.all(axis=-1) == kept.any(axis=-1)).all() and (kept[0] != kept[1]).any()
    assert abs(kept.mean() - 0.3) < 0.02
    np.testing.assert_array_equal(hidden.dropout(KEY, stego, cover, keep=0.0), cover)
    np.testing.assert_array_equal(hidden.dropout(KEY, stego, cover, keep=1.0), stego)


def test_cropout_keeps_a_square_anywhere():
    stego, cover = pair((64, 10, 12, 1))
    damaged = np.asarray(hidden.cropout(KEY, stego, cover))
    kept = damaged == np.asarray(stego)
    np.testing.assert_array_equal(damaged, np.where(kept, stego, cover))
    assert (kept.sum(axis=(1, 2, 3)) == 36).all()  # the side is sqrt(.3 * 120), exactly 6
    rows, columns = kept.any(axis=(2, 3)), kept.any(axis=(1, 3))
    assert (rows.sum(axis=1) == 6).all() and (columns.sum(axis=1) == 6).all()
    assert set(rows.argmax(axis=1)) == set(range(5)) and set(columns.argmax(axis=1)) == set(
        range(7)
    )


def test_crop_cuts_a_square_out_of_each_picture():
    stego, cover = pair((64, 9, 12, 2))
    cut = np.asarray(hidden.crop(KEY, stego, cover, keep=0.2))
    assert cut.shape == (64, 4, 4, 2)  # sqrt(.2 * 108) = 4.65
    windows = np.lib.stride_tricks.sliding_window_view(
        np.asarray(stego), (4, 4), axis=(1, 2)
    ).transpose(0, 1, 2, 4, 5, 3)
    found = [np.argwhere((windows[i] == cut[i]).all(axis=(2, 3, 4))) for i in range(64)]
    assert all(len(where) == 1 for where in found)
    starts = np.concatenate(found)
    assert set(starts[:, 0]) == set(range(6)) and set(starts[:, 1]) == set(range(9))
    assert hidden.crop(KEY, *pair((1, 128, 128, 3))).shape == (1, 23, 23, 3)


@pytest.mark.parametrize("sigma", [2.0, 0.7])
def test_the_blur_is_scipy_s(sigma):
    stego, cover = pair((2, 7, 12, 3))
    radius = int(np.ceil(2 * sigma))
    expected = ndimage.gaussian_filter(
        np.asarray(stego, np.float64),
        (0, sigma, sigma, 0),
        mode="nearest",
        radius=(0, radius, radius, 0),
    )
    np.testing.assert_allclose(
        hidden.gaussian_blur(KEY, stego, cover, sigma=sigma), expected, rtol=1e-5
    )


def test_the_first_coefficients_in_zigzag_order():
    order = np.zeros((8, 8), int)
    for kept in range(1, 65):
        order += hidden.zigzag(kept)
    order = 64 - order
    # ITU-T T.81, Figure A.6.
    assert order[:4].tolist() == [
        [0, 1, 5, 6, 14, 15, 27, 28],
        [2, 4, 7, 13, 16, 26, 29, 42],
        [3, 8, 12, 17, 25, 30, 41, 43],
        [9, 11, 18, 24, 31, 40, 44, 53],
    ]
    assert order[7].tolist() == [35, 36, 48, 49, 57, 58, 62, 63] and not hidden.zigzag(0).any()


YUV = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
"""The authors' colours; a filter of each channel does the same in JPEG's, which differ by a factor
and an offset.
"""


def masked(picture, mask):
    """The mask on the DCT of every 8x8 block of a picture [H, W, C], block by block."""
    height, width, channels = picture.shape
    x = np.pad(picture, ((0, -height % 8), (0, -width % 8), (0, 0)), mode="edge")
    x = x @ YUV.T if channels == 3 else x.copy()
    for i in range(0, x.shape[0], 8):
        for j in range(0, x.shape[1], 8):
            for c in range(channels):
                spectrum = fft.dctn(x[i : i + 8, j : j + 8, c], norm="ortho")
                x[i : i + 8, j : j + 8, c] = fft.idctn(spectrum * mask[..., c], norm="ortho")
    return (x @ np.linalg.inv(YUV).T if channels == 3 else x)[:height, :width]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_mask_keeps_low_frequencies(channels):
    stego, cover = pair((2, 16, 21, channels))
    mask = np.stack([hidden.zigzag(kept) for kept in (25, 9, 9)], axis=-1)
    damaged = hidden.jpeg_mask(KEY, stego, cover)
    for i in range(2):
        np.testing.assert_allclose(
            damaged[i], masked(np.asarray(stego[i], np.float64), mask), atol=2e-2
        )
    np.testing.assert_allclose(
        hidden.jpeg_mask(KEY, stego, cover, kept=(64, 64, 64)), stego, atol=1e-3
    )


def test_chances_of_jpeg_drop():
    chances = hidden.jpeg_keep_probabilities(50)
    # At quality 50 the steps are the tables' (and a half): 11.5, 61.5 of luma, 18.5 of chroma.
    expected = [
        (1 - np.log(11.5) / 7) ** 2,
        (1 - np.log(61.5) / 7) ** 2,
        (1 - np.log(18.5) / 7) ** 2,
    ]
    np.testing.assert_allclose(
        [chances[0, 1, 0], chances[0, 7, 0], chances[0, 1, 1]], expected, rtol=1e-5
    )
    assert (chances[0, 0] == 1).all() and (chances[..., 1] == chances[..., 2]).all()
    better, worse = hidden.jpeg_keep_probabilities(90), hidden.jpeg_keep_probabilities(10)
    assert (worse <= chances).all() and (chances <= better).all() and (better > worse)[1:].all()
    np.testing.assert_allclose(hidden.jpeg_keep_probabilities(100)[1:], 0.9, rtol=1e-6)
    np.testing.assert_allclose(worse[7, 7], 0.1, rtol=1e-6)


def test_jpeg_drop_keeps_coefficients_with_their_chances():
    stego, cover = pair((16, 40, 48, 1))
    damaged = np.asarray(hidden.jpeg_drop(KEY, stego, cover), np.float64)

    def spectra(x):
        return fft.dctn(
            np.asarray(x, np.float64).reshape(16, 5, 8, 6, 8).swapaxes(2, 3),
            axes=(3, 4),
            norm="ortho",
        )

    before, after = spectra(stego), spectra(damaged)
    kept = np.abs(after - before) < np.abs(after)
    before[..., 0, 0] -= 8 * 128
    after[..., 0, 0] -= 8 * 128
    np.testing.assert_allclose(after, np.where(kept, before, 0), atol=2e-2)
    chances = hidden.jpeg_keep_probabilities(50)[..., 0]
    np.testing.assert_allclose(
        kept.mean(axis=(0, 1, 2)), chances, atol=0.1
    )  # 480 blocks: four standard deviations
    assert kept[..., 0, 0].all() and abs(kept.mean() - chances.mean()) < 0.01
    # Every block of every picture has draws of its own.
    assert len(np.unique(kept.reshape(480, 64), axis=0)) == 480
    assert not np.allclose(hidden.jpeg_drop(jax.random.key(8), stego, cover), damaged)


@pytest.mark.parametrize("name", hidden.NOISES)
def test_gradients_reach_the_stego_and_all_noises_take_the_same(name):
    stego, cover = pair((2, 16, 16, 3))
    damaged, pull = jax.vjp(lambda s: hidden.NOISES[name](KEY, s, cover), stego)
    gradient = pull(jnp.ones_like(damaged))[0]
    assert np.isfinite(gradient).all() and gradient.any()


@pytest.mark.parametrize("name", hidden.NOISES)
def test_pictures_that_do_not_fit_are_refused(name):
    noise = hidden.NOISES[name]
    with pytest.raises(
        ValueError, match=rf"hidden.{name}: stego and cover must be float32 of one shape"
    ):
        noise(KEY, jnp.zeros((2, 16, 16, 3)), jnp.zeros((2, 16, 17, 3)))
    with pytest.raises(ValueError, match="uint8"):
        noise(KEY, jnp.zeros((2, 16, 16, 3), jnp.uint8), jnp.zeros((2, 16, 16, 3)))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda s: hidden.dropout(KEY, s, s, keep=1.5),
            InputError,
            "between 0 and 1, 1.5 was given",
        ),
        (
            lambda s: hidden.cropout(KEY, s, s, keep=0.9),
            InputError,
            "cropout: no square has 0.9 of the area of a picture of 8x16",
        ),
        (lambda s: hidden.crop(KEY, s, s, keep=0.0), InputError, "crop: no square"),
        (
            lambda s: hidden.gaussian_blur(KEY, s, s, sigma=0.0),
            InputError,
            "positive standard deviation, 0.0 was given",
        ),
        (lambda s: hidden.jpeg_mask(KEY, s, s, kept=(65, 9, 9)), InputError, "64 coefficients, 65"),
        (
            lambda s: hidden.jpeg_drop(KEY, s, s, quality=0),
            InputError,
            "between 1 and 100, 0 was given",
        ),
        (
            lambda s: hidden.jpeg_drop(KEY, s[..., :2], s[..., :2]),
            ValueError,
            "must have 1 or 3 channels",
        ),
    ],
)
def test_options_out_of_range_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(jnp.zeros((1, 16, 8, 3)))
