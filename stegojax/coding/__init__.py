"""Codes that hide message bits in the elements of a cover at a small total cost.

`stc` (syndrome-trellis codes) and `polar` (steganographic polar codes) embed bits in bits;
`ternary` puts either of them to work on pixel values with +-1 changes in two layers; `lsbm` is LSB
matching, which needs no code. All of them take the elements in the order in which the key has
already put them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import numpy as np

from stegojax import probabilities
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array, Costs


class NoRoom(InputError):
    """A message does not fit; how much would is worked out when the text of the error is read,
    since it takes a while.
    """

    def __init__(self, bits: int, room: Callable[[], int]):
        super().__init__(bits)
        self._bits, self._room = bits, functools.cache(room)

    def __str__(self) -> str:
        return (
            f"{self._bits} bits do not fit without forbidden changes: about {self._room()} bits "
            "would fit"
        )


@jax.jit
def _lambda_and_split(first_BN: Array, second_BN: Array, payload: Array) -> tuple[Array, Array]:
    """lambda, and the entropy in bits of whether the first change is made, of every cover."""
    lambda_ = probabilities.lambda_for_payload(Costs(first_BN, second_BN), payload, axes=1)
    p = probabilities.gibbs(Costs(first_BN, second_BN), lambda_).plus
    return lambda_, probabilities.binary_entropy(p).reshape(p.shape[0], -1, 256).sum(axis=2).sum(
        axis=1
    )


def _padded(x: np.ndarray) -> np.ndarray:
    quarter = max(256, (1 << x.shape[-1].bit_length()) >> 3)
    return np.pad(np.atleast_2d(x), ((0, 0), (0, -x.shape[-1] % quarter)), constant_values=WET_COST)


def optimal_lambda(
    first_N: np.ndarray, second_N: np.ndarray, payload: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lambda at which optimal changes carry a payload, and the share of their entropy in one of
    the two.

    `probabilities.lambda_for_payload`, compiled for few sizes; out of reach it gives the nearest
    lambda.

    Args:
      first_N: `[N]` or `[B, N]` costs of one change of every element, `WET_COST` where forbidden.
      second_N: costs of the other change, likewise; all `WET_COST` where elements are bits.
      payload: bits to be carried by every cover.

    Returns:
      lambda, and the entropy in bits of whether the first change is made; float32, a scalar or
      `[B]`.
    """
    first, second = _padded(first_N), _padded(second_N)
    lambda_, entropy = _lambda_and_split(
        first, second, np.full(first.shape[0], payload, np.float32)
    )
    return tuple(np.asarray(x).reshape(np.shape(first_N)[:-1]) for x in (lambda_, entropy))


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
