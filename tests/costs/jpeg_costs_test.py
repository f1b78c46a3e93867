"""Costs of JPEG coefficients against golden vectors, Matlab's maps, brute force and libjpeg's
pixels.
"""

import functools
import io

import jax
import numpy as np
import pytest
import scipy.io
import scipy.signal
from PIL import Image
from support.jpeg_files import by_pillow

from stegojax import probabilities
from stegojax.costs import dct, jmipod
from stegojax.costs.ebs import ebs
from stegojax.costs.juniward import juniward
from stegojax.costs.nsf5 import nsf5
from stegojax.costs.uerd import uerd
from stegojax.costs.wavelets import HIGH_PASS, LOW_PASS
from stegojax.domains import JPEG, jpeg_codec
from stegojax.types import WET_COST

AT = ([0, 0, 11, 31, 28], [0, 1, 18, 31, 0])


def golden_coefficients(size=32):
    i, j = np.mgrid[:size, :size]
    a = (37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251 - 125
    return (np.sign(a) * (abs(a) // (2 + 2 * (i % 8 + j % 8) ** 2))).astype(np.int16)


@functools.cache
def steps():
    """The luminance table of quality 75."""
    content = by_pillow(8, 8, mode="L", quality=75)
    return jpeg_codec.decode(content).quantisation[0]


@pytest.mark.parametrize(
    "offset, rounded, expected",
    [
        (7, True, [32.213991, 31.537189, 173.81875, 2307.9146, 166.54269, 615.60755]),
        (8, True, [44.867325, 42.175186, 136.3899, 2126.71, 120.375, 597.20048]),
        (7, False, [43.827625, 45.756351, 133.01449, 4190.7919, 176.23517, 680.14056]),
        (8, False, [43.839195, 44.540698, 110.13058, 3697.6044, 118.72785, 656.03666]),
    ],
)
def test_juniward_golden(offset, rounded, expected):
    with jax.enable_x64(True):
        rho = np.asarray(
            juniward(golden_coefficients(), steps(), offset=offset, rounded=rounded).plus
        )
    np.testing.assert_allclose([*rho[AT], rho.mean()], expected, rtol=5e-8)


def test_uerd_golden():
    costs = uerd(golden_coefficients(), steps())
    expected = [0.0036951501, 0.0036951501, 0.0065310969, 0.030012005, 0.005197055, 0.017496462]
    rho = np.asarray(costs.plus)
    np.testing.assert_allclose([*rho[AT], rho.mean()], expected, rtol=1e-6)
    assert np.array_equal(costs.plus, costs.minus)


def test_uerd_of_nothing_is_wet():
    coefficients = np.zeros((32, 32), np.int16)
    coefficients[1, 1] = 3
    rho = np.asarray(uerd(coefficients, steps()).plus)
    assert (rho[:16, :16] < 1e3).all() and (rho[16:] == WET_COST).all()


def test_juniward_of_a_constant_picture():
    rho = np.asarray(juniward(np.zeros((40, 40), np.int16), np.ones((8, 8), np.int32)).plus)
    np.testing.assert_allclose(rho[16:24, 16:24][[0, 7], [0, 7]], [594.10635, 997.33489], rtol=1e-6)


def test_juniward_is_the_distortion_of_one_change():
    coefficients = golden_coefficients(72)
    with jax.enable_x64(True):
        rho = np.asarray(juniward(coefficients, steps(), offset=8, rounded=False).plus)

    def wavelets_of(plane):
        values = plane.reshape(9, 8, 9, 8) * steps().astype(float)[:, None, :]
        pixels = np.einsum("ku,iujv,vl->ikjl", dct.BASIS.T, values, dct.BASIS).reshape(72, 72)
        return [
            scipy.signal.correlate2d(pixels, np.outer(down, along), "valid")
            for down, along in (
                (LOW_PASS, HIGH_PASS),
                (HIGH_PASS, LOW_PASS),
                (HIGH_PASS, HIGH_PASS),
            )
        ]

    for at in ((32, 32), (34, 37), (39, 39)):
        stego = coefficients.astype(float)
        stego[at] += 1
        pairs = zip(wavelets_of(coefficients.astype(float)), wavelets_of(stego))
        distortion = sum((abs(y - x) / (abs(x) + 2**-6)).sum() for x, y in pairs)
        np.testing.assert_allclose(rho[at], distortion, rtol=1e-9)


def test_pixels_are_libjpegs():
    content = by_pillow(64, 96, mode="L", quality=60)
    (plane,), (table,), _ = jpeg_codec.decode(content)
    pixels = np.asarray(dct.integer_pixels(plane, table))
    assert np.array_equal(pixels, np.array(Image.open(io.BytesIO(content))))
    unrounded = np.asarray(dct.unrounded_pixels(plane, table))
    assert abs(np.clip(unrounded, 0, 255) - pixels).max() < 1


def test_shapes_are_checked_and_planes_are_independent():
    with pytest.raises(ValueError, match="8 rows"):
        uerd(np.zeros((8, 12)), steps())
    with pytest.raises(ValueError, match=r"\[8, 8\]"):
        juniward(np.zeros((8, 8)), np.ones(64))
    with pytest.raises(ValueError, match="7 or 8"):
        juniward(np.zeros((8, 8)), steps(), offset=6)
    planes = np.stack([golden_coefficients()[:16, :24], golden_coefficients()[16:, 8:]])
    for cost in JPEG.costs.values():
        both = cost(planes, steps()).plus
        np.testing.assert_allclose(both[1], cost(planes[1], steps()).plus, rtol=2e-5)
        apart = jax.vmap(cost)(planes, np.stack([steps(), 2 * steps()]))
        np.testing.assert_allclose(apart.plus[1], cost(planes[1], 2 * steps()).plus, rtol=2e-5)


@pytest.mark.parametrize("kind, offset", [("original", 7), ("fixed", 8)])
def test_juniward_equals_matlab(shared, kind, offset):
    folder = shared / "reference" / "jpeg"
    (plane,), (table,), _ = jpeg_codec.read(folder / "seal1_gray_qf75.jpg")
    expected = scipy.io.loadmat(folder / f"seal1_juniward_{kind}.mat")["rho"]
    np.testing.assert_allclose(juniward(plane, table, offset=offset).plus, expected, rtol=2e-3)
    with jax.enable_x64(True):
        rho = np.asarray(juniward(plane, table, offset=offset).plus)
    np.testing.assert_allclose(rho, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "cost, bits, expected",
    [
        (juniward, 62, [0.088682306, 0.010514695, 355.09369]),
        (juniward, 125, [0.060045454, 0.025076038, 963.69836]),
        (uerd, 62, [961.28565, 0.0088537389, 0.034990588]),
        (uerd, 125, [726.97656, 0.020975992, 0.087875247]),
        (functools.partial(ebs, wet_modes=False), 62, [0.32779499, 0.010339581, 96.667369]),
        (functools.partial(ebs, wet_modes=False), 125, [0.22671489, 0.024425986, 259.46072]),
    ],
)
def test_an_optimal_sender_golden(cost, bits, expected):
    """lambda, change rate and distortion at .2 and .4 bits per non-zero AC coefficient."""
    costs = cost(golden_coefficients(), steps())
    lambda_ = probabilities.lambda_for_payload(costs, bits)
    chances = probabilities.gibbs(costs, lambda_)
    found = [
        lambda_,
        probabilities.change_rate(chances),
        probabilities.expected_distortion(costs, chances),
    ]
    np.testing.assert_allclose(np.asarray(found, float), expected, rtol=1e-3)


def entropy_and_chances(rho, lambda_):
    weight = np.exp(-lambda_ * rho)
    chance = weight / (1 + 2 * weight)
    kept = 1 - 2 * chance
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -2 * chance * np.log2(chance) - kept * np.log2(kept)
    return np.where(np.isfinite(bits), bits, 0).sum(), chance


@pytest.mark.parametrize("name, cost", [("juniward", juniward), ("uerd", uerd)])
def test_the_released_simulators_stegos_come_out(shared, name, cost):
    """The stegos of the authors' programs, bit by bit: their search for lambda, their random
    numbers, and our costs.
    """
    folder = shared / "reference" / "jpeg"
    (plane,), (table,), _ = jpeg_codec.read(folder / "seal1_gray_qf75.jpg")
    (stego,), _, _ = jpeg_codec.read(folder / f"seal1_{name}_stego.jpg")
    with jax.enable_x64(True):
        rho = np.asarray(cost(plane, table).plus, float)
    rho = np.where(rho >= WET_COST, 1e13, rho)
    ac = np.count_nonzero(plane) - np.count_nonzero(plane[::8, ::8])
    wanted, low, high, most, rounds = 0.4 * ac, 0.0, 2000.0, ac, 0
    while (least := entropy_and_chances(rho, high)[0]) > wanted:
        high, rounds = 2 * high, rounds + 1
    while most - least > wanted / 1000 and rounds < 30:
        middle, rounds = (low + high) / 2, rounds + 1
        bits = entropy_and_chances(rho, middle)[0]
        if bits > wanted:
            low, most = middle, bits
        else:
            high, least = middle, bits
    chance = entropy_and_chances(rho, middle)[1]
    noise = np.random.RandomState(1).random_sample(plane.shape)
    change = (noise < chance).astype(int) - ((noise >= chance) & (noise < 2 * chance))
    assert np.array_equal(plane + change, stego)


def test_ebs_golden():
    with jax.enable_x64(True):
        rho = np.asarray(ebs(golden_coefficients(), steps(), wet_modes=False).plus)
    expected = [15.146472, 8.5199341, 26.956832, 837.2183, 22.777818, 293.24874]
    np.testing.assert_allclose([*rho[AT], rho.mean(dtype=float)], expected, rtol=2e-6)
    published = np.asarray(ebs(golden_coefficients(), steps()).plus)
    wet = np.zeros((32, 32), bool)
    wet[::4, ::4] = True
    assert np.array_equal(published == WET_COST, wet)


def test_jmipod_golden():
    coefficients, table = golden_coefficients(), steps()
    information = np.asarray(jmipod.fisher_information(coefficients, table))
    expected = [218.86417, 42.387052, 675.48959, 1152650.9, 333.31392, 406673.91]
    np.testing.assert_allclose([*information[AT], information.mean()], expected, rtol=1e-7)
    rho = np.asarray(jmipod.jmipod(coefficients, table, payload=87 / np.log(2)).plus, float)
    beta = 1 / (np.exp(rho) + 2)
    expected = [0.018305427, 0.062805657, 0.0073337069, 1.0089141e-5, 0.013073542, 0.010475778]
    np.testing.assert_allclose([*beta[AT], beta.mean()], expected, rtol=1e-5)


def test_nsf5_only_shrinks():
    coefficients = golden_coefficients()
    plus, minus = (np.asarray(rho) for rho in nsf5(coefficients, steps()))
    ac = np.tile(np.arange(64).reshape(8, 8) > 0, (4, 4))
    assert np.array_equal(plus < WET_COST, ac & (coefficients < 0))
    assert np.array_equal(minus < WET_COST, ac & (coefficients > 0))
