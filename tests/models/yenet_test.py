"""Ye-Net against its layer table: counted, computed naively, and well-behaved at the corners."""

import jax
import numpy as np
from support import numpy_layers as plain

from stegojax.models import high_pass, yenet


def test_parameters():
    expected = (
        26 * 30
        + 3 * (270 * 30 + 30)
        + (750 * 32 + 32)
        + 2 * (800 * 32 + 32)
        + (288 * 16 + 16)
        + (144 * 16 + 16)
        + 144 * 2
        + 2
    )
    assert plain.count(yenet.YeNet(), 1, 256, 256, 1) == expected == 107700


def test_shapes():
    assert plain.outputs_of(yenet.YeNet(), 2, 256, 256, 1) == {
        "layer1": (2, 252, 252, 30),
        "layer2": (2, 250, 250, 30),
        "layer3": (2, 248, 248, 30),
        "layer4": (2, 123, 123, 30),
        "layer5": (2, 59, 59, 32),
        "layer6": (2, 27, 27, 32),
        "layer7": (2, 11, 11, 32),
        "layer8": (2, 9, 9, 16),
        "layer9": (2, 3, 3, 16),
        "full": (2, 2),
        "network": (2, 2),
    }


def test_it_computes_the_table():
    planes = plain.picture(0, (2, 161, 208, 1), levels=8)
    network = yenet.YeNet(width=0.15)
    variables = plain.variables_of(network, planes, gain=2.0)
    params = variables["params"]
    x = np.clip(
        plain.convolve(np.asarray(planes, np.float64), params["layer1"], padding="VALID"), -3, 3
    )
    for i, (stride, pool) in enumerate(
        [(1, 0), (1, 0), (1, 2), (1, 3), (1, 3), (1, 3), (1, 0), (3, 0)], start=2
    ):
        x = plain.relu(
            plain.convolve(x, params[f"layer{i}"]["conv"], stride=stride, padding="VALID")
        )
        x = plain.mean_counted(x, pool, 2) if pool else x
    assert x.shape == (2, 1, 2, 2)
    plain.assert_computes(network, planes, plain.dense(x.reshape(2, -1), params["full"]), variables)


def test_it_begins_as_the_rich_model_and_does_not_see_a_shift():
    network, planes = yenet.YeNet(width=0.15), plain.picture(1, (2, 160, 160, 1)) / 2
    variables = plain.initialise(network, *planes.shape)
    params = variables["params"]
    np.testing.assert_array_equal(
        params["layer1"]["kernel"][:, :, 0].transpose(2, 0, 1), high_pass.SRM
    )
    assert not params["layer1"]["bias"].any() and not params["full"]["bias"].any()
    assert all((params[f"layer{i}"]["conv"]["bias"] == np.float32(0.2)).all() for i in range(2, 10))
    judge = jax.jit(lambda x: network.apply(variables, x, train=False))
    np.testing.assert_allclose(judge(planes), judge(planes + 64), rtol=1e-4, atol=1e-6)
    assert not np.allclose(judge(planes), judge(planes[:, ::-1, ::-1]), rtol=1e-3)


def test_layer_1_is_trained():
    network, planes = yenet.YeNet(width=0.15), plain.picture(2, (1, 160, 160, 1), levels=8)
    variables = plain.initialise(network, *planes.shape)
    gradient = jax.jit(jax.grad(lambda v: network.apply(v, planes, train=True)[0, 1]))(variables)[
        "params"
    ]["layer1"]
    assert np.abs(gradient["kernel"]).max() > 0 and np.abs(gradient["bias"]).max() > 0


def test_training_computes_the_same():
    network, planes = yenet.YeNet(width=0.15), plain.picture(3, (1, 160, 160, 1), levels=4)
    variables = plain.initialise(network, *planes.shape)
    assert set(variables) == {"params"}
    judge = jax.jit(lambda x, train: network.apply(variables, x, train=train), static_argnums=1)
    np.testing.assert_array_equal(judge(planes, True), judge(planes, False))


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(yenet.YeNet(width=0.1), (1, 160, 160, 1))


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(yenet.YeNet(), yenet.MINIMUM_SIZE)
    assert plain.outputs_of(yenet.YeNet(), 1, yenet.MINIMUM_SIZE, yenet.MINIMUM_SIZE, 1)[
        "layer9"
    ] == (1, 1, 1, 16)
