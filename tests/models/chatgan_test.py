"""The CHAT-GAN-like networks: counted, computed naively, and bounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.models import chatgan


def unit_count(inputs, outputs):
    attention = outputs * (outputs // 8) + outputs // 8 + (outputs // 8) * outputs + outputs
    return 9 * inputs * outputs + outputs + 2 * outputs + attention


def test_parameters():
    encoder = unit_count(1, 32) + unit_count(33, 32) + unit_count(65, 32) + 9 * 97 + 1
    assert plain.count(hiding.with_map(chatgan.Encoder()), 1, 16, 16, 2) == encoder == 30550
    decoder = unit_count(1, 32) + unit_count(32, 32) + unit_count(64, 32) + 9 * 96 + 1
    assert plain.count(chatgan.Decoder(), 1, 16, 16, 1) == decoder == 29965


def unit(x, variables, name):
    params, stats = variables["params"][name], variables["batch_stats"][name]
    x = hiding.leaky(
        plain.normalise(plain.convolve(x, params["conv"]), params["norm"], stats["norm"])
    )
    weights = sum(
        plain.dense(
            plain.relu(plain.dense(pooled, params["attention"]["hidden"])),
            params["attention"]["output"],
        )
        for pooled in (x.mean(axis=(1, 2)), x.max(axis=(1, 2)))
    )
    return x * hiding.sigmoid(weights)[:, None, None]


@pytest.mark.parametrize("limit", [25.5, 1e4])
def test_the_encoder_computes_the_table(limit):
    x = hiding.joined_picture(0, (2, 9, 7, 3), 1)
    network = hiding.with_map(chatgan.Encoder(width=0.5, limit=limit))
    variables = plain.variables_of(network, x)
    cover, message = np.split(np.asarray(x, np.float64), [1], axis=-1)
    f1 = unit(cover / 255, variables, "unit1")
    f2 = unit(hiding.beside(f1, message), variables, "unit2")
    f3 = unit(hiding.beside(f1, f2, message), variables, "unit3")
    changes = (
        plain.convolve(hiding.beside(f1, f2, f3, message), variables["params"]["output"]) * 255
    )
    stego = np.clip(cover + np.clip(changes, -limit, limit), 0, 255)
    assert (
        (np.abs(changes) > 25.5).any()
        and (np.abs(changes) < 25.5).any()
        and 0 < ((stego > 0) & (stego < 255)).mean() < 1
    )
    hiding.assert_returns(network, x, stego, variables)


def test_the_decoder_computes_the_table():
    x = plain.picture(1, (2, 9, 7, 1))
    network = chatgan.Decoder(depth=2, width=0.5)
    variables = plain.variables_of(network, x)
    f1 = unit(np.asarray(x, np.float64) / 255, variables, "unit1")
    f2 = unit(f1, variables, "unit2")
    f3 = unit(hiding.beside(f1, f2), variables, "unit3")
    hiding.assert_returns(
        network,
        x,
        plain.convolve(hiding.beside(f1, f2, f3), variables["params"]["output"]),
        variables,
    )


def test_the_paper_s_bound_is_a_tenth_of_the_range():
    assert chatgan.Encoder().limit == 25.5


def test_a_thin_network_keeps_one_hidden_channel_of_attention():
    assert plain.shapes_of(chatgan.Decoder(width=0.125), np.empty((1, 8, 8, 1)))["params"]["unit1"][
        "attention"
    ]["hidden"]["kernel"].shape == (4, 1)


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: hiding.with_map(chatgan.Encoder(width=0.125, axis_name=axis, limit=1e3)),
        hiding.joined_picture(2, (4, 9, 8, 2), 1),
        atol=1e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: chatgan.Decoder(width=0.125, axis_name=axis),
        plain.picture(2, (4, 9, 8, 1)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(hiding.with_map(chatgan.Encoder(width=0.125)), (1, 8, 8, 2))
    plain.assert_gradients_are_finite(chatgan.Decoder(width=0.125), (1, 8, 8, 1))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    with pytest.raises(
        ValueError, match="chatgan.Encoder: the message must be a float32 map of bits"
    ):
        init(chatgan.Encoder(), jnp.zeros((1, 8, 8, 1)), jnp.zeros((1, 8, 7, 1)))
    with pytest.raises(ValueError, match="chatgan.Decoder: pictures must be a float32 array"):
        init(chatgan.Decoder(), jnp.zeros((1, 8, 8, 1), jnp.uint8))
