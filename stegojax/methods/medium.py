"""What trainings embed into: how the pictures of a batch become elements, and how networks see
these.

A batch holds pictures `[B, H, W, 1]`, whole numbers 0..255. The elements are their pixels; or the
coefficients of the grey JPEG files of one quality that libjpeg makes of them, whose decompressed
pictures, neither rounded nor clipped, are what networks see. Decompression is linear, so that the
gradient by what is seen gives the one by the coefficients exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import embed
from stegojax.costs import dct
from stegojax.domains import JPEG, PIXELS
from stegojax.errors import InputError
from stegojax.recipes import over_borders, over_sides
from stegojax.types import Array, Costs, Domain, Key


class Medium(NamedTuple):
    """What is embedded into; equal media share what was compiled.

    quality: of the JPEG files, 1..100; 0 for pixels.
    """

    quality: int = 0

    @property
    def domain(self) -> Domain:
        """Of the elements."""
        return JPEG if self.quality else PIXELS

    @property
    def side(self) -> tuple[np.ndarray, ...]:
        """What the costs of all planes depend on besides, see `Cover.side`."""
        return (dct.table(self.quality),) if self.quality else ()

    def elements(self, pictures: Array) -> Array:
        """The elements, float32 `[B, H, W]`, of pictures `[B, H, W, 1]`; an `InputError` where a
        JPEG file of their size would have padding.
        """
        planes = pictures[..., 0]
        if not self.quality:
            return planes
        if planes.shape[-2] % 8 or planes.shape[-1] % 8:
            raise InputError(
                "pictures become JPEG files of whole blocks, and these are "
                f"{planes.shape[-2]}x{planes.shape[-1]}: set data.crop, and evaluation.crop where "
                "there is one, to a multiple of 8"
            )
        return dct.integer_coefficients(planes, *self.side).astype(jnp.float32)

    def pictures(self, planes: Array, *side: Array) -> Array:
        """What networks see of elements `[B, H, W]`: pixels, the same shape. The elements are
        those of files with another `side`, `[B, ...]`, where it is given.
        """
        if not self.quality:
            return planes
        if side:
            return jax.vmap(dct.unrounded_pixels)(planes, *side)
        return dct.unrounded_pixels(planes, *self.side)

    def weights(self, values: Array) -> Array:
        """Weights of elements `[..., H, W]`, given those of their pixels: |T t T'| in every block
        of coefficients.
        """
        if not self.quality:
            return values
        return abs(dct.along(dct.along(values, dct.BASIS, -2), dct.BASIS, -1))

    def bits(self, planes: Array, payload: float) -> float | Array:
        """What elements `[..., H, W]` carry at a payload in bits per pixel or per non-zero AC
        coefficient: a number, or one of every plane, `[...]`.
        """
        if not self.quality:
            return payload * planes.shape[-2] * planes.shape[-1]
        used = jnp.sum(planes != 0, axis=(-2, -1)) - jnp.sum(
            planes[..., ::8, ::8] != 0, axis=(-2, -1)
        )
        # A flat picture has none, and figures are relative to what it should carry.
        return payload * jnp.maximum(used, 1)

    def bound(self, cost: embed.CostFunction) -> embed.CostFunction:
        """A cost function of planes alone, after which no change leaves the range."""
        bounded, side = embed.bounded(cost, domain=self.domain), self.side

        def costs(planes: Array) -> Costs:
            return bounded(planes, *side)

        return costs

    def around(self, modifications: Array) -> Array:
        """The neighbours' changes `[..., H, W]`, summed with the sign in which an element's own
        goes with them: of coefficients, those of the same frequency in the blocks around.
        """
        return over_borders(modifications) if self.quality else over_sides(modifications)

    def simulated(
        self, keys: Key, planes: Array, payload: float, *, scheme: embed.Scheme
    ) -> embed.Simulated:
        """What an optimal sender does with each of some planes `[B, H, W]`, given keys `[B]`; see
        `embed.simulate_visits`.
        """
        bits = jnp.broadcast_to(jnp.asarray(self.bits(planes, payload)), planes.shape[:1])

        def one(key, plane, bits):
            return embed.simulate_visits(
                key, plane, bits, scheme=scheme, domain=self.domain, side=self.side
            )

        return jax.vmap(one)(keys, planes, bits)


def of_quality(quality: int) -> Medium:
    """The medium that a config names.

    Args:
      quality: of JPEG files, 1..100; 0 for pixels.

    Returns:
      The medium.

    Raises:
      InputError: there is no such quality.
    """
    if not 0 <= quality <= 100:
        raise InputError(f"method.jpeg_quality is 1..100, or 0 for pixels; got {quality}")
    return Medium(int(quality))
