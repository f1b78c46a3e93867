"""Phased embedding: lattices by hand, the rules of CMD and Synch against plain loops, and messages
that come back.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.tree_util import Partial

from stegojax import embed, probabilities, recipes
from stegojax.coding import ternary
from stegojax.costs import COSTS
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.types import WET_COST, ChangeProbabilities, Costs, Cover

RECIPES = embed.RECIPES
STC = ternary.stc_code(constraint_height=7)
MASKS = embed.masks((1, 1, 1), [embed.no_adjustment] * 3)
NARROW = PIXELS._replace(lowest=-3, highest=3)


def noisy(shape, seed=0):
    return np.random.default_rng(seed).integers(90, 160, shape).astype(np.int16)


def cover_of(*shapes, seed=0):
    return Cover(tuple(noisy(shape, seed + number) for number, shape in enumerate(shapes)))


def bits(length, seed=1):
    return np.random.default_rng(seed).integers(0, 2, length).astype(np.uint8)


def shuffled(count, seed=2):
    return np.random.default_rng(seed).permutation(count)


def rough(plane):
    """A cost that differs from pixel to pixel and depends on the neighbours."""
    rho = 1 + jnp.abs(plane - jnp.roll(plane, 1, axis=-1)) / 20
    return Costs(rho, rho * 1.5)


def scheme(recipe, cost=rough):
    return embed.Scheme("", cost, recipe)


def parts_of(cover, recipe, *, kept=1.0, seed=2, grain=0):
    order = shuffled(cover.elements, seed)[: int(kept * cover.elements)]
    return embed.carriers(order, cover.shapes, recipe=recipe, grain=grain)


@pytest.mark.parametrize(
    "text,cost,recipe",
    [("hill", "hill", "plain"), ("mipod-cmd", "mipod", "cmd"), ("hugo-plain", "hugo", "plain")],
)
def test_a_scheme_by_its_name(text, cost, recipe):
    parsed = embed.parse_scheme(text)
    assert parsed == embed.Scheme(text, COSTS[cost], RECIPES[recipe])


@pytest.mark.parametrize("text", ["", "hil", "hill-", "hill-x", "hill-cmd-cmd", "-cmd", "HILL"])
def test_a_scheme_that_there_is_not_is_refused_with_those_that_there_are(text):
    with pytest.raises(InputError, match="cost of hill, wow.*recipe of plain, cmd, synch"):
        embed.parse_scheme(text)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), MASKS], ids=[*RECIPES, "masks"])
@pytest.mark.parametrize("shapes", [[(8, 8)], [(5, 7)] * 3, [(1, 9), (4, 3), (4, 3), (1, 1)]])
def test_lattices_are_disjoint_and_cover_the_order(recipe, shapes):
    size = sum(height * width for height, width in shapes)
    order = shuffled(size)[: size * 4 // 5]
    parts = embed.carriers(order, shapes, recipe=recipe)
    assert len(parts) == recipe.lattices and sorted(np.concatenate(parts)) == sorted(order)
    for part in parts:
        places = [order.tolist().index(element) for element in part]
        assert places == sorted(places)
    assert {visit.lattice for visit in recipe.visits} == set(range(recipe.lattices))


def test_the_lattices_of_every_plane_are_its_own():
    """Of planes of two sizes, the second begins a lattice of its own, not where the first ends."""
    shapes = [(3, 3), (2, 2)]
    parts = embed.carriers(np.arange(13), shapes, recipe=RECIPES["cmd"])
    assert [part.tolist() for part in parts] == [[0, 2, 6, 8, 9], [1, 7, 10], [4, 12], [3, 5, 11]]


def test_quarters_and_checkerboard_by_hand():
    rank = recipes.Rank(np.zeros((2, 3, 4), int), 24)
    assert recipes.quarters(rank, (3, 4), 4).tolist() == [[0, 1, 0, 1], [3, 2, 3, 2], [0, 1, 0, 1]]
    assert recipes.checkerboard(rank, (2, 3), 2).tolist() == [[0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("count,phases", [(9, 2), (10, 3), (100, 4), (3, 3)])
def test_equal_masks_are_equal_consecutive_parts_of_the_order(count, phases):
    rank = recipes.Rank(np.arange(count), count)
    masks = recipes.weighted_masks(rank, (1, count), phases, shares=(2,) * phases)
    assert (np.diff(masks) >= 0).all() and masks[0] == 0 and masks[-1] == phases - 1
    sizes = np.bincount(masks, minlength=phases)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("shares", [(), (0, 1), (1, -2), (1.5, 1)])
def test_masks_without_a_size_are_refused(shares):
    with pytest.raises(InputError, match="whole numbers from 1 on"):
        embed.masks(shares, [embed.no_adjustment] * len(shares))


def test_cmd_by_hand():
    """On a plane of 3 x 4: who has neighbours that add up to more or less than 0, and what is
    wet.
    """
    cover = jnp.full((3, 4), 100.0).at[0, 2].set(255.0)
    modifications = jnp.asarray([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, -1]], jnp.float32)
    cost = embed.bounded(COSTS["lsbm"])
    plus, minus = recipes.cluster_directions(cost, cover, modifications)
    wet = WET_COST
    one, low = np.float32(1), np.float32(1) / np.float32(9)
    # Sums: row 0: 1 - 1 = 0 at (0, 0); (0, 1) has none; 1 at (0, 2) from the left, but +1 is wet
    # there.
    np.testing.assert_array_equal(
        plus, np.array([[one, one, wet, one], [one] * 4, [one] * 4], np.float32)
    )
    np.testing.assert_array_equal(
        minus, np.array([[one] * 4, [one, one, one, low], [low, one, low, one]], np.float32)
    )
    flipped = recipes.cluster_directions(cost, cover, -modifications)
    assert (
        flipped.plus[1, 3] == low
        and flipped.plus[2, 0] == low
        and flipped.minus[0, 2] == low
        and flipped.plus[0, 2] == wet
    )


def test_cmd_takes_the_costs_of_the_stego():
    cover = jnp.asarray(noisy((6, 6)), jnp.float32)
    modifications = jnp.zeros((6, 6)).at[2, 2].set(1.0)
    np.testing.assert_array_equal(
        recipes.cluster_directions(rough, cover, modifications).plus[2, 2:4],
        rough(cover + modifications).plus[2, 2:4] / np.array([1, 9], np.float32),
    )


def test_synch_against_a_plain_loop():
    generator = np.random.default_rng(5)
    cover, cost = noisy((5, 6), 3).astype(np.float32), embed.bounded(rough)
    cover[1, 1], cover[4, 5] = 255, 0
    modifications = generator.integers(-1, 2, (5, 6)).astype(np.float32)
    modifications[1, 1], modifications[4, 5] = 0, 0
    costs = cost(jnp.asarray(cover))
    rho = np.minimum(*map(np.asarray, costs)).astype(float)

    def distortion(stego):
        total = 0
        for i, j in np.ndindex(5, 6):
            for m, n in ((i + 1, j), (i, j + 1)):
                if m < 5 and n < 6:
                    a, b = stego[i, j], stego[m, n]
                    total += (rho[i, j] + rho[m, n]) / 2 * (0 if a == b else 5 if a * b < 0 else 1)
        return total

    plus, minus = recipes.synchronize(cost, jnp.asarray(cover), jnp.asarray(modifications))
    for i, j in np.ndindex(5, 6):
        alone = {}
        for value in (-1, 0, 1):
            stego = modifications.copy()
            stego[i, j] = value
            alone[value] = distortion(stego)
        expected_plus, expected_minus = (max(alone[value] - alone[0], 0) for value in (1, -1))
        np.testing.assert_allclose(
            plus[i, j], WET_COST if cover[i, j] == 255 else expected_plus, rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(
            minus[i, j], WET_COST if cover[i, j] == 0 else expected_minus, rtol=1e-4, atol=1e-4
        )
    smooth = np.pad(rho, 1, mode="edge")
    smooth = 0.2 * (
        4 * rho + smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:]
    )
    additive = recipes.smooth(cost, jnp.asarray(cover), jnp.asarray(modifications))
    np.testing.assert_allclose(np.where(cover == 255, smooth, additive.plus), smooth, rtol=1e-5)
    assert additive.plus[1, 1] == WET_COST and additive.minus[1, 1] < WET_COST


def test_a_wet_neighbour_counts_as_the_element_itself():
    def holed(plane):
        rho = jnp.where(plane == 50, WET_COST, 3.0)
        return Costs(rho, rho)

    cover = jnp.full((1, 3), 100.0).at[0, 1].set(50.0)
    nothing = jnp.zeros((1, 3))
    np.testing.assert_allclose(recipes.synchronize(holed, cover, nothing).plus, [[3, WET_COST, 3]])
    np.testing.assert_allclose(
        recipes.smooth(holed, cover, nothing).plus,
        [[0.2 * 8 * 3, WET_COST, 0.2 * 8 * 3]],
        rtol=1e-6,
    )


def test_shares_follow_the_elements():
    order = np.array([0, 2, 4, 1, 6])  # of a 3 x 3 plane: (0,0) (0,2) (1,1) (0,1) (2,0)
    parts = embed.carriers(order, [(3, 3)], recipe=RECIPES["cmd"])
    assert [part.tolist() for part in parts] == [[0, 2, 6], [1], [4], []]
    assert embed.shares(parts, 7) == [4, 1, 2, 0]
    assert embed.shares([order], 7) == [7]


@pytest.mark.parametrize("adjust", [embed.no_adjustment, recipes.cluster_directions])
def test_one_phase_is_the_code_alone(adjust):
    """Without modifications before it, a single phase of CMD is plain embedding too."""
    cover, order, message = cover_of((20, 30)), shuffled(600)[:500], bits(150)
    recipe = embed.Recipe(1, recipes.whole, (embed.Visit(0, adjust),))
    changes, lengths = embed.embed([order], cover, message, scheme=scheme(recipe), code=STC)
    costs = jax.jit(rough)(cover.planes[0].astype(np.float32))
    costs = Costs(*(np.asarray(rho).ravel()[order] for rho in costs))
    stego, expected = ternary.embed(cover.flat()[order], costs, message, code=STC)
    assert lengths == (expected,)
    np.testing.assert_array_equal((cover.flat() + changes)[order], stego)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([*RECIPES.values(), MASKS]),
    st.sampled_from([[(9, 13)], [(11, 8)] * 3, [(12, 10), (6, 5), (6, 5)]]),
    st.floats(0, 0.5),
    st.floats(0.5, 1),
    st.booleans(),
    st.integers(0, 99),
)
def test_messages_come_back_and_frozen_elements_stay(recipe, shapes, rate, kept, polar, seed):
    cover = cover_of(*shapes, seed=seed)
    frozen = np.random.default_rng(seed).random(cover.elements) < 0.1
    masks = tuple(mask == 1 for mask in cover.with_elements(frozen).planes)
    cover = cover._replace(frozen=(None, *masks[1:]))
    frozen[: masks[0].size] = False
    parts = parts_of(cover, recipe, kept=kept, seed=seed)
    code = ternary.polar_code(list_size=1) if polar else STC
    message = bits(int(rate * kept * cover.elements), seed)
    changes, lengths = embed.embed(parts, cover, message, scheme=scheme(recipe), code=code)
    assert changes.dtype == np.int8 and np.abs(changes).max(initial=0) <= 1
    assert not changes[frozen].any()
    assert not changes[np.setdiff1d(np.arange(cover.elements), np.concatenate(parts))].any()
    assert [sum(pair) for pair in lengths] == embed.shares(parts, message.size)
    stego = cover.with_elements(cover.flat() + changes)
    np.testing.assert_array_equal(embed.reveal(parts, stego.flat(), lengths, code=code), message)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("length", [0, 1, 2])
def test_hardly_anything_to_hide(recipe, length):
    cover = cover_of((8, 8))
    parts = parts_of(cover, recipe)
    changes, lengths = embed.embed(parts, cover, bits(length), scheme=scheme(recipe), code=STC)
    assert np.abs(changes).sum() <= 3 * length
    message = embed.reveal(parts, cover.flat() + changes, lengths, code=STC)
    np.testing.assert_array_equal(message, bits(length))


@pytest.mark.parametrize(
    "recipe,domain",
    [(RECIPES["plain"], PIXELS), (RECIPES["synch"], PIXELS), (RECIPES["cmd"], NARROW)],
    ids=["plain", "synch", "cmd, -3..3"],
)
def test_no_change_leaves_the_range_of_the_domain(recipe, domain):
    """Coded, simulated of a cover, and simulated of planes, all elements at an end of the range."""
    ends = np.array([domain.lowest, domain.highest], np.int16)
    cover = Cover((ends[np.random.default_rng(0).integers(0, 2, (24, 24))],))
    given = {"scheme": scheme(recipe), "domain": domain}
    coded, _ = embed.embed(parts_of(cover, recipe), cover, bits(200), code=STC, **given)
    drawn = embed.simulate(jax.random.key(0), cover, 200.0, **given)
    plane = jnp.asarray(cover.planes[0], jnp.float32)
    in_graph = embed.simulate(jax.random.key(0), plane, 200.0, **given)
    np.testing.assert_array_equal(in_graph, drawn.reshape(plane.shape))
    for changes in (coded, drawn):
        values = cover.flat() + changes
        assert (changes == 1).any() and (changes == -1).any()
        assert domain.lowest <= values.min() and values.max() <= domain.highest


def test_elements_outside_of_the_domain_are_no_cover():
    cover = Cover((np.full((8, 8), 4, np.int16),))
    with pytest.raises(InputError, match=r"whole values -3\.\.3; .* largest 4"):
        embed.first_costs([cover], scheme=scheme(RECIPES["plain"]), domain=NARROW)


def test_what_is_forbidden_by_hand():
    """For costs, for probabilities, and inside of a rule, which sees the costs of its stego."""
    planes = jnp.asarray([0.0, 1, 254, 255, 100])
    costs = embed.forbid(planes, Costs(jnp.asarray([1.0, 2, 3, 4, jnp.nan]), jnp.full(5, 2e10)))
    np.testing.assert_array_equal(costs.plus, [1, 2, 3, WET_COST, WET_COST])
    np.testing.assert_array_equal(costs.minus, [WET_COST] * 5)
    chances = ChangeProbabilities(jnp.full(5, 0.25), jnp.full(5, 0.5))
    chances = embed.rule_out(planes, chances)
    np.testing.assert_array_equal(chances.plus, [0.25, 0.25, 0.25, 0, 0.25])
    np.testing.assert_array_equal(chances.minus, [0, 0.5, 0.5, 0.5, 0.5])

    def given_to_the_rule(cost, cover, modifications):
        return cost(cover + 255)

    recipe = embed.Recipe(1, recipes.whole, (embed.Visit(0, given_to_the_rule),))
    cover = Cover((np.zeros((2, 2), np.int16),))
    costs = embed.first_costs([cover], scheme=scheme(recipe, COSTS["lsbm"]))
    np.testing.assert_array_equal(costs.plus, np.full((1, 4), WET_COST))
    np.testing.assert_array_equal(costs.minus, np.full((1, 4), WET_COST))


def test_a_cost_sees_what_belongs_to_its_plane_besides():
    """Planes of two sizes in two covers, each with a factor of its own."""

    def weighted(plane, factor):
        assert plane.ndim == 2 and factor.ndim == 0
        rho = jnp.abs(plane) * factor
        return Costs(rho, rho)

    shapes = [(4, 6), (2, 3), (2, 3)]
    covers = [
        cover_of(*shapes, seed=seed)._replace(
            side=tuple((np.float32(1 + seed + plane),) for plane in range(3))
        )
        for seed in (0, 5)
    ]
    costs = embed.first_costs(
        covers,
        scheme=scheme(
            RECIPES["synch"]._replace(visits=(embed.Visit(0, embed.no_adjustment),)), weighted
        ),
    )
    for row, seed in enumerate((0, 5)):
        expected = [
            (1 + seed + number) * plane.ravel() for number, plane in enumerate(covers[row].planes)
        ]
        np.testing.assert_array_equal(costs.plus[row], np.concatenate(expected))


def test_cmd_and_synch_cluster_directions_and_plain_does_not():
    cover, message = cover_of((64, 64)), bits(2000)
    clustering = {}
    for name, recipe in RECIPES.items():
        changes, _ = embed.embed(
            parts_of(cover, recipe), cover, message, scheme=scheme(recipe, COSTS["lsbm"]), code=STC
        )
        m = changes.reshape(64, 64).astype(int)
        clustering[name] = (m[:, 1:] * m[:, :-1]).sum() + (m[1:] * m[:-1]).sum()
    assert clustering["cmd"] > 200 and clustering["synch"] > 60, clustering
    assert abs(clustering["plain"]) < 60, clustering


def test_capacity_is_the_poorest_lattice():
    plane = noisy((4, 4))
    plane[::2, ::2] = 255  # the first quarter: two choices an element; the others have three
    cover = Cover((plane,))

    def capacity(name, cover):
        used = embed.parse_scheme(f"lsbm-{name}")
        parts = embed.carriers(np.arange(16), cover.shapes, recipe=used.recipe)
        return embed.capacity(
            parts, Costs(*(rho[0] for rho in embed.first_costs([cover], scheme=used)))
        )

    assert capacity("cmd", cover) == 16
    assert capacity("plain", cover) == int(4 + 12 * np.log2(3))
    assert capacity("plain", cover._replace(frozen=(np.ones((4, 4), bool),))) == 0


@pytest.mark.parametrize("recipe", [*RECIPES.values(), MASKS], ids=[*RECIPES, "masks"])
def test_the_simulator_makes_as_many_changes_as_the_optimum(recipe):
    """Constant costs: with b bits an element, entropy alone says how many elements change;
    clustering them takes more.
    """
    cover = jnp.asarray(noisy((2, 64, 64)), jnp.float32)
    payloads = jnp.asarray([450.0, 1800.0])
    simulate = functools.partial(embed.simulate, scheme=scheme(recipe, COSTS["lsbm"]))
    drawn = simulate(jax.random.key(3), cover, payloads)
    assert set(np.unique(drawn)) == {-1, 0, 1}
    assert not np.array_equal(drawn, simulate(jax.random.key(4), cover, payloads))
    costs = COSTS["lsbm"](cover)
    chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, payloads))
    optimum = np.asarray(chances.plus + chances.minus).sum(axis=(1, 2))
    changed = np.asarray(jnp.abs(drawn).sum(axis=(1, 2)))
    if recipe is RECIPES["plain"] or recipe is MASKS:
        np.testing.assert_allclose(changed, optimum, atol=4 * np.sqrt(optimum).max())
    else:
        products = np.asarray((drawn[:, 1:] * drawn[:, :-1]).sum(axis=(1, 2)))
        assert (products > 0).all() and (changed > optimum).all()
        assert (changed < 2.2 * optimum).all()


def test_planes_of_a_cover_share_one_payload():
    """Where one plane costs a hundred times the other's, it stays; frozen elements do, too."""

    def steep(plane, factor):
        rho = jnp.full_like(plane, factor)
        return Costs(rho, rho)

    cover = cover_of((32, 32), (16, 16))
    frozen = np.zeros((32, 32), bool)
    frozen[:16] = True
    cover = cover._replace(frozen=(frozen, None), side=((np.float32(1),), (np.float32(100),)))
    used = scheme(RECIPES["plain"], steep)
    changes = embed.simulate(jax.random.key(0), cover, 300.0, scheme=used)
    assert changes.dtype == np.int8 and changes.shape == (cover.elements,)
    assert not changes[:512].any() and 40 < np.abs(changes[512:1024]).sum() < 140
    assert np.abs(changes[1024:]).sum() < 3
    with pytest.raises(InputError, match="carries between 0 and"):
        embed.simulate(jax.random.key(0), cover, 2000.0, scheme=used)


def test_a_scheme_that_holds_arrays_is_compiled_once():
    traces = []

    def weighted(factor, plane):
        traces.append(plane)
        return Costs(factor * jnp.ones_like(plane), jnp.ones_like(plane))

    plane = jnp.asarray(noisy((16, 16)), jnp.float32)
    raised = []
    for factor in (0.2, 5.0):
        used = scheme(RECIPES["plain"], Partial(weighted, jnp.float32(factor)))
        raised.append(float(embed.simulate(jax.random.key(0), plane, 60.0, scheme=used).sum()))
    assert raised[0] > 0 > raised[1] and len(traces) == 1


@pytest.mark.parametrize(
    "given,message",
    [
        ({"cover": Cover((np.full((8, 8), 0.5),))}, "whole values"),
        ({"cover": Cover((np.full((8, 8), np.nan),))}, "whole values"),
        ({"cover": Cover((np.zeros(64),))}, r"\[H, W\]"),
        ({"cover": Cover(())}, "the same planes"),
        ({"message_M": np.zeros((2, 2))}, "one vector of bits"),
        ({"message_M": np.zeros(101)}, "do not fit"),
        ({"parts": [np.arange(32), np.arange(32, 64)]}, "another recipe"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    given = {"parts": [np.arange(64)], "cover": cover_of((8, 8)), "message_M": bits(8)} | given
    with pytest.raises(InputError, match=message):
        embed.embed(scheme=scheme(RECIPES["plain"]), code=STC, **given)


def test_what_does_not_fit_together_is_refused():
    cover, other = cover_of((8, 8)), cover_of((4, 4), (6, 8))
    plain = scheme(RECIPES["plain"])
    with pytest.raises(InputError, match="positions that do not fit"):
        embed.carriers(np.array([0, 64]), cover.shapes, recipe=plain.recipe)
    with pytest.raises(InputError, match="the same planes"):
        embed.first_costs([cover, other], scheme=plain)
    with pytest.raises(InputError, match="same shape"):
        embed.costs_after([cover], np.zeros((1, 63)), scheme=plain)
    with pytest.raises(InputError, match="needs carriers and a message"):
        embed.embed_many([[np.arange(64)]], [cover] * 2, bits(16)[None], scheme=plain, code=STC)


@pytest.mark.parametrize(
    "lengths", [((1, 1),), ((65, 0), (0, 0), (0, 0), (0, 0)), ((-1, 2), (0, 0), (0, 0), (0, 0))]
)
def test_lengths_that_cannot_be_are_refused(lengths):
    parts = embed.carriers(np.arange(64), [(8, 8)], recipe=RECIPES["cmd"])
    with pytest.raises(InputError):
        embed.reveal(parts, cover_of((8, 8)).flat(), lengths, code=STC)


def test_covers_are_embedded_into_together_as_they_would_be_alone():
    used = embed.parse_scheme("hill-cmd")
    covers = [
        Cover(tuple(np.random.default_rng(seed).integers(0, 256, (2, 24, 30)).astype(np.int16)))
        for seed in range(3)
    ]
    parts = [
        parts_of(cover, used.recipe, kept=0.97, seed=seed) for seed, cover in enumerate(covers)
    ]
    sizes = [tuple(part.size for part in own) for own in parts]
    assert len(set(sizes)) > 1  # some lattices go alone, some together
    messages = np.stack([bits(300, seed) for seed in range(3)])
    first = embed.first_costs(covers, scheme=used)
    changes, lengths = embed.embed_many(parts, covers, messages, scheme=used, code=STC, first=first)
    assert np.abs(changes).max() == 1
    for row, cover in enumerate(covers):
        np.testing.assert_array_equal(
            embed.reveal(parts[row], cover.flat() + changes[row], lengths[row], code=STC),
            messages[row],
        )
    again, _ = embed.embed_many(parts, covers, messages, scheme=used, code=STC)
    np.testing.assert_array_equal(changes, again)


def test_the_grain_makes_lattices_of_one_size():
    """Of keys that leave out some elements at random, most leave lattices of one size with a grain,
    hardly any without; masks have no grain.
    """
    rng, cover = np.random.default_rng(0), Cover((np.zeros((128, 128), np.int16),))
    orders = [rng.permutation(16384)[:16000] for _ in range(30)]

    def sizes(recipe, grain):
        parts = [
            embed.carriers(order, cover.shapes, recipe=recipe, grain=grain) for order in orders
        ]
        assert all(sum(part.size for part in own) > 0.99 * 16000 for own in parts)
        return {own[0].size for own in parts}

    assert len(sizes(RECIPES["cmd"], 1024)) <= 12 and len(sizes(RECIPES["cmd"], 0)) > 12
    assert sizes(MASKS, 1024) == {5333}
