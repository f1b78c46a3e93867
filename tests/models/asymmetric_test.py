"""The adjustment network: sizes of its layers, parameters by hand, any picture size, and its
outputs' range.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.errors import InputError
from stegojax.models import asymmetric as models


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(module, shape):
    return jax.eval_shape(
        lambda key: module.init(key, jnp.zeros(shape), train=False), jax.random.key(0)
    )


def test_parameters_by_hand():
    """Two 3x3 convolutions without bias and a scale and a shift in every block; the last block has
    no normalisation.
    """
    widths = [16, 32, 64, 128, 128, 128, 128, 128]

    def block(inputs, outputs):
        return 9 * inputs * outputs + 9 * outputs * outputs + 2 * outputs

    encoder = sum(block(a, b) for a, b in zip([2, *widths], widths))
    decoder, inputs = 0, 128
    for features in widths[-2::-1]:
        decoder += block(inputs, features)
        inputs = 2 * features
    decoder += 9 * inputs * 16 + 16 + 9 * 16 + 1
    params = shapes(models.Adjustment(), (1, 256, 256, 2))["params"]
    assert count(params["encoder1"]) == encoder
    assert count(params["decoder1"]) == count(params["decoder2"]) == decoder
    assert count(params) == encoder + 2 * decoder == 5_213_954


def test_gates_on_the_skips():
    """Two 1x1 convolutions to half the channels and one to a number, and a skip is multiplied by at
    most 1.
    """
    plain, gated = (
        shapes(models.Adjustment(attention=attention), (1, 256, 256, 2))["params"]
        for attention in (False, True)
    )
    widths = [16, 32, 64, 128, 128, 128, 128]
    of_a_gate = sum(2 * (a * (a // 2) + a // 2) + a // 2 + 1 for a in widths)
    assert count(gated) == count(plain) + 2 * of_a_gate
    skip, asking = np.random.default_rng(0).normal(size=(2, 1, 5, 6, 4)).astype(np.float32)
    passed, _ = models.Gate(2).init_with_output(jax.random.key(0), skip, asking)
    shares = np.asarray(passed) / skip
    assert 0 < shares.min() < shares.max() < 1 and np.ptp(shares, axis=-1).max() < 1e-5
    other, _ = models.Gate(2).init_with_output(jax.random.key(0), skip, -asking)
    assert np.abs(other - passed).max() > 1e-3


def test_an_encoder_for_each_map_doubles_the_skips():
    params = shapes(models.Adjustment(two_encoders=True), (1, 256, 256, 2))["params"]
    assert set(params) == {"encoder1", "encoder2", "decoder1", "decoder2"}
    assert params["encoder1"]["down1"]["conv1"]["kernel"].shape == (3, 3, 1, 16)
    assert params["decoder1"]["up7"]["conv1"]["kernel"].shape == (3, 3, 256, 128)
    assert params["decoder1"]["up6"]["conv1"]["kernel"].shape == (3, 3, 128 + 256, 128)
    assert set(shapes(models.Adjustment(branches=1), (1, 32, 32, 1))["params"]) == {
        "encoder1",
        "decoder1",
    }


@pytest.mark.parametrize(
    "size,depth",
    [((256, 256), [128, 64, 32, 16, 8, 4, 2, 1]), ((75, 91), [38, 19, 10, 5, 3, 2, 1, 1])],
)
def test_the_encoder_halves_and_rounds_up(size, depth):
    encoder = models.Encoder()
    outputs = jax.eval_shape(
        lambda x: encoder.init_with_output(jax.random.key(0), x, train=False)[0],
        jnp.zeros((1, *size, 2)),
    )
    assert [output.shape[1] for output in outputs] == depth
    assert [output.shape[-1] for output in outputs] == [16, 32, 64, 128, 128, 128, 128, 128]


@pytest.mark.parametrize("shape", [(2, 1, 1, 2), (1, 5, 300, 2), (1, 33, 47, 2)])
def test_any_size_gives_probabilities_of_that_size(shape):
    module = models.Adjustment(width=0.125, output_bias=-2.0)
    maps = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    found = jax.jit(lambda maps: module.init_with_output(jax.random.key(1), maps, train=False)[0])(
        maps
    )
    assert found.shape == shape and float(found.min()) > 0 and float(found.max()) < 1 / 3
    assert float(jnp.median(found)) == pytest.approx(1 / 3 / (1 + np.exp(2)), abs=0.01)


def test_an_output_may_start_at_its_last_map():
    """With the last layer's weights at zero the output is half the map for each direction, and the
    network is no larger.
    """
    module = models.Adjustment(width=0.125, depth=2, from_last_map=True)
    maps = jnp.asarray(np.random.default_rng(0).uniform(0.01, 0.6, size=(2, 12, 9, 2)), jnp.float32)
    variables = module.init(jax.random.key(1), maps, train=False)
    for branch in ("decoder1", "decoder2"):
        variables["params"][branch]["last2"] = jax.tree.map(
            jnp.zeros_like, variables["params"][branch]["last2"]
        )
    found = module.apply(variables, maps, train=False)
    np.testing.assert_allclose(found, np.repeat(maps[..., 1:] / 2, 2, axis=-1), rtol=1e-4)
    ends = module.apply(
        variables,
        jnp.broadcast_to(jnp.asarray([0.0, 2 / 3]).reshape(1, 1, 2, 1), (1, 8, 2, 2)),
        train=False,
    )
    assert np.isfinite(ends).all() and (ends > 0).all() and (ends < 1 / 3).all()
    assert count(variables["params"]) == count(
        shapes(models.Adjustment(width=0.125, depth=2), maps.shape)["params"]
    )


def test_outputs_stay_on_their_pixels_whatever_the_parity():
    """A spot moved by a multiple of the network's steps moves the output with it, in an even and in
    an odd picture alike.
    """
    module = models.Adjustment(width=0.25, depth=2)
    maps = np.zeros((2, 41, 40, 2), np.float32)
    maps[0, 16, 16], maps[1, 20, 16] = 50, 50
    variables = module.init(jax.random.key(0), jnp.asarray(maps), train=False)
    found = np.asarray(jax.jit(lambda maps: module.apply(variables, maps, train=False))(maps))
    np.testing.assert_allclose(found[0, 8:24, 8:24], found[1, 12:28, 8:24], atol=1e-6)
    even = np.asarray(
        jax.jit(lambda maps: module.apply(variables, maps, train=False))(maps[:, :40])
    )
    np.testing.assert_allclose(found[0, 8:24, 8:24], even[0, 8:24, 8:24], atol=1e-6)
    assert np.ptp(found[0, 8:24, 8:24]) > 1e-3


def test_what_is_no_map_and_what_is_no_depth_are_refused():
    with pytest.raises(ValueError, match=r"float32 array \[B, H, W, C\]"):
        shapes(models.Adjustment(), (32, 32, 2))
    with pytest.raises(InputError, match="between 1 and 8 levels, 9"):
        shapes(models.Adjustment(depth=9), (1, 32, 32, 2))
