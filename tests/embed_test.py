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

from stegojax import embed, probabilities, recipes
from stegojax.coding import ternary
from stegojax.costs import COSTS, forbid_saturated
from stegojax.errors import InputError
from stegojax.types import WET_COST, Costs

RECIPES = embed.RECIPES
STC = ternary.stc_code(constraint_height=7)
MASKS = embed.Recipe(
    3,
    functools.partial(recipes.random_masks, phases=3),
    tuple(embed.Visit(lattice, embed.no_adjustment) for lattice in range(3)),
)


def noisy(shape, seed=0):
    return np.random.default_rng(seed).integers(90, 160, shape).astype(np.float32)


def bits(length, seed=1):
    return np.random.default_rng(seed).integers(0, 2, length).astype(np.uint8)


def shuffled(count, seed=2):
    return np.random.default_rng(seed).permutation(count)


def rough(plane):
    """A cost that differs from pixel to pixel and depends on the neighbours."""
    rho = 1 + jnp.abs(plane - jnp.roll(plane, 1, axis=-1)) / 20
    return forbid_saturated(plane, rho, rho * 1.5)


@pytest.mark.parametrize(
    "recipe,shape",
    [
        (recipe, shape)
        for recipe in (*RECIPES.values(), MASKS)
        for shape in ((8, 8), (3, 5, 7), (1, 9, 1), (2, 1, 1))
    ],
)
def test_lattices_are_disjoint_and_cover_the_order(recipe, shape):
    order = shuffled(int(np.prod(shape)))[: int(np.prod(shape)) * 4 // 5]
    parts = embed.carriers(order, shape, recipe=recipe)
    assert len(parts) == recipe.lattices and sorted(np.concatenate(parts)) == sorted(order)
    for part in parts:
        places = [order.tolist().index(element) for element in part]
        assert places == sorted(places)
    assert {visit.lattice for visit in recipe.visits} == set(range(recipe.lattices))


def test_quarters_and_checkerboard_by_hand():
    rank = np.zeros((2, 3, 4), int)
    assert recipes.quarters(rank, 24).tolist() == [[0, 1, 0, 1], [3, 2, 3, 2], [0, 1, 0, 1]]
    assert recipes.checkerboard(rank, 24).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]


@pytest.mark.parametrize("count,phases", [(9, 2), (10, 3), (100, 4), (3, 3)])
def test_random_masks_are_equal_consecutive_parts_of_the_order(count, phases):
    masks = recipes.random_masks(np.arange(count), count, phases=phases)
    assert (np.diff(masks) >= 0).all() and masks[0] == 0 and masks[-1] == phases - 1
    sizes = np.bincount(masks, minlength=phases)
    assert sizes.max() - sizes.min() <= 1


def test_cmd_by_hand():
    """On a plane of 3 x 4: who has neighbours that add up to more or less than 0, and what is
    wet.
    """
    cover = jnp.full((3, 4), 100.0).at[0, 2].set(255.0)
    modifications = jnp.asarray([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, -1]], jnp.float32)
    plus, minus = recipes.cluster_directions(COSTS["lsbm"], cover, modifications)
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
    flipped = recipes.cluster_directions(COSTS["lsbm"], cover, -modifications)
    assert (
        flipped.plus[1, 3] == low
        and flipped.plus[2, 0] == low
        and flipped.minus[0, 2] == low
        and flipped.plus[0, 2] == wet
    )


def test_cmd_takes_the_costs_of_the_stego():
    cover, modifications = jnp.asarray(noisy((6, 6))), jnp.zeros((6, 6)).at[2, 2].set(1.0)
    np.testing.assert_array_equal(
        recipes.cluster_directions(rough, cover, modifications).plus[2, 2:4],
        rough(cover + modifications).plus[2, 2:4] / np.array([1, 9], np.float32),
    )


def test_synch_against_a_plain_loop():
    generator = np.random.default_rng(5)
    cover = noisy((5, 6), 3)
    cover[1, 1], cover[4, 5] = 255, 0
    modifications = generator.integers(-1, 2, (5, 6)).astype(np.float32)
    modifications[1, 1], modifications[4, 5] = 0, 0
    costs = rough(jnp.asarray(cover))
    rho = np.minimum(*map(np.asarray, costs)).astype(float)

    def distortion(stego):
        total = 0
        for i, j in np.ndindex(5, 6):
            for m, n in ((i + 1, j), (i, j + 1)):
                if m < 5 and n < 6:
                    a, b = stego[i, j], stego[m, n]
                    total += (rho[i, j] + rho[m, n]) / 2 * (0 if a == b else 5 if a * b < 0 else 1)
        return total

    plus, minus = recipes.synchronize(rough, jnp.asarray(cover), jnp.asarray(modifications))
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
    additive = recipes.smooth(rough, jnp.asarray(cover), jnp.asarray(modifications))
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
    assert [part.tolist() for part in embed.carriers(order, (3, 3), recipe=RECIPES["cmd"])] == [
        [0, 2, 6],
        [1],
        [4],
        [],
    ]
    assert embed.shares(order, (3, 3), 7, recipe=RECIPES["cmd"]) == [4, 1, 2, 0]
    assert embed.shares(order, (3, 3), 7, recipe=RECIPES["plain"]) == [7]


@pytest.mark.parametrize("adjust", [embed.no_adjustment, recipes.cluster_directions])
def test_one_phase_is_the_code_alone(adjust):
    """Without modifications before it, a single phase of CMD is plain embedding too."""
    cover, order, message = noisy((1, 20, 30)), shuffled(600)[:500], bits(150)
    recipe = embed.Recipe(1, recipes.whole, (embed.Visit(0, adjust),))
    modifications, lengths = embed.embed(order, cover, message, cost=rough, recipe=recipe, code=STC)
    costs = Costs(*(np.asarray(rho).ravel()[order] for rho in jax.jit(rough)(cover)))
    stego, expected = ternary.embed(cover.ravel()[order], costs, message, code=STC)
    assert lengths == (expected,)
    np.testing.assert_array_equal((cover + modifications).ravel()[order], stego)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([*RECIPES.values(), MASKS]),
    st.integers(1, 3),
    st.integers(8, 14),
    st.integers(8, 14),
    st.floats(0, 0.5),
    st.floats(0.5, 1),
    st.booleans(),
    st.integers(0, 99),
)
def test_messages_come_back_and_wet_elements_stay(
    recipe, channels, height, width, rate, kept, polar, seed
):
    cover = noisy((channels, height, width), seed)
    order = shuffled(cover.size, seed)[: int(kept * cover.size)]
    wet = np.random.default_rng(seed).random(cover.shape) < 0.1
    code = ternary.polar_code(list_size=1) if polar else STC
    message = bits(int(rate * order.size), seed)
    modifications, lengths = embed.embed(
        order, cover, message, cost=rough, recipe=recipe, code=code, wet=wet
    )
    assert modifications.dtype == np.int8 and np.abs(modifications).max(initial=0) <= 1
    assert not modifications[wet].any()
    untouched = np.setdiff1d(np.arange(cover.size), order)
    assert not modifications.ravel()[untouched].any()
    stego = (cover + modifications).astype(np.uint8)
    assert [sum(pair) for pair in lengths] == embed.shares(
        order, cover.shape, message.size, recipe=recipe
    )
    np.testing.assert_array_equal(
        embed.reveal(order, stego, lengths, recipe=recipe, code=code), message
    )


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("length", [0, 1, 2])
def test_hardly_anything_to_hide(recipe, length):
    cover, order = noisy((1, 8, 8)), shuffled(64)
    modifications, lengths = embed.embed(
        order, cover, bits(length), cost=rough, recipe=recipe, code=STC
    )
    assert np.abs(modifications).sum() <= 3 * length
    np.testing.assert_array_equal(
        embed.reveal(order, cover + modifications, lengths, recipe=recipe, code=STC), bits(length)
    )


def test_saturated_pixels_only_move_inwards():
    cover = np.where(np.random.default_rng(0).random((1, 24, 24)) < 0.5, 0, 255).astype(np.float32)
    for recipe in RECIPES.values():
        modifications, _ = embed.embed(
            shuffled(576), cover, bits(200), cost=COSTS["lsbm"], recipe=recipe, code=STC
        )
        assert modifications.any() and set(np.unique(cover + modifications)) <= {0, 1, 254, 255}


def test_cmd_and_synch_cluster_directions_and_plain_does_not():
    cover, order, message = noisy((1, 64, 64)), shuffled(4096), bits(2000)
    found = {}
    for name, recipe in RECIPES.items():
        m = embed.embed(order, cover, message, cost=COSTS["lsbm"], recipe=recipe, code=STC)[0][
            0
        ].astype(int)
        found[name] = (m[:, 1:] * m[:, :-1]).sum() + (m[1:] * m[:-1]).sum()
    assert found["cmd"] > 200 and found["synch"] > 60 and abs(found["plain"]) < 60, found


def test_capacity_is_the_poorest_lattice():
    cover = noisy((1, 4, 4))
    cover[0, ::2, ::2] = 255  # the first quarter: two choices an element; the others have three
    order = np.arange(16)

    def capacity(recipe, **wet):
        costs = embed.first_costs(cover, cost=COSTS["lsbm"], recipe=RECIPES[recipe], **wet)
        return embed.capacity(order, costs, recipe=RECIPES[recipe])

    assert capacity("cmd") == 16
    assert capacity("plain") == int(4 + 12 * np.log2(3))
    assert capacity("plain", wet=np.ones(cover.shape, bool)) == 0


@pytest.mark.parametrize("recipe", [*RECIPES.values(), MASKS], ids=[*RECIPES, "masks"])
def test_the_simulator_makes_as_many_changes_as_the_optimum(recipe):
    """Constant costs: with b bits an element, entropy alone says how many elements change;
    clustering them takes more.
    """
    cover = jnp.asarray(noisy((2, 96, 96)))
    key = jax.random.key(3)
    payloads = jnp.asarray([1000.0, 4000.0])
    simulate = functools.partial(embed.simulate, cost=COSTS["lsbm"], recipe=recipe)
    drawn = simulate(key, cover, payloads)
    assert set(np.unique(drawn)) == {-1, 0, 1}
    np.testing.assert_array_equal(drawn, simulate(key, cover, payloads))
    assert not np.array_equal(drawn, simulate(jax.random.key(4), cover, payloads))
    costs = COSTS["lsbm"](cover)
    chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, payloads))
    optimum = np.asarray(chances.plus + chances.minus).sum(axis=(1, 2))
    changed = np.asarray(jnp.abs(drawn).sum(axis=(1, 2)))
    if recipe is RECIPES["plain"] or recipe is MASKS:
        np.testing.assert_allclose(changed, optimum, atol=4 * np.sqrt(optimum).max())
    else:
        products = np.asarray((drawn[:, 1:] * drawn[:, :-1]).sum(axis=(1, 2)))
        assert (
            (products > 0).all() and (changed > optimum).all() and (changed < 2.2 * optimum).all()
        )


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"order_N": [0, 64]}, "positions that do not fit"),
        ({"cover": np.full((1, 8, 8), 0.5)}, "whole values"),
        ({"cover": np.zeros(64)}, r"\[..., H, W\]"),
        ({"message_M": np.zeros((2, 2))}, "one vector of bits"),
        ({"wet": np.zeros((8, 8), bool)}, "same shape"),
        ({"message_M": np.zeros(101)}, "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    given_ = {"order_N": np.arange(64), "cover": noisy((1, 8, 8)), "message_M": bits(8)} | arguments
    with pytest.raises(InputError, match=message):
        embed.embed(cost=rough, recipe=RECIPES["plain"], code=STC, **given_)


@pytest.mark.parametrize(
    "lengths", [((1, 1),), ((65, 0), (0, 0), (0, 0), (0, 0)), ((-1, 2), (0, 0), (0, 0), (0, 0))]
)
def test_lengths_that_cannot_be_are_refused(lengths):
    with pytest.raises(InputError):
        embed.reveal(np.arange(64), noisy((1, 8, 8)), lengths, recipe=RECIPES["cmd"], code=STC)


def test_covers_are_embedded_into_together_as_they_would_be_alone():
    rng = np.random.default_rng(3)
    covers = rng.integers(0, 256, (3, 2, 24, 30)).astype(np.float32)
    orders = np.stack([rng.permutation(covers[0].size)[:1400] for _ in covers])
    messages = rng.integers(0, 2, (3, 300)).astype(np.uint8)
    code, recipe = ternary.stc_code(constraint_height=7), embed.RECIPES["cmd"]
    sizes = [
        tuple(part.size for part in embed.carriers(order, covers.shape[1:], recipe=recipe))
        for order in orders
    ]
    assert len(set(sizes)) > 1  # some lattices go alone, some together
    changes, lengths = embed.embed_many(
        orders, covers, messages, cost=COSTS["hill"], recipe=recipe, code=code
    )
    assert np.abs(changes).max() == 1
    for order, cover, change, pairs, message in zip(
        orders, covers, changes, lengths, messages, strict=True
    ):
        np.testing.assert_array_equal(
            embed.reveal(order, cover + change, pairs, recipe=recipe, code=code), message
        )


def test_the_grain_makes_lattices_of_one_size():
    """Of keys that leave out some elements at random, most leave lattices of one size with a grain,
    hardly any without.
    """
    rng, shape = np.random.default_rng(0), (128, 128)
    orders = [rng.permutation(16384)[:16000] for _ in range(30)]
    for grain, most in ((1024, 12), (0, 30)):
        recipe = embed.RECIPES["cmd"]._replace(grain=grain)
        sizes = [
            tuple(part.size for part in embed.carriers(order, shape, recipe=recipe))
            for order in orders
        ]
        assert all(sum(size) > 0.99 * 16000 for size in sizes)
        assert (
            len({size[0] for size in sizes}) <= most
            if grain
            else len({size[0] for size in sizes}) > 8
        )
