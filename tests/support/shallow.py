"""ISGAN with networks of one hidden layer: the wiring of the real one, compiled in a fraction of
the time.
"""

import flax.linen as nn
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict
from support.configs import load

from stegojax import losses, methods, optimizers, parallel
from stegojax.methods import isgan


class Picture(nn.Module):
    """Planes become a plane, 0..255, by two 3x3 convolutions."""

    @nn.compact
    def __call__(self, *planes, train):
        x = nn.Conv(8, (3, 3))(jnp.concatenate(planes, axis=-1) / 255.0)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=parallel.AXIS)(x)
        return 255.0 * nn.sigmoid(nn.Conv(1, (3, 3))(nn.leaky_relu(x)))


class Noisiness(nn.Module):
    """Logits of what the differences of neighbours are on average."""

    @nn.compact
    def __call__(self, pictures, *, train):
        differences = jnp.diff(nn.Dense(8)(pictures / 255.0), axis=1)
        return nn.Dense(2)(jnp.mean(jnp.abs(differences), axis=(1, 2)))


def networks(*, adversarial=True) -> isgan.Networks:
    return isgan.Networks(
        Picture(), Picture(), Noisiness() if adversarial else None, receptive_radius=2
    )


def from_config(section, *, steps_per_epoch, load=None):
    """ISGAN's section, of which the optimisers and the steganalyzer's being there count."""
    descents = {
        name: optimizers.make(**section[name], steps_per_epoch=steps_per_epoch)
        for name in ("optimizer", "steganalyzer_optimizer")
    }
    return isgan.make(
        networks(adversarial=section["adversarial"]), picture_loss=losses.mse, **descents
    )


@pytest.fixture(autouse=True, scope="module")
def shallow():
    """Puts these networks in place of ISGAN's for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        real = methods.METHODS["isgan"]
        patch.setitem(methods.METHODS, "isgan", real._replace(from_config=from_config))
        yield


def config(**changes) -> ConfigDict:
    """ISGAN's tiny preset, with fields set as `section__field=value`."""
    c = load("isgan").get_config("tiny")
    for name, value in changes.items():
        section, _, field = name.rpartition("__")
        (c[section] if section else c)[field] = value
    return c
