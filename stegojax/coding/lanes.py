"""What makes the search through the trellis of a syndrome-trellis code fast: many lanes at a time.

`stc.viterbi` is the algorithm; this finds the path that it finds, but for costs rounded to integers
and for the places where a long trellis is cut. It is given the trellis step of the algorithm, and
adds how the work is dealt out:

* A state vector per *lane*, laid out `[S, L]`, so that a move from state s to s ^ column moves
  whole rows. Lanes are images, segments, and pieces of one trellis. A piece starts some hundred
  blocks early with all states equal: by the blocks of its own the survivors have merged. It hands
  the state in which it is entered to the piece before it, until all pieces agree.
* Metrics are uint32, of which the lowest bits record the path through the current *group* of up to
  eight columns. They take part in every minimum, so that one byte per state and group is all that
  the way back needs. The least metric is taken off from time to time, so that none overflows.
* Two columns are taken at a time: none, either, or both of their elements change.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.coding import parity_check
from stegojax.types import WET_COST, Array

Step = Callable[..., Array]
"""`(stay, arriving, costs) -> metrics`, see `stc.add_compare_select`."""

_FORBIDDEN = np.uint32(1 << 28)
_WARM_UP_PER_ROW = 32
_RENORMALISE_EVERY = 16
_PATH_BYTES, _MOST_PATH_BYTES = 7 << 22, 1 << 29
_CALLS_AT_ONCE = 2
_ALIGNMENT = 32
_LANES_ON_CPU = (1, 2, 16, 32)
_LANES_ELSEWHERE = (1, 16, 64, 256, 1024)
# What a turn of so many lanes takes on a CPU, in turns of one lane.
_TURN_COSTS = {1: 1, 2: 2, 16: 5, 32: 9}
_ROUNDS = (1, 2, 3, 4)


def _stages(group: int) -> list[int]:
    """Columns taken per pass over the states: the first pass opens a block, the last closes it."""
    first = min(2, group)
    last = min(2, group - first)
    between = group - first - last
    return [first, *[2] * (between // 2), *[1] * (between % 2), last]


def _subsets(items: Any, stages: list[int], join: Callable) -> list[tuple]:
    """For every stage of one or two columns: the items of its non-empty subsets of columns."""
    out, k = [], 0
    for columns in stages:
        chosen = tuple(items[k : k + columns])
        out.append(chosen if columns < 2 else (*chosen, join(*chosen)))
        k += columns
    return out


def _arriving(state_SL: Array, is_wide_L: Array, sources: Sequence) -> list[Array]:
    """The metrics of the states from which changes come, by each lane's kind of block."""

    def gathered(source):
        kinds = [jnp.take(state_SL, of_kind, axis=0, mode="clip") for of_kind in source]
        return kinds[0] if len(kinds) == 1 else jnp.where(is_wide_L, kinds[1], kinds[0])

    return [gathered(source) for source in sources]


def _apart(mixed, function, state, costs, is_wide_L, both, one, *rest) -> Array:
    """One pass over the states, with both kinds of blocks only where lanes differ in kind.

    It has to be a conditional even where they never do: XLA would fuse one pass into the next, and
    compute every minimum many times over, but not across a conditional.
    """

    def alike(both, one, state, *rest):
        return function(state, costs, is_wide_L, one, *rest)

    def different(both, one, state, *rest):
        if len(jax.tree.leaves(both)) == len(jax.tree.leaves(one)):
            return jnp.zeros_like(alike(both, one, state, *rest))
        return function(state, costs, is_wide_L, both, *rest)

    return lax.cond(mixed, different, alike, both, one, state, *rest)


def _kind(is_wide_L: Array, columns: Array) -> tuple[Array, Array]:
    """Whether lanes differ in kind, and the columns `[1, g]` of the first lane's."""
    kind = is_wide_L[0].astype(jnp.int32)
    return jnp.any(is_wide_L != is_wide_L[0]), lax.dynamic_slice_in_dim(columns, kind, 1)


@functools.partial(jax.jit, static_argnames=("constraint_height", "step"))
def _forward_single(
    costs_TgL, target_TL, is_wide_TL, columns, begin, state_HL, *, constraint_height, step
):
    """Viterbi forwards where a block is one group of columns.

    States are kept between blocks, when half of them can be reached.

    Args:
      costs_TgL: `[T, g, L]` uint32, cost of every change, shifted left by g, plus the path bit of
        its column.
      target_TL: `[T, L]` uint8, what the changes must carry.
      is_wide_TL: `[T, L]` bool, whether the block has g columns.
      columns: `[2, g]` int32, of a narrow and of a wide block, or `[1, g]` for both.
      begin: first block done.
      state_HL: `[S/2, L]` uint32 metrics at the start.
      constraint_height: height h of the submatrices.
      step: the trellis step.

    Returns:
      The metrics at the end `[S/2, L]`, and the path bits of every block and state `[T, S/2, L]`
      uint8.
    """
    blocks, group, lanes = costs_TgL.shape
    half = 1 << (constraint_height - 1)
    path = np.uint32((1 << group) - 1)
    stages = _stages(group)
    every, low = np.arange(2 * half, dtype=np.int32), np.arange(half, dtype=np.int32)

    def sources(columns):
        kinds = [_subsets(kind, stages, jnp.bitwise_xor) for kind in columns]
        opening, *between, closing = zip(*kinds, strict=True)
        return [
            [[low ^ (c & (half - 1)) for c in subset] for subset in zip(*opening, strict=True)],
            *([[every ^ c for c in s] for s in zip(*stage, strict=True)] for stage in between),
            [
                [[(2 * low + bit) ^ c for c in subset] for subset in zip(*closing, strict=True)]
                for bit in (0, 1)
            ],
        ]

    def row(t):
        mixed, one = _kind(is_wide_TL[t], columns)
        costs = _subsets(costs_TgL[t][:, None], stages, jnp.add)
        return costs, target_TL[t][None], is_wide_TL[t][None], mixed, sources(one)

    def open_block(state, costs, is_wide, sources):
        # Every column has a one in the new row: one change leads to the upper half of the states,
        # none or two to the lower half.
        x = jnp.minimum(state & ~path, _FORBIDDEN)
        arriving = _arriving(x, is_wide, sources)
        lower = step(x, arriving[2:], costs[2:])
        upper = step(None, arriving[:2], costs[:2])
        return jnp.concatenate([lower, upper], axis=0)

    def over_columns(x, costs, is_wide, sources):
        return step(x, _arriving(x, is_wide, sources), costs)

    def close_block(x, costs, is_wide, sources, target):
        kept = [step(x[bit::2], _arriving(x, is_wide, sources[bit]), costs) for bit in (0, 1)]
        return jnp.where(target != 0, kept[1], kept[0])

    both = sources(columns)

    def over_block(t, carry):
        state, (costs, target, is_wide, mixed, one), paths = carry
        passes = [open_block, *[over_columns] * (len(stages) - 2), close_block]
        for i, function in enumerate(passes):
            rest = (target,) if function is close_block else ()
            state = _apart(mixed, function, state, costs[i], is_wide, both[i], one[i], *rest)
        paths = lax.dynamic_update_index_in_dim(paths, (state & path).astype(jnp.uint8), t, 0)
        # The next block's rows are fetched a block ahead: inside the passes they would keep XLA
        # from vectorising them.
        return state, row(t + 1), paths

    paths = jnp.zeros((blocks, half, lanes), jnp.uint8)
    return _in_stretches(over_block, blocks, begin, (state_HL, row(begin), paths), path)


def _in_stretches(body, steps, begin, carry, path):
    """Loops over the steps and takes the least metric off at the beginning of every stretch."""

    def stretch(i, carry):
        state, *rest = carry
        state &= ~path
        least = state.min(axis=0, keepdims=True)
        state -= jnp.where(least < _FORBIDDEN, least, 0)
        lower = jnp.maximum(begin, i * _RENORMALISE_EVERY)
        upper = jnp.minimum(steps, (i + 1) * _RENORMALISE_EVERY)
        return lax.fori_loop(lower, upper, body, (state, *rest))

    first, last = begin // _RENORMALISE_EVERY, -(-steps // _RENORMALISE_EVERY)
    carry = lax.fori_loop(first, last, stretch, carry)
    return carry[0] & ~path, carry[2]


@functools.partial(jax.jit, static_argnames=("constraint_height", "step"))
def _forward_groups(
    costs_TgL, target_TL, is_wide_TL, columns, groups, begin, state_SL, *, constraint_height, step
):
    """Viterbi forwards where a block takes several turns of one group of columns each.

    As `_forward_single`, but T counts turns, `columns` is `[G, 2 or 1, g]`, of which the first
    `groups` make a block, and states `[S, L]` are kept after every group.
    """
    turns, group, lanes = costs_TgL.shape
    size = 1 << constraint_height
    path = np.uint32((1 << group) - 1)
    stages = [stage for stage in _stages(group) if stage]
    every = np.arange(size, dtype=np.int32)
    halved = jnp.minimum(2 * every, size - 2)

    def sources(columns):
        kinds = [_subsets(kind, stages, jnp.bitwise_xor) for kind in columns]
        return [
            [[every ^ c for c in subset] for subset in zip(*stage, strict=True)]
            for stage in zip(*kinds, strict=True)
        ]

    def row(t):
        here = columns[(t - begin) % groups]
        mixed, one = _kind(is_wide_TL[t], here)
        costs = _subsets(costs_TgL[t][:, None], stages, jnp.add)
        return costs, target_TL[t][None], is_wide_TL[t][None], mixed, sources(here), sources(one)

    def over_columns(x, costs, is_wide, sources):
        return step(x, _arriving(x, is_wide, sources), costs)

    def close_block(x, target):
        kept = jnp.where(target != 0, jnp.take(x, halved + 1, axis=0), jnp.take(x, halved, axis=0))
        return jnp.where(every[:, None] < size // 2, kept, _FORBIDDEN)

    def over_group(t, carry):
        state, (costs, target, is_wide, mixed, both, one), paths = carry
        x = jnp.minimum(state & ~path, _FORBIDDEN)
        for i in range(len(stages)):
            x = _apart(mixed, over_columns, x, costs[i], is_wide, both[i], one[i])
        paths = lax.dynamic_update_index_in_dim(paths, (x & path).astype(jnp.uint8), t, 0)
        closes = (t - begin + 1) % groups == 0
        return lax.cond(closes, close_block, lambda x, _: x, x, target), row(t + 1), paths

    paths = jnp.zeros((turns, size, lanes), jnp.uint8)
    return _in_stretches(over_group, turns, begin, (state_SL, row(begin), paths), path)


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
    """Viterbi backwards over the turns that lanes own.

    It is repeated until every lane ends in the state in which its successor is entered.

    Args:
      paths_TRL: `[T, R, L]` path bits.
      metrics_RL: `[R, L]` metrics at the end.
      target_TL, is_wide_TL: as in the forward pass.
      moves: `[G, 2, 2**g]` int32, what the path bits add to the state.
      groups: groups of columns in a block.
      begin: first turn done by the forward pass.
      own_L: `[L]` first turn that the lane owns.
      follows_L: `[L]` bool, whether the lane continues in the next one; the others end in their
        cheapest state.
      last: the last lane in use.
      last_end: the state in which that lane ends, where it continues.
      single: whether a block is one group.

    Returns:
      Path bits `[T, L]` uint8, and the states `[L]` in which the lanes' own parts are entered.
    """
    turns, rows, lanes = paths_TRL.shape
    lane = jnp.arange(lanes)
    best_L = jnp.argmin(metrics_RL, axis=0).astype(jnp.int32)

    def walk(ends_L):
        def back_over_group(i, carry):
            state, entered, walked = carry
            t = turns - 1 - i
            group = (t - begin) % groups
            closed = group == groups - 1
            before = jnp.where(closed, 2 * state + target_TL[t].astype(jnp.int32), state)
            path = paths_TRL[t, state if single else before, lane].astype(jnp.int32)
            state = (before ^ moves[group, is_wide_TL[t].astype(jnp.int32), path]) & (rows - 1)
            walked = lax.dynamic_update_index_in_dim(walked, path.astype(jnp.uint8), t, 0)
            return state, jnp.where(t == own_L, state, entered), walked

        start = (ends_L, ends_L, jnp.zeros((turns, lanes), jnp.uint8))
        return lax.fori_loop(0, turns - own_L.min(), back_over_group, start)[1:]

    def follow(entries_L):
        successors = jnp.where(lane == last, last_end, jnp.roll(entries_L, -1))
        return jnp.where(follows_L, successors, best_L)

    def again(carry):
        ends_L, _, entries_L, tries = carry
        return jnp.any(ends_L != follow(entries_L)) & (tries <= lanes)

    def once(carry):
        ends_L = follow(carry[2])
        entries_L, walked = walk(ends_L)
        return ends_L, walked, entries_L, carry[3] + 1

    start = jnp.where(follows_L & (lane == last), last_end, best_L)
    entries_L, walked = walk(start)
    _, walked, entries_L, _ = lax.while_loop(again, once, (start, walked, entries_L, jnp.int32(0)))
    return walked, entries_L


def _quantise(rho_BN: np.ndarray, message_length: int, group: int) -> np.ndarray:
    """Integer costs with one scale per cover: fine where the changes will be, capped 64 times
    above.
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


class _Blocks(NamedTuple):
    """What stands in every place of the blocks, which are of at most two kinds.

    elements: their numbers `[B or 1, M, W]`, N where there is none.
    columns:  `[2, W]` int32, of a narrow and of a wide block, or `[1, W]` where one serves both.
    is_wide:  `[M]` bool.
    """

    elements: np.ndarray
    columns: np.ndarray
    is_wide: np.ndarray


def _blocks(rho_BN: np.ndarray, columns: np.ndarray, height: int) -> _Blocks:
    """A block wider than there are different columns keeps the cheapest element of each: another
    can never be better.
    """
    batch, length = rho_BN.shape
    elements = parity_check.element_numbers(columns, length)
    is_wide = columns[:, -1] != 0
    different = 1 << (height - 2)
    if columns.shape[1] <= different:
        kinds = columns[[is_wide.argmin(), is_wide.argmax()]]
        narrow = np.count_nonzero(kinds[0])
        if (kinds[0, :narrow] == kinds[1, :narrow]).all():
            kinds, is_wide = kinds[1:], np.zeros_like(is_wide)
        return _Blocks(elements[None], kinds, is_wide)
    extended = np.concatenate([rho_BN, np.full((batch, 1), np.inf, rho_BN.dtype)], axis=1)
    chosen = np.full((batch, columns.shape[0], different), length)
    for kind in (is_wide, ~is_wide):
        for slot in range(different if kind.any() else 0):
            alike = columns[kind.argmax()] == 2 * slot + 1 + 2 * different
            if alike.any():
                candidates = elements[kind][:, alike][None]
                best = extended[:, candidates[0]].argmin(axis=-1)[..., None]
                chosen[:, kind, slot] = np.take_along_axis(candidates, best, axis=-1)[..., 0]
    distinct = 2 * np.arange(different, dtype=np.int32) + 1 + 2 * different
    return _Blocks(chosen, distinct[None], np.zeros_like(is_wide))


class _Plan(NamedTuple):
    """How the blocks of all trellises are dealt out to lanes.

    group:  columns per turn.
    groups: turns per block.
    lanes:  lanes per call.
    piece:  blocks that a lane decides, about.
    span:   blocks that it walks, the last of them its own.
    turns:  turns for which the program is compiled; the last `span * groups` of them are used.
    """

    group: int
    groups: int
    lanes: int
    piece: int
    span: int
    turns: int


def _round_up(turns: int, lanes: int) -> int:
    """The sizes for which programs are compiled: powers of four for few lanes, four to an octave
    for many.
    """
    power = max(256, 1 << (turns - 1).bit_length())
    if lanes <= 2:
        return power << (power.bit_length() - 1) % 2
    return -(-turns // (power >> 3)) * (power >> 3)


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
    turns = _round_up(span * groups, lanes)
    while lanes > 1 and rows * lanes * turns > _MOST_PATH_BYTES:
        lanes = sizes[sizes.index(lanes) - 1]
        turns = _round_up(span * groups, lanes)
    plan = _Plan(group, groups, lanes, piece, span, turns)
    if exact or sizes is not _LANES_ON_CPU or message_length <= 2 * warm_up:
        return plan
    return _with_all_lanes_busy(plan, batch, message_length, rows, warm_up)


def _with_all_lanes_busy(
    plan: _Plan, batch: int, message_length: int, rows: int, warm_up: int
) -> _Plan:
    """The plan, or a quicker one that deals as many pieces as there are lanes in some calls."""

    def work(each: _Plan) -> int:
        pieces = batch * -(-message_length // each.piece)
        rounds = -(-pieces // (each.lanes * _CALLS_AT_ONCE))
        return rounds * each.span * each.groups * _TURN_COSTS[each.lanes]

    plans = [plan]
    for lanes in (lanes for lanes in _LANES_ON_CPU if lanes > 2):
        for rounds in _ROUNDS:
            pieces = lanes * _CALLS_AT_ONCE * rounds // batch
            piece = -(-message_length // max(pieces, 1))
            span = piece + warm_up + _ALIGNMENT
            turns = _round_up(span * plan.groups, lanes)
            if pieces and piece >= warm_up and rows * lanes * turns <= 2 * _PATH_BYTES:
                plans.append(plan._replace(lanes=lanes, piece=piece, span=span, turns=turns))
    return min(plans, key=work)


class _Trellis:
    """The trellises of a batch of covers of one shape, as arrays that both passes take."""

    def __init__(self, rho_BN, target_BM, columns, *, height: int, exact: bool, step: Step):
        batch, self.length = rho_BN.shape
        self.height, self.step, self.blocks = height, step, target_BM.shape[1]
        self.elements, kinds, is_wide = _blocks(rho_BN, columns, height)
        self.plan = _plan(batch, self.blocks, kinds.shape[1], height, exact)
        group, groups = self.plan.group, self.plan.groups
        missing = groups * group - kinds.shape[1]
        self.elements = np.pad(
            self.elements, ((0, 0), (0, 0), (0, missing)), constant_values=self.length
        )
        kinds = np.pad(kinds, ((0, 0), (0, missing))).reshape(-1, groups, group).transpose(1, 0, 2)
        moves = np.zeros((*kinds.shape[:2], 1 << group), np.int32)
        for k in range(group):
            moves[:, :, 1 << k : 2 << k] = moves[:, :, : 1 << k] ^ kinds[:, :, k, None]
        unused = ((0, (1 << (groups - 1).bit_length()) - groups), (0, 0), (0, 0))
        self.moves, self.columns = np.pad(moves, unused), np.pad(kinds, unused)

        # One row per block, and after the last one a row that stands for "no block": nothing to
        # change, nothing to carry.
        quantised = np.pad(
            _quantise(rho_BN, self.blocks, group),
            ((0, 0), (0, 1)),
            constant_values=_FORBIDDEN >> group,
        )
        self.costs_BMW = np.full((batch, self.blocks + 1, groups * group), _FORBIDDEN, np.uint32)
        for cover in range(batch):
            self.costs_BMW[cover, :-1] = quantised[cover][self.elements_of(cover)] << group
        self.costs_BMW |= np.tile(1 << np.arange(group, dtype=np.uint32), groups)
        self.target_BM = np.pad(target_BM, ((0, 0), (0, 1)))
        self.is_wide_M = np.append(is_wide, False)
        self.changed_BN = np.zeros((batch, self.length + 1), bool)

    def elements_of(self, cover: int) -> np.ndarray:
        return self.elements[cover % self.elements.shape[0]]

    def rows(self, end_L: np.ndarray) -> np.ndarray:
        """The blocks that lanes ending before `end_L` walk, `[T, lanes]`, filled up with idle
        lanes.
        """
        rows = end_L - self.plan.span + np.arange(self.plan.span)[:, None]
        idle = ((0, 0), (0, self.plan.lanes - end_L.size))
        return np.pad(np.where(rows < 0, self.blocks, rows), idle, constant_values=self.blocks)

    def inputs(self, cover_L: np.ndarray, rows_TL: np.ndarray) -> tuple[np.ndarray, ...]:
        """Costs `[turns, g, L]`, target `[turns, L]` and widths `[turns, L]` of these blocks."""
        group, groups, lanes, _, span, turns = self.plan
        begin = turns - span * groups
        cover_L = np.pad(cover_L, (0, lanes - cover_L.size))
        costs = np.zeros((turns, group, lanes), np.uint32)
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
        rows = half if self.plan.groups == 1 else 2 * half
        metrics = np.full((rows, self.plan.lanes), _FORBIDDEN, np.uint32)
        anywhere_L = np.pad(anywhere_L, (0, self.plan.lanes - anywhere_L.size))
        metrics[:half] = np.where(anywhere_L, 0, _FORBIDDEN)
        metrics[0] = 0
        return metrics

    def forward(self, inputs: tuple, start: Array | np.ndarray) -> tuple[Array, Array]:
        """Metrics at the end, and path bits."""
        options: dict[str, Any] = {"constraint_height": self.height, "step": self.step}
        begin = self.plan.turns - self.plan.span * self.plan.groups
        if self.plan.groups == 1:
            return _forward_single(*inputs, self.columns[0], begin, start, **options)
        return _forward_groups(*inputs, self.columns, self.plan.groups, begin, start, **options)

    def back(self, inputs, metrics, paths, own_L, follows_L, entered) -> tuple[Array, Array]:
        """Path bits of the cheapest ways, and the states in which the lanes' own parts are
        entered.
        """
        groups, turns = self.plan.groups, self.plan.turns
        idle = (0, self.plan.lanes - own_L.size)
        first = turns - np.pad(own_L, idle, constant_values=1) * groups
        return _trace_back(
            paths,
            metrics,
            *inputs[1:],
            self.moves,
            groups,
            turns - self.plan.span * groups,
            first.astype(np.int32),
            np.pad(follows_L, idle),
            own_L.size - 1,
            entered,
            single=groups == 1,
        )

    def note(self, walked_TL, cover_L, own_L, rows_TL) -> None:
        """Writes down the changes that lanes decided in their own blocks."""
        group, groups, _, _, span, _ = self.plan
        paths = np.asarray(walked_TL)[-span * groups :, : cover_L.size].reshape(span, groups, 1, -1)
        flips = (paths >> np.arange(group, dtype=np.uint8)[:, None]) & 1
        flips = flips.astype(bool).reshape(span, groups * group, -1)
        for lane, (cover, own) in enumerate(zip(cover_L, own_L, strict=True)):
            decided = rows_TL[span - own :, lane]
            self.changed_BN[cover, self.elements_of(cover)[decided]] = flips[span - own :, :, lane]


def _piece_ends(length: int, blocks: int, piece: int) -> np.ndarray:
    """Where pieces end: near multiples of `piece`, where narrow and wide blocks follow as they do
    at the end of the trellis.
    """
    nominal = blocks - np.arange(-(-blocks // piece))[::-1] * piece
    near = nominal[:, None] - np.arange(_ALIGNMENT)
    phase = near * length % blocks
    distance = np.where(near > 0, np.minimum(phase, blocks - phase), blocks)
    chosen = near[np.arange(nominal.size), distance.argmin(axis=1)]
    return np.append(chosen[:-1], blocks)


def search(
    rho_BN: np.ndarray,
    target_BM: np.ndarray,
    columns: np.ndarray,
    *,
    constraint_height: int,
    step: Step,
) -> np.ndarray:
    """Which elements to change: all trellises, in pieces, at the same time.

    Args:
      rho_BN: `[B, N]` float32 costs, `WET_COST` or more where a change is forbidden.
      target_BM: `[B, M]` uint8, the syndromes that the changes must have.
      columns: `[M, W]` int32 of `parity_check.block_columns`: rows of two kinds at most.
      constraint_height: height h of the submatrices, 7..12.
      step: the trellis step, `stc.add_compare_select`.

    Returns:
      `[B, N]` bool. Where few elements are free, pieces may not fit together: the changes then have
      another syndrome, or are forbidden.
    """
    trellis = _Trellis(rho_BN, target_BM, columns, height=constraint_height, exact=False, step=step)
    lanes, span = trellis.plan.lanes, trellis.plan.span
    ends = _piece_ends(trellis.length, trellis.blocks, trellis.plan.piece)
    cover_of = np.repeat(np.arange(rho_BN.shape[0]), ends.size)
    end_of = np.tile(ends, rho_BN.shape[0])
    own_of = np.tile(np.diff(ends, prepend=0), rho_BN.shape[0])
    # From the last lanes to the first: each call hands the state in which it is entered to the one
    # before.
    calls = [slice(max(last - lanes, 0), last) for last in range(cover_of.size, 0, -lanes)]

    def walk(call: slice) -> tuple:
        rows_TL = trellis.rows(end_of[call])
        inputs = trellis.inputs(cover_of[call], rows_TL)
        start = trellis.start(end_of[call] > span)
        return rows_TL, inputs, *jax.block_until_ready(trellis.forward(inputs, start))

    entered: Any = np.int32(0)
    with futures.ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        ahead = collections.deque(pool.submit(walk, call) for call in calls[:_CALLS_AT_ONCE])
        for i, call in enumerate(calls):
            rows_TL, inputs, metrics, paths = ahead.popleft().result()
            follows = end_of[call] < trellis.blocks
            walked, entries = trellis.back(inputs, metrics, paths, own_of[call], follows, entered)
            entered = entries[0]
            trellis.note(walked, cover_of[call], own_of[call], rows_TL)
            if i + _CALLS_AT_ONCE < len(calls):
                ahead.append(pool.submit(walk, calls[i + _CALLS_AT_ONCE]))
    return trellis.changed_BN[:, :-1]


def search_in_order(
    rho_N: np.ndarray,
    target_M: np.ndarray,
    columns: np.ndarray,
    *,
    constraint_height: int,
    step: Step,
) -> np.ndarray:
    """As `search`, for one trellis walked from end to end, so that all pieces fit together.

    It is walked twice, so that the paths of only one piece are kept at a time.

    Args:
      rho_N: `[N]` float32 costs.
      target_M: `[M]` uint8, the syndrome that the changes must have.
      columns, constraint_height, step: as for `search`.

    Returns:
      `[N]` bool. If the message does not fit, the changes have another syndrome, or are forbidden.
    """
    trellis = _Trellis(
        rho_N[None], target_M[None], columns, height=constraint_height, exact=True, step=step
    )
    cover, blocks, piece = np.zeros(1, int), trellis.blocks, trellis.plan.piece
    ends = blocks - np.arange(-(-blocks // piece))[::-1] * piece
    starts: list[Any] = [trellis.start(np.array([False]))]
    for end in ends[:-1, None]:
        starts.append(trellis.forward(trellis.inputs(cover, trellis.rows(end)), starts[-1])[0])
    entered: Any = np.int32(0)
    for end, own, start in reversed(
        list(zip(ends[:, None], np.diff(ends, prepend=0)[:, None], starts, strict=True))
    ):
        rows_TL = trellis.rows(end)
        inputs = trellis.inputs(cover, rows_TL)
        metrics, paths = trellis.forward(inputs, start)
        walked, entries = trellis.back(inputs, metrics, paths, own, end < blocks, entered)
        entered = entries[0]
        trellis.note(walked, cover, own, rows_TL)
    return trellis.changed_BN[0, :-1]
