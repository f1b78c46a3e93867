"""Yedroudj-Net against its layer table: counted, computed naively, and well-behaved at the
corners.
"""

import numpy as np
from support import numpy_layers as plain

from stegojax.models import high_pass, yedroudjnet


def test_parameters():
    kernels = 2 * 25 * 30 * 30 + 9 * 30 * 32 + 9 * 32 * 64 + 9 * 64 * 128
    norms = 2 * (30 + 30 + 32 + 64 + 128)
    full = (128 * 256 + 256) + (256 * 1024 + 1024) + (1024 * 2 + 2)
    assert (
        plain.count(yedroudjnet.YedroudjNet(), 1, 256, 256, 1) == kernels + norms + full == 444610
    )


def test_shapes():
    assert plain.outputs_of(yedroudjnet.YedroudjNet(), 2, 256, 256, 1) == {
        "block1": (2, 256, 256, 30),
        "block2": (2, 128, 128, 30),
        "block3": (2, 64, 64, 32),
        "block4": (2, 32, 32, 64),
        "block5": (2, 128),
        "full1": (2, 256),
        "full2": (2, 1024),
        "full3": (2, 2),
        "network": (2, 2),
    }


def test_it_computes_the_table():
    planes = plain.picture(0, (2, 33, 38, 1), levels=8)
    network = yedroudjnet.YedroudjNet(width=0.2)
    variables = plain.variables_of(network, planes, gain=2.0)
    params, stats = variables["params"], variables["batch_stats"]
    x = plain.bank(planes, high_pass.SRM / -high_pass.SRM[:, 2:3, 2:3])
    for i in range(1, 6):
        name = f"block{i}"
        assert set(params[name]["conv"]) == {"kernel"}
        x = plain.convolve(x, params[name]["conv"])
        x = plain.normalise(np.abs(x) if i == 1 else x, params[name]["norm"], stats[name]["norm"])
        x = {1: np.clip(x, -3, 3), 2: np.clip(x, -2, 2)}.get(i, plain.relu(x))
        x = {1: x, 5: x.mean(axis=(1, 2))}.get(i, plain.mean_counted(x, 5, 2, 2))
    x = plain.relu(plain.dense(plain.relu(plain.dense(x, params["full1"])), params["full2"]))
    plain.assert_computes(network, planes, plain.dense(x, params["full3"]), variables)


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: yedroudjnet.YedroudjNet(width=0.1, axis_name=axis),
        plain.picture(1, (4, 33, 35, 1)),
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(yedroudjnet.YedroudjNet(width=0.1), (1, 20, 20, 1))


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(yedroudjnet.YedroudjNet(), yedroudjnet.MINIMUM_SIZE)
