"""What no binary code can use, and how it says so."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from stegojax.errors import InputError


class NoRoom(InputError):
    """A message does not fit.

    How much would fit is worked out when the text of the error is read, since it takes a while.
    """

    def __init__(self, bits: int, room: Callable[[], int]):
        super().__init__(bits)
        self._bits, self._room = bits, functools.cache(room)

    def __str__(self) -> str:
        return (
            f"{self._bits} bits do not fit without forbidden changes: about {self._room()} bits "
            "would fit"
        )


def check_vectors(bits: np.ndarray, rho: np.ndarray, message: np.ndarray) -> None:
    """Refuses what no binary code can use.

    Args:
      bits: `[N]` or `[B, N]` cover bits.
      rho: costs of their changes.
      message: `[M]` or `[B, M]` message bits.

    Raises:
      InputError: if shapes do not go together, bits are not 0 or 1, or costs are negative or NaN.
    """
    if bits.ndim not in (1, 2):
        raise InputError(
            f"a cover is one vector of bits or a batch of them: shape {bits.shape} given"
        )
    if bits.shape != rho.shape:
        raise InputError(
            f"one cost per element is needed: {bits.shape} elements, {rho.shape} costs given"
        )
    if message.ndim != bits.ndim or message.shape[:-1] != bits.shape[:-1]:
        raise InputError(
            f"one message per cover is needed: covers {bits.shape}, messages {message.shape} given"
        )
    if (bits.size and bits.max() > 1) or (message.size and message.max() > 1):
        raise InputError("bits must be 0 or 1: larger values given")
    if np.isnan(rho).any() or (rho < 0).any():
        raise InputError("costs must be numbers of at least 0: NaN or negative costs given")
