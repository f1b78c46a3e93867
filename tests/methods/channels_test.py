"""What lies between encoder and decoder: noises by name, and one of several in every step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.hiding_bits import covers, over

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.methods import channels
from stegojax.models import damage
from stegojax.models import hidden as models


def noised(text, batch, devices=1):
    def function(state, batch, key):
        keys = parallel.example_keys(key, batch["cover"].shape[0])
        return jax.lax.all_gather(
            channels.noise(text)(keys, batch["cover"], jnp.zeros_like(batch["cover"])),
            parallel.AXIS,
        )

    damaged = over(function, devices)(0, batch, jax.random.key(3))
    return damaged.reshape((-1,) + damaged.shape[2:])


@pytest.mark.parametrize("text", ["dropout:0.5", "cropout:0.3", "crop:0.3", "jpeg_drop:50"])
def test_noise_depends_on_the_example_alone(text):
    """Each picture of a batch is damaged in its own way, the same on one device and on four."""
    same = covers(1, 16, 3)["cover"].repeat(4, axis=0)
    one, four = (noised(text, {"cover": same}, devices) for devices in (1, 4))
    np.testing.assert_allclose(one, four, atol=1e-3)
    assert np.any(one[0] != one[1]) and np.any(one[1] != one[2])


def test_noises_are_the_models():
    batch = covers(2, 16, 3)
    for text, direct in (
        (
            "gaussian_blur:1.0",
            models.gaussian_blur(None, batch["cover"], batch["cover"], sigma=1.0),
        ),
        ("jpeg_mask", models.jpeg_mask(None, batch["cover"], batch["cover"])),
    ):
        np.testing.assert_allclose(noised(text, batch), direct, atol=1e-3)
    np.testing.assert_allclose(
        noised("jpeg:40", batch), damage.jpeg(None, batch["cover"], None, quality=40), atol=1e-3
    )
    assert noised("crop:0.25", batch).shape == (2, 8, 8, 3)
    kept = np.mean(np.any(noised("dropout:0.2", covers(4, 32, 3)) != 0, axis=-1))
    assert 0.15 < kept < 0.25


def test_no_noise_is_no_damage():
    through = channels.one_of([])
    assert through(None, "stego", "cover", lambda arrived: arrived) == "stego"


def test_the_combined_channel_takes_one_noise_a_step():
    batch = covers(2, 16, 3)
    names = ("identity", "gaussian_blur:2.0", "crop:0.25")

    def function(state, batch, key):
        return channels.one_of([channels.noise(name) for name in names])(
            key,
            batch["cover"],
            batch["cover"],
            lambda arrived: jnp.stack([arrived.mean(), arrived.std()]),
        )

    step = over(function)
    drawn = np.stack([step(0, batch, jax.random.key(index)) for index in range(24)])
    plain, blurred = (
        np.asarray([value.mean(), value.std()])
        for value in (batch["cover"], noised(names[1], batch))
    )
    near = [np.isclose(drawn, wanted, rtol=1e-4).all(axis=1) for wanted in (plain, blurred)]
    assert near[0].any() and near[1].any() and not (near[0] | near[1]).all()


@pytest.mark.parametrize(
    "text,message",
    [
        ("snow", "'snow' is unknown; there are identity, dropout"),
        ("jpeg_mask:3", "'jpeg_mask:3' is not understood"),
        ("dropout:much", "'dropout:much' is not understood"),
    ],
)
def test_a_noise_that_cannot_be_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        channels.noise(text)
