"""Syndrome-trellis codes: near-optimal embedding of bits under additive costs (Filler, Judas,
Fridrich, IEEE TIFS 2011).

The message is the syndrome H y of the stego bits y. The parity-check matrix H is a band: block i,
  one submatrix of about n/m
columns, starts at row i, so that the bits so far act on the rest of the message only through the h
  - 1 rows still open: the
states of a trellis, in which the Viterbi algorithm finds the cheapest y. The code is the one of the
original C++: either reads what the other wrote.

How it is computed here. A state vector per *lane*, laid out `[S, L]`, so that moving from state s
to s ^ column moves whole
rows. Lanes are images, segments, and pieces of one trellis: a piece starts some hundred blocks
  early with all states equal, by
when the survivors have merged, and hands the state in which it is entered to the piece before it,
until all pieces agree.
Metrics are uint32 of which the lowest bits record the path through the current group of up to eight
  columns: they take part in
every minimum, so one byte per state and group is all that the way back needs. They count changes (y
xor x carries the message
xor H x), hence costs are never negative and the least metric stays small. Layout: element vectors
  `[N]`, or `[B, N]` for a
batch of independent covers; bits are uint8 {0, 1}.
"""

from __future__ import annotations

import collections
import functools
from concurrent import futures
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.coding import NoRoom, check_vectors, submatrices
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array

_FORBIDDEN = np.uint32(1 << 28)
_WARM_UP_PER_ROW = 32
_RENORMALISE_EVERY = 16
_BITS_PER_SEGMENT = 64
_PATH_BYTES, _MOST_PATH_BYTES = 7 << 22, 1 << 29
_CALLS_AT_ONCE = 2
_ALIGNMENT = 32
_LANES_ON_CPU = (1, 2, 16, 32)
_LANES_ELSEWHERE = (1, 16, 64, 256, 1024)


def block_widths(length: int, message_length: int) -> np.ndarray:
    """Widths of the submatrices along the diagonal of the parity-check matrix (Filler et al. 2011,
    Sec. IV).

    Args:
      length: number of cover elements n.
      message_length: number of message bits m, 1..n.

    Returns:
      `[M]` int64, each floor(n/m) or ceil(n/m); their sum is at most n, and elements beyond it are
      not used.
    """
    ratio = length / message_length
    ends = np.floor(np.arange(message_length + 1, dtype=np.float64) * ratio + 0.5).astype(np.int64)
    return np.diff(ends)


def _column_tables(length: int, message_length: int, constraint_height: int) -> np.ndarray:
    narrow, wide = length // message_length, -(-length // message_length)
    tables = np.zeros((2, wide), np.int32)
    tables[0, :narrow] = submatrices.columns(narrow, constraint_height)
    tables[1] = submatrices.columns(wide, constraint_height)
    return tables


def _check_lengths(length: int, message_length: int, constraint_height: int, segments: int) -> None:
    if constraint_height not in submatrices.HEIGHTS:
        raise InputError(f"constraint height must be 7..12, {constraint_height} given")
    if segments < 1:
        raise InputError(f"segments must be at least 1, {segments} given")
    if message_length > length:
        raise InputError(
            f"{message_length} bits do not fit in {length} elements: at most {length} bits would "
            "fit"
        )


def _segmentation(length: int, message_length: int, segments: int) -> tuple[int, int, int]:
    """Number of segments used, elements and message bits of each; the last message bits of all may
    be padding.
    """
    count = max(1, min(segments, message_length // _BITS_PER_SEGMENT))
    if -(-message_length // count) > length // count:
        count = 1
    return count, length // count, -(-message_length // count)


def syndrome(bits_N: Array, *, message_length: int, constraint_height: int = 10) -> Array:
    """Multiplies element bits by the parity-check matrix: what a receiver does (Filler et al. 2011,
    eq. 8).

    Works on NumPy arrays without compiling anything and on JAX arrays, traced ones included.

    Args:
      bits_N: `[..., N]` bits, 0 or 1.
      message_length: number of message bits m, 0..N.
      constraint_height: height h of the submatrices, 7..12.

    Returns:
      `[..., M]` uint8 bits.

    Raises:
      InputError: if the message is longer than the vector or the height is not in 7..12.
    """
    length = bits_N.shape[-1]
    _check_lengths(length, message_length, constraint_height, 1)
    xp = bits_N.__array_namespace__()
    if message_length == 0:
        return xp.zeros((*bits_N.shape[:-1], 0), xp.uint8)
    widths = block_widths(length, message_length)
    tables = _column_tables(length, message_length, constraint_height)
    within = np.arange(tables.shape[1])[:, None]
    index = np.minimum((np.cumsum(widths) - widths) + within, length - 1)
    columns = np.where(
        within < widths, tables[(widths == tables.shape[1]).astype(int)].T, 0
    ).astype(np.uint16)
    columns = columns.reshape((1,) * (bits_N.ndim - 1) + columns.shape)
    blocks = xp.bitwise_xor.reduce(bits_N[..., index].astype(xp.uint16) * columns, axis=-2)
    rows = [
        xp.concatenate(
            [xp.zeros_like(blocks[..., :j]), blocks[..., : message_length - j] >> j], axis=-1
        )
        for j in range(min(constraint_height, message_length))
    ]
    return (functools.reduce(lambda a, b: a ^ b, rows) & 1).astype(xp.uint8)


def _stages(group: int) -> list[int]:
    """Columns taken per pass over the states: the first pass opens a block, the last closes it."""
    first = min(2, group)
    last = min(2, group - first)
    between = group - first - last
    return [first, *[2] * (between // 2), *[1] * (between % 2), last]


def _combine(items: Any, stages: list[int], join: Any) -> list[tuple]:
    """For every stage of one or two columns: the items of its non-empty subsets of columns."""
    out, k = [], 0
    for columns in stages:
        chosen = tuple(items[k : k + columns])
        out.append(chosen if columns < 2 else (*chosen, join(*chosen)))
        k += columns
    return out


def _gather(state_SL: Array, is_wide_L: Array, sources: tuple[Array, ...]) -> Array:
    kinds = [jnp.take(state_SL, source, axis=0, mode="clip") for source in sources]
    return kinds[0] if len(kinds) == 1 else jnp.where(is_wide_L, kinds[1], kinds[0])


def _relax(stay: Array, state_SL: Array, costs: tuple, is_wide_L: Array, sources: tuple) -> Array:
    for cost, source in zip(costs, sources, strict=True):
        stay = jnp.minimum(stay, _gather(state_SL, is_wide_L, source) + cost)
    return stay


def _apart(
    mixed: Array,
    function: Any,
    state: Array,
    costs: tuple,
    is_wide_L: Array,
    both: Any,
    one: Any,
    *rest: Any,
) -> Array:
    """One pass over the states, with both kinds of columns only where lanes differ in kind.

    It has to be a conditional even where they never do: XLA would fuse one pass into the next, and
      compute every minimum many
    times over, but not across a conditional.
    """

    def alike(both, one, state, *rest):
        return function(state, costs, is_wide_L, one, *rest)

    def different(both, one, state, *rest):
        if len(jax.tree.leaves(both)) == len(jax.tree.leaves(one)):
            return jnp.zeros_like(alike(both, one, state, *rest))
        return function(state, costs, is_wide_L, both, *rest)

    return lax.cond(mixed, different, alike, both, one, state, *rest)


def _pass(state, costs, is_wide_L, sources):
    return _relax(state, state, costs, is_wide_L, sources)


def _kind(is_wide_L: Array, columns: Array) -> tuple[Array, Array]:
    """Whether lanes differ in kind, and the columns `[1, g]` of the first lane's."""
    kind = is_wide_L[0].astype(jnp.int32)
    return jnp.any(is_wide_L != is_wide_L[0]), lax.dynamic_slice_in_dim(columns, kind, 1)


@functools.partial(jax.jit, static_argnames=("constraint_height",))
def _forward_single(
    costs_TgL, target_TL, is_wide_TL, columns, begin, state_HL, *, constraint_height
):
    """Viterbi forwards where a block is one group of columns; states are kept between blocks, when
    half of them are open.

    Args:
      costs_TgL: `[T, g, L]` uint32, cost of every change, shifted left by g, plus the path bit of
        its column.
      target_TL: `[T, L]` uint8, what the changes must carry. is_wide_TL: `[T, L]` bool, whether the
        block has g columns.
      columns: `[2, g]` int32, of a narrow and of a wide block, or `[1, g]` for both. begin: first
        step done.
      state_HL: `[S/2, L]` uint32 metrics at the start.

    Returns:
      The metrics at the end `[S/2, L]` and the path bits of every step and state `[T, S/2, L]`
      uint8.
    """
    steps, group, lanes = costs_TgL.shape
    half = 1 << (constraint_height - 1)
    path = np.uint32((1 << group) - 1)
    stages = _stages(group)
    every, low = np.arange(2 * half, dtype=np.int32), np.arange(half, dtype=np.int32)

    def sources(columns):
        opening, *between, closing = zip(
            *[_combine(kind, stages, jnp.bitwise_xor) for kind in columns], strict=True
        )
        return [
            [tuple(low ^ (c & (half - 1)) for c in pair) for pair in zip(*opening, strict=True)],
            *(
                [tuple(every ^ c for c in pair) for pair in zip(*stage, strict=True)]
                for stage in between
            ),
            [
                [tuple((2 * low + bit) ^ c for c in pair) for pair in zip(*closing, strict=True)]
                for bit in (0, 1)
            ],
        ]

    def row(t):
        mixed, one = _kind(is_wide_TL[t], columns)
        costs = _combine(costs_TgL[t][:, None], stages, jnp.add)
        return costs, target_TL[t][None], is_wide_TL[t][None], mixed, sources(one)

    def open_block(state, costs, is_wide, sources):
        x = jnp.minimum(state & ~path, _FORBIDDEN)
        if len(costs) == 1:
            return jnp.concatenate([x, _gather(x, is_wide, sources[0]) + costs[0]], axis=0)
        unopened = _relax(x, x, costs[2:], is_wide, sources[2:])
        opened = _relax(
            _gather(x, is_wide, sources[0]) + costs[0], x, costs[1:2], is_wide, sources[1:2]
        )
        return jnp.concatenate([unopened, opened], axis=0)

    def close_block(x, costs, is_wide, sources, target):
        kept = [_relax(x[bit::2], x, costs, is_wide, sources[bit]) for bit in (0, 1)]
        return jnp.where(target != 0, kept[1], kept[0])

    both = sources(columns)

    def step(t, carry):
        state, (costs, target, is_wide, mixed, one), paths = carry
        for i, function in enumerate([open_block, *[_pass] * (len(stages) - 2), close_block]):
            rest = (target,) if function is close_block else ()
            state = _apart(mixed, function, state, costs[i], is_wide, both[i], one[i], *rest)
        paths = lax.dynamic_update_index_in_dim(paths, (state & path).astype(jnp.uint8), t, 0)
        # The next step's rows are fetched a step ahead: inside the passes they would keep XLA from
        # vectorising them.
        return state, row(t + 1), paths

    return _run(
        step, steps, begin, (state_HL, row(begin), jnp.zeros((steps, half, lanes), jnp.uint8)), path
    )


def _run(step, steps, begin, carry, path):
    def stretch(i, carry):
        state, *rest = carry
        state &= ~path
        least = state.min(axis=0, keepdims=True)
        state -= jnp.where(least < _FORBIDDEN, least, 0)
        lower = jnp.maximum(begin, i * _RENORMALISE_EVERY)
        return lax.fori_loop(
            lower, jnp.minimum(steps, (i + 1) * _RENORMALISE_EVERY), step, (state, *rest)
        )

    carry = lax.fori_loop(
        begin // _RENORMALISE_EVERY, -(-steps // _RENORMALISE_EVERY), stretch, carry
    )
    return carry[0] & ~path, carry[2]


@functools.partial(jax.jit, static_argnames=("constraint_height",))
def _forward_groups(
    costs_TgL, target_TL, is_wide_TL, columns, groups, begin, state_SL, *, constraint_height
):
    """Viterbi forwards where a block takes several steps of one group of columns each.

    As `_forward_single`, but `columns` is `[G, 2 or 1, g]`, of which the first `groups` make a
    block, and states `[S, L]` are kept after every group of columns.
    """
    steps, group, lanes = costs_TgL.shape
    size = 1 << constraint_height
    path = np.uint32((1 << group) - 1)
    stages = [stage for stage in _stages(group) if stage]
    every = np.arange(size, dtype=np.int32)
    halved = jnp.minimum(2 * every, size - 2)

    def sources(columns):
        kinds = [_combine(kind, stages, jnp.bitwise_xor) for kind in columns]
        return [
            [tuple(every ^ c for c in pair) for pair in zip(*stage, strict=True)]
            for stage in zip(*kinds, strict=True)
        ]

    def row(t):
        here = columns[(t - begin) % groups]
        mixed, one = _kind(is_wide_TL[t], here)
        costs = _combine(costs_TgL[t][:, None], stages, jnp.add)
        return costs, target_TL[t][None], is_wide_TL[t][None], mixed, sources(here), sources(one)

    def close_block(x, target):
        kept = jnp.where(target != 0, jnp.take(x, halved + 1, axis=0), jnp.take(x, halved, axis=0))
        return jnp.where(every[:, None] < size // 2, kept, _FORBIDDEN)

    def step(t, carry):
        state, (costs, target, is_wide, mixed, both, one), paths = carry
        x = jnp.minimum(state & ~path, _FORBIDDEN)
        for i in range(len(stages)):
            x = _apart(mixed, _pass, x, costs[i], is_wide, both[i], one[i])
        paths = lax.dynamic_update_index_in_dim(paths, (x & path).astype(jnp.uint8), t, 0)
        closes = (t - begin + 1) % groups == 0
        return lax.cond(closes, close_block, lambda x, _: x, x, target), row(t + 1), paths

    return _run(
        step, steps, begin, (state_SL, row(begin), jnp.zeros((steps, size, lanes), jnp.uint8)), path
    )


@functools.partial(jax.jit, static_argnames=("single",))
def _trace_back(
    paths_TRL,
    metrics_RL,
    target_TL,
    is_wide_TL,
    moves,
    groups,
    begin,
    own_L,
    follows_L,
    last,
    last_end,
    *,
    single,
):
    """Viterbi backwards over the steps a lane owns, until every lane ends in the state in which its
    successor is entered.

    Args:
      paths_TRL: `[T, R, L]` path bits. metrics_RL: `[R, L]` metrics at the end. target_TL,
        is_wide_TL: as in the forward pass.
      moves: `[G, 2, 2**g]` int32, what the path bits add to the state. groups: groups of columns in
        a block.
      begin: first step done by the forward pass. own_L: `[L]` first step that the lane owns.
      follows_L: `[L]` bool, whether the lane continues in the next one; the others end in their
        cheapest state.
      last: the last lane in use. last_end: the state in which that lane ends, where it continues.
      single: whether a block is one group.

    Returns:
      Path bits `[T, L]` uint8 and the states `[L]` in which the lanes' own parts are entered.
    """
    steps, rows, lanes = paths_TRL.shape
    lane = jnp.arange(lanes)
    best_L = jnp.argmin(metrics_RL, axis=0).astype(jnp.int32)

    def walk(ends_L):
        def step(i, carry):
            state, entered, found = carry
            t = steps - 1 - i
            group = (t - begin) % groups
            before = jnp.where(
                (group == groups - 1), 2 * state + target_TL[t].astype(jnp.int32), state
            )
            path = paths_TRL[t, state if single else before, lane].astype(jnp.int32)
            state = (before ^ moves[group, is_wide_TL[t].astype(jnp.int32), path]) & (rows - 1)
            found = lax.dynamic_update_index_in_dim(found, path.astype(jnp.uint8), t, 0)
            return state, jnp.where(t == own_L, state, entered), found

        start = (ends_L, ends_L, jnp.zeros((steps, lanes), jnp.uint8))
        return lax.fori_loop(0, steps - own_L.min(), step, start)[1:]

    def follow(entries_L):
        return jnp.where(
            follows_L, jnp.where(lane == last, last_end, jnp.roll(entries_L, -1)), best_L
        )

    def again(carry):
        ends_L, _, entries_L, turn = carry
        return jnp.any(ends_L != follow(entries_L)) & (turn <= lanes)

    def once(carry):
        ends_L = follow(carry[2])
        entries_L, found = walk(ends_L)
        return ends_L, found, entries_L, carry[3] + 1

    start = jnp.where(follows_L & (lane == last), last_end, best_L)
    entries_L, found = walk(start)
    _, found, entries_L, _ = lax.while_loop(again, once, (start, found, entries_L, jnp.int32(0)))
    return found, entries_L


def _quantise(rho_BN: np.ndarray, message_length: int, group: int) -> np.ndarray:
    """Integer costs with one decimal scale per cover: fine where the changes will be, capped 64
    times above.
    """
    top = int(_FORBIDDEN) >> group
    out = np.empty(rho_BN.shape, np.uint32)
    for rho, quantised in zip(rho_BN, out, strict=True):
        counted = rho[(rho > 0) & (rho < WET_COST)]
        rank = min(counted.size - 1, message_length // 2)
        unit = np.partition(counted, rank)[rank] / (top >> 11) if counted.size else 1.0
        quantised[:] = np.minimum(np.minimum(rho, WET_COST) / max(unit, 1e-30) + 0.5, top >> 5)
        quantised[rho >= WET_COST] = top
    return out


def _slots(
    rho_BN: np.ndarray, message_length: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which element stands in which column of every block.

    A block wider than there are different columns keeps the cheapest element of each: another can
      never be better.

    Returns:
      Element numbers `[B or 1, M, W]`, N where there is none; columns `[2, W]`; which blocks are
      wide `[M]`.
    """
    batch, length = rho_BN.shape
    widths = block_widths(length, message_length)
    tables = _column_tables(length, message_length, height)
    is_wide = widths == tables.shape[1]
    within = np.arange(tables.shape[1])
    index = np.where(
        within < widths[:, None], (np.cumsum(widths) - widths)[:, None] + within, length
    )
    different = 1 << (height - 2)
    if tables.shape[1] <= different:
        return index[None], tables, is_wide
    extended = np.concatenate([rho_BN, np.full((batch, 1), np.inf, rho_BN.dtype)], axis=1)
    chosen = np.full((batch, message_length, different), length)
    for blocks, table in ((is_wide, tables[1]), (~is_wide, tables[0])):
        if blocks.any():
            for slot in range(different):
                candidates = index[blocks][:, table == 2 * slot + 1 + 2 * different]
                if candidates.shape[1]:
                    best = extended[:, candidates].argmin(axis=-1)
                    chosen[:, blocks, slot] = np.take_along_axis(
                        candidates[None], best[..., None], axis=-1
                    )[..., 0]
    columns = 2 * np.arange(different, dtype=np.int32) + 1 + 2 * different
    return chosen, np.stack([columns, columns]), is_wide


class _Plan(NamedTuple):
    """How the blocks of all trellises are dealt out to lanes.

    group:  columns per step. groups: steps per block.
    lanes:  lanes per call. piece: blocks that a lane decides, about. span: blocks that it walks,
            the last of them its own.
    steps:  steps for which the program is compiled; the last `span * groups` of them are used.
    """

    group: int
    groups: int
    lanes: int
    piece: int
    span: int
    steps: int


def _round_up(steps: int, lanes: int) -> int:
    """The sizes for which programs are compiled: powers of four for few lanes, four to an octave
    for many.
    """
    power = max(256, 1 << (steps - 1).bit_length())
    if lanes <= 2:
        return power << (power.bit_length() - 1) % 2
    return -(-steps // (power >> 3)) * (power >> 3)


def _plan(batch: int, message_length: int, width: int, height: int, exact: bool) -> _Plan:
    group = width if width <= 8 else min((8, 6, 5), key=lambda g: -(-width // g) * g)
    groups = -(-width // group)
    rows = 1 << (height - 1 if groups == 1 else height)
    warm_up = (_WARM_UP_PER_ROW if groups == 1 else _WARM_UP_PER_ROW * 5 // 8) * (height - 5)
    sizes = _LANES_ON_CPU if jax.default_backend() == "cpu" else _LANES_ELSEWHERE
    # Enough lanes for all calls, but fewer where they would walk longer to warm up than for
    # themselves.
    share = batch * message_length // _CALLS_AT_ONCE
    many = max((count for count in sizes if share >= 2 * count * warm_up), default=sizes[0])
    # Path arrays below 32 MiB are the allocator's to use again; larger ones are mapped anew each
    # time, which takes longer.
    longest = max(_PATH_BYTES // (rows * many * groups), 4 * warm_up)
    if exact:
        piece = span = min(message_length, longest)
    elif message_length <= 2 * warm_up:
        piece = span = message_length
    else:
        wanted = max(-(-share // many), warm_up) + warm_up + _ALIGNMENT
        span = min(_round_up(min(wanted, longest) * groups, many) // groups, message_length)
        piece = span - warm_up - _ALIGNMENT if span < message_length else span
    needed = 1 if exact else -(-batch * -(-message_length // piece) // _CALLS_AT_ONCE)
    lanes = min(count for count in sizes if count >= min(needed, sizes[-1]))
    steps = _round_up(span * groups, lanes)
    while lanes > 1 and rows * lanes * steps > _MOST_PATH_BYTES:
        lanes = sizes[sizes.index(lanes) - 1]
        steps = _round_up(span * groups, lanes)
    return _Plan(group, groups, lanes, piece, span, steps)


class _Trellis:
    """The trellises of a batch of covers of one shape, as arrays that the forward and backward
    passes take.
    """

    def __init__(self, rho_BN: np.ndarray, target_BM: np.ndarray, height: int, exact: bool):
        batch, self.length = rho_BN.shape
        self.height, self.blocks = height, target_BM.shape[1]
        self.index, columns, is_wide = _slots(rho_BN, self.blocks, height)
        self.plan = _plan(batch, self.blocks, columns.shape[1], height, exact)
        group, groups = self.plan.group, self.plan.groups
        missing = groups * group - columns.shape[1]
        self.index = np.pad(self.index, ((0, 0), (0, 0), (0, missing)), constant_values=self.length)
        narrow = np.count_nonzero(columns[0])
        if (columns[0, :narrow] == columns[1, :narrow]).all():
            columns, is_wide = columns[1:], np.zeros_like(is_wide)
        columns = (
            np.pad(columns, ((0, 0), (0, missing))).reshape(-1, groups, group).transpose(1, 0, 2)
        )
        moves = np.zeros((*columns.shape[:2], 1 << group), np.int32)
        for k in range(group):
            moves[:, :, 1 << k : 2 << k] = moves[:, :, : 1 << k] ^ columns[:, :, k, None]
        more = ((0, (1 << (groups - 1).bit_length()) - groups), (0, 0), (0, 0))
        self.moves, self.columns = np.pad(moves, more), np.pad(columns, more)

        # One row per block, and after the last one a row that stands for "no block": nothing to
        # change, nothing to carry.
        quantised = np.pad(
            _quantise(rho_BN, self.blocks, group),
            ((0, 0), (0, 1)),
            constant_values=_FORBIDDEN >> group,
        )
        self.costs_BMW = np.full((batch, self.blocks + 1, groups * group), _FORBIDDEN, np.uint32)
        for cover in range(batch):
            self.costs_BMW[cover, :-1] = quantised[cover][self.index_of(cover)] << group
        self.costs_BMW |= np.tile(1 << np.arange(group, dtype=np.uint32), groups)
        self.target_BM = np.pad(target_BM, ((0, 0), (0, 1)))
        self.is_wide_M = np.append(is_wide, False)
        self.changed_BN = np.zeros((batch, self.length + 1), bool)

    def index_of(self, cover: int) -> np.ndarray:
        return self.index[cover % self.index.shape[0]]

    def rows(self, end_L: np.ndarray) -> np.ndarray:
        """The blocks that lanes ending before `end_L` walk, `[T, lanes]`, filled up with idle
        lanes.
        """
        rows = end_L - self.plan.span + np.arange(self.plan.span)[:, None]
        idle = ((0, 0), (0, self.plan.lanes - end_L.size))
        return np.pad(np.where(rows < 0, self.blocks, rows), idle, constant_values=self.blocks)

    def inputs(self, cover_L: np.ndarray, rows_TL: np.ndarray) -> tuple[np.ndarray, ...]:
        """Costs `[steps, g, L]`, target `[steps, L]` and widths `[steps, L]` of these blocks."""
        group, groups, lanes, _, span, steps = self.plan
        begin = steps - span * groups
        cover_L = np.pad(cover_L, (0, lanes - cover_L.size))
        costs = np.zeros((steps, group, lanes), np.uint32)
        blocks = self.costs_BMW[cover_L, rows_TL].reshape(span, lanes, groups, group)
        costs[begin:] = blocks.transpose(0, 2, 3, 1).reshape(span * groups, group, lanes)
        is_wide = self.is_wide_M[rows_TL]
        # Where there is no block, be of the kind of the others.
        is_wide |= (rows_TL == self.blocks) & is_wide.any(axis=1, keepdims=True)
        target, wide = (
            np.pad(np.repeat(per_block, groups, axis=0), ((begin, 0), (0, 0)))
            for per_block in (self.target_BM[cover_L, rows_TL], is_wide)
        )
        return costs, target, wide

    def start(self, anywhere_L: np.ndarray) -> np.ndarray:
        """Metrics before the first block: of the state 0 alone, or the same of every state."""
        half = 1 << (self.height - 1)
        metrics = np.full(
            (half if self.plan.groups == 1 else 2 * half, self.plan.lanes), _FORBIDDEN, np.uint32
        )
        metrics[:half] = np.where(
            np.pad(anywhere_L, (0, self.plan.lanes - anywhere_L.size)), 0, _FORBIDDEN
        )
        metrics[0] = 0
        return metrics

    def forward(self, inputs: tuple, start: Array) -> tuple[Array, Array]:
        begin = self.plan.steps - self.plan.span * self.plan.groups
        if self.plan.groups == 1:
            return _forward_single(
                *inputs, self.columns[0], begin, start, constraint_height=self.height
            )
        return _forward_groups(
            *inputs, self.columns, self.plan.groups, begin, start, constraint_height=self.height
        )

    def back(
        self,
        inputs: tuple,
        ends: Array,
        paths: Array,
        own_L: np.ndarray,
        follows_L: np.ndarray,
        entered: Array,
    ):
        groups, steps = self.plan.groups, self.plan.steps
        idle = (0, self.plan.lanes - own_L.size)
        first = steps - np.pad(own_L, idle, constant_values=1) * groups
        return _trace_back(
            paths,
            ends,
            *inputs[1:],
            self.moves,
            groups,
            steps - self.plan.span * groups,
            first.astype(np.int32),
            np.pad(follows_L, idle),
            own_L.size - 1,
            entered,
            single=groups == 1,
        )

    def note(
        self, found_TL: Array, cover_L: np.ndarray, own_L: np.ndarray, rows_TL: np.ndarray
    ) -> None:
        """Writes down the changes that lanes decided in their own blocks."""
        group, groups, _, _, span, _ = self.plan
        paths = np.asarray(found_TL)[-span * groups :, : cover_L.size].reshape(span, groups, 1, -1)
        flips = (paths >> np.arange(group, dtype=np.uint8)[:, None]) & 1
        flips = flips.astype(bool).reshape(span, groups * group, -1)
        for lane, (cover, own) in enumerate(zip(cover_L, own_L, strict=True)):
            decided = rows_TL[span - own :, lane]
            self.changed_BN[cover, self.index_of(cover)[decided]] = flips[span - own :, :, lane]


def _piece_ends(length: int, blocks: int, piece: int) -> np.ndarray:
    """Where pieces end: near multiples of `piece`, where narrow and wide blocks follow as they do
    at the end of the trellis.
    """
    nominal = blocks - np.arange(-(-blocks // piece))[::-1] * piece
    near = nominal[:, None] - np.arange(_ALIGNMENT)
    phase = near * length % blocks
    chosen = near[
        np.arange(nominal.size),
        np.where(near > 0, np.minimum(phase, blocks - phase), blocks).argmin(axis=1),
    ]
    return np.append(chosen[:-1], blocks)


def _search(rho_BN: np.ndarray, target_BM: np.ndarray, height: int) -> np.ndarray:
    """Which elements to change, `[B, N]` bool: trellises in pieces, all at the same time."""
    trellis = _Trellis(rho_BN, target_BM, height, exact=False)
    lanes, span = trellis.plan.lanes, trellis.plan.span
    ends = _piece_ends(trellis.length, trellis.blocks, trellis.plan.piece)
    cover_of = np.repeat(np.arange(rho_BN.shape[0]), ends.size)
    end_of, own_of = (
        np.tile(ends, rho_BN.shape[0]),
        np.tile(np.diff(ends, prepend=0), rho_BN.shape[0]),
    )
    # From the last lanes to the first: each call hands the state in which it is entered to the one
    # before.
    calls = [slice(max(last - lanes, 0), last) for last in range(cover_of.size, 0, -lanes)]

    def walk(call: slice) -> tuple:
        rows_TL = trellis.rows(end_of[call])
        inputs = trellis.inputs(cover_of[call], rows_TL)
        return (
            rows_TL,
            inputs,
            jax.block_until_ready(trellis.forward(inputs, trellis.start(end_of[call] > span))),
        )

    entered: Any = np.int32(0)
    with futures.ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        ahead = collections.deque(pool.submit(walk, call) for call in calls[:_CALLS_AT_ONCE])
        for i, call in enumerate(calls):
            rows_TL, inputs, walked = ahead.popleft().result()
            found, entries = trellis.back(
                inputs, *walked, own_of[call], end_of[call] < trellis.blocks, entered
            )
            entered = entries[0]
            trellis.note(found, cover_of[call], own_of[call], rows_TL)
            if i + _CALLS_AT_ONCE < len(calls):
                ahead.append(pool.submit(walk, calls[i + _CALLS_AT_ONCE]))
    return trellis.changed_BN[:, :-1]


def _search_exactly(rho_N: np.ndarray, target_M: np.ndarray, height: int) -> np.ndarray:
    """As `_search`, for one trellis walked from end to end, twice, so that only one piece's paths
    are kept at a time.
    """
    trellis = _Trellis(rho_N[None], target_M[None], height, exact=True)
    cover = np.zeros(1, int)
    ends = (
        trellis.blocks
        - np.arange(-(-trellis.blocks // trellis.plan.piece))[::-1] * trellis.plan.piece
    )
    starts = [trellis.start(np.array([False]))]
    for end in ends[:-1, None]:
        starts.append(trellis.forward(trellis.inputs(cover, trellis.rows(end)), starts[-1])[0])
    entered: Any = np.int32(0)
    for end, own, start in reversed(
        list(zip(ends[:, None], np.diff(ends, prepend=0)[:, None], starts, strict=True))
    ):
        rows_TL = trellis.rows(end)
        inputs = trellis.inputs(cover, rows_TL)
        found, entries = trellis.back(
            inputs, *trellis.forward(inputs, start), own, end < trellis.blocks, entered
        )
        entered = entries[0]
        trellis.note(found, cover, own, rows_TL)
    return trellis.changed_BN[0, :-1]


def _capacity(wet_N: np.ndarray, message_length: int, height: int) -> int:
    """How many bits, at most `message_length`, this code can always hide without touching wet
    elements, to about one in 100.
    """

    def fits(bits: int) -> bool:
        if bits == 0:
            return True
        index, columns, is_wide = _slots(np.where(wet_N, WET_COST, 1.0)[None], bits, height)
        usable = index[0] < wet_N.size
        usable[usable] = ~wet_N[index[0][usable]]
        basis: dict[int, int] = {}
        for i in range(bits):
            mask = (1 << min(height, bits - i)) - 1
            basis = _span(
                basis,
                {int(c) & mask for c in columns[int(is_wide[i])][usable[i]]},
                mask.bit_length(),
            )
            if 0 not in basis:
                return False
            basis = _span({}, {vector >> 1 for lead, vector in basis.items() if lead}, height)
        return True

    low, high = 0, message_length
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _span(basis: dict[int, int], vectors: set[int], rank: int) -> dict[int, int]:
    """Adds vectors over GF(2) to a basis in echelon form, keyed by the lowest set bit."""
    basis = dict(basis)
    for vector in vectors:
        if len(basis) == rank:
            break
        while vector:
            lead = (vector & -vector).bit_length() - 1
            if lead not in basis:
                basis[lead] = vector
                break
            vector ^= basis[lead]
    return basis


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
    bits, rho, message = (
        np.asarray(cover_N, np.uint8),
        np.asarray(rho_N, np.float32),
        np.asarray(message_M, np.uint8),
    )
    check_vectors(bits, rho, message)
    length, message_length = bits.shape[-1], message.shape[-1]
    _check_lengths(length, message_length, constraint_height, segments)
    if message_length == 0:
        return bits.copy()
    count, n, m = _segmentation(length, message_length, segments)
    batch = bits.size // length
    covers = bits.reshape(batch, length)[:, : count * n].reshape(batch * count, n)
    costs = rho.reshape(batch, length)[:, : count * n].reshape(batch * count, n)
    padding = count * m - message_length
    wanted = np.pad(message.reshape(batch, message_length), ((0, 0), (0, padding))).reshape(
        batch * count, m
    )
    wet = costs >= WET_COST
    target = wanted ^ syndrome(covers, message_length=m, constraint_height=constraint_height)
    changed = _search(costs, target, constraint_height)

    def failing() -> np.ndarray:
        carried = syndrome(
            changed.astype(np.uint8), message_length=m, constraint_height=constraint_height
        )
        return (carried != target).any(axis=1) | (changed & wet).any(axis=1)

    # Where few elements are free, the state in which a piece was taken up may be out of reach of
    # the piece before.
    for row in np.flatnonzero(failing()):
        changed[row] = _search_exactly(costs[row], target[row], constraint_height)
    failed = failing()
    if not failed.any():
        stego = bits.reshape(batch, length).copy()
        stego[:, : count * n] ^= changed.reshape(batch, count * n)
        return stego.reshape(bits.shape)
    raise NoRoom(
        message_length,
        lambda: min(_capacity(vector, m, constraint_height) for vector in wet[failed]) * count,
    )


def extract(
    stego_N: np.ndarray, *, message_length: int, constraint_height: int = 10, segments: int = 1
) -> np.ndarray:
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
    _check_lengths(length, message_length, constraint_height, segments)
    count, n, m = (
        _segmentation(length, message_length, segments) if message_length else (1, length, 0)
    )
    parts = stego_N[..., : count * n].reshape(*stego_N.shape[:-1], count, n)
    message = syndrome(parts, message_length=m, constraint_height=constraint_height)
    return message.reshape(*stego_N.shape[:-1], count * m)[..., :message_length]
