"""Steganographic polar codes with successive cancellation list decoding (Li, Zhang, Li, Zhou, Yu,
IEEE Trans. Commun. 2020).

The polar transform u = y G turns element bits y, each changed with its optimal probability at the
payload, into bits u of which about m are nearly uniform given those before them. These carry the
message; the decoder fills in the rest so that y is likely, that is, cheap. Reading is one transform
and needs no cost.

A vector is cut into blocks of equal length, each filled up to a power of two with known zeros; the
blocks are decoded side by side. The decoder walks the nodes of the code tree. A node whose bits all
carry message is settled at once. One whose bits are all free takes the likelier sign of every
element, and each path of the list also tries the other sign of the least certain one. Paths are
columns of the arrays; when the list is pruned only pointers to columns move.

Layout: bits uint8 {0, 1}, element vectors `[N]` or `[B, N]`, in the key's order; inside
`[N, list * B]`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.coding.optimum import optimal_lambda
from stegojax.coding.parity_check import AnyArray
from stegojax.coding.refusals import NoRoom, check_vectors
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array

_MAX_LOG_LENGTH = 20
_WET_RATIO = 1e4
_DRY_RATIO = 1e3
_CHUNK_SIZE = 512
_LEAST_NODES = 1 << 12
_MOST_COLUMNS = 64
_MOST_ELEMENTS = 1 << 23
_ATTEMPTS = 7


def block_shape(length: int) -> tuple[int, int]:
    """How a vector is cut: into as few equal blocks of at most 2**20 as will do.

    Padding costs next to nothing; short blocks do.

    Args:
      length: number of elements n, at least 1.

    Returns:
      The number of blocks and log2 of their length with padding. Each holds `n // blocks` elements;
      the few left over stay as they are.
    """
    blocks = -(-length >> _MAX_LOG_LENGTH)
    return blocks, (length // blocks - 1).bit_length()


def transform(bits_N: AnyArray) -> AnyArray:
    """Multiplies by the polar matrix G, which is its own inverse (Li et al. 2020, Sec. II).

    Args:
      bits_N: `[..., N]` uint8 bits, N a power of two; a NumPy or a JAX array.

    Returns:
      `[..., N]` uint8 bits.

    Raises:
      ValueError: if N is not a power of two.
    """
    length = bits_N.shape[-1]
    if length & (length - 1):
        raise ValueError(f"the polar transform needs a power of two: length {length} given")
    xp: Any = bits_N.__array_namespace__()
    shape = bits_N.shape
    for level in range(length.bit_length() - 1):
        pairs = bits_N.reshape(*shape[:-1], -1, 2, 1 << level)
        bits_N = xp.stack([pairs[..., 0, :] ^ pairs[..., 1, :], pairs[..., 1, :]], axis=-2).reshape(
            shape
        )
    return bits_N


@functools.lru_cache(maxsize=64)
def message_positions(log_length: int, used: int, message_length: int) -> np.ndarray:
    """Which bits of u carry the message (Li et al. 2020, Sec. III; Arikan's recursion for the
    reliabilities).

    Args:
      log_length: log2 of the block length.
      used: number of elements of the block; the others are known zeros.
      message_length: number of message bits, 0..used.

    Returns:
      `[message_length]` positions in increasing order: those least determined by the bits before
      them.
    """
    z = np.zeros((1, 1 << log_length))
    z[0, :used] = message_length / max(used, 1)
    for _ in range(log_length):
        first, second = np.split(z, 2, axis=1)
        z = np.stack([first + second - first * second, first * second], axis=1).reshape(
            2 * z.shape[0], -1
        )
    order = np.lexsort((np.arange(z.size), -z.ravel()))
    positions = np.sort(order[:message_length])
    positions.flags.writeable = False
    return positions


def _nodes(carries_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest subtrees of the code tree with bits of one kind: log2 of their sizes, and where they
    start.
    """
    log_length = carries_N.size.bit_length() - 1
    uniform = [np.ones(carries_N.size, bool)]
    kind = carries_N
    for _ in range(log_length):
        pairs = uniform[-1].reshape(-1, 2)
        uniform.append(pairs.all(axis=1) & (kind[::2] == kind[1::2]))
        kind = kind[::2]
    levels, starts = [], []
    for level, whole in enumerate(uniform):
        parent = np.repeat(uniform[level + 1], 2) if level < log_length else np.zeros(1, bool)
        largest = np.flatnonzero(whole & ~parent)
        levels.append(np.full(largest.size, level))
        starts.append(largest << level)
    order = np.argsort(np.concatenate(starts))
    return np.concatenate(levels)[order], np.concatenate(starts)[order]


def _box_plus(a: Array, b: Array) -> Array:
    """Log-likelihood ratio of the sum of two bits."""
    smaller = jnp.sign(a) * jnp.sign(b) * jnp.minimum(jnp.abs(a), jnp.abs(b))
    return smaller + jnp.log1p(jnp.exp(-jnp.abs(a + b))) - jnp.log1p(jnp.exp(-jnp.abs(a - b)))


def _prune(metrics_2LB: Array) -> tuple[Array, Array]:
    """The better half of twice as many candidates as the list holds: which, and their metrics."""
    candidates = metrics_2LB.shape[0]
    order = jnp.arange(candidates)[:, None, None]
    before = (metrics_2LB[None] < metrics_2LB[:, None]) | (
        (metrics_2LB[None] == metrics_2LB[:, None]) & (order.reshape(1, -1, 1) < order)
    )
    rank = before.sum(axis=1)
    slot = rank[None] == jnp.arange(candidates // 2)[:, None, None]
    return jnp.where(slot, order.reshape(1, -1, 1), 0).sum(axis=1), jnp.where(
        slot, metrics_2LB[None], 0
    ).sum(axis=1)


class _Walk(NamedTuple):
    """What changes while the code tree is walked. A path is a column, `path * batch + block`.

    alpha:    log-likelihood ratios of the nodes on the way to the current one, level by level; the
              last level is the elements.
    alpha_at: `[depth + 1, columns]` in which column of its level a path's ratios lie.
    beta:     `[N, columns]` bits decided, transformed back as far as the nodes are done.
    beta_at:  as alpha_at, of the bits of the left one of two nodes.
    metric:   `[columns]` what the path's bits cost.
    """

    alpha: Array
    alpha_at: Array
    beta: Array
    beta_at: Array
    metric: Array


class _Tree:
    """The code tree of a batch of blocks: its sizes, and the steps from node to node."""

    def __init__(self, llr_NB: Array, u_NB: Array, list_size: int):
        self.length, self.batch = llr_NB.shape
        self.depth = self.length.bit_length() - 1
        self.list_size, self.columns = list_size, list_size * self.batch
        self.height = max(8, min(128, _CHUNK_SIZE // (1 << (self.columns - 1).bit_length())))
        self.own = jnp.arange(self.columns)
        self.rows = jnp.arange(self.height)[:, None]
        sizes = [max(self.height, 1 << level) for level in range(self.depth + 1)]
        self.offsets = jnp.asarray(np.concatenate([[0], np.cumsum(sizes)[:-1]]), jnp.int32)
        self.above = sum(sizes[:-1])

        # known[s]: what the bits of a node of size 2**s add up to, were they all given.
        known = [u_NB]
        for level in range(self.depth):
            pairs = known[-1].reshape(-1, 2, 1 << level, self.batch)
            sums = jnp.stack([pairs[:, 0] ^ pairs[:, 1], pairs[:, 1]], axis=1)
            known.append(sums.reshape(self.length, self.batch))
        self.known = jnp.pad(jnp.stack(known), ((0, 0), (0, self.height), (0, 0)))

    def start(self, llr_NB: Array) -> _Walk:
        """One path per block; the others cost more than any."""
        elements = jnp.tile(llr_NB, (1, self.list_size))
        alpha = jnp.concatenate([jnp.zeros((self.above, self.columns)), elements], axis=0)
        pointers = jnp.tile(self.own, (self.depth + 1, 1))
        return _Walk(
            alpha=jnp.pad(alpha, ((0, 2 * self.height), (0, 0))),
            alpha_at=pointers,
            beta=jnp.zeros((self.length + 2 * self.height, self.columns), jnp.uint8),
            beta_at=pointers,
            metric=jnp.where(self.own < self.batch, 0.0, 1e30).astype(jnp.float32),
        )

    def read(self, array, start, pointers=None):
        chunk = lax.dynamic_slice_in_dim(array, start, self.height, axis=0)
        return chunk if pointers is None else jnp.take(chunk, pointers, axis=1, mode="clip")

    def write(self, array, chunk, start):
        return lax.dynamic_update_slice_in_dim(array, chunk, start, axis=0)

    def chunks_of(self, level):
        return ((1 << level) + self.height - 1) // self.height

    def in_chunks(self, count, function, carry):
        return lax.fori_loop(0, count, lambda i, carry: function(i * self.height, carry), carry)

    def descend(self, start, turn, level, walk: _Walk) -> _Walk:
        """Ratios of the node at `start`, from those `turn - level + 1` levels above it."""

        def one_level(i, carry):
            alpha, alpha_at = carry
            below = turn - i
            parent, child = self.offsets[below + 1], self.offsets[below]
            right = (start > 0) & (i == 0)
            pointers, left_pointers = alpha_at[below + 1], walk.beta_at[below]

            def part(row, alpha):
                a = self.read(alpha, parent + row, pointers)
                b = self.read(alpha, parent + (1 << below) + row, pointers)

                def after_left(a, b):
                    left = jnp.maximum(start - (1 << below), 0)
                    bits = self.read(walk.beta, left + row, left_pointers)
                    return jnp.where(bits != 0, b - a, b + a)

                return self.write(alpha, lax.cond(right, after_left, _box_plus, a, b), child + row)

            alpha = self.in_chunks(self.chunks_of(below), part, alpha)
            return alpha, alpha_at.at[below].set(self.own)

        carry = walk.alpha, walk.alpha_at
        alpha, alpha_at = lax.fori_loop(0, turn - level + 1, one_level, carry)
        return walk._replace(alpha=alpha, alpha_at=alpha_at)

    def settle(self, start, level, carrying, walk: _Walk) -> tuple[_Walk, Array, Array]:
        """Bits of a node and what they cost; and where its element is least certain, and how much,
        which is what a fork would change.
        """

        def part(row, carry):
            beta, metric, least, where = carry
            a = self.read(walk.alpha, self.offsets[level] + row)
            inside = row + self.rows < (1 << level)
            at = (level, start + row, 0)
            given = lax.dynamic_slice(self.known, at, (1, self.height, self.batch))[0]
            given = jnp.tile(given, (1, self.list_size))
            bits = jnp.where(carrying, given, (a < 0).astype(jnp.uint8))
            signed = jnp.where(bits != 0, a, -a)
            loss = jnp.maximum(signed, 0) + jnp.log1p(jnp.exp(-jnp.abs(a)))
            metric = metric + jnp.where(inside, loss, 0).sum(axis=0)
            size = jnp.where(inside, jnp.abs(a), 1e30)
            here = size.min(axis=0)
            where = jnp.where(here < least, row + size.argmin(axis=0).astype(jnp.int32), where)
            return self.write(beta, bits, start + row), metric, jnp.minimum(here, least), where

        nowhere = jnp.full(self.columns, 1e30), jnp.zeros(self.columns, jnp.int32)
        beta, metric, least, where = self.in_chunks(
            self.chunks_of(level), part, (walk.beta, walk.metric, *nowhere)
        )
        metric -= jnp.tile(metric.reshape(self.list_size, self.batch).min(axis=0), self.list_size)
        return walk._replace(beta=beta, metric=metric), least, where

    def fork(self, start, level, carrying, walk: _Walk, least, where) -> _Walk:
        """Each path of a free node as it is and with its least certain element changed: the better
        half of all.
        """
        both = jnp.concatenate([walk.metric, jnp.minimum(walk.metric + least, 2e30)])
        chosen, pruned = _prune(both.reshape(2 * self.list_size, self.batch))
        parent = (chosen % self.list_size).reshape(-1) * self.batch + self.own % self.batch
        parent = jnp.where(carrying, self.own, parent)
        flipped = (chosen >= self.list_size).reshape(1, -1)
        place = where[parent][None]

        def part(row, beta):
            bits = self.read(beta, start + row, parent)
            rows = row + self.rows
            bits ^= ((rows == place) & flipped & (rows < (1 << level))).astype(jnp.uint8)
            return self.write(beta, bits, start + row)

        count = jnp.where(carrying, 0, self.chunks_of(level))
        return walk._replace(
            alpha_at=walk.alpha_at[:, parent],
            beta_at=walk.beta_at[:, parent],
            beta=self.in_chunks(count, part, walk.beta),
            metric=jnp.where(carrying, walk.metric, pruned.reshape(-1)),
        )

    def ascend(self, start, level, walk: _Walk) -> _Walk:
        """Joins nodes with those to their left, as long as they are the right one of two."""

        def is_right(carry):
            level = carry[0]
            return ((start >> level) & 1 == 1) & (level < self.depth)

        def join(carry):
            level, beta = carry
            left = (start >> level << level) - (1 << level)
            pointers = walk.beta_at[level]

            def part(row, beta):
                kept = self.read(beta, left + row)
                bits = jnp.take(kept, pointers, axis=1, mode="clip")
                bits ^= self.read(beta, left + (1 << level) + row)
                inside = row + self.rows < (1 << level)
                return self.write(beta, jnp.where(inside, bits, kept), left + row)

            return level + 1, self.in_chunks(self.chunks_of(level), part, beta)

        level, beta = lax.while_loop(is_right, join, (level, walk.beta))
        beta_at = walk.beta_at.at[jnp.minimum(level, self.depth)].set(self.own)
        return walk._replace(beta=beta, beta_at=beta_at)


@functools.partial(jax.jit, static_argnames=("list_size",))
def _decode(
    llr_NB: Array,
    u_NB: Array,
    levels: Array,
    starts: Array,
    carries: Array,
    count: Array,
    *,
    list_size: int,
) -> Array:
    """The likeliest of the element bits found whose transform carries the message (Li et al. 2020,
    Sec. IV).

    Args:
      llr_NB: `[N, B]` log of the probability of bit 0 over that of bit 1.
      u_NB: `[N, B]` uint8 message bits at their positions, 0 elsewhere.
      levels: log2 of the sizes of the nodes in decoding order.
      starts: their first bits.
      carries: whether they carry message.
      count: number of nodes.
      list_size: number of paths.

    Returns:
      `[N, B]` uint8 element bits.
    """
    tree = _Tree(llr_NB, u_NB, list_size)

    def node(j, walk):
        level, start, carrying = levels[j], starts[j], carries[j]
        trailing_zeros = lax.population_count((start & -start) - 1)
        turn = jnp.where(start > 0, trailing_zeros, tree.depth - 1)
        walk = tree.descend(start, turn, level, walk)
        walk, least, where = tree.settle(start, level, carrying, walk)
        if list_size > 1:
            walk = tree.fork(start, level, carrying, walk, least, where)
        return tree.ascend(start, level, walk)

    walk = lax.fori_loop(0, count, node, tree.start(llr_NB))
    best = jnp.argmin(walk.metric.reshape(list_size, tree.batch), axis=0)
    return walk.beta[: tree.length, best * tree.batch + jnp.arange(tree.batch)]


def likeliest(
    llr_BN: np.ndarray, u_BN: np.ndarray, given_N: np.ndarray, *, list_size: int
) -> np.ndarray:
    """The likeliest words found whose transform has given bits at given positions (Li et al. 2020,
    Sec. IV).

    Args:
      llr_BN: `[B, N]` float32 log of the probability of bit 0 over that of bit 1, N a power of two.
      u_BN: `[B, N]` uint8 bits of the transform at the given positions, 0 elsewhere.
      given_N: `[N]` bool, which positions are given.
      list_size: number of paths, 1..32.

    Returns:
      `[B, N]` uint8 words.
    """
    count, log_length = len(llr_BN), llr_BN.shape[1].bit_length() - 1
    levels, starts = _nodes(given_N)
    # Compiled for few numbers of nodes; those beyond the last are not visited.
    room = max(_LEAST_NODES, 1 << (levels.size - 1).bit_length())
    program = (levels.astype(np.int32), starts.astype(np.int32), given_N[starts])
    program = [np.pad(column, (0, room - levels.size)) for column in program]
    lanes = max(1, min(_MOST_COLUMNS, _MOST_ELEMENTS >> log_length) // list_size)
    words = []
    for first in range(0, count, lanes):
        part = slice(first, first + lanes)
        missing = min(lanes, 1 << (min(lanes, count) - 1).bit_length()) - llr_BN[part].shape[0]
        given = [np.pad(x[part], ((0, missing), (0, 0)), mode="edge").T for x in (llr_BN, u_BN)]
        decoded: Any = _decode(*given, *program, levels.size, list_size=list_size)
        words.append(np.asarray(decoded).T[: lanes - missing])
    return np.concatenate(words)[:count]


def _layout(length: int, message_length: int) -> tuple[int, int, int, int]:
    """Blocks, log2 of their length, elements used in each and message bits of each; the last
    message bits may be padding.
    """
    blocks, log_length = block_shape(length)
    used, carried = length // blocks, -(-message_length // blocks)
    if carried > used:
        raise InputError(
            f"{message_length} bits do not fit in {length} elements: at most {used * blocks} bits "
            "would fit"
        )
    return blocks, log_length, used, carried


def _attempt(
    bits_BN: np.ndarray, rho_BN: np.ndarray, message_BM: np.ndarray, list_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stego bits, and which covers had forbidden elements changed, or padding, without which the
    message does not come back.
    """
    batch, length = bits_BN.shape
    message_length = message_BM.shape[1]
    blocks, log_length, used, carried = _layout(length, message_length)
    wet = rho_BN >= WET_COST
    scale = optimal_lambda(rho_BN, np.full_like(rho_BN, WET_COST), message_length)[0][:, None]
    ratio = np.minimum(scale * np.minimum(rho_BN, WET_COST), _DRY_RATIO).astype(np.float32)
    ratio = np.where(wet, _WET_RATIO, ratio) * np.where(bits_BN == 1, -1, 1)

    size = 1 << log_length
    llr = np.full((batch * blocks, size), _WET_RATIO, np.float32)
    llr[:, :used] = ratio[:, : blocks * used].reshape(batch * blocks, used)
    positions = message_positions(log_length, used, carried)
    padded = np.pad(message_BM, ((0, 0), (0, blocks * carried - message_length)))
    u = np.zeros((batch * blocks, size), np.uint8)
    u[:, positions] = padded.reshape(batch * blocks, carried)
    carries = np.zeros(size, bool)
    carries[positions] = True
    y = likeliest(llr, u, carries, list_size=list_size)
    stego = bits_BN.copy()
    stego[:, : blocks * used] = y[:, :used].reshape(batch, blocks * used)
    padding = y[:, used:].reshape(batch, -1).any(axis=1)
    return stego, ((stego != bits_BN) & wet).any(axis=1) | padding


def embed(
    cover_N: np.ndarray, rho_N: np.ndarray, message_M: np.ndarray, *, list_size: int = 4
) -> np.ndarray:
    """Changes a cover's bits so that they carry a message, at nearly the least total cost (Li et
    al. 2020, Sec. IV).

    Args:
      cover_N: `[N]` or `[B, N]` bits, 0 or 1, already in the key's order.
      rho_N: the cost of changing each, at least 0; `WET_COST` or more (infinity too) forbids the
        change.
      message_M: `[M]` or `[B, M]` bits.
      list_size: paths kept by the decoder, 1..32; time and memory grow with it, the distortion
        falls slowly.

    Returns:
      The stego bits, uint8, shaped like the cover. Forbidden elements are as in the cover.

    Raises:
      InputError: if the costs or bits are not such, or if the message does not fit; it says how
        many bits would.
    """
    bits, message = np.asarray(cover_N, np.uint8), np.asarray(message_M, np.uint8)
    rho = np.asarray(rho_N, np.float32)
    check_vectors(bits, rho, message)
    if not 1 <= list_size <= 32:
        raise InputError(f"the list holds 1..32 paths: {list_size} given")
    message_length = message.shape[-1]
    if message_length == 0:
        return bits.copy()
    covers, costs = (x.reshape(-1, bits.shape[-1]) for x in (bits, rho))
    messages = message.reshape(-1, message_length)
    _layout(bits.shape[-1], message_length)
    room = min(message_length, int((costs < WET_COST).sum(axis=1).min()))
    if room == message_length:
        stego, violated = _attempt(covers, costs, messages, list_size)
        if not violated.any():
            return stego.reshape(bits.shape)

    def fitting() -> int:
        low, high = 0, room
        for _ in range(_ATTEMPTS):
            middle = (low + high + 1) // 2
            violated = middle and _attempt(covers, costs, messages[:, :middle], list_size)[1].any()
            low, high = (low, middle) if violated else (middle, high)
        return low

    raise NoRoom(message_length, fitting)


def extract(stego_N: np.ndarray, *, message_length: int) -> np.ndarray:
    """Reads the message that `embed` put in.

    Args:
      stego_N: `[..., N]` bits, in the key's order.
      message_length: number of message bits M.

    Returns:
      `[..., M]` uint8 bits.

    Raises:
      InputError: if the message is longer than the vector.
    """
    if message_length == 0:
        return stego_N[..., :0].astype(np.uint8)
    blocks, log_length, used, carried = _layout(stego_N.shape[-1], message_length)
    parts = (
        stego_N[..., : blocks * used].reshape(*stego_N.shape[:-1], blocks, used).astype(np.uint8)
    )
    filled = np.concatenate(
        [parts, np.zeros((*parts.shape[:-1], (1 << log_length) - used), np.uint8)], axis=-1
    )
    message = transform(filled)[..., message_positions(log_length, used, carried)]
    return message.reshape(*stego_N.shape[:-1], blocks * carried)[..., :message_length]
