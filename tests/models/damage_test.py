"""JPEG and resizing between sender and receiver: as the real ones, and with a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.photographs import photograph

from stegojax import images
from stegojax.data import preprocess
from stegojax.errors import InputError
from stegojax.models import damage


def batch(channels, shape=(40, 27)):
    return photograph((*shape, channels)).pixels[None].astype(np.float32)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_of_grey_pictures_is_the_files(quality):
    pictures = batch(1)
    ours = np.asarray(damage.jpeg(None, pictures, pictures, quality=quality))[0]
    real = images.jpeg_recompress(pictures[0].astype(np.uint8), quality)
    assert np.mean(ours != real) < 0.1 and np.abs(ours - real).max() <= 3
    assert np.abs(ours - pictures[0]).mean() > 0.2


def test_jpeg_of_colour_pictures_is_nearly_the_files():
    """Chroma is repeated here and interpolated there."""
    pictures = batch(3)
    ours = np.asarray(damage.jpeg(None, pictures, pictures, quality=75))[0]
    real = images.jpeg_recompress(pictures[0].astype(np.uint8), 75)
    luma = [np.asarray(images.rgb_to_ycbcr(x.astype(np.float32)))[..., 0] for x in (ours, real)]
    lost = np.abs(pictures[0] - real).mean()
    assert np.abs(luma[0] - luma[1]).mean() < 0.5 and np.abs(ours - real).mean() < lost / 2


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.5])
def test_resizing_is_matlabs_there_and_back_before_rounding(factor):
    pictures = batch(3)
    ours = np.asarray(damage.resize(None, pictures, pictures, factor=factor))[0]
    small = tuple(round(factor * side) for side in pictures.shape[1:3])
    real = preprocess.resize(
        preprocess.resize(pictures[0].astype(np.uint8), small), pictures.shape[1:3]
    )
    assert ours.shape == real.shape and np.abs(ours - real).max() <= 2


@pytest.mark.parametrize("noise", [damage.jpeg, damage.resize])
def test_a_gradient_reaches_every_pixel(noise):
    pictures = jnp.asarray(np.clip(batch(1, (16, 16)), 20, 230))
    weights = np.random.default_rng(0).normal(size=pictures.shape)
    gradient = jax.grad(lambda x: jnp.sum(weights * noise(None, x, x)))(pictures)
    assert np.isfinite(gradient).all() and np.mean(np.abs(gradient) > 1e-6) > 0.99


def test_what_cannot_be_is_refused():
    pictures = batch(1)
    with pytest.raises(InputError, match="quality is between 1 and 100, 0 was given"):
        damage.jpeg(None, pictures, pictures, quality=0)
    with pytest.raises(InputError, match="cannot be resized by 0.001"):
        damage.resize(None, pictures, pictures, factor=0.001)
