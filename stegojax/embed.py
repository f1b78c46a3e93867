"""Phased embedding: every cost-based scheme as one loop over disjoint parts of the cover.

A recipe says how the elements fall into lattices and in which order these are visited. A visit
takes back what its lattice carried before, finds the costs given all modifications so far, and lets
the code put the lattice's share of the message into it. The receiver needs the carriers, the
elements of each lattice in their keyed order, and the lengths, never the costs.

A cover is a `Cover` of a `Domain`. Its elements are numbered as `Cover.flat` has them: orders,
carriers, costs and modifications are vectors of that numbering, `[N]`, or `[B, N]` of covers of one
shape. Modifications are -1, 0 or 1. Neighbours, and what a cost sees, stay within a plane.

Costs are raw and know no range. Here, and nowhere else, becomes wet what a cover freezes and what
would leave the domain's range.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from stegojax import probabilities
from stegojax.coding import ternary
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.recipes import RECIPES, CostFunction, Rank, Recipe, Visit, masks, no_adjustment
from stegojax.types import WET_COST, Array, ChangeProbabilities, Costs, Cover, Domain, Key

__all__ = [
    "DEFAULT_SCHEME",
    "RECIPES",
    "CostFunction",
    "Recipe",
    "Scheme",
    "Simulated",
    "Visit",
    "accepted",
    "bounded",
    "capacity",
    "carriers",
    "costs_after",
    "embed",
    "embed_many",
    "embed_with",
    "first_costs",
    "forbid",
    "masks",
    "no_adjustment",
    "parse_scheme",
    "reveal",
    "rule_out",
    "share_weights",
    "shares",
    "simulate",
    "simulate_visits",
    "until_accepted",
    "versions",
]

DEFAULT_SCHEME = PIXELS.scheme

HEAVIEST = 15
"""The largest weight of a lattice of a weighted recipe."""

CODED = 0.5
"""Of what any code could hide, as much as codes are trusted with."""

Lengths = tuple[tuple[int, int], ...]
"""For every lattice the message bits in the upper and in the lower layer of the code."""


class Scheme(NamedTuple):
    """A cost with a recipe, under a name for logs.

    name:   "hill-cmd", or the name of a run.
    cost:   `plane [..., H, W] -> Costs`, raw; it is compiled, and must not depend on anything but
            its input. One that holds arrays is a `jax.tree_util.Partial` of a function and these
            arrays. Where covers have a `side`, it is `(plane [H, W], *side) -> Costs`.
    recipe: from the domain's recipes, `recipes.masks` or alike.
    domain: of the covers that it is for.
    planes: how many of a cover's planes it embeds into, from the first; None for all.
    alternatives: recipes that are tried one after another where the stego of the one before is not
            accepted; where none is, that of `recipe` stays.
    accepts: `stego's planes [..., H, W] -> bool [...]`, of every plane on its own; a
            `Partial` where it holds arrays. None where any stego will do.
    """

    name: str
    cost: CostFunction
    recipe: Recipe
    domain: Domain = PIXELS
    planes: int | None = None
    alternatives: tuple[Recipe, ...] = ()
    accepts: Callable[[Array], Array] | None = None


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
    return Scheme(str(text), domain.costs[cost], domain.recipes[recipe], domain)


def versions(scheme: Scheme) -> tuple[Scheme, ...]:
    """A scheme with each of its recipes alone, in the order in which they are tried.

    Args:
      scheme: any.

    Returns:
      At least one scheme, without alternatives.
    """
    recipes_ = (scheme.recipe, *scheme.alternatives)
    return tuple(scheme._replace(recipe=r, alternatives=(), accepts=None) for r in recipes_)


def accepted(stegos: Sequence[Cover], *, scheme: Scheme) -> list[bool]:
    """Which stegos a scheme accepts: those whose planes it all accepts.

    Args:
      stegos: of any shapes.
      scheme: costs, recipes, and what accepts.

    Returns:
      One answer each.
    """
    if scheme.accepts is None:
        return [True] * len(stegos)
    accepts, answers = _as_argument(scheme.accepts), []
    for stego in stegos:
        planes = stego.planes[: scheme.planes]
        own = [_accepts(accepts, np.asarray(plane, np.float32)) for plane in planes]
        answers.append(all(map(bool, own)))
    return answers


@jax.jit
def _accepts(accepts, plane):
    return accepts(plane)


def until_accepted(
    make: Callable[[Scheme, list[int]], Sequence[Cover]], count: int, *, scheme: Scheme
) -> list[Cover]:
    """The stegos of several covers, each by the first version of a scheme whose stego is accepted,
    or by the first version where none is.

    Args:
      make: `(version, numbers of covers) -> their stegos`. Of a later version it may be given a
        number twice, so that few different counts are compiled for, and may refuse them.
      count: how many covers.
      scheme: see `Scheme.alternatives`.

    Returns:
      A stego each.

    Raises:
      InputError: the first version's.
    """
    stegos: dict[int, Cover] = {}
    left = list(range(count))
    for version in versions(scheme):
        again = left[-1:] * ((1 << (len(left) - 1).bit_length()) - len(left)) if stegos else []
        try:
            made = list(make(version, left + again))[: len(left)]
        except InputError:
            if not stegos:
                raise
            continue
        answers = accepted(made, scheme=scheme)
        for number, stego, fine in zip(left, made, answers, strict=True):
            if fine or number not in stegos:
                stegos[number] = stego
        left = [number for number, fine in zip(left, answers, strict=True) if not fine]
        if not left:
            break
    return [stegos[number] for number in range(count)]


def forbid(planes: Array, costs: Costs, *, domain: Domain = PIXELS) -> Costs:
    """Costs with every change made wet that would leave the domain's range.

    Args:
      planes: the elements, any shape.
      costs: of that shape; what is NaN becomes wet too.
      domain: of the elements.

    Returns:
      Costs of that shape, at most `WET_COST`.
    """
    return _forbid(planes, costs, domain)


def rule_out(
    planes: Array, chances: ChangeProbabilities, *, domain: Domain = PIXELS
) -> ChangeProbabilities:
    """Change probabilities with 0 for every change that would leave the domain's range: `forbid`
    for who has probabilities and no costs.

    Args:
      planes: the elements, any shape.
      chances: of that shape.
      domain: of the elements.

    Returns:
      ChangeProbabilities of that shape.
    """
    return ChangeProbabilities(
        jnp.where(planes < domain.highest, chances.plus, 0.0),
        jnp.where(planes > domain.lowest, chances.minus, 0.0),
    )


def bounded(cost: CostFunction, *, domain: Domain = PIXELS) -> CostFunction:
    """A cost function after which no change leaves the domain's range: what a rule (`Visit.adjust`)
    is given, and whoever asks for the lambda or the capacity of costs.

    Args:
      cost: raw.
      domain: of its planes.

    Returns:
      `plane [..., H, W] -> Costs`, a `jax.tree_util.Partial`.
    """
    return Partial(_Bounded(domain), _as_argument(cost))


def carriers(
    order_N: np.ndarray, shapes: Sequence[tuple[int, int]], *, recipe: Recipe, grain: int = 0
) -> list[np.ndarray]:
    """The elements of every lattice, in the order in which they carry its share of the message.

    Args:
      order_N: distinct elements of the cover: the key. Elements that it leaves out carry nothing.
      shapes: height and width of the cover's planes.
      recipe: the recipe.
      grain: lattices whose sizes depend on the order are used up to a multiple of the cover's size
        divided by this, so that under most keys they are of one size, and covers can be embedded
        into together; 0 to use all elements.

    Returns:
      One vector of elements per lattice; together they are the order, but for what the grain cuts
      off.

    Raises:
      InputError: the order names elements that the cover does not have.
    """
    order, sizes = np.asarray(order_N), [height * width for height, width in shapes]
    size = sum(sizes)
    if (
        order.ndim != 1
        or order.size > size
        or (order.size and not 0 <= order.min() <= order.max() < size)
    ):
        raise InputError(
            f"an order names elements of the cover {tuple(shapes)}; got {order.size} positions "
            "that do not fit"
        )
    if recipe.lattices == 1:
        return [order]
    place = np.zeros(size, np.int64)
    place[order] = np.arange(order.size)
    lattices = _lattices(place, max(order.size, 1), shapes, recipe)[order]
    parts = [order[lattices == lattice] for lattice in range(recipe.lattices)]
    unit = max(1, size // grain) if grain and not recipe.shares else 1
    return [part[: part.size // unit * unit] for part in parts]


def shares(
    parts: Sequence[np.ndarray], message_length: int, *, weights: Sequence[int] = ()
) -> list[int]:
    """How many message bits each lattice carries: in proportion to its elements, or to weights.

    Args:
      parts: from `carriers`.
      message_length: number of message bits M.
      weights: of the lattices, from `share_weights`; empty for their elements.

    Returns:
      One number per lattice; their sum is M.
    """
    sizes = list(weights) or [part.size for part in parts]
    ends = [
        message_length * sum(sizes[: number + 1]) // max(sum(sizes), 1)
        for number in range(len(sizes))
    ]
    return [end - begin for begin, end in zip([0, *ends], ends)]


def share_weights(
    shapes: Sequence[tuple[int, int]], costs_BN: Costs, message_length: int, *, recipe: Recipe
) -> tuple[int, ...]:
    """The weights by which lattices carry what an optimal sender would put into each.

    Args:
      shapes: height and width of the covers' planes.
      costs_BN: of covers that share the weights, from `first_costs`.
      message_length: of each cover's message, bits; where it is near to all that there is room for,
        the weights are those of the room.
      recipe: the recipe.

    Returns:
      One of every lattice, 1 to `HEAVIEST`; empty where the recipe is not weighted.
    """
    if not recipe.weighted:
        return ()
    count = sum(height * width for height, width in shapes)
    lattices = _lattices(np.zeros(count, np.int64), count, shapes, recipe)

    def by_lattice(information_N):
        return np.bincount(lattices, information_N, recipe.lattices)

    def rounded(bits):
        return np.maximum(1, np.round(HEAVIEST * bits / bits.max())).astype(int)

    plus, minus = (np.asarray(rho) < WET_COST for rho in costs_BN)
    room = by_lattice(np.log2(1.0 + plus + minus).mean(0))
    if message_length >= CODED * room.sum():
        return tuple(rounded(room).tolist())
    costs = Costs(*(jnp.asarray(rho) for rho in costs_BN))
    carried = rounded(by_lattice(np.asarray(_information(costs, message_length, axes=1)).mean(0)))
    fits = (CODED * room * carried.sum() / carried).min() >= message_length
    return tuple((carried if fits else rounded(room)).tolist())


def _information(costs, payload, *, axes):
    """What every element carries of an optimal sender's message, in bits."""
    lambda_ = probabilities.lambda_for_payload(costs, payload, axes=axes)
    return probabilities.ternary_entropy(probabilities.gibbs(costs, lambda_))


def capacity(parts: Sequence[np.ndarray], costs_N: Costs, *, weights: Sequence[int] = ()) -> int:
    """The most bits that any code could hide: no lattice's share exceeds log2 of its elements'
    allowed choices.

    Args:
      parts: from `carriers`.
      costs_N: of the cover, from `first_costs`.
      weights: as for `shares`.

    Returns:
      Bits. Real codes come to two thirds of it and more.
    """
    plus, minus = (np.asarray(rho) < WET_COST for rho in costs_N)
    choices = plus.astype(np.int64) + minus
    sizes = list(weights) or [part.size for part in parts]
    bits = [
        np.log2(1.0 + np.arange(3))[choices[part]].sum() * sum(sizes) / size
        for part, size in zip(parts, sizes, strict=True)
        if size
    ]
    return int(min(bits, default=0))


def first_costs(covers: Sequence[Cover], *, scheme: Scheme, domain: Domain = PIXELS) -> Costs:
    """The costs that the first visit sees.

    Args:
      covers: of one shape.
      scheme: costs and recipe.
      domain: of the covers.

    Returns:
      Costs `[B, N]`, NumPy float32.

    Raises:
      InputError: the covers differ in shape or are none of the domain.
    """
    stack = _stacked(covers, domain, scheme.planes)
    return _costs(stack, _unchanged(stack), scheme.recipe.visits[0].adjust, scheme.cost, domain)


def costs_after(
    covers: Sequence[Cover],
    modifications_BN: np.ndarray,
    *,
    scheme: Scheme,
    domain: Domain = PIXELS,
) -> Costs:
    """The costs that one more visit would see.

    Args:
      covers: of one shape.
      modifications_BN: -1, 0 or 1.
      scheme: costs and recipe; its last visit's rule is applied.
      domain: of the covers.

    Returns:
      Costs `[B, N]`, NumPy float32. They hold for elements that are not modified yet.

    Raises:
      InputError: shapes differ, or the covers are none of the domain.
    """
    stack = _stacked(covers, domain, scheme.planes)
    modifications = np.asarray(modifications_BN, np.float32)
    if modifications.shape != stack.values.shape:
        raise InputError(
            f"covers of {stack.values.shape} elements and modifications {modifications.shape} must "
            "have the same shape"
        )
    return _costs(stack, modifications, scheme.recipe.visits[-1].adjust, scheme.cost, domain)


def embed(
    parts: Sequence[np.ndarray],
    cover: Cover,
    message_M: np.ndarray,
    *,
    scheme: Scheme,
    code: ternary.Code,
    domain: Domain = PIXELS,
) -> tuple[np.ndarray, Lengths]:
    """Hides a message in a cover, phase by phase, with a real code.

    Args:
      parts: the elements of every lattice, from `carriers`.
      cover: the cover.
      message_M: bits.
      scheme: costs and recipe.
      code: the code of both layers.
      domain: of the cover.

    Returns:
      Modifications `[N]`, int8, and the lengths that `reveal` needs.

    Raises:
      InputError: the arguments do not fit together, or the message does not fit in the cover.
    """
    message = np.asarray(message_M, np.uint8)
    if message.ndim != 1:
        raise InputError(f"a message is one vector of bits; got shape {message.shape}")
    modifications, lengths = embed_many(
        [parts], [cover], message[None], scheme=scheme, code=code, domain=domain
    )
    return modifications[0], lengths[0]


def embed_many(
    parts_B: Sequence[Sequence[np.ndarray]],
    covers: Sequence[Cover],
    messages_BM: np.ndarray,
    *,
    scheme: Scheme,
    code: ternary.Code,
    domain: Domain = PIXELS,
    first: Costs | None = None,
    weights: Sequence[int] = (),
) -> tuple[np.ndarray, list[Lengths]]:
    """Hides messages of one length in covers of one shape, together: costs, lambdas and trellises
    run side by side.

    Args:
      parts_B: for each cover the elements of every lattice, from `carriers`.
      covers: of one shape.
      messages_BM: bits.
      scheme, code, domain: as for `embed`.
      first: what `first_costs` gives, where it is known already.
      weights: of weighted recipes, `share_weights` where they are known already.

    Returns:
      Modifications `[B, N]`, int8, and for every cover its lengths. Where lattices of the covers
      are of one size, their bits are split between the two layers as is best on average.

    Raises:
      InputError: as `embed`; one message that does not fit fails all.
    """
    stack, recipe = _stacked(covers, domain, scheme.planes), scheme.recipe
    messages = np.asarray(messages_BM, np.uint8)
    if messages.ndim != 2 or not len(covers) == len(messages) == len(parts_B):
        raise InputError(
            f"every cover needs carriers and a message: {len(parts_B)} carriers, {len(covers)} "
            f"covers and messages of shape {messages.shape} given"
        )
    if any(len(parts) != recipe.lattices for parts in parts_B):
        raise InputError(f"carriers of another recipe given; this one has {recipe.lattices} parts")
    modifications, bits = _unchanged(stack), messages.shape[1]
    if recipe.weighted and not weights:
        rule = recipe.visits[0].adjust
        first = _costs(stack, modifications, rule, scheme.cost, domain) if first is None else first
        weights = share_weights(covers[0].shapes, first, bits, recipe=recipe)
    ends = [np.cumsum(shares(parts, bits, weights=weights)) for parts in parts_B]
    lengths = [[(0, 0)] * recipe.lattices for _ in covers]
    for number, (lattice, adjust) in enumerate(recipe.visits):
        for row, parts in enumerate(parts_B):
            modifications[row, parts[lattice]] = 0
        costs = (
            first
            if first is not None and not number
            else _costs(stack, modifications, adjust, scheme.cost, domain)
        )
        alike: dict[tuple[int, int, int], list[int]] = {}
        for row, parts in enumerate(parts_B):
            begin, end = ends[row][lattice - 1] if lattice else 0, ends[row][lattice]
            if end > begin:
                alike.setdefault((parts[lattice].size, int(begin), int(end)), []).append(row)
        for (_, begin, end), rows in alike.items():
            at = np.asarray(rows)[:, None], np.stack([parts_B[row][lattice] for row in rows])
            stego, split = ternary.embed(
                stack.values[at],
                Costs(*(rho[at] for rho in costs)),
                messages[rows, begin:end],
                code=code,
            )
            modifications[at] = stego - stack.values[at]
            for row in rows:
                lengths[row][lattice] = split
    return modifications.astype(np.int8), [tuple(pairs) for pairs in lengths]


def embed_with(
    orders: Sequence[np.ndarray],
    covers: Sequence[Cover],
    messages: np.ndarray,
    *,
    scheme: Scheme,
    code: ternary.Code,
    domain: Domain = PIXELS,
    grain: int = 0,
) -> list[Cover]:
    """The stegos of covers of one shape, given the keyed order of each.

    Args:
      orders: see `carriers`.
      covers: the covers.
      messages: bits `[B, M]`.
      scheme: costs and recipe.
      code: of both layers.
      domain: of the covers.
      grain: see `carriers`.

    Returns:
      A stego each.

    Raises:
      InputError: as `embed_many`.
    """
    parts = [
        carriers(order, cover.shapes, recipe=scheme.recipe, grain=grain)
        for order, cover in zip(orders, covers, strict=True)
    ]
    changes, _ = embed_many(parts, covers, messages, scheme=scheme, code=code, domain=domain)
    return [
        cover.with_elements(cover.flat() + own) for cover, own in zip(covers, changes, strict=True)
    ]


def reveal(
    parts: Sequence[np.ndarray],
    stego_N: np.ndarray,
    lengths: Lengths,
    *,
    code: ternary.Code,
    order: str = "strided",
) -> np.ndarray:
    """Reads the message that `embed` hid; one function for all schemes, costs and domains.

    Args:
      parts: as given to `embed`, of the same order and recipe.
      stego_N: the elements, from `Cover.flat`.
      lengths: from `embed`.
      code: the code of both layers.
      order: how the two layers take the elements, see `ternary.ORDERS`.

    Returns:
      `[M]` uint8 bits.

    Raises:
      InputError: the lengths cannot be those of a message in this stego.
    """
    values = np.asarray(stego_N)
    if len(lengths) != len(parts):
        raise InputError(f"this recipe has {len(parts)} lattices; lengths of {len(lengths)} given")
    if any(
        min(pair) < 0 or max(pair) > part.size for part, pair in zip(parts, lengths, strict=True)
    ):
        raise InputError("the lengths are larger than the stego: another key or another picture")
    bits = [
        ternary.extract(values[part], pair, code=code, order=order)
        for part, pair in zip(parts, lengths)
        if any(pair)
    ]
    return np.concatenate([np.zeros(0, np.uint8), *bits])


def simulate(
    key: Key,
    cover: Array | Cover,
    payload: float | Array,
    *,
    scheme: Scheme | str,
    domain: Domain = PIXELS,
) -> Array | np.ndarray:
    """Draws the modifications of an optimal sender, phase by phase: what `embed` does, with the
    best code there could be.

    Args:
      key: PRNG key: the draws, and the masks where a recipe's are random.
      cover: a `Cover`; or planes `[..., H, W]`, float32 whole numbers, each of which is a cover of
        its own, also under `jax.jit` and `jax.vmap`.
      payload: bits per cover: a number, or for planes an array of shape `[...]`. For planes nothing
        is raised: run `probabilities.check_payload` on their costs where the payload may exceed the
        capacity.
      scheme: costs and recipe, or their name, see `parse_scheme`.
      domain: of the cover.

    Returns:
      Modifications in {-1, 0, 1}: of a `Cover` int8 `[N]`, of planes float32 in their shape.

    Raises:
      InputError: the planes have fewer than two axes, or the `Cover` is none of the domain or
        cannot carry the payload; or the scheme is unknown.
    """
    if isinstance(scheme, str):
        scheme = parse_scheme(scheme, domain=domain)
    if scheme.alternatives:
        return _simulate_alternatives(key, cover, payload, scheme, domain)
    if isinstance(cover, Cover):
        return _simulate_cover(key, cover, payload, scheme, domain)
    recipe = scheme.recipe
    return _simulate_planes(
        key,
        cover,
        payload,
        _as_argument(scheme.cost),
        [_as_argument(visit.adjust) for visit in recipe.visits],
        order=tuple(visit.lattice for visit in recipe.visits),
        recipe=recipe._replace(visits=()),
        domain=domain,
    )


def simulate_visits(
    key: Key,
    cover: Array,
    payload: float | Array,
    *,
    scheme: Scheme,
    domain: Domain = PIXELS,
    side: tuple[Array, ...] = (),
) -> Simulated:
    """`simulate` of planes, not compiled, with what every visit saw; costs and rules may hold
    arrays that are being traced.

    Args:
      key, cover, payload, scheme, domain: as for `simulate`.
      side: what the costs of all planes depend on besides, see `Cover.side`.

    Returns:
      The modifications, and what every visit saw.

    Raises:
      InputError: the cover has fewer than two axes.
    """
    if scheme.alternatives:
        changes = _simulate_alternatives(key, cover, payload, scheme, domain)
        return Simulated(changes, jnp.zeros_like(changes, jnp.int32), (), ())
    return _simulate(key, cover, payload, scheme.cost, scheme.recipe, domain, side)


@functools.partial(jax.jit, static_argnames=("order", "recipe", "domain"))
def _simulate_planes(key, cover, payload, cost, rules, *, order, recipe, domain):
    visits = tuple(Visit(lattice, rule) for lattice, rule in zip(order, rules, strict=True))
    return _simulate(
        key, cover, payload, cost, recipe._replace(visits=visits), domain
    ).modifications


def _simulate_alternatives(key, cover, payload, scheme, domain):
    """The modifications of the first version that is accepted; of planes for each on its own."""
    if isinstance(cover, Cover):

        def make(version, numbers):
            changes = simulate(key, cover, payload, scheme=version, domain=domain)
            return [cover.with_elements(cover.flat() + changes)] * len(numbers)

        [stego] = until_accepted(make, 1, scheme=scheme)
        return (stego.flat() - cover.flat()).astype(np.int8)
    chosen = done = None
    for version in versions(scheme):
        changes = simulate(key, cover, payload, scheme=version, domain=domain)
        fine = scheme.accepts(cover + changes)
        if done is None:
            chosen, done = changes, fine
        else:
            chosen = jnp.where((fine & ~done)[..., None, None], changes, chosen)
            done = done | fine
    return chosen


def _simulate(key, cover, payload, cost, recipe, domain, side=()) -> Simulated:
    if cover.ndim < 2:
        raise InputError(f"a cover is [..., H, W]; got shape {cover.shape}")
    planes, shape = cover.shape[:-2], cover.shape[-2:]
    count = math.prod(shape)
    noise = jax.random.uniform(jax.random.fold_in(key, len(recipe.visits)), (*planes, count))
    place = jnp.argsort(jnp.argsort(noise, axis=-1), axis=-1).reshape(cover.shape)
    lattices = jnp.broadcast_to(
        recipe.partition(Rank(place, count), shape, recipe.lattices), cover.shape
    )
    modifications, before, seen = jnp.zeros_like(cover), [], []

    def own(plane):
        return cost(plane, *side)

    carried = None
    if recipe.weighted:
        adjust = recipe.visits[0].adjust
        costs = _visit_costs(adjust, own, side, cover, modifications, None, domain)
        carried = _information(costs, payload, axes=2)
    for number, (lattice, adjust) in enumerate(recipe.visits):
        inside = lattices == lattice
        modifications = jnp.where(inside, 0.0, modifications)
        costs = _visit_costs(adjust, own, side, cover, modifications, None, domain)
        before.append(modifications)
        seen.append(costs)
        share = (
            jnp.sum(inside * carried, axis=(-2, -1))
            if carried is not None
            else jnp.broadcast_to(jnp.asarray(payload, jnp.float32), planes)
            * inside.mean(axis=(-2, -1))
        )
        modifications += _draw(jax.random.fold_in(key, number), costs, inside, share, axes=2)
    return Simulated(modifications, lattices, tuple(before), tuple(seen))


def _simulate_cover(key, cover, payload, scheme, domain) -> np.ndarray:
    """As `simulate_visits` of one plane, of all planes together."""
    stack, recipe = _stacked([cover], domain, scheme.planes), scheme.recipe
    noise = jax.random.uniform(jax.random.fold_in(key, len(recipe.visits)), (cover.elements,))
    place = np.asarray(jnp.argsort(jnp.argsort(noise)))
    lattices = _lattices(place, cover.elements, cover.shapes, recipe)
    modifications, carried = _unchanged(stack), None
    if recipe.weighted:
        first = _costs(stack, modifications, recipe.visits[0].adjust, scheme.cost, domain)
        costs = Costs(*(jnp.asarray(rho[0]) for rho in first))
        carried = np.asarray(_information(costs, payload, axes=1), float)
    for number, (lattice, adjust) in enumerate(recipe.visits):
        inside = lattices == lattice
        modifications[0, inside] = 0
        costs = _costs(stack, modifications, adjust, scheme.cost, domain)
        modifications[0] += np.asarray(
            _draw(
                jax.random.fold_in(key, number),
                Costs(*(jnp.asarray(rho[0]) for rho in costs)),
                inside,
                payload * inside.mean() if carried is None else carried[inside].sum(),
                axes=1,
            )
        )
    return modifications[0].astype(np.int8)


def _draw(key, costs, inside, payload, *, axes):
    """The changes of an optimal sender in one lattice."""
    costs = Costs(*(jnp.where(inside, rho, WET_COST) for rho in costs))
    lambda_ = probabilities.lambda_for_payload(costs, payload, axes=axes)
    return probabilities.simulate(key, probabilities.gibbs(costs, lambda_))


class _Stack(NamedTuple):
    """Covers of one shape, for the compiler.

    values: all elements, float32 `[B, N]`.
    frozen: bool `[B, N]`, or None.
    shapes: `[B, C, H, W]` of every group of adjacent planes of one size.
    sides:  for every group what its costs depend on besides, arrays `[B, C, ...]`.
    """

    values: np.ndarray
    frozen: np.ndarray | None
    shapes: tuple[tuple[int, int, int, int], ...]
    sides: tuple[tuple[np.ndarray, ...], ...]

    def grouped(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Vectors `[B, N]` as planes `[B, C, H, W]`, one array for each group."""
        ends = np.cumsum([math.prod(shape[1:]) for shape in self.shapes])[:-1]
        return [
            part.reshape(shape)
            for part, shape in zip(np.split(vectors, ends, axis=1), self.shapes, strict=True)
        ]


def _stacked(covers: Sequence[Cover], domain: Domain, planes: int | None = None) -> _Stack:
    shapes = covers[0].shapes if covers else ()
    if not shapes or any(cover.shapes != shapes for cover in covers):
        raise InputError(
            "covers that are embedded into together have the same planes; got planes of "
            f"{sorted({cover.shapes for cover in covers})}"
        )
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise InputError(f"the planes of a cover are [H, W] with elements; got {shapes}")
    values = _flat([cover.planes for cover in covers])
    lowest, highest = values.min(), values.max()
    if (
        not domain.lowest <= lowest <= highest <= domain.highest
        or values.dtype.kind == "f"
        and (values != np.round(values)).any()
    ):
        raise InputError(
            f"a cover has whole values {domain.lowest}..{domain.highest}; this one has others "
            f"(smallest {lowest:g}, largest {highest:g})"
        )
    frozen, last = None, len(shapes) if planes is None else planes
    if last < len(shapes) or any(mask is not None for cover in covers for mask in cover.frozen):
        free = (None,) * len(shapes)
        frozen = _flat(
            [
                [
                    np.full(shape, plane >= last) if mask is None or plane >= last else mask
                    for plane, (shape, mask) in enumerate(
                        zip(shapes, cover.frozen or free, strict=True)
                    )
                ]
                for cover in covers
            ]
        )
    grouped, sides = [], []
    for shape, group in itertools.groupby(range(len(shapes)), key=lambda plane: shapes[plane]):
        members = list(group)
        grouped.append((len(covers), len(members), *shape))
        sides.append(_sides(covers, members))
    return _Stack(values.astype(np.float32), frozen, tuple(grouped), tuple(sides))


def _flat(planes: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """The elements of several covers' planes, `[B, N]`."""
    return np.stack([np.concatenate([np.ravel(plane) for plane in own]) for own in planes])


def _sides(covers: Sequence[Cover], members: Sequence[int]) -> tuple[np.ndarray, ...]:
    """What the costs of some planes of one size depend on besides, `[B, C, ...]`."""
    if not covers[0].side:
        return ()
    return tuple(
        np.stack([np.stack([cover.side[plane][number] for plane in members]) for cover in covers])
        for number in range(len(covers[0].side[members[0]]))
    )


def _lattices(
    place_N: np.ndarray, count: int, shapes: Sequence[tuple[int, int]], recipe: Recipe
) -> np.ndarray:
    """The lattice of every element, `[N]`, given its place among the `count` elements of the
    order.
    """
    lattices, first = [], 0
    for shape in shapes:
        last = first + math.prod(shape)
        rank = Rank(place_N[first:last].reshape(shape), count)
        of_plane = recipe.partition(rank, shape, recipe.lattices)
        lattices.append(np.broadcast_to(of_plane, shape).ravel())
        first = last
    return np.concatenate(lattices)


def _unchanged(stack: _Stack) -> np.ndarray:
    return np.zeros_like(stack.values)


def _as_argument(function: Callable) -> Partial:
    """A function as a tree: compiled once, with the arrays it holds (a `Partial`'s) as arguments
    and not as constants.
    """
    return function if isinstance(function, Partial) else Partial(function)


def _forbid(planes, costs, domain, frozen=None) -> Costs:
    """The one place where changes become wet that there must not be."""
    plus = (costs.plus < WET_COST) & (planes < domain.highest)
    minus = (costs.minus < WET_COST) & (planes > domain.lowest)
    if frozen is not None:
        plus, minus = plus & ~frozen, minus & ~frozen
    return Costs(jnp.where(plus, costs.plus, WET_COST), jnp.where(minus, costs.minus, WET_COST))


class _Bounded(NamedTuple):
    # Equal where its domain is, so that what was compiled with it serves again.
    domain: Domain

    def __call__(self, cost, plane, *side):
        return _forbid(plane, cost(plane, *side), self.domain)


def _visit_costs(adjust, cost, side, planes, modifications, frozen, domain) -> Costs:
    """The costs of one visit; its rule, too, is given none that lead out of the range."""

    def allowed(plane):
        return _forbid(plane, cost(plane), domain)

    return _forbid(planes, adjust(allowed, planes, modifications, *side), domain, frozen)


@functools.partial(jax.jit, static_argnames=("apart", "domain"))
def _adjusted(adjust, cost, side, planes, modifications, frozen, *, apart, domain) -> Costs:
    """`_visit_costs` of planes `[B, C, H, W]`, whose `side` is one for all, or apart for each."""

    def own(plane):
        return (jax.vmap(jax.vmap(cost)) if apart else cost)(plane, *side)

    return _visit_costs(adjust, own, side, planes, modifications, frozen, domain)


def _costs(stack: _Stack, modifications: np.ndarray, adjust, cost, domain: Domain) -> Costs:
    """The costs of one visit, NumPy float32 `[B, N]`."""
    frozen = (None,) * len(stack.shapes) if stack.frozen is None else stack.grouped(stack.frozen)
    adjust, cost = _as_argument(adjust), _as_argument(cost)
    groups = []
    for sides, *group in zip(
        stack.sides, stack.grouped(stack.values), stack.grouped(modifications), frozen, strict=True
    ):
        # A cost that need not be mapped over the planes is traced in a fraction of the time.
        apart = any((side != side[:1, :1]).any() for side in sides)
        sides = sides if apart else tuple(side[0, 0] for side in sides)
        groups.append(_adjusted(adjust, cost, sides, *group, apart=apart, domain=domain))
    count = len(stack.values)
    plus = [np.asarray(costs.plus).reshape(count, -1) for costs in groups]
    minus = [np.asarray(costs.minus).reshape(count, -1) for costs in groups]
    if len(groups) == 1:
        return Costs(plus[0], minus[0])
    return Costs(np.concatenate(plus, axis=1), np.concatenate(minus, axis=1))
