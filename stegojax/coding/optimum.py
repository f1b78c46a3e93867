"""What the optimal embedding of a payload looks like: the bound that codes come near to."""

from __future__ import annotations

import jax
import numpy as np

from stegojax import probabilities
from stegojax.types import WET_COST, Array, Costs

_MOST = 1 << 22
"""Elements that are looked at: of more, every second or third, which differs by less than the
code's rounding and spares the memory of a file of many megapixels.
"""


@jax.jit
def _lambda_and_split(first_BN: Array, second_BN: Array, payload: Array) -> tuple[Array, Array]:
    """lambda, and the entropy in bits of whether the first change is made, of every cover."""
    costs = Costs(first_BN, second_BN)
    lambda_ = probabilities.lambda_for_payload(costs, payload, axes=1)
    p = probabilities.gibbs(costs, lambda_).plus
    entropy = probabilities.binary_entropy(p).reshape(p.shape[0], -1, 256)
    return lambda_, entropy.sum(axis=2).sum(axis=1)


def _padded(x: np.ndarray) -> np.ndarray:
    quarter = max(256, (1 << x.shape[-1].bit_length()) >> 3)
    return np.pad(np.atleast_2d(x), ((0, 0), (0, -x.shape[-1] % quarter)), constant_values=WET_COST)


def optimal_lambda(
    first_N: np.ndarray, second_N: np.ndarray, payload: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lambda at which optimal changes carry a payload, and the share of their entropy in one of
    the two.

    It is `probabilities.lambda_for_payload`, compiled for few sizes; of very many elements, which
    must be in no order of their costs, a part stands for all. Where the payload is out of reach it
    gives the nearest lambda.

    Args:
      first_N: `[N]` or `[B, N]` costs of one change of every element, `WET_COST` where forbidden.
      second_N: costs of the other change, likewise; all `WET_COST` where elements are bits.
      payload: bits to be carried by every cover.

    Returns:
      lambda, and the entropy in bits of whether the first change is made; float32, a scalar or
      `[B]`.
    """
    batch, length = np.shape(first_N)[:-1], np.shape(first_N)[-1]
    step = -(-length // _MOST)
    share = len(range(0, length, step)) / length
    first, second = _padded(first_N[..., ::step]), _padded(second_N[..., ::step])
    lambda_, entropy = _lambda_and_split(
        first, second, np.full(first.shape[0], share * payload, np.float32)
    )
    return np.asarray(lambda_).reshape(batch), np.asarray(entropy).reshape(batch) / share
