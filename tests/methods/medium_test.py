"""What trainings embed into: coefficients as files have them, the pictures that networks see of
them, and gradients that reach them exactly.
"""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.small_networks import covers

from stegojax import embed, images, parallel
from stegojax.costs.dct import BASIS
from stegojax.domains import JPEG, jpeg
from stegojax.errors import InputError
from stegojax.methods.medium import Medium, of_quality

MEDIUM = Medium(75)


@pytest.fixture(scope="module")
def pictures():
    return covers(3, (24, 32))


@pytest.fixture(scope="module")
def planes(pictures):
    return MEDIUM.elements(jnp.asarray(pictures))


def blocks(plane):
    height, width = plane.shape
    return plane.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)


def test_elements_are_the_coefficients_of_the_file_and_bits_relative_to_them(pictures, planes):
    bits = MEDIUM.bits(planes, 0.4)
    for picture, plane, carried in zip(pictures, planes, bits, strict=True):
        cover, _ = jpeg.decode(images.jpeg_file(picture.astype(np.uint8), 75))
        np.testing.assert_array_equal(plane, cover.planes[0])
        np.testing.assert_array_equal(MEDIUM.side[0], cover.side[0][0])
        assert float(carried) == pytest.approx(0.4 * JPEG.weight(cover))
    flat = MEDIUM.bits(jnp.zeros((1, 8, 8)), 0.4)
    assert float(flat[0]) == pytest.approx(0.4)
    assert Medium().bits(jnp.zeros((2, 6, 5)), 0.4) == pytest.approx(12)


def test_networks_see_the_decompressed_picture_unrounded(pictures, planes):
    seen = np.asarray(MEDIUM.pictures(planes))
    file = io.BytesIO(images.jpeg_file(pictures[0].astype(np.uint8), 75))
    assert abs(np.clip(seen[0], 0, 255) - np.asarray(Image.open(file), float)).max() <= 1
    assert abs(seen - np.round(seen)).max() > 0.2
    own = jnp.broadcast_to(jnp.asarray(MEDIUM.side[0]), (3, 8, 8))
    np.testing.assert_allclose(MEDIUM.pictures(planes, own), seen, rtol=1e-6)
    picture = jnp.asarray(pictures)
    assert Medium().pictures(Medium().elements(picture)) is not None
    np.testing.assert_array_equal(Medium().pictures(picture[..., 0]), pictures[..., 0])


def test_the_gradient_is_that_of_the_inverse_dct(planes):
    """By a coefficient it is q (T G T'), G being the gradient by the pixels."""
    generator = np.random.default_rng(0)
    by_pixels = generator.normal(size=planes.shape).astype(np.float32)
    by_planes = jax.grad(lambda c: jnp.sum(MEDIUM.pictures(c) * by_pixels))(planes)
    expected = MEDIUM.side[0] * (BASIS @ blocks(by_pixels[1].astype(float)) @ BASIS.T)
    np.testing.assert_allclose(blocks(np.asarray(by_planes[1])), expected, rtol=1e-4, atol=1e-4)
    weights = blocks(np.asarray(MEDIUM.weights(jnp.asarray(by_pixels)))[1])
    np.testing.assert_allclose(weights * MEDIUM.side[0], abs(expected), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(Medium().weights(by_pixels), by_pixels)


def test_neighbours_of_a_coefficient_are_its_frequency_in_the_blocks_around():
    changes = np.zeros((24, 24), np.float32)
    changes[8 + 2, 8 + 3] = 1
    around = np.asarray(MEDIUM.around(jnp.asarray(changes)))
    assert around[8 + 2, 3] == around[8 + 2, 16 + 3] == -1  # odd columns go the other way
    assert around[2, 8 + 3] == around[16 + 2, 8 + 3] == 1
    assert abs(around).sum() == 4
    assert np.asarray(Medium().around(jnp.asarray(changes)))[8 + 1, 8 + 3] == 1


def test_an_optimal_sender_carries_the_payload_of_each_picture(planes):
    scheme = embed.parse_scheme("uerd-bbc", domain=JPEG)
    keys = parallel.example_keys(jax.random.key(0), 3)
    done = jax.jit(lambda keys, planes: MEDIUM.simulated(keys, planes, 0.4, scheme=scheme))(
        keys, planes
    )
    changed = np.abs(done.modifications).sum((1, 2))
    used = np.asarray(MEDIUM.bits(planes, 1.0))
    # About .08 changes per non-zero AC coefficient with UERD at .4, and each of the three its own.
    assert (changed > 0.04 * used).all() and (changed < 0.16 * used).all()
    costs = MEDIUM.bound(scheme.cost)(planes)
    assert costs.plus.shape == planes.shape and bool(jnp.all(costs.plus > 0))


def test_sizes_and_qualities_that_there_are_not_are_refused():
    with pytest.raises(InputError, match="12x16: set data.crop"):
        MEDIUM.elements(jnp.zeros((1, 12, 16, 1)))
    with pytest.raises(InputError, match="1..100, or 0 for pixels"):
        of_quality(101)
    assert of_quality(0) == Medium() and hash(of_quality(75)) == hash(MEDIUM)
