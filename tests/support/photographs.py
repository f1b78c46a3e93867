"""Pictures for tests."""

import numpy as np

from stegojax import domains, images


def photograph(shape, seed=0):
    """A smooth picture with noise, as pictures are."""
    generator = np.random.default_rng(seed)
    i, j = np.indices(shape[:2])
    smooth = 128 + 50 * np.sin(i / 9 + seed)[..., None] + 40 * np.cos(j / 7)[..., None]
    return images.Picture(
        np.clip(np.round(smooth + generator.normal(0, 4, shape)), 0, 255).astype(np.uint8)
    )


def cover(shape, seed=0):
    """Such a picture as a cover."""
    return domains.pixels.cover_of(photograph(shape, seed))
