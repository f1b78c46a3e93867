"""Recipes of phased embedding: how elements fall into lattices, in which order these are visited,
and what a visit makes of the costs.

Plain embedding is one lattice and one visit; CMD visits four interleaved lattices with costs that
favour the neighbours' directions; Synch goes over two checkerboard lattices several times; the
asymmetric costs of a trained network are the rules of random masks. `embed.py` runs them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.types import WET_COST, Array, Costs

CostFunction = Callable[[Array], Costs]

CMD_FACTOR = 9.0
"""By how much a change in the neighbours' direction becomes cheaper (Li et al. 2015: 9 to 10)."""
OPPOSITE_FACTOR = 5.0
"""How much dearer two neighbours changed in opposite directions are than one changed alone
(Denemark and Fridrich 2015).
"""
SYNCH_SWEEPS = 2
"""How often Synch goes over both lattices after the first embedding (2 to 3 are said to do)."""


class Visit(NamedTuple):
    """One step of a recipe.

    lattice: which lattice is embedded into.
    adjust:  `(cost, cover, modifications, *side) -> Costs` of all elements, given the modifications
             of the other lattices and, of covers that have one, the planes' `side`, whose leading
             axes are the planes' or none. A rule that holds arrays (a network's parameters) is a
             `jax.tree_util.Partial` of a function and these arrays; so may a cost be.
    """

    lattice: int
    adjust: Callable[..., Costs]


class Rank(NamedTuple):
    """Where elements stand in the keyed order.

    place: `[..., H, W]` integers, 0 for the first; of elements that are not in the order any.
    total: how many elements are in the order.
    """

    place: Array | np.ndarray
    total: int


class Recipe(NamedTuple):
    """A scheme of phased embedding, but for its costs.

    lattices:  number of parts that the elements fall into.
    partition: `(rank, shape, phases) -> lattice of every element`, of a shape that broadcasts to
               `[..., H, W]`, for one plane or several of one size; `rank` is a `Rank`, `shape`
               height and width, and `phases` the number of lattices.
    visits:    in which order the lattices are embedded into, each at least once.
    shares:    the weights of `weighted_masks`, which the receiver must be told; empty for other
               partitions.
    weighted:  whether lattices carry what an optimal sender would put into each, by weights that
               the receiver must be told; else in proportion to their elements.
    """

    lattices: int
    partition: Callable[[Rank, tuple[int, int], int], Array | np.ndarray]
    visits: tuple[Visit, ...]
    shares: tuple[int, ...] = ()
    weighted: bool = False


def whole(rank: Rank, shape: tuple[int, int], phases: int) -> np.ndarray:
    """The partition of one lattice.

    Args:
      rank: not used.
      shape: height and width of the plane.
      phases: not used.

    Returns:
      `[H, W]` int8 zeros.
    """
    del rank, phases
    return np.zeros(shape, np.int8)


def quarters(rank: Rank, shape: tuple[int, int], phases: int) -> np.ndarray:
    """Four interleaved lattices, every other row and column, in serpentine order: (0, 0), (0, 1),
    (1, 1), (1, 0).

    Li, Wang, Li and Huang, "A strategy of clustering modification directions in spatial image
    steganography", IEEE TIFS 10, 2015, sec. III.

    Args:
      rank: not used.
      shape: height and width of the plane.
      phases: not used.

    Returns:
      `[H, W]` int8, 0..3.
    """
    del rank, phases
    i, j = np.indices(shape) % 2
    return (2 * i + (i ^ j)).astype(np.int8)


def checkerboard(rank: Rank, shape: tuple[int, int], phases: int) -> np.ndarray:
    """Two lattices, each holding the other's four neighbours.

    Denemark and Fridrich, "Improving steganographic security by synchronizing the selection
    channel", IH&MMSec 2015, sec. 3.

    Args:
      rank: not used.
      shape: height and width of the plane.
      phases: not used.

    Returns:
      `[H, W]` int8, 0 or 1.
    """
    del rank, phases
    i, j = np.indices(shape)
    return ((i + j) % 2).astype(np.int8)


def block_quarters(rank: Rank, shape: tuple[int, int], phases: int) -> np.ndarray:
    """`quarters` of whole blocks of 8 x 8 coefficients.

    Li, Zhang, Chen, Zhou and Yu, "Defining joint distortion for JPEG steganography", IH&MMSec 2018,
    visit them in this order: (0, 0), (0, 1), (1, 1), (1, 0).

    Args:
      rank: not used.
      shape: height and width of the plane, multiples of 8.
      phases: not used.

    Returns:
      `[H, W]` int8, 0..3.
    """
    blocks = quarters(rank, (-(-shape[0] // 8), -(-shape[1] // 8)), phases)
    return np.repeat(np.repeat(blocks, 8, 0), 8, 1)[: shape[0], : shape[1]]


def weighted_masks(
    rank: Rank, shape: tuple[int, int], phases: int, *, shares: tuple[int, ...]
) -> Array | np.ndarray:
    """Random disjoint masks of given relative sizes: consecutive parts of the keyed order.

    Args:
      rank: of every element.
      shape: not used.
      phases: number of masks.
      shares: weights of the masks, positive integers; (3, 7) are 30 % and 70 %.

    Returns:
      `[..., H, W]` integers, 0..phases - 1.
    """
    del shape
    ends = [rank.total * sum(shares[:number]) // sum(shares) for number in range(1, phases)]
    return sum(((rank.place >= end) * 1 for end in ends), rank.place * 0)


def masks(shares: Sequence[int], adjustments: Sequence[Callable[..., Costs]]) -> Recipe:
    """Random masks that are embedded into one after the other; one alone is plain embedding.

    Args:
      shares: weights of the masks, positive integers. What tells a receiver of them may know fewer
        masks, or smaller weights.
      adjustments: the rule of each mask's visit, see `Visit.adjust`.

    Returns:
      The recipe.

    Raises:
      InputError: there are no masks, weights that are none, or not one rule for each mask.
    """
    if not len(shares) or any(share != int(share) or share < 1 for share in shares):
        raise InputError(
            "the shares of the sub-images are whole numbers from 1 on, such as 3, 7 for 30 % and "
            f"70 %; got {tuple(shares)}"
        )
    if len(adjustments) != len(shares):
        raise InputError(f"{len(shares)} masks need as many rules; {len(adjustments)} given")
    visits = tuple(Visit(lattice, adjust) for lattice, adjust in enumerate(adjustments))
    if len(shares) == 1:
        return Recipe(1, whole, visits)
    shares = tuple(int(share) for share in shares)
    partition = functools.partial(weighted_masks, shares=shares)
    return Recipe(len(shares), partition, visits, shares=shares)


def no_adjustment(cost: CostFunction, cover: Array, modifications: Array, *side: Array) -> Costs:
    """The costs of the cover, whatever was modified.

    Args:
      cost: the cost function.
      cover: `[..., H, W]` float32.
      modifications: same shape; not used.
      *side: not used.

    Returns:
      Costs of that shape.
    """
    del modifications, side
    return cost(cover)


def cluster_directions(cost: CostFunction, cover: Array, modifications: Array) -> Costs:
    """CMD: costs of the current stego, a ninth where a change goes the way of most of the four
    neighbours' changes.

    Li, Wang, Li and Huang, IEEE TIFS 10, 2015, sec. III: the cost of +1 is divided where the
    neighbours' modifications add up to more than 0, that of -1 where to less.

    Args:
      cost: the cost function.
      cover: `[..., H, W]` float32.
      modifications: same shape, -1, 0 or 1.

    Returns:
      Costs of that shape; what is wet stays wet.
    """
    costs = cost(cover + modifications)
    towards = over_sides(modifications)
    plus = jnp.where((towards > 0) & (costs.plus < WET_COST), costs.plus / CMD_FACTOR, costs.plus)
    minus = jnp.where(
        (towards < 0) & (costs.minus < WET_COST), costs.minus / CMD_FACTOR, costs.minus
    )
    return Costs(plus, minus)


def continue_blocks(cost: CostFunction, cover: Array, modifications: Array, *side: Array) -> Costs:
    """BBC: the costs of the cover, half where a change makes pixels on both sides of a block's
    border change alike.

    Li, Zhang, Chen, Zhou and Yu, "Defining joint distortion for JPEG steganography", IH&MMSec 2018
    (block boundary continuity).

    Args:
      cost: the cost function.
      cover: coefficients `[..., H, W]` float32.
      modifications: same shape, -1, 0 or 1.
      *side: not used.

    Returns:
      Costs of that shape; what is wet stays wet.
    """
    del side
    costs, towards = cost(cover), over_borders(modifications)
    return Costs(
        jnp.where((towards > 0) & (costs.plus < WET_COST), costs.plus / 2, costs.plus),
        jnp.where((towards < 0) & (costs.minus < WET_COST), costs.minus / 2, costs.minus),
    )


def over_sides(modifications: Array) -> Array:
    """The sum of the four neighbours' changes.

    Args:
      modifications: `[..., H, W]`.

    Returns:
      The same shape; 0 counts beyond the border.
    """
    above, below, left, right = _neighbours(modifications)
    return above + below + left + right


def over_borders(modifications: Array) -> Array:
    """Which change of a coefficient would continue, over the borders of its block, what was done to
    the same frequency (u, v) of the four blocks around.

    Args:
      modifications: d, `[..., H, W]`, multiples of 8.

    Returns:
      (-1)^v (d left + d right) + (-1)^u (d above + d below), the same shape: +1 continues where it
      is above 0, -1 where it is below; 0 beyond the picture.
    """
    above, below, left, right = _neighbours(modifications, step=8)
    u, v = np.indices(modifications.shape[-2:]) % 2
    odd = [jnp.broadcast_to(jnp.asarray(each == 1), modifications.shape) for each in (u, v)]
    down, across = above + below, left + right
    return jnp.where(odd[1], -across, across) + jnp.where(odd[0], -down, down)


def block_parts(rank: Rank, shape: tuple[int, int], phases: int) -> np.ndarray:
    """Three lattices inside of every block of 8 x 8 coefficients, from high frequencies to low.

    Wang, Li, Zhang, Yu, Liu and Yu, "Non-additive cost functions for JPEG steganography based on
    block boundary maintenance", IEEE TIFS 16, 2021, as released: 2 where both frequencies are below
    2, 1 where one is and the other is 2 or 3, 0 elsewhere.

    Args:
      rank: not used.
      shape: height and width of the plane, multiples of 8.
      phases: not used.

    Returns:
      `[H, W]` int8, 0..2.
    """
    del rank, phases
    low, high = np.sort(np.indices(shape) % 8, axis=0)
    return ((low < 2) & (high < 4)).astype(np.int8) + (high < 2)


def keep_boundaries(
    cost: CostFunction, cover: Array, modifications: Array, quantisation: Array
) -> Costs:
    """BBM: the costs of the cover, lower where a change undoes what the block's other changes do to
    the pixels at its boundary.

    IEEE TIFS 16, 2021, as released. With R(u, v) = q w(u) w(v) / 2, w(0) = 1/sqrt 2 and else 1,
    t(0) = 8 and else 4, and F(j, k) = cos(j pi/16) cos(k pi/16) + cos(15 j pi/16) cos(15 k pi/16),
    the block's changes d pull a coefficient by

        g = -R(u, v) sum over e = 2, 4, 6 of (R d)(u, v + e) F(v, v + e) t(u)
                                           + (R d)(u + e, v) F(u, u + e) t(v),

    indices modulo 8; the cost of +1 is multiplied by exp(-|g|) where g is above 0, that of -1 where
    it is below.

    Args:
      cost: the cost function.
      cover: coefficients `[..., H, W]` float32.
      modifications: same shape, -1, 0 or 1.
      quantisation: q, `[8, 8]`, or one of every plane, `[..., 8, 8]`.

    Returns:
      Costs of that shape; what is wet stays wet.
    """
    costs = cost(cover)
    scale = dct.repeated(quantisation, cover) * dct.repeated(_BOUNDARY_SCALE, cover)
    moved = scale * modifications
    rows = dct.along(moved, _BOUNDARY_PAIRS, -1) * dct.repeated(_BOUNDARY_WEIGHT.T, cover)
    columns = dct.along(moved, _BOUNDARY_PAIRS, -2) * dct.repeated(_BOUNDARY_WEIGHT, cover)
    pull = -scale * (rows + columns)
    factor = jnp.exp(-abs(pull))
    return Costs(
        jnp.where((pull > 0) & (costs.plus < WET_COST), costs.plus * factor, costs.plus),
        jnp.where((pull < 0) & (costs.minus < WET_COST), costs.minus * factor, costs.minus),
    )


def _boundary_pairs() -> np.ndarray:
    """F(j, k) where k - j is even and not 0, else 0: `[8, 8]`."""
    j, k = np.indices((8, 8))
    values = sum(np.cos(n * j * np.pi / 16) * np.cos(n * k * np.pi / 16) for n in (1, 15))
    return np.where((j != k) & ((j - k) % 2 == 0), values, 0.0)


_BOUNDARY_PAIRS = _boundary_pairs()
_BOUNDARY_SCALE = np.ones((8, 8), np.float32) / 2
_BOUNDARY_SCALE[0] *= 2**-0.5
_BOUNDARY_SCALE[:, 0] *= 2**-0.5
_BOUNDARY_WEIGHT = np.tile(np.array([8.0] + [4.0] * 7, np.float32), (8, 1))


def smooth(cost: CostFunction, cover: Array, modifications: Array) -> Costs:
    """Synch's additive approximation, with which it begins: costs averaged with the four
    neighbours'.

    Denemark and Fridrich, IH&MMSec 2015, sec. 3: the kernel 0.2 [0 1 0; 1 4 1; 0 1 0]. A neighbour
    that is wet or beyond the border counts as the element itself does.

    Args:
      cost: the cost function.
      cover: `[..., H, W]` float32.
      modifications: same shape; not used.

    Returns:
      Costs of that shape, equal for both directions but for wet ones.
    """
    del modifications
    costs, rho, neighbours = _pairs(cost, cover)
    return _unless_wet(costs, *[0.2 * (4 * rho + sum(neighbours))] * 2)


def synchronize(cost: CostFunction, cover: Array, modifications: Array) -> Costs:
    """Synch: what a change adds to the distortion of the pairs that an element forms with its four
    neighbours.

    Denemark and Fridrich, IH&MMSec 2015, eq. (6): a pair costs the mean A of both elements' costs
    where one of them alone is changed, 5 A where they are changed in opposite directions, nothing
    where alike. The costs are relative to no change; where this is below 0 (a change that would go
    with its neighbours' costs less than none) it is taken as 0. A wet neighbour's cost is taken as
    the element's own; there are no pairs beyond the border.

    Args:
      cost: the cost function.
      cover: `[..., H, W]` float32.
      modifications: same shape, -1, 0 or 1.

    Returns:
      Costs of that shape.
    """
    costs, rho, neighbours = _pairs(cost, cover)
    inside = _neighbours(jnp.ones_like(cover))
    distortion = {}
    for change in (-1, 0, 1):
        distortion[change] = jnp.zeros_like(rho)
        for other, there, neighbour in zip(
            _neighbours(modifications), inside, neighbours, strict=True
        ):
            weight = jnp.where(
                other == change, 0.0, jnp.where(other * change < 0, OPPOSITE_FACTOR, 1.0)
            )
            distortion[change] += there * weight * (rho + neighbour) / 2
    return _unless_wet(
        costs, *(jnp.maximum(distortion[change] - distortion[0], 0) for change in (1, -1))
    )


RECIPES: dict[str, Recipe] = {
    "plain": Recipe(1, whole, (Visit(0, no_adjustment),)),
    "cmd": Recipe(4, quarters, tuple(Visit(lattice, cluster_directions) for lattice in range(4))),
    "synch": Recipe(
        2,
        checkerboard,
        (
            Visit(0, smooth),
            Visit(1, smooth),
            *[Visit(0, synchronize), Visit(1, synchronize)] * SYNCH_SWEEPS,
        ),
    ),
}


def _neighbours(plane: Array, *, step: int = 1) -> list[Array]:
    """The values above, below, left and right of every element, 0 beyond the border."""
    height, width = plane.shape[-2:]
    padded = jnp.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(step, step), (step, step)])
    return [
        padded[..., step + i : step + i + height, step + j : step + j + width]
        for i, j in ((-step, 0), (step, 0), (0, -step), (0, step))
    ]


def _pairs(cost, cover):
    """Costs, the one cost of every element (its cheaper change's), and its neighbours' (its own
    where they have none).
    """
    costs = cost(cover)
    rho = jnp.minimum(costs.plus, costs.minus)
    dry = rho < WET_COST
    there = _neighbours(dry.astype(jnp.float32))
    return (
        costs,
        rho,
        [
            jnp.where(known > 0, neighbour, rho)
            for known, neighbour in zip(there, _neighbours(rho), strict=True)
        ],
    )


def _unless_wet(costs: Costs, plus: Array, minus: Array) -> Costs:
    return Costs(
        jnp.where(costs.plus < WET_COST, plus, WET_COST),
        jnp.where(costs.minus < WET_COST, minus, WET_COST),
    )
