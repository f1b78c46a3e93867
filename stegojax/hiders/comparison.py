"""How a stego differs from its cover: figures, words, and a picture of the changes."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax import domains, images, metrics
from stegojax.errors import InputError
from stegojax.types import Cover, Domain


class Comparison(NamedTuple):
    """How a stego differs from its cover.

    elements: of all planes.
    raised:   elements that are larger in the stego.
    lowered:  elements that are smaller.
    largest:  the largest difference.
    psnr:     dB, of what is seen.
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


def compare(cover: Cover, stego: Cover, *, domain: Domain = domains.PIXELS) -> Comparison:
    """How a stego differs from its cover.

    Args:
      cover: the cover.
      stego: elements of the same size.
      domain: of both.

    Returns:
      The figures.

    Raises:
      InputError: the two differ in size or channels.
    """
    difference = _difference(cover, stego)
    pixels = [
        jnp.asarray(domain.pixels(elements)[None], jnp.float32) for elements in (cover, stego)
    ]
    return Comparison(
        difference.size,
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        int(np.abs(difference).max()),
        float(metrics.psnr(*pixels)[0]),
    )


def in_words(figures: Comparison, *, domain: Domain = domains.PIXELS) -> str:
    """The changes, for a person.

    Args:
      figures: from `compare`.
      domain: of what was compared.

    Returns:
      A clause.
    """
    return (
        f"{figures.changes} changes in {figures.elements} {domain.words.elements} "
        f"({figures.changes / figures.elements:.4f}), {figures.psnr:.2f} dB"
    )


def described(cover: Cover, *, size: tuple[int, int] | None = None) -> str:
    """The size of a picture, for a person.

    Args:
      cover: its elements.
      size: height and width, by default those of its first plane.

    Returns:
      Width, height, and whether it is grey.
    """
    height, width = size or cover.planes[0].shape
    return f"{width}x{height} {'grey' if len(cover.planes) == 1 else 'colour'}"


def picture_of_changes(cover: Cover, stego: Cover, *, domain: Domain = domains.PIXELS) -> Cover:
    """The cover, grey and dimmed, with its changes over it: red where elements went up, blue where
    down, white where both; of coefficients, whole blocks.

    Args:
      cover: the cover.
      stego: elements of the same size.
      domain: of both.

    Returns:
      A colour picture.

    Raises:
      InputError: the two differ in size or channels.
    """
    difference = _difference(cover, stego)
    raised, lowered = (
        domain.places(tuple(plane != 0 for plane in cover.with_elements(moved).planes))
        for moved in (difference > 0, difference < 0)
    )
    grey = np.asarray(images.grey(jnp.asarray(domain.pixels(cover), jnp.float32)))[..., 0]
    shown = np.repeat((64 + grey / 4).astype(np.uint8)[..., None], 3, axis=-1)
    shown[raised], shown[lowered] = (255, 48, 32), (48, 96, 255)
    shown[raised & lowered] = (255, 255, 255)
    return domains.pixels.cover_of(images.Picture(shown))


def _difference(cover: Cover, stego: Cover) -> np.ndarray:
    """`[N]`."""
    shapes = [[plane.shape for plane in elements.planes] for elements in (cover, stego)]
    if shapes[0] != shapes[1]:
        sizes = [
            f"{of[0][1]}x{of[0][0]} with {len(of)} channel{'s' * (len(of) > 1)}" for of in shapes
        ]
        raise InputError(
            f"the pictures differ in size or channels ({sizes[0]}, {sizes[1]}); compare a stego "
            "with its cover"
        )
    return stego.flat() - cover.flat()
