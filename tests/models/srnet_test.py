"""SRNet against its layer table: counted, computed naively, and well-behaved at the corners."""

import numpy as np
from support import numpy_layers as plain

from stegojax.models import srnet


def test_parameters():
    def unit(inputs, outputs, size=3):
        return size * size * inputs * outputs + 2 * outputs

    expected = unit(1, 64) + unit(64, 16) + 5 * 2 * unit(16, 16)
    inputs = 16
    for outputs in (16, 64, 128, 256):
        expected += unit(inputs, outputs) + unit(outputs, outputs) + unit(inputs, outputs, 1)
        inputs = outputs
    expected += unit(256, 512) + unit(512, 512) + 512 * 2 + 2
    assert plain.count(srnet.SRNet(), 1, 256, 256, 1) == expected == 4776962


def test_shapes():
    expected = (
        {"layer1": (2, 256, 256, 64)}
        | {f"layer{i}": (2, 256, 256, 16) for i in range(2, 8)}
        | {
            "layer8": (2, 128, 128, 16),
            "layer9": (2, 64, 64, 64),
            "layer10": (2, 32, 32, 128),
            "layer11": (2, 16, 16, 256),
            "layer12": (2, 512),
            "full": (2, 2),
            "network": (2, 2),
        }
    )
    assert plain.outputs_of(srnet.SRNet(), 2, 256, 256, 1) == expected


def test_it_computes_the_table():
    planes = plain.picture(0, (2, 33, 38, 1), levels=8)
    network = srnet.SRNet(width=0.125)
    variables = plain.variables_of(network, planes)
    params, stats = variables["params"], variables["batch_stats"]

    def unit(x, layer, name, stride=1):
        assert set(params[layer][name]["conv"]) == {"kernel"}
        x = plain.convolve(x, params[layer][name]["conv"], stride=stride)
        return plain.normalise(x, params[layer][name]["norm"], stats[layer][name]["norm"])

    x = np.asarray(planes, np.float64)
    for layer in ("layer1", "layer2"):
        x = plain.relu(unit(x, layer, "one"))
    for i in range(3, 13):
        layer = f"layer{i}"
        y = unit(plain.relu(unit(x, layer, "one")), layer, "two")
        if i < 8:
            x = x + y
        elif i < 12:
            x = unit(x, layer, "shortcut", stride=2) + plain.mean_inside(y, 3, 2)
        else:
            x = y.mean(axis=(1, 2))
    plain.assert_computes(network, planes, plain.dense(x, params["full"]), variables)


def test_kernels_begin_as_the_paper_says():
    params = plain.initialise(srnet.SRNet(), 1, 16, 16, 1)["params"]
    assert params["layer11"]["shortcut"]["conv"]["kernel"].ndim == 4
    for layer, name, inputs in (
        ("layer2", "one", 9 * 64),
        ("layer10", "two", 9 * 128),
        ("layer11", "shortcut", 128),
    ):
        kernel = np.asarray(params[layer][name]["conv"]["kernel"])
        np.testing.assert_allclose(kernel.std(), np.sqrt(2 / inputs), rtol=0.05)
        assert np.abs(kernel).max() > 2.7 * kernel.std()
    np.testing.assert_allclose(np.std(params["full"]["kernel"]), 0.01, rtol=0.1)


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: srnet.SRNet(width=0.0625, axis_name=axis),
        plain.picture(1, (4, 33, 35, 1)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(srnet.SRNet(width=0.0625), (1, 20, 20, 1))


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(srnet.SRNet(), srnet.MINIMUM_SIZE)
