"""Syndrome-trellis codes: near-optimal embedding of bits under additive costs (Filler, Judas,
Fridrich, IEEE TIFS 2011).

The message is the syndrome H y of the stego bits y. The parity-check matrix H is a band: block i, a
submatrix of about n/m columns, starts at row i. So the bits up to a block act on the rest of the
message only through the h - 1 rows that are still open. These rows are the states of a trellis, in
which the Viterbi algorithm finds the cheapest y. The code is the one of the original C++: either
reads what the other wrote.

`viterbi` is the algorithm, a pure function under `jax.jit` and `jax.vmap`. `embed` finds such a
path several times faster by `lanes`, which walks the trellis by the same `add_compare_select`. Both
search for the changes x of least cost whose syndrome is what the cover's lacks of the message:
H (y ^ x) = message where H x = message ^ H y.

Layout: element vectors `[N]`, or `[B, N]` for a batch of independent covers; bits are uint8 {0, 1}.
A state is an integer of h bits: bit j is what the changes so far add to row i + j.

The search for two covers of 60 elements that carry 20 bits each, at the same time:

    >>> import functools, jax, numpy as np
    >>> from stegojax.coding import block_columns, stc, viterbi
    >>> rng = np.random.default_rng(0)
    >>> covers, messages = (rng.integers(0, 2, (2, n), np.uint8) for n in (60, 20))
    >>> rho = rng.random((2, 60))
    >>> code = {"message_length": 20, "constraint_height": 7}
    >>> search = jax.vmap(functools.partial(viterbi, constraint_height=7), in_axes=(0, 0, None))
    >>> targets = messages ^ stc.syndrome(covers, **code)
    >>> path = jax.jit(search)(rho, targets, block_columns(60, **code))
    >>> stegos = covers ^ np.asarray(path.changes_N)
    >>> bool((stc.extract(stegos, **code) == messages).all())
    True
    >>> bool(np.allclose((rho * path.changes_N).sum(axis=1), path.cost))
    True
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.coding import lanes, parity_check
from stegojax.coding.parity_check import AnyArray
from stegojax.coding.refusals import NoRoom, check_vectors
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array

_UNREACHED = 1e30
"""The metric of a state that no path has reached: above any sum of costs."""
_BITS_PER_SEGMENT = 64


class Path(NamedTuple):
    """A path through the trellis.

    changes_N: `[N]` uint8, 1 where an element is changed.
    cost:      float32 scalar, what the changes cost together.
    """

    changes_N: Array
    cost: Array


def add_compare_select(
    stay: Array | None, arriving: Sequence[Array], costs: Sequence[Array]
) -> Array:
    """The step of the trellis: every state keeps the cheapest of the ways into it.

    Args:
      stay: `[R, ...]` metrics of the states if nothing is changed; None if that is no way.
      arriving: for each change `[R, ...]` the metrics of the states from which it comes.
      costs: for each change what it costs, of a shape that goes with the metrics.

    Returns:
      `[R, ...]` metrics after the step.
    """
    changing = [metrics + cost for metrics, cost in zip(arriving, costs, strict=True)]
    return functools.reduce(jnp.minimum, changing if stay is None else [stay, *changing])


def viterbi(rho_N: Array, target_M: Array, columns: Array, *, constraint_height: int) -> Path:
    """The cheapest changes with a given syndrome (Filler et al. 2011, Sec. IV, Algorithm 1).

    Works under `jax.jit` and `jax.vmap`, as the example in the head of this module shows: all
    shapes follow from those of the arguments. It is differentiable nowhere: the changes are bits,
    and gradients with respect to the costs are 0. It keeps N 2^h bits for the way back; `embed`
    needs less and is faster.

    Args:
      rho_N: `[N]` the cost of each change, at least 0; `WET_COST` or more forbids it. The costs of
        all others together have to stay below `WET_COST`.
      target_M: `[M]` bits, the syndrome that the changes must have: message ^ the cover's syndrome.
      columns: `[M, W]` int32, the submatrix of every block, row j in bit j; 0 where a block is
        narrower than the widest (see `block_columns`). The elements fill the other places in order;
        those left over are not changed.
      constraint_height: height h of the submatrices.

    Returns:
      The changes and their cost. A message that does not fit without forbidden changes raises
      nothing: the cost is then `WET_COST` or more.

    Raises:
      ValueError: if the shapes do not go together.
    """
    if rho_N.ndim != 1 or target_M.ndim != 1 or columns.shape[:1] != target_M.shape:
        raise ValueError(
            "costs [N], target [M] and columns [M, W] are needed: shapes "
            f"{rho_N.shape}, {target_M.shape}, {columns.shape} given"
        )
    half = 1 << (constraint_height - 1)
    states = jnp.arange(2 * half)
    index = parity_check.element_numbers(jnp.asarray(columns), rho_N.size)
    rho = jnp.minimum(lax.stop_gradient(jnp.asarray(rho_N, jnp.float32)), WET_COST)
    rho_MW = rho.at[index].get(mode="fill", fill_value=_UNREACHED)

    def over_column(metrics_S, column_and_cost):
        column, cost = column_and_cost
        after_S = add_compare_select(metrics_S, [metrics_S[states ^ column]], [cost])
        return after_S, jnp.packbits(after_S < metrics_S)

    def over_block(carry, block):
        # Of the states between blocks half can be reached: the new block opens the last row.
        (metrics_H, cost), (rho_W, target, columns_W) = carry, block
        metrics_S = jnp.pad(metrics_H, (0, half), constant_values=_UNREACHED)
        metrics_S, survivors = lax.scan(over_column, metrics_S, (columns_W, rho_W))
        kept_H = metrics_S.reshape(half, 2)[:, target]
        least = kept_H.min()
        return (kept_H - least, cost + least), survivors

    def back_over_column(state, column_and_survivors):
        column, survivors = column_and_survivors
        change = (survivors[state >> 3] >> (7 - state % 8).astype(jnp.uint8)) & 1
        return state ^ jnp.where(change == 1, column, 0), change

    def back_over_block(state, block):
        target, columns_W, survivors = block
        start = 2 * state + target, (columns_W, survivors)
        state, changes_W = lax.scan(back_over_column, *start, reverse=True)
        return state % half, changes_W

    columns, target_M = jnp.asarray(columns), jnp.asarray(target_M, jnp.int32)
    start = jnp.full(half, _UNREACHED, jnp.float32).at[0].set(0), jnp.float32(0)
    (metrics_H, cost), survivors = lax.scan(over_block, start, (rho_MW, target_M, columns))
    _, changes_MW = lax.scan(
        back_over_block, jnp.argmin(metrics_H), (target_M, columns, survivors), reverse=True
    )
    changes_N = jnp.zeros(rho_N.size, jnp.uint8).at[index].set(changes_MW, mode="drop")
    return Path(changes_N, cost)


def syndrome(bits_N: AnyArray, *, message_length: int, constraint_height: int = 10) -> AnyArray:
    """Multiplies element bits by the parity-check matrix: what a receiver does (Filler et al. 2011,
    eq. 8).

    Works on NumPy arrays without compiling anything, and on JAX arrays, traced ones included.

    Args:
      bits_N: `[..., N]` bits, 0 or 1.
      message_length: number of message bits m, 0..N.
      constraint_height: height h of the submatrices, 7..12.

    Returns:
      `[..., M]` uint8 bits.

    Raises:
      InputError: if the message is longer than the vector or the height is not in 7..12.
    """
    columns = parity_check.block_columns(
        bits_N.shape[-1], message_length=message_length, constraint_height=constraint_height
    )
    return _product(columns, bits_N, constraint_height)


def _product(columns: np.ndarray, bits_N: AnyArray, constraint_height: int) -> AnyArray:
    """The syndrome, by the columns `[M, W]` of every block."""
    length, message_length = bits_N.shape[-1], columns.shape[0]
    xp: Any = bits_N.__array_namespace__()
    if message_length == 0:
        return xp.zeros((*bits_N.shape[:-1], 0), xp.uint8)
    index = np.minimum(parity_check.element_numbers(columns, length), length - 1)
    weights = columns.T.astype(np.uint16).reshape((1,) * (bits_N.ndim - 1) + columns.shape[::-1])
    products = bits_N[..., index.T].astype(xp.uint16) * weights
    blocks = xp.bitwise_xor.reduce(products, axis=-2)
    rows = [
        xp.concatenate(
            [xp.zeros_like(blocks[..., :j]), blocks[..., : message_length - j] >> j], axis=-1
        )
        for j in range(min(constraint_height, message_length))
    ]
    return (functools.reduce(lambda a, b: a ^ b, rows) & 1).astype(xp.uint8)


def _segmentation(length: int, message_length: int, segments: int) -> tuple[int, int, int]:
    """Number of segments used, elements and message bits of each; the last message bits of all may
    be padding.
    """
    count = max(1, min(segments, message_length // _BITS_PER_SEGMENT))
    if -(-message_length // count) > length // count:
        count = 1
    return count, length // count, -(-message_length // count)


def _check_options(length: int, message_length: int, constraint_height: int, segments: int) -> None:
    parity_check.check_lengths(length, message_length, constraint_height)
    if segments < 1:
        raise InputError(f"segments must be at least 1, {segments} given")


def embed(
    cover_N: np.ndarray,
    rho_N: np.ndarray,
    message_M: np.ndarray,
    *,
    constraint_height: int = 10,
    segments: int = 1,
) -> np.ndarray:
    """Changes a cover's bits so that they carry a message, at nearly the least total cost (Filler
    et al. 2011, Sec. V).

    Args:
      cover_N: `[N]` or `[B, N]` bits, 0 or 1, already in the key's order.
      rho_N: the cost of changing each, at least 0; `WET_COST` or more (infinity too) forbids the
        change.
      message_M: `[M]` or `[B, M]` bits; any M from 0 to N that leaves room for the forbidden
        changes.
      constraint_height: height h of the submatrices, 7..12; time and memory double with each, the
        distortion falls slowly.
      segments: 1 for the classical code; more cut the vector into that many independent trellises
        of equal length (fewer where one would get less than 64 bits), which need not be pieced
        together and cost a little more distortion.

    Returns:
      The stego bits, uint8, shaped like the cover. Forbidden elements are as in the cover.

    Raises:
      InputError: if the costs or bits are not such, or if the message does not fit; it says how
        many bits would.
    """
    bits, message = np.asarray(cover_N, np.uint8), np.asarray(message_M, np.uint8)
    rho = np.asarray(rho_N, np.float32)
    check_vectors(bits, rho, message)
    length, message_length = bits.shape[-1], message.shape[-1]
    _check_options(length, message_length, constraint_height, segments)
    if message_length == 0:
        return bits.copy()
    count, n, m = _segmentation(length, message_length, segments)
    batch = bits.size // length
    covers, costs = (
        x.reshape(batch, length)[:, : count * n].reshape(batch * count, n) for x in (bits, rho)
    )
    padding = (0, count * m - message_length)
    wanted = np.pad(message.reshape(batch, message_length), ((0, 0), padding))
    wet = costs >= WET_COST
    columns = parity_check.block_columns(n, message_length=m, constraint_height=constraint_height)
    target = wanted.reshape(batch * count, m) ^ _product(columns, covers, constraint_height)
    options = {"constraint_height": constraint_height, "step": add_compare_select}
    changed = lanes.search(costs, target, columns, **options)

    def failing() -> np.ndarray:
        carried = _product(columns, changed.astype(np.uint8), constraint_height)
        return (carried != target).any(axis=1) | (changed & wet).any(axis=1)

    # Where few elements are free, the state in which a piece was taken up may be out of reach of
    # the piece before.
    for row in np.flatnonzero(failing()):
        changed[row] = lanes.search_in_order(costs[row], target[row], columns, **options)
    failed = failing()
    if not failed.any():
        stego = bits.reshape(batch, length).copy()
        stego[:, : count * n] ^= changed.reshape(batch, count * n)
        return stego.reshape(bits.shape)

    def room() -> int:
        return count * min(parity_check.room(row, m, constraint_height) for row in wet[failed])

    raise NoRoom(message_length, room)


def extract(
    stego_N: AnyArray, *, message_length: int, constraint_height: int = 10, segments: int = 1
) -> AnyArray:
    """Reads the message that `embed` put in; needs the same options, and neither cover nor costs.

    Args:
      stego_N: `[..., N]` bits, in the key's order.
      message_length: number of message bits M.
      constraint_height: as given to `embed`.
      segments: as given to `embed`.

    Returns:
      `[..., M]` uint8 bits.

    Raises:
      InputError: if the message is longer than the vector or an option is out of range.
    """
    length = stego_N.shape[-1]
    _check_options(length, message_length, constraint_height, segments)
    count, n, m = (
        _segmentation(length, message_length, segments) if message_length else (1, length, 0)
    )
    parts = stego_N[..., : count * n].reshape(*stego_N.shape[:-1], count, n)
    message = syndrome(parts, message_length=m, constraint_height=constraint_height)
    return message.reshape(*stego_N.shape[:-1], count * m)[..., :message_length]
