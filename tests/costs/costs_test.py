"""Costs against the spec's golden vectors, MATLAB's maps, naive float64 code written from the
formulas, and conseal.
"""

import functools
import importlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.signal
from PIL import Image

from stegojax import costs, embed
from stegojax.costs import COSTS, check_plane
from stegojax.errors import InputError
from stegojax.types import WET_COST

mipod_module = importlib.import_module("stegojax.costs.mipod")

GOLDEN_AT = ([0, 5, 16, 31, 31], [0, 7, 16, 31, 0])
TAPS = np.array(
    "-0.0544158422 0.3128715909 -0.6756307363 0.5853546837 0.0158291053 -0.2840155430 "
    "-0.0004724846 0.1287474266 0.0173693010 "
    "-0.0440882539 -0.0139810279 0.0087460940 0.0048703530 -0.0003917404 -0.0006754494 -0.0001174768".split(),
    float,
)


def golden_image():
    i, j = np.mgrid[:32, :32]
    return ((37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251).astype(np.float64)


def as_cover(image):
    return jnp.asarray(image, jnp.float32)


# Naive references: two-dimensional kernels, explicit padding, float64, MATLAB's "same" and circular
# shifts.


def pad(x, margin):
    return np.pad(x, margin, mode="symmetric")


def same(x, kernel):
    """MATLAB's conv2(x, kernel, 'same')."""
    full = scipy.signal.convolve2d(x, kernel, mode="full")
    top, left = (math.ceil((size - 1) / 2) for size in kernel.shape)
    return full[top : top + x.shape[0], left : left + x.shape[1]]


def naive_hill(x):
    kernel = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1.0]])
    residual = scipy.signal.convolve2d(pad(x, 3), kernel, mode="same")
    rough = scipy.signal.convolve2d(np.abs(residual), np.ones((3, 3)) / 9, mode="same")[3:-3, 3:-3]
    rho = scipy.signal.convolve2d(
        pad(1 / (rough + 1e-10), 7), np.ones((15, 15)) / 225, mode="valid"
    )
    return rho, rho


def naive_wavelet(x, response):
    low = (-1.0) ** np.arange(16) * TAPS[::-1]
    maps = []
    for kernel in (np.outer(low, TAPS), np.outer(TAPS, low), np.outer(TAPS, TAPS)):
        seen = same(response(np.abs(same(pad(x, 16), kernel))), np.rot90(np.abs(kernel), 2))
        maps.append(np.roll(seen, (1, 1), (0, 1))[16:-16, 16:-16])
    return maps


def naive_wow(x):
    with np.errstate(divide="ignore"):
        rho = sum(1 / xi for xi in naive_wavelet(x, lambda r: r))
    return rho, rho


def naive_suniward(x):
    rho = sum(naive_wavelet(x, lambda r: 1 / (r + 1)))
    return rho, rho


def naive_hugo(x):
    padded = pad(x, 3)
    response = np.array([0, 0, -1, 1, 0, 0])
    rho = np.zeros((2, *x.shape))
    for row, column in np.ndindex(*x.shape):
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            line = np.array(
                [padded[row + 3 + k * down, column + 3 + k * right] for k in range(-3, 4)]
            )
            d = line[:-1] - line[1:]
            for direction, sign in enumerate((1, -1)):
                for e in (d, d + sign * response):
                    rho[direction, row, column] += sum(
                        1 / (1 + np.linalg.norm(e[k : k + 3])) for k in range(4)
                    )
    return rho[0], rho[1]


def naive_fisher_information(x):
    padded = np.pad(x, ((0, 1), (0, 1)))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, (2, 2))
    mean = blocks.mean((-2, -1))
    variance = np.maximum((blocks**2).mean((-2, -1)) - mean**2, 0)
    noise = variance.mean()
    residual = x - (
        mean + np.maximum(variance - noise, 0) / np.maximum(variance, noise) * (x - mean)
    )
    cosines = [np.cos(np.pi * u * (2 * np.arange(9) + 1) / 18) for u in range(9)]
    model = np.stack(
        [np.outer(cosines[u], cosines[v]).ravel() for u in range(9) for v in range(9) if u + v < 9],
        1,
    )
    assert model.shape == (81, 45)
    rest = np.eye(81) - model @ np.linalg.solve(model.T @ model, model.T)
    blocks = np.lib.stride_tricks.sliding_window_view(pad(residual, 4), (9, 9)).reshape(
        *x.shape, 81
    )
    sigma2 = np.maximum(np.square(blocks @ rest).sum(-1) / 36, 0.01)
    return scipy.signal.convolve2d(pad(1 / sigma2**2, 3), np.ones((7, 7)) / 49, mode="valid")


def naive_entropy_nats(x):
    b = 1 / x
    return np.sum(-2 * b * np.log(b) - (1 - 2 * b) * np.log(1 - 2 * b))


def naive_inverse(y):
    """x of x ln(x - 2) = y, by bisection of each."""
    low, high = np.full_like(y, 2.5), np.full_like(y, 1e16)
    for _ in range(200):
        middle = (low + high) / 2
        below = middle * np.log(middle - 2) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def naive_exact_beta(information, bits):
    def excess(u):
        return naive_entropy_nats(naive_inverse(np.exp(u) * information)) - bits * math.log(2)

    return 1 / naive_inverse(
        np.exp(scipy.optimize.brentq(excess, -30, 70, xtol=1e-13)) * information
    )


@functools.lru_cache
def naive_table():
    y = np.arange(100001) * 0.01
    low, high = np.full_like(y, 3 + 1e-6), np.full_like(y, 1e6)
    for _ in range(39):
        middle = (low + high) / 2
        below = middle * np.log(middle - 2) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def naive_released_beta(information, bits):
    """The released search in full: every midpoint evaluated, z = y / ln(z - 2) twenty times beyond
    the table.
    """
    table = naive_table()

    def inverse(y):
        index = np.minimum((y / 0.01).astype(int), 100000)
        x = table[index] + (y - index * 0.01) * (
            table[np.minimum(index + 1, 100000)] - table[index]
        )
        large = np.maximum(y, 1000)
        z = large / np.log(large - 2)
        for _ in range(20):
            z = large / np.log(z - 2)
        return np.where(y > 1000, z, x)

    def excess(lambda_):
        return naive_entropy_nats(inverse(lambda_ * information)) - bits * math.log(2)

    left, right = 1e3, 1e6
    while excess(left) * excess(right) > 0:
        left, right = (left, right * 2) if excess(left) > 0 else (left / 2, right)
    at_left, value, halvings = excess(left), 1.0, 0
    while abs(value) > 1e-4 and halvings < 60:
        middle = (left + right) / 2
        value = excess(middle)
        if at_left * value < 0:
            right = middle
        else:
            left, at_left = middle, value
        halvings += 1
    return 1 / inverse(middle * information)


NAIVE = {"hill": naive_hill, "wow": naive_wow, "suniward": naive_suniward, "hugo": naive_hugo}


def within_pixels(name, image):
    """A cost as MATLAB and conseal give it: wet where a change would leave 0..255."""
    return embed.bounded(COSTS[name])(as_cover(image))


def saturated(image, plus, minus):
    """References of both directions, infinite where a change would leave 0..255."""
    return np.where(image == 255, np.inf, plus), np.where(image == 0, np.inf, minus)


def sample_images():
    generator = np.random.default_rng(7)
    noise = generator.integers(0, 256, (37, 53)).astype(float)
    patches = generator.integers(90, 140, (61, 45)).astype(float)
    patches[10:40, 5:30] = 255
    patches[45:, 20:] = 0
    patches[:12, 30:] = 77
    shadows = np.round(np.abs(np.cumsum(generator.normal(size=(48, 31)), 1)) / 3)
    # A lone step: at the end of the filters' reach WOW's costs come to the brink of being wet.
    lone = np.full((48, 44), 100.0)
    lone[24:, 22] = 101
    return {
        "golden": golden_image(),
        "lone step": lone,
        "odd sides": noise,
        "smallest": noise[:8, :8],
        "row": noise[:1, :9],
        "saturated and flat patches": patches,
        "dark and smooth": shadows,
    }


def assert_costs_close(found, expected, tolerance):
    """Every dry element within a relative tolerance, and the same elements wet."""
    for rho, reference in zip(found, expected):
        rho = np.asarray(rho, np.float64)
        with np.errstate(invalid="ignore"):
            wet = ~(reference < WET_COST * (1 - 1e-6))
        assert rho.shape == reference.shape
        np.testing.assert_array_equal(rho[wet], WET_COST)
        np.testing.assert_allclose(rho[~wet], reference[~wet], rtol=tolerance)


@pytest.mark.parametrize(
    ("name", "values", "mean"),
    [
        (
            "hill",
            (0.0034107022, 0.0035440485, 0.002996429, 0.0039140352, 0.004619987),
            0.0034311107,
        ),
        ("wow", (0.011616534, 0.0098002484, 0.0086030325, 0.015348291, 0.016190936), 0.012158),
        ("suniward", (0.5156135, 0.49911666, 0.39250313, 0.7584929, 0.85135279), 0.66271178),
    ],
)
def test_golden_values(name, values, mean):
    rho = COSTS[name](as_cover(golden_image()))
    np.testing.assert_allclose(np.asarray(rho.plus)[GOLDEN_AT], values, rtol=1e-5)
    np.testing.assert_array_equal(rho.minus, rho.plus)
    # x(0, 0) is 0: only +1 is allowed there.
    assert within_pixels(name, golden_image()).minus[0, 0] == WET_COST
    np.testing.assert_allclose(np.asarray(rho.plus, np.float64).mean(), mean, rtol=1e-5)


def test_golden_values_hugo():
    rho = within_pixels("hugo", golden_image())
    plus = (0.23459992, 0.17533451, 0.20444937, 0.22026476, 0.18349679)
    minus = (WET_COST, 0.17671722, 0.20421306, 0.21820111, 0.18269044)
    np.testing.assert_allclose(np.asarray(rho.plus)[GOLDEN_AT], plus, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(rho.minus)[GOLDEN_AT], minus, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(rho.plus, np.float64).mean(), 0.25102059, rtol=1e-6)


def test_golden_values_mipod():
    cover = as_cover(golden_image())
    information = np.asarray(costs.fisher_information(cover))[GOLDEN_AT]
    np.testing.assert_allclose(
        information,
        (1.3600602e-7, 9.7086962e-8, 1.0140996e-7, 1.2141057e-7, 3.6251471e-7),
        rtol=2e-7,
    )
    exact = costs.mipod_probabilities(cover, 0.4 * 1024, inverse="exact").plus
    expected = (0.029611289, 0.038204394, 0.03698016, 0.032286704, 0.01369358)
    np.testing.assert_allclose(np.asarray(exact)[GOLDEN_AT], expected, rtol=1e-6)
    released = costs.mipod_probabilities(cover, 0.4 * 1024).plus
    expected = (0.029610969, 0.038206317, 0.03697958, 0.032287667, 0.013693156)
    np.testing.assert_allclose(np.asarray(released)[GOLDEN_AT], expected, rtol=1e-6)


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("kind", sample_images())
def test_costs_match_naive_code(name, kind):
    image = sample_images()[kind]
    tolerance = {"hill": 1e-6, "wow": 1e-4, "suniward": 1e-5, "hugo": 1e-6}[name]
    assert_costs_close(COSTS[name](as_cover(image)), NAIVE[name](image), tolerance)


@pytest.mark.parametrize("kind", sample_images())
def test_fisher_information_matches_naive_code(kind):
    image = sample_images()[kind]
    np.testing.assert_allclose(
        costs.fisher_information(as_cover(image)), naive_fisher_information(image), rtol=1e-6
    )


@pytest.mark.parametrize("rate", [0.01, 0.4, 1.3])
@pytest.mark.parametrize("kind", ["smallest", "saturated and flat patches"])
def test_mipod_matches_naive_search(kind, rate):
    image = sample_images()[kind]
    information = naive_fisher_information(image)
    for inverse, naive, tolerance in (
        ("exact", naive_exact_beta, 1e-6),
        ("released", naive_released_beta, 1e-5),
    ):
        found = costs.mipod_probabilities(as_cover(image), rate * image.size, inverse=inverse)
        expected = naive(information, rate * image.size)
        np.testing.assert_allclose(found.plus, expected, rtol=tolerance)
        np.testing.assert_allclose(found.minus, expected, rtol=tolerance)


def test_mipod_costs_are_its_probabilities_at_lambda_one():
    cover = as_cover(golden_image())
    rho = costs.mipod(cover, payload=300.0)
    beta = np.asarray(costs.mipod_probabilities(cover, 300.0).plus, np.float64)
    np.testing.assert_allclose(rho.plus, np.log(1 / beta - 2), rtol=1e-5)
    np.testing.assert_array_equal(
        COSTS["mipod"](cover).plus, costs.mipod(cover, payload=0.4 * 1024).plus
    )


def test_mipod_takes_one_payload_per_plane():
    covers = as_cover(np.stack([golden_image(), golden_image().T]))
    both = costs.mipod_probabilities(covers, np.array([200.0, 500.0]))
    for cover, payload, plus in zip(covers, (200.0, 500.0), both.plus):
        np.testing.assert_allclose(costs.mipod_probabilities(cover, payload).plus, plus, rtol=1e-6)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_costs_match_matlab(shared, number):
    image = np.asarray(Image.open(shared / "reference" / f"seal{number}.png"), np.float64)
    reference = np.load(shared / "reference" / f"seal{number}_costs.npz")
    for name in ("hugo", "wow"):
        expected = (
            np.asarray(reference[f"{name}_{sign}"], np.float64) for sign in ("plus", "minus")
        )
        # HUGO's wet cost is 1e8 there; no dry cost of either scheme comes near.
        expected = saturated(image, *(np.where(rho > 1e7, np.inf, rho) for rho in expected))
        assert_costs_close(within_pixels(name, image), expected, 1e-6)
    expected = (np.asarray(reference["suniward"], np.float64),) * 2
    assert_costs_close(COSTS["suniward"](as_cover(image)), expected, 2e-6)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_mipod_matches_matlab(shared, number):
    image = np.asarray(Image.open(shared / "reference" / f"seal{number}.png"), np.float64)
    reference = np.load(shared / "reference" / f"seal{number}_costs.npz")[
        "mipod_change_probability_0p4bpp"
    ]
    found = costs.mipod_probabilities(as_cover(image), 0.4 * image.size)
    np.testing.assert_allclose(
        np.asarray(found.plus)[image < 255], reference[image < 255], rtol=1e-6
    )
    np.testing.assert_allclose(np.asarray(found.minus)[image > 0], reference[image > 0], rtol=1e-6)
    # The table's steps are what the released map differs by from the equation's solution.
    exact = costs.mipod_probabilities(as_cover(image), 0.4 * image.size, inverse="exact")
    assert 5e-4 < np.max(np.abs(np.asarray(exact.plus) / reference - 1)[image < 255]) < 1.2e-3


def test_costs_match_conseal():
    conseal = pytest.importorskip("conseal")
    image = np.random.default_rng(3).integers(0, 256, (40, 56)).astype(np.uint8)
    for name, scale in (("hill", 0.25), ("wow", 1), ("suniward", 1), ("hugo", 1)):
        expected = getattr(conseal, name).compute_cost_adjusted(image)
        # conseal's HILL scales its first kernel by a quarter.
        expected = [
            np.where(rho > 1e7, np.inf, np.asarray(rho, np.float64) * scale) for rho in expected
        ]
        assert_costs_close(within_pixels(name, image), saturated(image, *expected), 2e-5)
    np.testing.assert_allclose(
        costs.fisher_information(as_cover(image)), conseal.mipod.compute_cost(image), rtol=1e-6
    )


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize(
    "image",
    [
        np.full((24, 17), 128.0),
        np.zeros((16, 16)),
        np.full((9, 30), 255.0),
        255.0 * (np.add.outer(np.arange(21), np.arange(32)) % 2),
        np.add.outer(np.arange(30.0), np.arange(40.0)),
        np.tile(np.arange(0.0, 256.0, 5), (20, 1)),
        np.full((1, 1), 9.0),
    ],
    ids=["flat", "black", "white", "checkerboard", "ramp", "stripes", "one pixel"],
)
def test_corner_images_give_finite_costs(name, image):
    for part in COSTS[name](as_cover(image)):
        part = np.asarray(part)
        assert part.shape == image.shape and part.dtype == np.float32
        assert np.all(np.isfinite(part)) and np.all(part >= 0) and np.all(part <= WET_COST)


def test_flat_surroundings_are_wet_for_hill_and_wow_alone():
    flat = as_cover(np.full((40, 40), 128.0))
    wet = {
        name: bool(np.all(np.asarray(jax.jit(cost)(flat).plus) == WET_COST))
        for name, cost in COSTS.items()
    }
    assert wet == {
        "hill": True,
        "wow": True,
        "suniward": False,
        "hugo": False,
        "mipod": False,
        "lsbm": False,
    }


def test_lsbm_costs_one_change_each():
    for cost, plus, minus in (
        (COSTS["lsbm"], [1, 1, 1, 1], [1, 1, 1, 1]),
        (embed.bounded(COSTS["lsbm"]), [1, 1, 1, WET_COST], [WET_COST, 1, 1, 1]),
    ):
        rho = cost(as_cover([[0, 1, 254, 255]]))
        np.testing.assert_array_equal(rho, [[plus], [minus]])


@pytest.mark.parametrize("name", ["hill", "wow", "suniward", "hugo"])
def test_costs_know_no_range(name):
    """A picture shifted by 256 costs what it did: costs go by differences."""
    image = golden_image()
    for rho, shifted in zip(COSTS[name](as_cover(image)), COSTS[name](as_cover(image - 256))):
        np.testing.assert_allclose(rho, shifted, rtol=1e-6)


@pytest.mark.parametrize("name", COSTS)
def test_costs_are_jit_and_vmap_clean(name):
    generator = np.random.default_rng(11)
    covers = as_cover(generator.integers(0, 256, (3, 20, 24)))
    cost = COSTS[name]
    one_by_one = [cost(cover) for cover in covers]
    expected = type(one_by_one[0])(*(np.stack(parts) for parts in zip(*one_by_one)))
    ways = {
        "leading axes": jax.jit(cost)(covers),
        "vmap": jax.vmap(cost)(covers),
        "jit of vmap": jax.jit(jax.vmap(cost))(covers),
        "vmap of jit": jax.vmap(jax.jit(cost))(covers),
        "scan": jax.lax.map(cost, covers),
        "two leading axes": type(expected)(*(part[0] for part in jax.jit(cost)(covers[None]))),
    }
    for way, found in ways.items():
        for part, reference in zip(found, expected):
            assert part.dtype == jnp.float32, way
            np.testing.assert_allclose(part, reference, rtol=2e-6, err_msg=way)


def test_mipod_inside_a_differentiated_function_is_a_constant():
    cover = as_cover(golden_image())
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(x * jax.lax.stop_gradient(costs.mipod(x).plus))))(
        cover
    )
    np.testing.assert_allclose(gradient, costs.mipod(cover).plus, rtol=1e-6)


@pytest.mark.parametrize(
    ("plane", "what"),
    [
        (np.full((4, 4), 12.5, np.float32), "12.5"),
        (np.full((4, 4), np.nan, np.float32), "nan"),
        (np.full((4, 4), np.inf, np.float32), "inf"),
        (np.zeros((4, 4), np.uint8), "uint8"),
        (np.zeros((4,), np.float32), r"\(4,\)"),
        (np.zeros((0, 4), np.float32), r"\(0, 4\)"),
    ],
)
def test_only_whole_numbers_have_costs(plane, what):
    with pytest.raises(InputError, match=what):
        check_plane(plane)
    for cost in COSTS.values():
        with pytest.raises(InputError, match=what):
            cost(plane)


@pytest.mark.parametrize("payload", [0.0, -1.0, 1024 * math.log2(3), math.nan])
def test_mipod_refuses_payloads_out_of_reach(payload):
    with pytest.raises(InputError, match="capacity of 1623 bits"):
        costs.mipod(as_cover(golden_image()), payload=payload)


def test_mipod_refuses_wrong_arguments():
    cover = as_cover(golden_image())
    with pytest.raises(InputError, match="exact"):
        costs.mipod(cover, inverse="approximate")
    with pytest.raises(InputError, match=r"\(2,\)"):
        costs.mipod_probabilities(cover, np.array([10.0, 20.0]))


def test_inverse_is_right_over_sixteen_decades():
    y = np.concatenate([np.linspace(0, 20, 501), np.logspace(-6, 14, 500)])
    with jax.enable_x64(True):
        found = np.asarray(mipod_module._exact_inverse(jnp.asarray(y)))
    np.testing.assert_allclose(found, naive_inverse(y), rtol=1e-12)
