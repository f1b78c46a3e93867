"""Xu-Net against its layer table: counted, computed naively, and well-behaved at the corners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import high_pass, xunet


def test_parameters():
    kernels = 25 * 8 + 25 * 8 * 16 + 16 * 32 + 32 * 64 + 64 * 128
    assert (
        plain.count(xunet.XuNet(), 1, 256, 256, 1)
        == kernels + 2 * (8 + 16 + 32 + 64 + 128) + 128 * 2 + 2
        == 14906
    )
    assert plain.count(xunet.XuNet(front="basic"), 1, 256, 256, 1) == 14906 + 5 * 25 * 8
    assert plain.count(xunet.XuNet(outputs=1), 1, 512, 512, 1) == 14906 - 129


def test_shapes():
    assert plain.outputs_of(xunet.XuNet(), 2, 256, 256, 1) == {
        "group1": (2, 128, 128, 8),
        "group2": (2, 64, 64, 16),
        "group3": (2, 32, 32, 32),
        "group4": (2, 16, 16, 64),
        "group5": (2, 128),
        "full": (2, 2),
        "network": (2, 2),
    }
    assert plain.outputs_of(xunet.XuNet(outputs=1), 2, 512, 512, 1)["group4"] == (2, 32, 32, 64)


@pytest.mark.parametrize(
    "front, kernels, outputs", [("kv", high_pass.SRM[29:] / 12, 2), ("basic", high_pass.BASIC, 1)]
)
def test_it_computes_the_table(front, kernels, outputs):
    planes = plain.picture(0, (2, 33, 38, 1), levels=8)
    network = xunet.XuNet(width=0.25, front=front, outputs=outputs)
    variables = plain.variables_of(network, planes, gain=2.0)
    params, stats = variables["params"], variables["batch_stats"]
    x = plain.bank(planes, kernels)
    for i in range(1, 6):
        name = f"group{i}"
        assert set(params[name]["conv"]) == {"kernel"}
        x = plain.convolve(x, params[name]["conv"])
        x = plain.normalise(np.abs(x) if i == 1 else x, params[name]["norm"], stats[name]["norm"])
        x = np.tanh(x) if i < 3 else plain.relu(x)
        x = plain.mean_inside(x, 5, 2) if i < 5 else x.mean(axis=(1, 2))
    plain.assert_computes(network, planes, plain.dense(x, params["full"]), variables)


def test_kernels_begin_as_the_paper_says():
    variables = plain.initialise(xunet.XuNet(), 1, 16, 16, 1)
    kernels = [variables["params"][f"group{i}"]["conv"]["kernel"] for i in range(2, 6)] + [
        variables["params"]["full"]["kernel"]
    ]
    assert all(0.008 < np.std(kernel) < 0.012 for kernel in kernels)
    assert not variables["params"]["full"]["bias"].any()


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: xunet.XuNet(width=0.25, axis_name=axis), plain.picture(1, (4, 33, 35, 1))
    )


@pytest.mark.parametrize("outputs", [1, 2])
def test_gradients_are_finite_at_the_corners(outputs):
    plain.assert_gradients_are_finite(xunet.XuNet(width=0.25, outputs=outputs), (1, 20, 20, 1))


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(xunet.XuNet(), xunet.MINIMUM_SIZE)
    with pytest.raises(InputError, match="'srm' is unknown; there are basic, kv"):
        xunet.XuNet(front="srm").init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)), train=False)
