"""Phased embedding: every cost-based scheme as one loop over disjoint parts of the cover.

A recipe says how the elements fall into lattices and in which order these are visited. A visit
takes back what its lattice carried before, finds the costs given all modifications so far, and lets
the code put the lattice's share of the message into it. Plain embedding is one lattice and one
visit; CMD visits four interleaved lattices with costs that favour the neighbours' directions; Synch
goes over two checkerboard lattices several times. The receiver needs the order of the elements,
which stands for the key, and the lengths, never the costs.

Covers are planes `[..., H, W]` of whole pixel values 0..255 that make up one picture (`[C, H, W]`:
lattices, neighbours and costs stay within a plane); modifications are -1, 0 or 1 per element. An
order is a permutation of all or some of the elements of the flattened cover; elements that it
leaves out carry nothing.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from stegojax import probabilities
from stegojax.coding import ternary
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.recipes import RECIPES, CostFunction, Recipe, Visit, masks, no_adjustment
from stegojax.types import WET_COST, Array, Costs, Domain, Key

__all__ = [
    "DEFAULT_SCHEME",
    "RECIPES",
    "CostFunction",
    "Recipe",
    "Scheme",
    "Simulated",
    "Visit",
    "capacity",
    "carriers",
    "costs_after",
    "embed",
    "embed_many",
    "first_costs",
    "masks",
    "no_adjustment",
    "parse_scheme",
    "reveal",
    "shares",
    "simulate",
    "simulate_visits",
]


class Scheme(NamedTuple):
    """A cost function with a recipe that belongs to it, under a name for logs: what a trained run
    embeds with.
    """

    name: str
    cost: CostFunction
    recipe: Recipe


DEFAULT_SCHEME = "hill-cmd"


def parse_scheme(text: str, *, domain: Domain = PIXELS) -> Scheme:
    """The scheme that a name stands for.

    Args:
      text: COST or COST-RECIPE, such as "hill" or "hill-cmd"; the recipe is "plain" by default.
      domain: whose costs and recipes the names are.

    Returns:
      The scheme, under this name.

    Raises:
      InputError: there is no such cost or recipe; the message lists those that there are.
    """
    cost, dash, recipe = str(text).partition("-")
    recipe = recipe if dash else "plain"
    if cost not in domain.costs or recipe not in domain.recipes:
        raise InputError(
            f"scheme {text!r} is unknown; write COST or COST-RECIPE with a cost of "
            f"{', '.join(domain.costs)} and a recipe of {', '.join(domain.recipes)}"
        )
    return Scheme(str(text), domain.costs[cost], domain.recipes[recipe])


class Simulated(NamedTuple):
    """What a simulated embedding did, arrays of the cover's shape.

    modifications: in {-1, 0, 1}, float32.
    lattices:      the lattice of every element.
    before:        for every visit the modifications that it found, 0 in its own lattice.
    costs:         for every visit what its rule gave for all elements.
    """

    modifications: Array
    lattices: Array
    before: tuple[Array, ...]
    costs: tuple[Costs, ...]


def carriers(order_N: np.ndarray, shape: tuple[int, ...], *, recipe: Recipe) -> list[np.ndarray]:
    """The elements of every lattice, in the order in which they carry its share of the message.

    Args:
      order_N: `[N]` distinct positions in the flattened cover.
      shape: of the cover, `[..., H, W]`.
      recipe: the scheme.

    Returns:
      One vector of positions per lattice; together they are the order, but for what the recipe's
      grain cuts off.

    Raises:
      InputError: the order names elements that the cover does not have.
    """
    order = np.asarray(order_N)
    size = math.prod(shape)
    if (
        order.ndim != 1
        or len(shape) < 2
        or order.size > size
        or (order.size and not 0 <= order.min() <= order.max() < size)
    ):
        raise InputError(
            f"an order names elements of the cover {shape}; got {order.size} positions that do "
            "not fit"
        )
    if recipe.lattices == 1:
        return [order]
    rank = np.zeros(size, np.int64)
    rank[order] = np.arange(order.size)
    lattices = np.broadcast_to(
        recipe.partition(rank.reshape(shape), max(order.size, 1)), shape
    ).ravel()[order]
    parts = [order[lattices == lattice] for lattice in range(recipe.lattices)]
    unit = max(1, size // recipe.grain) if recipe.grain else 1
    return [part[: part.size // unit * unit] for part in parts]


def shares(
    order_N: np.ndarray, shape: tuple[int, ...], message_length: int, *, recipe: Recipe
) -> list[int]:
    """How many message bits each lattice carries: in proportion to its elements, by the lengths
    alone.

    Args:
      order_N: `[N]` positions.
      shape: of the cover.
      message_length: number of message bits M.
      recipe: the scheme.

    Returns:
      One number per lattice; their sum is M.

    Raises:
      InputError: as `carriers`.
    """
    return _shares([part.size for part in carriers(order_N, shape, recipe=recipe)], message_length)


def first_costs(
    cover: np.ndarray, *, cost: CostFunction, recipe: Recipe, wet: np.ndarray | None = None
) -> Costs:
    """The costs that the first visit sees.

    Args:
      cover: `[..., H, W]` whole values.
      cost: the cost function.
      recipe: the scheme.
      wet: as for `embed`.

    Returns:
      Costs, NumPy float32 of the cover's shape.

    Raises:
      InputError: the values are none of a cover.
    """
    cover = _checked_cover(cover)
    return _costs(cover, np.zeros_like(cover), wet, recipe.visits[0].adjust, cost)


def capacity(order_N: np.ndarray, costs: Costs, *, recipe: Recipe) -> int:
    """The most bits that any code could hide: no lattice's share exceeds log2 of its elements'
    allowed choices.

    Args:
      order_N: `[N]` positions.
      costs: those of the first visit, of the cover's shape (`first_costs`).
      recipe: the scheme.

    Returns:
      Bits. Real codes come to two thirds of it and more.

    Raises:
      InputError: as `carriers`.
    """
    choices = sum((rho < WET_COST).astype(np.int64) for rho in costs).ravel()
    parts = carriers(order_N, costs.plus.shape, recipe=recipe)
    used = sum(part.size for part in parts)
    bits = [
        np.log2(1.0 + np.arange(3))[choices[part]].sum() * used / part.size
        for part in parts
        if part.size
    ]
    return int(min(bits, default=0))


def costs_after(
    cover: np.ndarray,
    modifications: np.ndarray,
    *,
    cost: CostFunction,
    recipe: Recipe,
    wet: np.ndarray | None = None,
) -> Costs:
    """The costs that one more visit would see.

    Args:
      cover: `[..., H, W]` whole values.
      modifications: same shape, -1, 0 or 1.
      cost: the cost function.
      recipe: the scheme; its last visit's rule is applied.
      wet: as for `embed`.

    Returns:
      Costs, NumPy float32 of the cover's shape. They hold for elements that are not modified yet.

    Raises:
      InputError: shapes differ.
    """
    cover = _checked_cover(cover)
    if np.shape(modifications) != cover.shape:
        raise InputError(
            f"cover {cover.shape} and modifications {np.shape(modifications)} must have the same "
            "shape"
        )
    return _costs(cover, np.asarray(modifications, np.float32), wet, recipe.visits[-1].adjust, cost)


def embed(
    order_N: np.ndarray,
    cover: np.ndarray,
    message_M: np.ndarray,
    *,
    cost: CostFunction,
    recipe: Recipe,
    code: ternary.Code,
    wet: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """Hides a message in a cover, phase by phase, with a real code.

    Args:
      order_N: `[N]` distinct positions in the flattened cover: the key.
      cover: `[..., H, W]` whole values 0..255.
      message_M: `[M]` bits.
      cost: plane -> Costs, from `stegojax.costs.COSTS` or alike; it is compiled, and must not
        depend on anything but its input.
      recipe: the scheme, from `RECIPES` or alike.
      code: the code of both layers.
      wet: bool, the cover's shape: elements that must not change; by default those alone that cost
        `WET_COST`.

    Returns:
      Modifications, int8 of the cover's shape, and per lattice the bits in the upper and the lower
      layer, for `reveal`.

    Raises:
      InputError: the arguments do not fit together, or the message does not fit in the cover.
    """
    cover, message = _checked_cover(cover), np.asarray(message_M, np.uint8)
    if message.ndim != 1:
        raise InputError(f"a message is one vector of bits; got shape {message.shape}")
    modifications, lengths = embed_many(
        np.asarray(order_N)[None],
        cover[None],
        message[None],
        cost=cost,
        recipe=recipe,
        code=code,
        wet=None if wet is None else wet[None],
    )
    return modifications[0], lengths[0]


def embed_many(
    orders_BN: np.ndarray,
    covers: np.ndarray,
    messages_BM: np.ndarray,
    *,
    cost: CostFunction,
    recipe: Recipe,
    code: ternary.Code,
    wet: np.ndarray | None = None,
    first: Costs | None = None,
) -> tuple[np.ndarray, list[tuple[tuple[int, int], ...]]]:
    """Hides messages of one length in covers of one shape, together: costs, lambdas and trellises
    run side by side.

    Args:
      orders_BN: `[B, N]`, for each cover distinct positions in it, flattened.
      covers: `[B, ..., H, W]` whole values 0..255.
      messages_BM: `[B, M]` bits.
      cost, recipe, code: as for `embed`.
      wet: bool, the covers' shape; as for `embed`.
      first: what `first_costs` gives for the covers, where it is known already.

    Returns:
      Modifications, int8 of the covers' shape, and for every cover the lengths that `embed`
      returns. Where lattices of the covers are of one size, their bits are split between the two
      layers as is best on average.

    Raises:
      InputError: as `embed`; one message that does not fit fails all.
    """
    covers, messages, orders = (
        _checked_cover(covers),
        np.asarray(messages_BM, np.uint8),
        np.asarray(orders_BN),
    )
    if (
        covers.ndim < 3
        or messages.ndim != 2
        or orders.ndim != 2
        or not len(covers) == len(messages) == len(orders)
    ):
        raise InputError(
            "every cover needs an order and a message: orders, covers and messages of shapes "
            f"{orders.shape}, {covers.shape} and {messages.shape} given"
        )
    parts = [carriers(order, covers.shape[1:], recipe=recipe) for order in orders]
    ends = [
        np.cumsum(_shares([part.size for part in lattices], messages.shape[1]))
        for lattices in parts
    ]
    values = covers.reshape(len(covers), -1)
    modifications = np.zeros_like(values)
    lengths = [[(0, 0)] * recipe.lattices for _ in covers]
    for number, (lattice, adjust) in enumerate(recipe.visits):
        for row, lattices in enumerate(parts):
            modifications[row, lattices[lattice]] = 0
        if number == 0 and first is not None:
            costs = first
        else:
            costs = _costs(covers, modifications.reshape(covers.shape), wet, adjust, cost)
        flat = [rho.reshape(values.shape) for rho in costs]
        alike: dict[tuple[int, int, int], list[int]] = {}
        for row, lattices in enumerate(parts):
            begin, end = ends[row][lattice - 1] if lattice else 0, ends[row][lattice]
            if end > begin:
                alike.setdefault((lattices[lattice].size, int(begin), int(end)), []).append(row)
        for (_, begin, end), rows in alike.items():
            at = np.asarray(rows)[:, None], np.stack([parts[row][lattice] for row in rows])
            stego, split = ternary.embed(
                values[at], Costs(*(rho[at] for rho in flat)), messages[rows, begin:end], code=code
            )
            modifications[at] = stego - values[at]
            for row in rows:
                lengths[row][lattice] = split
    return modifications.astype(np.int8).reshape(covers.shape), [tuple(pairs) for pairs in lengths]


def reveal(
    order_N: np.ndarray,
    stego: np.ndarray,
    lengths: tuple[tuple[int, int], ...],
    *,
    recipe: Recipe,
    code: ternary.Code,
    order: str = "strided",
) -> np.ndarray:
    """Reads the message that `embed` hid; one function for all schemes and costs.

    Args:
      order_N: `[N]` positions, as given to `embed`.
      stego: `[..., H, W]` whole values 0..255.
      lengths: per lattice the bits in the upper and the lower layer.
      recipe: the scheme; only its partition and grain matter.
      code: the code of both layers.
      order: how the two layers take the elements, see `ternary.ORDERS`.

    Returns:
      `[M]` uint8 bits.

    Raises:
      InputError: the lengths cannot be those of a message in this stego.
    """
    stego = np.asarray(stego)
    if len(lengths) != recipe.lattices:
        raise InputError(
            f"this scheme has {recipe.lattices} lattices; lengths of {len(lengths)} given"
        )
    parts = carriers(order_N, stego.shape, recipe=recipe)
    values = stego.ravel()
    if any(
        min(pair) < 0 or max(pair) > part.size for part, pair in zip(parts, lengths, strict=True)
    ):
        raise InputError("the lengths are larger than the stego: another key or another picture")
    found = [
        ternary.extract(values[part], tuple(pair), code=code, order=order)
        for part, pair in zip(parts, lengths)
        if any(pair)
    ]
    return np.concatenate([np.zeros(0, np.uint8), *found])


def simulate_visits(
    key: Key, cover: Array, payload: float | Array, *, cost: CostFunction, recipe: Recipe
) -> Simulated:
    """`simulate`, not compiled, with what every visit saw; a recipe's rules may hold arrays that
    are being traced.

    Args:
      key, cover, payload, cost, recipe: as for `simulate`.

    Returns:
      The modifications, and what every visit saw.

    Raises:
      InputError: the cover has fewer than two axes.
    """
    if cover.ndim < 2:
        raise InputError(f"a cover is [..., H, W]; got shape {cover.shape}")
    planes, count = cover.shape[:-2], math.prod(cover.shape[-2:])
    noise = jax.random.uniform(jax.random.fold_in(key, len(recipe.visits)), (*planes, count))
    rank = jnp.argsort(jnp.argsort(noise, axis=-1), axis=-1).reshape(cover.shape)
    lattices = jnp.broadcast_to(recipe.partition(rank, count), cover.shape)
    modifications, before, seen = jnp.zeros_like(cover), [], []
    for number, (lattice, adjust) in enumerate(recipe.visits):
        inside = lattices == lattice
        modifications = jnp.where(inside, 0.0, modifications)
        costs = adjust(cost, cover, modifications)
        before.append(modifications)
        seen.append(costs)
        costs = Costs(*(jnp.where(inside, rho, WET_COST) for rho in costs))
        share = jnp.broadcast_to(jnp.asarray(payload, jnp.float32), planes) * inside.mean(
            axis=(-2, -1)
        )
        chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, share))
        modifications += probabilities.simulate(jax.random.fold_in(key, number), chances)
    return Simulated(modifications, lattices, tuple(before), tuple(seen))


@functools.partial(jax.jit, static_argnames=("cost", "recipe"))
def simulate(
    key: Key, cover: Array, payload: float | Array, *, cost: CostFunction, recipe: Recipe
) -> Array:
    """Draws the modifications of an optimal sender, phase by phase: what `embed` does, with the
    best code there could be.

    Args:
      key: PRNG key: the draws, and the masks where a recipe's are random.
      cover: `[..., H, W]` float32 whole values 0..255; every plane is a cover of its own.
      payload: bits per plane, a number or an array of shape `[...]`. As this is compiled nothing is
        raised: run `probabilities.check_payload` on the costs where the payload may exceed the
          capacity.
      cost: plane -> Costs.
      recipe: the scheme.

    Returns:
      Modifications in {-1, 0, 1}, float32, shape of the cover.

    Raises:
      InputError: the cover has fewer than two axes.
    """
    return simulate_visits(key, cover, payload, cost=cost, recipe=recipe).modifications


def _shares(sizes: list[int], message_length: int) -> list[int]:
    ends = [
        message_length * sum(sizes[: number + 1]) // max(sum(sizes), 1)
        for number in range(len(sizes))
    ]
    return [end - begin for begin, end in zip([0, *ends], ends)]


def _checked_cover(cover: np.ndarray) -> np.ndarray:
    values = np.asarray(cover)
    if values.ndim < 2 or values.size == 0:
        raise InputError(
            f"a cover is [..., H, W] with at least one element; got shape {values.shape}"
        )
    if (
        values.min() < 0
        or values.max() > 255
        or (values.dtype.kind == "f" and (values != np.round(values)).any())
    ):
        raise InputError("a cover has whole values 0..255: others given")
    return values.astype(np.float32)


@jax.jit
def _adjusted(adjust, cost, cover, modifications):
    return adjust(cost, cover, modifications)


def _as_argument(function):
    """A function as a tree: compiled once, with the arrays it holds (a `Partial`'s) as arguments
    and not as constants.
    """
    return function if isinstance(function, Partial) else Partial(function)


def _costs(cover, modifications, wet, adjust, cost) -> Costs:
    costs = [
        np.asarray(rho)
        for rho in _adjusted(_as_argument(adjust), _as_argument(cost), cover, modifications)
    ]
    if wet is not None:
        if wet.shape != cover.shape:
            raise InputError(
                f"cover {cover.shape} and wet elements {wet.shape} must have the same shape"
            )
        costs = [np.where(wet, np.float32(WET_COST), rho) for rho in costs]
    return Costs(*costs)
