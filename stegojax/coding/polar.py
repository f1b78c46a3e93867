"""Steganographic polar codes with successive cancellation list decoding (Li, Zhang, Li, Zhou, Yu,
IEEE Trans. Commun. 2020).

The polar transform u = y G turns element bits y, each changed with its optimal probability at the
payload, into bits u of which about m are nearly uniform given those before them. These carry the
message; the decoder fills in the rest so that y is likely, that is, cheap. Reading is one transform
and needs no cost.

A vector is cut into blocks of equal length, each filled up to a power of two with known zeros; the
blocks are decoded side by
side. The decoder walks the nodes of the code tree: a node whose bits all carry message is settled
  at once, one whose bits are
all free takes the likelier sign of every element, and each path of the list also tries the other
sign of the least certain one. Paths are columns of the arrays; when the list is pruned only
pointers to columns move. Layout: bits uint8 {0, 1}, element vectors `[N]` or `[B, N]`, in the key's
  order; inside `[N, list * B]`.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.coding.optimum import optimal_lambda
from stegojax.coding.refusals import NoRoom, check_vectors
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array

_MAX_LOG_LENGTH = 20
_WET_RATIO = 1e4
_DRY_RATIO = 1e3
_CHUNK_SIZE = 512
_MOST_COLUMNS = 64
_MOST_ELEMENTS = 1 << 23
_ATTEMPTS = 7


def block_shape(length: int) -> tuple[int, int]:
    """How a vector is cut: as few equal blocks of at most 2**20 as will do; padding costs next to
    nothing, short blocks do.

    Args:
      length: number of elements n, at least 1.

    Returns:
      The number of blocks and log2 of their length with padding. Each holds `n // blocks` elements;
      the few left over stay as they are.
    """
    blocks = -(-length >> _MAX_LOG_LENGTH)
    return blocks, (length // blocks - 1).bit_length()


def transform(bits_N: Array) -> Array:
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
    xp = bits_N.__array_namespace__()
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
        found = np.flatnonzero(whole & ~parent)
        levels.append(np.full(found.size, level))
        starts.append(found << level)
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
      levels: log2 of the sizes of the nodes in decoding order. starts: their first bits. carries:
        whether they carry message.
      count: number of nodes.
      list_size: number of paths.

    Returns:
      `[N, B]` uint8 element bits.
    """
    length, batch = llr_NB.shape
    depth = length.bit_length() - 1
    columns = list_size * batch
    height = max(8, min(128, _CHUNK_SIZE // (1 << (columns - 1).bit_length())))
    own = jnp.arange(columns)
    block = own % batch
    rows = jnp.arange(height)[:, None]

    # known[s]: what the bits of a node of size 2**s add up to, were they all given.
    known = [u_NB]
    for level in range(depth):
        pairs = known[-1].reshape(-1, 2, 1 << level, batch)
        known.append(
            jnp.stack([pairs[:, 0] ^ pairs[:, 1], pairs[:, 1]], axis=1).reshape(length, batch)
        )
    known = jnp.pad(jnp.stack(known), ((0, 0), (0, height), (0, 0)))

    room = [max(height, 1 << level) for level in range(depth + 1)]
    offsets = jnp.asarray(np.concatenate([[0], np.cumsum(room)[:-1]]), jnp.int32)
    alpha = jnp.concatenate(
        [jnp.zeros((sum(room[:-1]), columns)), jnp.tile(llr_NB, (1, list_size))], axis=0
    )
    alpha = jnp.pad(alpha, ((0, 2 * height), (0, 0)))
    beta = jnp.zeros((length + 2 * height, columns), jnp.uint8)
    alpha_at = jnp.tile(own, (depth + 1, 1))
    beta_at = jnp.tile(own, (depth + 1, 1))
    metric = jnp.where(own < batch, 0.0, 1e30).astype(jnp.float32)

    def read(array, start, pointers=None):
        chunk = lax.dynamic_slice_in_dim(array, start, height, axis=0)
        return chunk if pointers is None else jnp.take(chunk, pointers, axis=1, mode="clip")

    def write(array, chunk, start):
        return lax.dynamic_update_slice_in_dim(array, chunk, start, axis=0)

    def blocks_of(level):
        return ((1 << level) + height - 1) // height

    def chunks(level, function, carry):
        return lax.fori_loop(0, blocks_of(level), lambda i, c: function(i * height, c), carry)

    def descend(start, turn, level, alpha, alpha_at, beta, beta_at):
        def one_level(i, carry):
            alpha, alpha_at = carry
            below = turn - i
            parent, child = offsets[below + 1], offsets[below]
            right = (start > 0) & (i == 0)
            pointers, left_pointers = alpha_at[below + 1], beta_at[below]

            def part(row, alpha):
                a, b = (
                    read(alpha, parent + row, pointers),
                    read(alpha, parent + (1 << below) + row, pointers),
                )

                def after_left(a, b):
                    bits = read(beta, jnp.maximum(start - (1 << below), 0) + row, left_pointers)
                    return jnp.where(bits != 0, b - a, b + a)

                return write(alpha, lax.cond(right, after_left, _box_plus, a, b), child + row)

            return chunks(below, part, alpha), alpha_at.at[below].set(own)

        return lax.fori_loop(0, turn - level + 1, one_level, (alpha, alpha_at))

    def settle(start, level, carrying, alpha, beta, metric):
        """Bits of a node, what they cost, and where its element is least certain, which is what a
        fork would change.
        """

        def part(row, carry):
            beta, metric, least, where = carry
            a = read(alpha, offsets[level] + row)
            inside = row + rows < (1 << level)
            given = lax.dynamic_slice(known, (level, start + row, 0), (1, height, batch))[0]
            bits = jnp.where(carrying, jnp.tile(given, (1, list_size)), (a < 0).astype(jnp.uint8))
            signed = jnp.where(bits != 0, a, -a)
            loss = jnp.maximum(signed, 0) + jnp.log1p(jnp.exp(-jnp.abs(a)))
            metric = metric + jnp.where(inside, loss, 0).sum(axis=0)
            size = jnp.where(inside, jnp.abs(a), 1e30)
            here = size.min(axis=0)
            where = jnp.where(here < least, row + size.argmin(axis=0).astype(jnp.int32), where)
            return write(beta, bits, start + row), metric, jnp.minimum(here, least), where

        return chunks(
            level, part, (beta, metric, jnp.full(columns, 1e30), jnp.zeros(columns, jnp.int32))
        )

    def fork(start, level, carrying, alpha_at, beta_at, beta, metric, least, where):
        both = jnp.concatenate([metric, jnp.minimum(metric + least, 2e30)]).reshape(
            2 * list_size, batch
        )
        chosen, pruned = _prune(both)
        parent = jnp.where(carrying, own, (chosen % list_size).reshape(-1) * batch + block)
        flipped = (chosen >= list_size).reshape(1, -1)
        place = where[parent][None]

        def part(row, beta):
            bits = read(beta, start + row, parent)
            bits ^= ((row + rows == place) & flipped & (row + rows < (1 << level))).astype(
                jnp.uint8
            )
            return write(beta, bits, start + row)

        beta = lax.fori_loop(
            0, jnp.where(carrying, 0, blocks_of(level)), lambda i, c: part(i * height, c), beta
        )
        return (
            alpha_at[:, parent],
            beta_at[:, parent],
            beta,
            jnp.where(carrying, metric, pruned.reshape(-1)),
        )

    def ascend(start, level, beta, beta_at):
        def is_right(carry):
            level = carry[0]
            return ((start >> level) & 1 == 1) & (level < depth)

        def join(carry):
            level, beta = carry
            left = (start >> level << level) - (1 << level)
            pointers = beta_at[level]

            def part(row, beta):
                kept = read(beta, left + row)
                bits = jnp.take(kept, pointers, axis=1, mode="clip") ^ read(
                    beta, left + (1 << level) + row
                )
                return write(beta, jnp.where(row + rows < (1 << level), bits, kept), left + row)

            return level + 1, chunks(level, part, beta)

        level, beta = lax.while_loop(is_right, join, (level, beta))
        return beta, beta_at.at[jnp.minimum(level, depth)].set(own)

    def node(j, carry):
        alpha, alpha_at, beta, beta_at, metric = carry
        level, start, carrying = levels[j], starts[j], carries[j]
        turn = jnp.where(start > 0, lax.population_count((start & -start) - 1), depth - 1)
        alpha, alpha_at = descend(start, turn, level, alpha, alpha_at, beta, beta_at)
        beta, metric, least, where = settle(start, level, carrying, alpha, beta, metric)
        metric -= jnp.tile(metric.reshape(list_size, batch).min(axis=0), list_size)
        if list_size > 1:
            alpha_at, beta_at, beta, metric = fork(
                start, level, carrying, alpha_at, beta_at, beta, metric, least, where
            )
        beta, beta_at = ascend(start, level, beta, beta_at)
        return alpha, alpha_at, beta, beta_at, metric

    *_, beta, _, metric = lax.fori_loop(0, count, node, (alpha, alpha_at, beta, beta_at, metric))
    best = jnp.argmin(metric.reshape(list_size, batch), axis=0) * batch + jnp.arange(batch)
    return beta[:length, best]


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
    room = max(64, 1 << (levels.size - 1).bit_length())
    program = (levels.astype(np.int32), starts.astype(np.int32), given_N[starts])
    program = [np.pad(column, (0, room - levels.size)) for column in program]
    lanes = max(1, min(_MOST_COLUMNS, _MOST_ELEMENTS >> log_length) // list_size)
    found = []
    for first in range(0, count, lanes):
        part = slice(first, first + lanes)
        missing = min(lanes, 1 << (min(lanes, count) - 1).bit_length()) - llr_BN[part].shape[0]
        given = [np.pad(x[part], ((0, missing), (0, 0)), mode="edge").T for x in (llr_BN, u_BN)]
        found.append(
            np.asarray(_decode(*given, *program, levels.size, list_size=list_size)).T[
                : lanes - missing
            ]
        )
    return np.concatenate(found)[:count]


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
    bits, rho, message = (
        np.asarray(cover_N, np.uint8),
        np.asarray(rho_N, np.float32),
        np.asarray(message_M, np.uint8),
    )
    check_vectors(bits, rho, message)
    if not 1 <= list_size <= 32:
        raise InputError(f"the list holds 1..32 paths: {list_size} given")
    message_length = message.shape[-1]
    if message_length == 0:
        return bits.copy()
    rows = (
        bits.reshape(-1, bits.shape[-1]),
        rho.reshape(-1, bits.shape[-1]),
        message.reshape(-1, message_length),
    )
    _layout(bits.shape[-1], message_length)
    room = min(message_length, int((rows[1] < WET_COST).sum(axis=1).min()))
    if room == message_length:
        stego, violated = _attempt(*rows, list_size)
        if not violated.any():
            return stego.reshape(bits.shape)

    def fitting() -> int:
        low, high = 0, room
        for _ in range(_ATTEMPTS):
            middle = (low + high + 1) // 2
            fits = (
                middle == 0
                or not _attempt(rows[0], rows[1], rows[2][:, :middle], list_size)[1].any()
            )
            low, high = (middle, high) if fits else (low, middle)
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
