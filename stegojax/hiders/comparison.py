"""How a stego differs from its cover: figures, words, and a picture of the changes."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax import domains, images, metrics
from stegojax.errors import InputError
from stegojax.types import Cover


class Comparison(NamedTuple):
    """How a stego differs from its cover.

    elements: samples of all channels.
    raised:   elements that are larger in the stego.
    lowered:  elements that are smaller.
    largest:  the largest difference.
    psnr:     dB.
    """

    elements: int
    raised: int
    lowered: int
    largest: int
    psnr: float

    @property
    def changes(self) -> int:
        """Elements that differ."""
        return self.raised + self.lowered


def compare(cover: Cover, stego: Cover) -> Comparison:
    """How a stego differs from its cover.

    Args:
      cover: the cover.
      stego: elements of the same size.

    Returns:
      The figures.

    Raises:
      InputError: the two differ in size or channels.
    """
    difference = _difference(cover, stego)
    pixels = [
        jnp.asarray(np.stack(elements.planes, axis=-1)[None], jnp.float32)
        for elements in (cover, stego)
    ]
    return Comparison(
        difference.size,
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        int(np.abs(difference).max()),
        float(metrics.psnr(*pixels)[0]),
    )


def in_words(figures: Comparison) -> str:
    """The changes, for a person.

    Args:
      figures: from `compare`.

    Returns:
      A clause.
    """
    return (
        f"{figures.changes} changes in {figures.elements} samples "
        f"({figures.changes / figures.elements:.4f}), {figures.psnr:.2f} dB"
    )


def described(cover: Cover) -> str:
    """The size of a picture, for a person.

    Args:
      cover: its elements.

    Returns:
      Width, height, and whether it is grey.
    """
    height, width = cover.planes[0].shape
    return f"{width}x{height} {'grey' if len(cover.planes) == 1 else 'colour'}"


def picture_of_changes(cover: Cover, stego: Cover) -> Cover:
    """The cover, grey and dimmed, with its changes over it: red where samples went up, blue where
    down, white where both.

    Args:
      cover: the cover.
      stego: elements of the same size.

    Returns:
      A colour picture.

    Raises:
      InputError: the two differ in size or channels.
    """
    difference = _difference(cover, stego)
    raised, lowered = (difference > 0).any(axis=0), (difference < 0).any(axis=0)
    pixels = jnp.asarray(np.stack(cover.planes, axis=-1), jnp.float32)
    grey = np.asarray(images.grey(pixels))[..., 0]
    shown = np.repeat((64 + grey / 4).astype(np.uint8)[..., None], 3, axis=-1)
    shown[raised], shown[lowered] = (255, 48, 32), (48, 96, 255)
    shown[raised & lowered] = (255, 255, 255)
    return domains.pixels.cover_of(images.Picture(shown))


def _difference(cover: Cover, stego: Cover) -> np.ndarray:
    """`[C, H, W]`."""
    shapes = [[plane.shape for plane in elements.planes] for elements in (cover, stego)]
    if shapes[0] != shapes[1]:
        sizes = [
            f"{of[0][1]}x{of[0][0]} with {len(of)} channel{'s' * (len(of) > 1)}" for of in shapes
        ]
        raise InputError(
            f"the pictures differ in size or channels ({sizes[0]}, {sizes[1]}); compare a stego "
            "with its cover"
        )
    return np.stack(stego.planes) - np.stack(cover.planes)
