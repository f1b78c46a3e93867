"""+-1 embedding by two binary layers: the multi-layered construction of Filler, Judas, Fridrich
(IEEE TIFS 2011).

A change of +1 or -1 shows in the two lowest bits of a value. The second-lowest bits carry the first
part of the message: of the two changes of an element one carries over into them, +1 where the value
is odd and -1 where it is even. The lowest bits carry the rest. Where the layer above left an
element alone its other change is free to use; where it did not the value is settled. The optimal
probabilities at the payload say how many bits belong in each layer, by the chain rule of entropy.

The lower layer takes the elements in another order than the upper one. Elements that share a block
of the code would otherwise share it again, where the cheapest of them is the one that the upper
layer has already settled, and the code would have less to choose from.

Values: cover and stego are whole numbers in the key's order, `[N]` or `[B, N]`; costs are `Costs`
of that shape. What must not be, such as a value that leaves the range of a file's elements, is for
the costs to forbid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stegojax.coding import polar, stc
from stegojax.coding.optimum import optimal_lambda
from stegojax.coding.refusals import NoRoom
from stegojax.errors import InputError
from stegojax.types import WET_COST, Costs

_ATTEMPTS = 6


class Code(NamedTuple):
    """A code that hides bits in bits.

    embed:   `(bits [N] or [B, N], rho likewise, message [M] or [B, M]) -> stego bits`; raises
             `NoRoom` if it does not fit.
    extract: `(stego bits, *, message_length) -> message`.
    """

    embed: Callable[..., np.ndarray]
    extract: Callable[..., Any]


def stc_code(*, constraint_height: int = 10, segments: int = 1) -> Code:
    """Syndrome-trellis codes as a `Code`.

    Args:
      constraint_height: height of the submatrices, 7..12.
      segments: number of independent trellises.

    Returns:
      The code.
    """
    options = {"constraint_height": constraint_height, "segments": segments}
    return Code(functools.partial(stc.embed, **options), functools.partial(stc.extract, **options))


def polar_code(*, list_size: int = 4) -> Code:
    """Steganographic polar codes as a `Code`.

    Args:
      list_size: paths kept by the decoder, 1..32.

    Returns:
      The code.
    """
    return Code(functools.partial(polar.embed, list_size=list_size), polar.extract)


def _directions(
    cover: np.ndarray, plus: np.ndarray, minus: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Costs of the change that carries over into the second-lowest bit, and of the other one."""
    plus, minus = (np.minimum(cost, np.float32(WET_COST)) for cost in (plus, minus))
    odd = cover & 1 == 1
    return np.where(odd, plus, minus), np.where(odd, minus, plus)


def _lengths(
    carrying: np.ndarray, other: np.ndarray, message_length: int, split: str
) -> tuple[np.ndarray, int, int]:
    """lambda of every cover, `[1]` or `[B, 1]`, and the bits of both layers."""
    if message_length == 0:
        return np.ones(1, np.float32), 0, 0
    lambda_, upper = optimal_lambda(carrying, other, message_length)
    upper = (
        message_length // 2
        if split == "half"
        else min(int(upper.mean(dtype=np.float64)), message_length)
    )
    return lambda_[..., None], upper, message_length - upper


def _strided(length: int, lengths: tuple[int, int]) -> tuple[np.ndarray | None, np.ndarray | None]:
    del lengths
    step = round(length * (math.sqrt(5) - 1) / 2)
    while math.gcd(step, length) > 1:
        step += 1
    return None, np.arange(length) * step % max(length, 1)


def _same(length: int, lengths: tuple[int, int]) -> tuple[np.ndarray | None, np.ndarray | None]:
    del length, lengths
    return None, None


def _original(length: int, lengths: tuple[int, int]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Fisher and Yates's shuffle with Mersenne Twister, seeded by the number of bits of each
    layer.
    """
    orders = []
    for bits in lengths:
        numbers = (
            np.random.RandomState(bits)
            .randint(0, 1 << 32, length, dtype=np.uint32)
            .astype(np.int64)
        )
        places = list(range(length))
        for i, j in enumerate((np.arange(length) + numbers % np.arange(length, 0, -1)).tolist()):
            places[i], places[j] = places[j], places[i]
        orders.append(np.argsort(places))
    return orders[0], orders[1]


ORDERS: dict[str, Callable[[int, tuple[int, int]], tuple[np.ndarray | None, np.ndarray | None]]] = {
    "strided": _strided,
    "same": _same,
    "pystc": _original,
}
"""In which order the upper and the lower layer take the elements, `(N, bits per layer) ->
permutations`, None for as they come.

"strided": the lower layer goes through the elements in steps of about 0.618 N, so that the
           neighbours of the upper layer part.
"same":    both as they come.
"pystc":   both shuffled as the released C++ does (Filler's stc_ml_c, PyPI's pystcstego): with the
           split "half" and syndrome-trellis codes each side reads the other's stegos.
"""


def _embed(
    cover: np.ndarray,
    costs: tuple[np.ndarray, np.ndarray],
    message: np.ndarray,
    code: Code,
    split: str,
    order: str,
):
    carrying, other = _directions(cover, *costs)
    lambda_, upper, lower = _lengths(carrying, other, message.shape[-1], split)
    settled = other >= WET_COST
    b = np.minimum(lambda_ * other, 1e6).astype(np.float32)
    del other  # Of a file of many megapixels, every one of these arrays is large.
    a = np.minimum(lambda_ * carrying, 1e6).astype(np.float32)
    weights = np.where(carrying >= WET_COST, np.float32(WET_COST), a + np.log1p(np.exp(-b)))
    del a, carrying
    orders = ORDERS[order](cover.shape[-1], (upper, lower))
    second = ((cover >> 1) & 1).astype(np.uint8)
    carried = _flips(code, second, weights, message[..., :upper], orders[0])
    del second
    first = ((cover & 1) ^ carried).astype(np.uint8)
    weights = np.where(carried | settled, np.float32(WET_COST), b)
    del b, settled
    moved = _flips(code, first, weights, message[..., upper:], orders[1])
    # +1 where the value is odd and carries or where it is even and does not, else -1.
    step = 2 * (cover & 1) - 1
    return cover + step * (carried.astype(np.int8) - moved), (upper, lower)


def _flips(
    code: Code, bits: np.ndarray, weights: np.ndarray, message: np.ndarray, order: np.ndarray | None
) -> np.ndarray:
    if order is None:
        return code.embed(bits, weights, message) != bits
    flips = np.empty(bits.shape, bool)
    flips[..., order] = (
        code.embed(bits[..., order], weights[..., order], message) != bits[..., order]
    )
    return flips


def embed(
    cover_N: np.ndarray,
    costs: Costs,
    message_M: np.ndarray,
    *,
    code: Code = stc_code(),
    split: str = "entropy",
    order: str = "strided",
) -> tuple[np.ndarray, tuple[int, int]]:
    """Hides a message in whole values by changes of +-1 (Filler et al. 2011, Sec. VI).

    Args:
      cover_N: `[N]` or `[B, N]` whole values, negative ones too, in the key's order.
      costs: cost of +1 and of -1 per element, of the cover's shape, at least 0; `WET_COST` or more
        forbids the change, as it must where a value would leave its range.
      message_M: `[M]` or `[B, M]` bits.
      code: the binary code of both layers.
      split: how many bits go in which layer: "entropy", as the optimal probabilities say (for a
        batch, on average), or "half".
      order: a name in `ORDERS`.

    Returns:
      The stego values (dtype of the cover) and the bits in the second-lowest and in the lowest
      layer, which `extract` needs.

    Raises:
      InputError: if the costs, values or bits are not such, if the costs allow a change that the
        cover's dtype cannot hold, or if the message does not fit; it says how many bits would.
    """
    cover, message = np.asarray(cover_N), np.asarray(message_M, np.uint8)
    plus, minus = (np.asarray(cost, np.float32) for cost in costs)
    if split not in ("entropy", "half"):
        raise InputError(f'split must be "entropy" or "half", {split!r} given')
    _check_order(order)
    _check_values(cover, plus, minus)
    values = cover.astype(np.int32)
    length = message.shape[-1]
    choices = (plus < WET_COST).view(np.int8) + (minus < WET_COST)
    one, both = ((choices == count).sum(axis=-1) for count in (1, 2))
    bound = int((one + np.log2(3) * both).min()) if cover.size else 0
    if length <= bound:
        try:
            stego, lengths = _embed(values, (plus, minus), message, code, split, order)
            return stego.astype(cover.dtype), lengths
        except InputError:
            pass
    raise NoRoom(
        length,
        lambda: _room(values, (plus, minus), message, code, split, order, min(bound, length)),
    )


def _check_values(cover: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> None:
    if cover.ndim not in (1, 2) or not cover.shape == plus.shape == minus.shape:
        raise InputError(
            "a cover is one vector or a batch of them, with costs of its shape: shapes "
            f"{[cover.shape, plus.shape, minus.shape]} given"
        )
    if any(np.isnan(cost).any() or (cost < 0).any() for cost in (plus, minus)):
        raise InputError("costs must be numbers of at least 0: NaN or negative costs given")
    if cover.dtype.kind not in "iu":
        if not (np.isfinite(cover) & (cover == np.rint(cover))).all():
            raise InputError("a cover has whole values: others given")
    else:
        ends = np.iinfo(cover.dtype)
        leaving = ((cover == ends.max) & (plus < WET_COST)) | (
            (cover == ends.min) & (minus < WET_COST)
        )
        if leaving.any():
            raise InputError(
                f"costs allow changes that leave {ends.min}..{ends.max}, the range of {cover.dtype}"
            )


def _room(values, costs, message, code, split, order, bound: int) -> int:
    low, high = 0, bound
    for _ in range(_ATTEMPTS):
        middle = (low + high) // 2
        try:
            _embed(values, costs, message[..., :middle], code, split, order)
            low = middle
        except InputError:
            high = middle
    return low


def extract(
    stego_N: np.ndarray,
    lengths: tuple[int, int],
    *,
    code: Code = stc_code(),
    order: str = "strided",
) -> np.ndarray:
    """Reads the message that `embed` put in.

    Args:
      stego_N: `[..., N]` whole values, in the key's order.
      lengths: bits in the second-lowest and in the lowest layer.
      code: the code that `embed` was given.
      order: as given to `embed`.

    Returns:
      `[..., M]` uint8 bits, M the sum of the lengths.

    Raises:
      InputError: if the lengths cannot be those of a message in these elements.
    """
    _check_order(order)
    values = stego_N.astype(np.int32)
    upper, lower = lengths
    orders = ORDERS[order](values.shape[-1], (upper, lower))
    layers = [
        ((values if part is None else values[..., part]) >> shift & 1).astype(np.uint8)
        for part, shift in zip(orders, (1, 0), strict=True)
    ]
    parts = [
        code.extract(layer, message_length=length)
        for layer, length in zip(layers, lengths, strict=True)
    ]
    return np.concatenate(parts, axis=-1)


def _check_order(order: str) -> None:
    if order not in ORDERS:
        raise InputError(f"order must be one of {', '.join(ORDERS)}, {order!r} given")
