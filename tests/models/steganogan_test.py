"""SteganoGAN's networks against their tables: counted, computed naively, and local."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import steganogan


def conv_count(inputs, outputs, *, norm=True):
    return 9 * inputs * outputs + outputs + 2 * outputs * norm


@pytest.mark.parametrize(
    "kind, expected",
    [
        (
            "basic",
            conv_count(3, 32)
            + conv_count(33, 32)
            + conv_count(32, 32)
            + conv_count(32, 3, norm=False),
        ),
        ("residual", 20739),
        (
            "dense",
            conv_count(3, 32)
            + conv_count(33, 32)
            + conv_count(65, 32)
            + conv_count(97, 3, norm=False),
        ),
    ],
)
def test_parameters_of_the_encoders(kind, expected):
    network = hiding.with_map(steganogan.Encoder(kind), 3)
    assert plain.count(network, 1, 16, 16, 4) == expected == {"dense": 31998}.get(kind, 20739)


def test_parameters_of_decoders_and_steganalyzer():
    assert plain.count(steganogan.Decoder(kind="dense"), 1, 16, 16, 3) == 29665
    assert plain.count(steganogan.Decoder(kind="basic"), 1, 16, 16, 3) == 19873
    assert plain.count(steganogan.Steganalyzer(), 1, 16, 16, 3) == 19873
    deep = (
        conv_count(3, 32) + conv_count(38, 32) + conv_count(70, 32) + conv_count(102, 3, norm=False)
    )
    assert plain.count(hiding.with_map(steganogan.Encoder(), 3), 1, 16, 16, 9) == deep


def unit(x, variables, name, padding="SAME"):
    params, stats = variables["params"][name], variables["batch_stats"][name]
    x = hiding.leaky(plain.convolve(x, params["conv"], padding=padding))
    return plain.normalise(x, params["norm"], stats["norm"])


@pytest.mark.parametrize("kind", steganogan.ENCODERS)
def test_the_encoders_compute_the_table(kind):
    x = hiding.joined_picture(0, (2, 9, 7, 5), 3)
    network = hiding.with_map(steganogan.Encoder(kind, width=0.125), 3)
    variables = plain.variables_of(network, x)
    cover, message = np.split(np.asarray(x, np.float64), [3], axis=-1)
    f1 = unit(cover / 127.5 - 1, variables, "unit1")
    f2 = unit(hiding.beside(f1, message), variables, "unit2")
    if kind == "dense":
        f3 = unit(hiding.beside(f1, f2, message), variables, "unit3")
        last = hiding.beside(f1, f2, f3, message)
    else:
        last = unit(f2, variables, "unit3")
    y = plain.convolve(last, variables["params"]["output"])
    stego = (np.tanh(y) + 1) / 2 * 255 if kind == "basic" else cover + 127.5 * y
    hiding.assert_returns(network, x, stego, variables)


@pytest.mark.parametrize("kind", steganogan.DECODERS)
def test_the_decoders_compute_the_table(kind):
    x = plain.picture(1, (2, 9, 7, 3))
    network = steganogan.Decoder(depth=2, kind=kind, width=0.125)
    variables = plain.variables_of(network, x)
    f1 = unit(np.asarray(x, np.float64) / 127.5 - 1, variables, "unit1")
    f2 = unit(f1, variables, "unit2")
    if kind == "dense":
        last = hiding.beside(f1, f2, unit(hiding.beside(f1, f2), variables, "unit3"))
    else:
        last = unit(f2, variables, "unit3")
    hiding.assert_returns(
        network, x, plain.convolve(last, variables["params"]["output"]), variables
    )


def test_the_steganalyzer_computes_the_table():
    x = plain.picture(2, (2, 12, 10, 3))
    network = steganogan.Steganalyzer(width=0.125)
    variables = plain.variables_of(network, x)
    y = np.asarray(x, np.float64) / 127.5 - 1
    for i in (1, 2, 3):
        y = unit(y, variables, f"unit{i}", "VALID")
    assert y.shape[1:3] == (6, 4)
    y = plain.convolve(y, variables["params"]["output"], padding="VALID").mean(axis=(1, 2))
    hiding.assert_returns(network, x, y, variables)


def test_one_pixel_reaches_as_far_as_said():
    x = hiding.joined_picture(3, (1, 13, 13, 4), 3)
    encoder = hiding.with_map(steganogan.Encoder(width=0.125), 3)
    assert (
        hiding.reach(encoder, x, plain.variables_of(encoder, x), centre=6) == steganogan.HIDE_RADIUS
    )
    decoder = steganogan.Decoder(width=0.125)
    assert (
        hiding.reach(decoder, x[..., :3], plain.variables_of(decoder, x[..., :3]), centre=6)
        == steganogan.REVEAL_RADIUS
    )


def test_without_concatenation_a_unit_sees_the_last_features_alone():
    units = [lambda x, i=i: x[..., :1] * 10 + i for i in (1, 2, 3)]
    picture, message = jnp.full((1, 1, 1, 2), 0.0), jnp.full((1, 1, 1, 1), 7.0)
    seen = steganogan.fused_features(units, picture, message, concatenate=False)
    assert seen.ravel().tolist() == [123, 7]
    assert steganogan.fused_features(units, picture, message).ravel().tolist() == [1, 12, 13, 7]
    assert steganogan.fused_features(units, picture).ravel().tolist() == [1, 12, 13]


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: hiding.with_map(steganogan.Encoder(width=0.125, axis_name=axis), 3),
        hiding.joined_picture(4, (4, 9, 8, 4), 3),
        atol=1e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: steganogan.Decoder(width=0.125, axis_name=axis),
        plain.picture(4, (4, 9, 8, 3)),
        atol=1e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: steganogan.Steganalyzer(width=0.125, axis_name=axis),
        plain.picture(4, (4, 9, 9, 3)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(
        hiding.with_map(steganogan.Encoder("basic", width=0.0625), 3), (1, 8, 8, 4)
    )
    plain.assert_gradients_are_finite(steganogan.Decoder(width=0.0625), (1, 8, 8, 3))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    cover = jnp.zeros((1, 8, 8, 3))
    for message in (
        jnp.zeros((1, 8, 9, 1)),
        jnp.zeros((1, 8, 8)),
        jnp.zeros((1, 8, 8, 1), jnp.uint8),
    ):
        with pytest.raises(
            ValueError,
            match=r"Encoder: the message must be .* was given with a cover \(1, 8, 8, 3\)",
        ):
            init(steganogan.Encoder(), cover, message)
    with pytest.raises(ValueError, match="steganogan.Encoder: pictures must be a float32 array"):
        init(steganogan.Encoder(), cover[0], cover)
    with pytest.raises(ValueError, match="steganogan.Decoder: pictures must be a float32 array"):
        init(steganogan.Decoder(), cover.astype(jnp.uint8))
    with pytest.raises(InputError, match="'denser' is unknown; there are basic, residual, dense"):
        init(steganogan.Encoder("denser"), cover, cover)
    with pytest.raises(InputError, match="'denser' is unknown; there are basic, dense"):
        init(steganogan.Decoder(kind="denser"), cover)
    with pytest.raises(
        InputError, match="steganalyzer needs pictures of at least 9x9 pixels, 8x8 was given"
    ):
        init(steganogan.Steganalyzer(), cover)
    init(steganogan.Steganalyzer(), jnp.zeros((1, 9, 9, 3)))
