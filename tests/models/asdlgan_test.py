"""ASDL-GAN's networks: parameters by hand, sizes kept, and what is refused."""

import jax
import jax.numpy as jnp
import pytest

from stegojax.errors import InputError
from stegojax.models import asdlgan


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(module, *shapes_):
    return jax.eval_shape(
        lambda key: module.init(key, *map(jnp.zeros, shapes_), train=False), jax.random.key(0)
    )


def test_the_generators_parameters_by_hand():
    """23 groups from 16 to 16 channels between the first and the last, which has no norm."""
    params = shapes(asdlgan.FullSize(), (1, 20, 31, 1))["params"]
    assert count(params) == 9 * 16 + 23 * 9 * 16 * 16 + 24 * 2 * 16 + 9 * 16 == 54_048
    assert "bias" not in params["conv25"]


def test_the_simulators_parameters_by_hand():
    params = shapes(asdlgan.EmbeddingSimulator(), (5, 7), (5, 7))["params"]
    assert count(params) == 2 * 10 + 10 + 3 * (100 + 10) + 10 + 1 == 371


def test_sizes_are_kept():
    module = asdlgan.FullSize(width=0.25, groups=4, output_bias=0.3)
    maps = jnp.ones((2, 9, 13, 1))
    variables = module.init(jax.random.key(0), maps, train=False)
    assert module.apply(variables, maps, train=False).shape == (2, 9, 13, 1)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="at least 2 groups, 1 were asked for"):
        shapes(asdlgan.FullSize(groups=1), (1, 8, 8, 1))
    with pytest.raises(InputError, match="'relu' is unknown; there are sigmoid, tanh"):
        shapes(asdlgan.EmbeddingSimulator("relu"), (3,), (3,))
