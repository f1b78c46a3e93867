"""SFTN's networks against Table I: counted, computed naively, and local; and equation (14) by
hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import sftn


def basic_count(inputs, outputs, *, norm=True):
    return 9 * inputs * outputs + outputs + 2 * outputs * norm


def test_parameters_of_the_generator():
    expected = (
        basic_count(1, 32)
        + basic_count(33, 32)
        + basic_count(65, 32)
        + basic_count(97, 1, norm=False)
    )
    assert plain.count(hiding.with_map(sftn.Generator()), 1, 16, 16, 2) == expected == 29674
    apart = basic_count(1, 32) + 2 * basic_count(33, 32) + basic_count(33, 1, norm=False)
    assert plain.count(hiding.with_map(sftn.Generator(concatenate=False)), 1, 16, 16, 2) == apart


def test_parameters_of_the_extractors():
    fusion = 3 * basic_count(32, 32, norm=False) + basic_count(96, 64)
    dense = sum(basic_count(n, 32, norm=False) for n in (64, 96, 128)) + 160 * 64 + 64
    ends = basic_count(1, 32) + basic_count(1, 1, norm=False)
    assert plain.count(sftn.Extractor(), 1, 16, 16, 1) == 214509
    assert ends + fusion + dense + basic_count(128, 32) + basic_count(64, 1) == 214509
    apart = ends + fusion + dense + basic_count(64, 32) + basic_count(32, 1)
    assert plain.count(sftn.Extractor(concatenate=False), 1, 16, 16, 1) == apart
    convolutions = basic_count(32, 64, norm=False) + basic_count(64, 64, norm=False)
    assert plain.count(
        sftn.Extractor(kind="plain"), 1, 16, 16, 1
    ) == ends + convolutions + basic_count(128, 32) + basic_count(64, 1)
    like = (
        basic_count(1, 32)
        + basic_count(32, 32)
        + basic_count(64, 32)
        + basic_count(96, 1, norm=False)
    )
    assert plain.count(sftn.Extractor(kind="like_generator"), 1, 16, 16, 1) == like


def basic(x, params, stats):
    return hiding.leaky(
        plain.normalise(plain.convolve(x, params["conv"]), params["norm"], stats["norm"]), 0.1
    )


@pytest.mark.parametrize("concatenate", [True, False])
def test_the_generator_computes_table_1(concatenate):
    x = hiding.joined_picture(0, (2, 9, 7, 2), 1)
    network = hiding.with_map(sftn.Generator(concatenate=concatenate, width=0.125))
    variables = plain.variables_of(network, x)
    params, stats = variables["params"], variables["batch_stats"]
    cover, message = np.split(np.asarray(x, np.float64), 2, axis=-1)
    i1 = basic(cover, params["unit1"], stats["unit1"])
    i2 = basic(hiding.beside(i1, message), params["unit2"], stats["unit2"])
    seen = (i1, i2) if concatenate else (i2,)
    i3 = basic(hiding.beside(*seen, message), params["unit3"], stats["unit3"])
    seen = (i1, i2, i3) if concatenate else (i3,)
    i4 = plain.convolve(hiding.beside(*seen, message), params["output"])
    hiding.assert_returns(network, x, i4, variables)


def dilated(x, params, dilation):
    kernel = np.asarray(params["kernel"])
    wide = np.zeros((2 * dilation + 1, 2 * dilation + 1, *kernel.shape[2:]))
    wide[::dilation, ::dilation] = kernel
    return plain.convolve(x, {"kernel": wide, "bias": params["bias"]})


@pytest.mark.parametrize(
    "kind, concatenate",
    [("proposed", True), ("proposed", False), ("plain", True), ("like_generator", True)],
)
def test_the_extractors_compute_table_1(kind, concatenate):
    x = plain.picture(1, (2, 11, 9, 1))
    network = sftn.Extractor(depth=2, kind=kind, concatenate=concatenate, width=0.125)
    variables = plain.variables_of(network, x)
    params, stats = variables["params"], variables["batch_stats"]

    def unit(x, name):
        return basic(x, params[name], stats[name])

    x1 = unit(np.asarray(x, np.float64), "unit1")
    if kind == "like_generator":
        i2 = unit(x1, "unit2")
        last = hiding.beside(x1, i2, unit(hiding.beside(x1, i2), "unit3"))
    else:
        if kind == "plain":
            x2 = plain.convolve(x1, params["plain2"])
            x3 = plain.convolve(x2, params["plain3"])
        else:
            scales = [
                hiding.leaky(dilated(x1, params["fusion2"][f"scale{d}"], d), 0.1) for d in (1, 2, 3)
            ]
            x2 = basic(hiding.beside(*scales), params["fusion2"]["fuse"], stats["fusion2"]["fuse"])
            found = x2
            for i in (1, 2, 3):
                found = hiding.beside(
                    found, plain.relu(plain.convolve(found, params["dense3"][f"layer{i}"]))
                )
            x3 = x2 + plain.convolve(found, params["dense3"]["fuse"])
        x4 = unit(hiding.beside(x3, x2) if concatenate else x3, "unit4")
        last = unit(hiding.beside(x4, x1) if concatenate else x4, "unit5")
    hiding.assert_returns(network, x, plain.convolve(last, params["output"]), variables)


def test_one_pixel_reaches_as_far_as_said():
    x = hiding.joined_picture(2, (1, 27, 27, 2), 1)
    generator, extractor = hiding.with_map(sftn.Generator(width=0.125)), sftn.Extractor(width=0.125)
    assert (
        hiding.reach(generator, x, plain.variables_of(generator, x), centre=13) == sftn.HIDE_RADIUS
    )
    assert (
        hiding.reach(extractor, x[..., :1], plain.variables_of(extractor, x[..., :1]), centre=13)
        == sftn.REVEAL_RADIUS
    )


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: hiding.with_map(sftn.Generator(width=0.125, axis_name=axis)),
        hiding.joined_picture(3, (4, 9, 8, 2), 1),
    )
    plain.assert_statistics_are_averaged(
        lambda axis: sftn.Extractor(width=0.125, axis_name=axis),
        plain.picture(3, (4, 9, 8, 1)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(hiding.with_map(sftn.Generator(width=0.0625)), (1, 8, 8, 2))
    plain.assert_gradients_are_finite(sftn.Extractor(width=0.0625), (1, 8, 8, 1))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    with pytest.raises(
        ValueError, match="sftn.Generator: the message must be a float32 map of bits"
    ):
        init(sftn.Generator(), jnp.zeros((1, 8, 8, 1)), jnp.zeros((2, 8, 8, 1)))
    with pytest.raises(ValueError, match="sftn.Extractor: pictures must be a float32 array"):
        init(sftn.Extractor(), jnp.zeros((1, 8, 8)))
    with pytest.raises(
        InputError, match="'deep' is unknown; there are proposed, like_generator, plain"
    ):
        init(sftn.Extractor(kind="deep"), jnp.zeros((1, 8, 8, 1)))


COVER = jnp.asarray([100.0, 100.0, 3.0, 250.0, 250.0, 0.0, 255.0, 7.0])
CHANGES = jnp.asarray([4.4, -14.0, -5.6, 12.0, 4.6, 0.4, -0.6, 1.5])


def test_equation_14_by_hand():
    assert sftn.stego_image(COVER, CHANGES).tolist() == [104, 90, 0, 255, 255, 0, 254, 8]
    assert sftn.stego_image(COVER, CHANGES, limit=1.0).tolist() == [101, 99, 2, 251, 251, 0, 254, 8]
    np.testing.assert_allclose(
        sftn.stego_matrix(COVER, CHANGES), [104.4, 90, -2.6, 260, 254.6, 0.4, 254.4, 8.5], rtol=1e-6
    )
    np.testing.assert_array_equal(sftn.stego_matrix(COVER, CHANGES, limit=None), COVER + CHANGES)
    gradient = jax.grad(lambda m: sftn.stego_matrix(COVER, m).sum())(CHANGES)
    assert gradient.tolist() == [1, 0, 1, 0, 1, 1, 1, 1]
    assert not jax.grad(lambda m: sftn.stego_image(COVER, m).sum())(CHANGES).any()


def test_rounding_that_lets_the_gradient_pass():
    x = jnp.asarray([-3.0, 0.4, 17.5, 18.5, 254.7, 258.0])
    assert sftn.straight_through_rounding(x).tolist() == [0, 0, 18, 18, 255, 255]
    weights = jnp.arange(1.0, 7.0)
    gradient = jax.grad(lambda x: (weights * sftn.straight_through_rounding(x)).sum())(x)
    assert gradient.tolist() == [0, 2, 3, 4, 5, 0]


def test_rounding_noise_is_uniform():
    x = jnp.full((100, 100), 40.25)
    noise = np.asarray(sftn.rounding_noise(jax.random.key(0), x) - x)
    assert -0.5 <= noise.min() < -0.49 and 0.49 < noise.max() <= 0.5
    assert abs(noise.mean()) < 0.01 and abs(noise.var() - 1 / 12) < 0.002
    edges = sftn.rounding_noise(jax.random.key(1), jnp.asarray([0.0] * 50 + [255.0] * 50))
    assert edges.min() == 0 and edges.max() == 255
    assert jax.grad(lambda x: sftn.rounding_noise(jax.random.key(0), x).sum())(x).min() == 1


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: sftn.stego_image(COVER, CHANGES[:1]),
            r"cover \(8,\) and modifications \(1,\) differ",
        ),
        (
            lambda: sftn.stego_matrix(COVER, CHANGES, limit=0.0),
            "limit must be positive, 0.0 was given",
        ),
        (
            lambda: sftn.stego_matrix(COVER.astype(jnp.uint8), CHANGES),
            "float32 array is needed, uint8",
        ),
        (lambda: sftn.straight_through_rounding(jnp.arange(3)), "float32 array is needed, int32"),
        (
            lambda: sftn.rounding_noise(jax.random.key(0), jnp.arange(3)),
            "float32 array is needed, int32",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
