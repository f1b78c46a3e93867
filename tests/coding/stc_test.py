"""Syndrome-trellis codes: the lax.scan search and the lanes that make it fast, against every word
at small lengths, a naive Viterbi, the original C++, and each other.
"""

import doctest
import functools
import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from stegojax.coding import block_columns, lanes, parity_check, stc, submatrices, viterbi
from stegojax.errors import InputError
from stegojax.types import WET_COST

ORIGINAL = [
    (7, 60, 60, 18687, "05e359b167b8bee0", "2547fbc2bd2cb0c0"),
    (7, 75, 47, 5990, "127a94b5660fd762fc60", "1844818a8c88"),
    (7, 96, 24, 1205, "a2f446b89a2fb469c69e38f9", "54f62a"),
    (7, 130, 29, 1176, "750072485495ca6cb36bc1c6c5c6f62640", "5b5e40d8"),
    (
        7,
        300,
        13,
        222,
        "449f40069c12e5153ba0890476e5ec4cfbfc58569ab5de296ea55ec6119b9179db3324031940",
        "a248",
    ),
    (8, 60, 60, 15554, "d5a1571e02d3a9a0", "b8b11f6c6b1c1b60"),
    (8, 75, 47, 5080, "9178be1f6c7280333900", "c6cee5e2c004"),
    (8, 96, 24, 2048, "9fe0420661795b833d5b2d91", "d3ff52"),
    (8, 130, 29, 983, "53a5d33b0d9a8dadcdc7158c9a462d6640", "a1136f58"),
    (
        8,
        300,
        13,
        120,
        "23574e46ec4e0a057ad07b4787db4152194e183e3a0f4bf104632892ba87ed7486cc36808c30",
        "e7a0",
    ),
    (9, 60, 60, 14034, "7e6d811f3766a720", "aa0204c68745c6a0"),
    (9, 75, 47, 5222, "2d0f882345b03b126780", "2c42f4c44010"),
    (9, 96, 24, 1053, "18fac92aac7b49e8967ad2f0", "54ebb1"),
    (9, 130, 29, 1259, "3d4c1d189a7b36500c1e9bdd389a5eea80", "dff07490"),
    (
        9,
        300,
        13,
        160,
        "4f266dbe9bc1e0231a446c9c2f14d3b20e98cb12a66b0104baf3379f8e417b0a04da91de3220",
        "8c48",
    ),
    (10, 60, 60, 11648, "f408bb9b0bf55540", "7e152a38564990e0"),
    (10, 75, 47, 5505, "bbfe14ad66ce5a813cc0", "130518bdbdda"),
    (10, 96, 24, 1654, "068e0187d9fcbcfc75596ffc", "5542ea"),
    (10, 130, 29, 1479, "e22f0c7f75d8b28b3e06f3f64ef48cfc40", "86d59a70"),
    (
        10,
        300,
        13,
        54,
        "73387884ed024bcf41a05a03c7b8639b97713ac0a1b275528d99476039d86cb35ec1e933cdb0",
        "4ff0",
    ),
    (11, 60, 60, 17244, "9fa450c5bde54ee0", "b7a8471fbe139ef0"),
    (11, 75, 47, 6539, "1b637365c637b5f6bd80", "43fa96e09c98"),
    (11, 96, 24, 1375, "3e2c5104c51bc96476ea8b4d", "823e77"),
    (11, 130, 29, 1245, "19e7b315c2c01cfa32ccc9bd676974c3c0", "22c28be8"),
    (
        11,
        300,
        13,
        197,
        "94b80e1717521dba29e78b7b9fcd0813f6a281fae0815ed9a9032b73cefcca067abdce0effa0",
        "d620",
    ),
    (12, 60, 60, 20930, "f9c919dd17b59570", "879e212132fd6a00"),
    (12, 75, 47, 5247, "b4f79a1770f646172380", "77e56f76d6e4"),
    (12, 96, 24, 1525, "d32581df88ac74ac026bb94f", "dfe91f"),
    (12, 130, 29, 1413, "ace1e4fdb7dcba6e4154ac9edbacca2580", "2f54cd20"),
    (
        12,
        300,
        13,
        190,
        "0e1a5ad277019842b2b85d917d55bf71262c296e0bcafe37d44645fb227ecbcf2c1f4fe6bf40",
        "2df8",
    ),
]
"""Made with the original C++ (PyPI pystcstego 0.1.0): height, elements, bits, cost of its stego,
its stego, and what its extractor reads in another random vector. Inputs are
`original_case(height, elements, bits)`.
"""


def original_case(height, n, m):
    random = np.random.RandomState(1000 * height + n)
    cover, message = (
        random.randint(0, 2, n).astype(np.uint8),
        random.randint(0, 2, m).astype(np.uint8),
    )
    return (
        cover,
        message,
        random.randint(1, 1000, n).astype(np.float32),
        random.randint(0, 2, n).astype(np.uint8),
    )


def unpack(text, n):
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[:n]


def parity_check_matrix(n, m, height):
    """The matrix, entry by entry, from the rule for the widths."""
    ratio, matrix, column = n / m, np.zeros((m, n), np.uint8), 0
    for i in range(m):
        wide = column + int(np.ceil(ratio)) <= (i + 1) * ratio + 0.5
        for value in submatrices.columns(int(np.ceil(ratio) if wide else np.floor(ratio)), height):
            for j in range(height):
                if value >> j & 1 and i + j < m:
                    matrix[i + j, column] = 1
            column += 1
    return matrix


def least_costs(rows, matrix):
    """Over all words, for rows `(cover, rho, message)`; infinite where no word that leaves wet
    elements alone carries the message.
    """
    n = matrix.shape[1]
    words = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.uint8)
    syndromes = words.astype(np.float32) @ matrix.T.astype(np.float32) % 2
    leasts = []
    for cover, rho, message in rows:
        changes = words[(syndromes == message).all(axis=1)] != cover
        allowed = changes[~changes[:, rho >= WET_COST].any(axis=1)]
        costs = (allowed * np.where(rho >= WET_COST, 0, rho).astype(float)).sum(axis=1)
        leasts.append(costs.min(initial=np.inf))
    return leasts


def naive_viterbi(cover, rho, message, height):
    """Cost of the best path through the whole trellis, state by state, in float64."""
    n, m = len(cover), len(message)
    states = np.arange(1 << height)
    cost = np.full(1 << height, np.inf)
    cost[0], column, ratio = 0, 0, n / m
    for i in range(m):
        wide = column + int(np.ceil(ratio)) <= (i + 1) * ratio + 0.5
        for value in submatrices.columns(int(np.ceil(ratio) if wide else np.floor(ratio)), height):
            value &= (1 << min(height, m - i)) - 1
            zero, one = (
                cost + rho[column] * (cover[column] == 1),
                cost[states ^ value] + rho[column] * (cover[column] == 0),
            )
            cost, column = np.minimum(zero, one), column + 1
        cost = np.concatenate([cost[message[i] :: 2], np.full(1 << (height - 1), np.inf)])
    return cost[0]


def cost_of(cover, stego, rho):
    return (rho.astype(float) * (cover != stego)).sum()


def searched(cases):
    """`viterbi` of cases `(cover, rho, message, height)` of all sizes, in one compiled call.

    Empty blocks go before the others, where the state is 0; elements are added after the others,
    where there is no column for them.
    """
    arrays = [], [], []
    most = len(max(cases, key=lambda case: len(case[1]))[1])
    blocks = len(max(cases, key=lambda case: len(case[2]))[2])
    width = max(-(-len(cover) // len(message)) for cover, _, message, _ in cases)
    for cover, rho, message, height in cases:
        options = {"message_length": len(message), "constraint_height": height}
        columns = block_columns(len(cover), **options)
        before = (blocks - len(message), 0)
        arrays[0].append(np.pad(rho, (0, most - len(rho))))
        arrays[1].append(np.pad(message ^ stc.syndrome(cover, **options), before))
        arrays[2].append(np.pad(columns, (before, (0, width - columns.shape[1]))))
    height = max(height for *_, height in cases)
    path = jax.jit(jax.vmap(functools.partial(viterbi, constraint_height=height)))(
        *map(np.stack, arrays)
    )
    sizes = [len(cover) for cover, *_ in cases]
    return [np.asarray(x)[:n] for x, n in zip(path.changes_N, sizes, strict=True)], path.cost


def test_the_original_and_this_read_each_other():
    # It reads what we write, since it reads any vector as we do.
    for height, n, m, _, stego, reading in ORIGINAL:
        _, message, _, other = original_case(height, n, m)
        options = {"message_length": m, "constraint_height": height}
        np.testing.assert_array_equal(stc.extract(unpack(stego, n), **options), message)
        np.testing.assert_array_equal(stc.extract(other, **options), unpack(reading, m))


def test_the_search_costs_what_the_originals_does():
    cases = []
    for height, n, m, *_ in ORIGINAL:
        cover, message, rho, _ = original_case(height, n, m)
        cases.append((cover, rho, message, height))
    changes, costs = searched(cases)
    np.testing.assert_array_equal(costs, [cost for _, _, _, cost, _, _ in ORIGINAL])
    for (cover, rho, message, height), changed, cost in zip(cases, changes, costs, strict=True):
        options = {"message_length": len(message), "constraint_height": height}
        np.testing.assert_array_equal(stc.extract(cover ^ changed, **options), message)
        assert rho[changed == 1].sum() == cost


@pytest.mark.parametrize(
    "height, n, m, cost",
    [case[:4] for case in ORIGINAL if case[0] == 7 or case[:2] in ((9, 75), (10, 300), (12, 130))],
)
def test_the_lanes_cost_what_the_originals_search_does(height, n, m, cost):
    cover, message, rho, _ = original_case(height, n, m)
    stego = stc.embed(cover, rho, message, constraint_height=height)
    read = stc.extract(stego, message_length=m, constraint_height=height)
    np.testing.assert_array_equal(read, message)
    assert cost_of(cover, stego, rho) == cost


def test_golden_vector():
    cover = np.tile([0, 0, 1, 1], 5)
    rho = np.array([4, 11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 11, 7, 3, 10, 6, 2, 9, 5])
    stego = stc.embed(cover, rho, [1, 0, 1, 1, 0, 0, 1, 0], constraint_height=7)
    np.testing.assert_array_equal(
        stego, [0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1]
    )
    np.testing.assert_array_equal(parity_check.block_widths(20, 8), [3, 2, 3, 2, 3, 2, 3, 2])


def every_word(n, m, height, wet):
    """Six covers with costs and messages, and the least cost over all words of each."""
    rng = np.random.default_rng(n * m)
    matrix = parity_check_matrix(n, m, height)
    covers = rng.integers(0, 2, (6, n)).astype(np.uint8)
    messages = rng.integers(0, 2, (6, m)).astype(np.uint8)
    rho = np.where(rng.random((6, n)) < wet, WET_COST, rng.integers(1, 50, (6, n)))
    rows = list(zip(covers, rho.astype(np.float32), messages, strict=True))
    return rows, least_costs(rows, matrix), matrix


SIZES = [(12, 1), (14, 4), (13, 9), (10, 10), (14, 7)]


def test_no_word_is_cheaper_than_what_the_search_finds():
    cases, leasts, matrices = [], [], []
    for height, (n, m), wet in itertools.product((7, 10), SIZES, (0.0, 0.4)):
        rows, least, matrix = every_word(n, m, height, wet)
        cases += [(*row, height) for row in rows]
        leasts += least
        matrices += [matrix] * len(rows)
    assert 10 < np.isinf(leasts).sum() < 40
    changes, costs = searched(cases)
    for (cover, rho, message, _), least, matrix, changed, cost in zip(
        cases, leasts, matrices, changes, costs, strict=True
    ):
        np.testing.assert_array_equal(matrix.astype(int) @ (cover ^ changed) % 2, message)
        if np.isinf(least):
            assert cost >= WET_COST and (rho >= WET_COST)[changed == 1].any()
        else:
            assert cost == least == rho[changed == 1].sum()


@pytest.mark.parametrize("height, n, m", [*[(7, *size) for size in SIZES], (10, 14, 4)])
def test_no_word_is_cheaper_than_what_the_lanes_find(height, n, m):
    for wet in (0.0, 0.4):
        rows, leasts, matrix = every_word(n, m, height, wet)
        for (cover, costs, message), least in zip(rows, leasts, strict=True):
            if np.isinf(least):
                with pytest.raises(InputError, match="bits would fit"):
                    stc.embed(cover, costs, message, constraint_height=height)
            else:
                stego = stc.embed(cover, costs, message, constraint_height=height)
                np.testing.assert_array_equal(matrix.astype(int) @ stego % 2, message)
                assert cost_of(cover, stego, costs) == least


def test_dry_elements_are_taken_however_dear_before_wet_ones():
    rng = np.random.default_rng(7)
    matrix = parity_check_matrix(14, 5, 7)
    covers, messages = (
        rng.integers(0, 2, (20, 14)).astype(np.uint8),
        rng.integers(0, 2, (20, 5)).astype(np.uint8),
    )
    rho = rng.choice([1e-3, 1e7, WET_COST], (20, 14), p=[0.2, 0.4, 0.4]).astype(np.float32)
    leasts = least_costs(list(zip(covers, rho, messages, strict=True)), matrix)
    possible = np.flatnonzero(np.isfinite(leasts))
    assert len(possible) > 10
    stego = stc.embed(covers[possible], rho[possible], messages[possible], constraint_height=7)
    assert (stego == covers[possible])[rho[possible] >= WET_COST].all()
    np.testing.assert_array_equal(
        stc.extract(stego, message_length=5, constraint_height=7), messages[possible]
    )


@pytest.mark.parametrize("n, m", [(1, 1), (9, 2), (40, 40), (50, 31), (600, 2), (333, 100)])
@pytest.mark.parametrize("height", [7, 9, 12])
def test_the_syndrome_is_the_product_with_the_matrix(n, m, height):
    bits = np.random.default_rng(0).integers(0, 2, (3, n)).astype(np.uint8)
    product = bits.astype(int) @ parity_check_matrix(n, m, height).T % 2
    options = {"message_length": m, "constraint_height": height}
    np.testing.assert_array_equal(stc.syndrome(bits, **options), product)
    np.testing.assert_array_equal(stc.extract(bits, **options), product)
    if (n, height) == (333, 9):
        compiled = jax.jit(stc.syndrome, static_argnames=("message_length", "constraint_height"))
        np.testing.assert_array_equal(compiled(jnp.asarray(bits), **options), product)


@pytest.mark.parametrize("n, m", [(6000, 1300), (6000, 4001), (9000, 400)])
def test_pieces_of_one_trellis_give_the_path_of_the_whole(n, m):
    rng = np.random.default_rng(m)
    cover, message = rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 2, m).astype(np.uint8)
    rho = rng.random(n).astype(np.float32) ** 2
    stego = stc.embed(cover, rho, message, constraint_height=7)
    np.testing.assert_array_equal(
        stc.extract(stego, message_length=m, constraint_height=7), message
    )
    least = naive_viterbi(cover, rho.astype(float), message, 7)
    assert cost_of(cover, stego, rho) == pytest.approx(least, rel=2e-3)


def test_the_search_finds_the_path_of_a_naive_one():
    rng, cases, leasts = np.random.default_rng(9), [], []
    for n, m in ((1500, 330), (1500, 1100), (1700, 20)):
        cover, message = (rng.integers(0, 2, size).astype(np.uint8) for size in (n, m))
        rho = rng.random(n).astype(np.float32) ** 2
        cases.append((cover, rho, message, 7))
        leasts.append(naive_viterbi(cover, rho.astype(float), message, 7))
    changes, costs = searched(cases)
    np.testing.assert_allclose(costs, leasts, rtol=1e-5)
    for (cover, rho, *_), changed, least in zip(cases, changes, leasts, strict=True):
        assert cost_of(cover, cover ^ changed, rho) == pytest.approx(least, rel=1e-5)


def test_the_search_treats_rows_under_vmap_as_it_treats_one_alone():
    rng = np.random.default_rng(8)
    rho = rng.random((3, 90)).astype(np.float32) * np.array([[1.0], [2.0**-20], [2.0**20]])
    rho[2, :30] = WET_COST
    targets = rng.integers(0, 2, (3, 30)).astype(np.uint8)
    columns = block_columns(90, message_length=30, constraint_height=7)
    one = jax.jit(functools.partial(viterbi, constraint_height=7))
    together = jax.jit(jax.vmap(one, in_axes=(0, 0, None)))(rho, targets, columns)
    for row in range(3):
        alone = one(rho[row], targets[row], columns)
        np.testing.assert_array_equal(together.changes_N[row], alone.changes_N)
        assert together.cost[row] == alone.cost


def test_the_search_is_traced_once_for_a_shape_whatever_the_widths():
    traces = []

    @jax.jit
    def search(rho, target, columns):
        traces.append(columns)
        return viterbi(rho, target, columns, constraint_height=7)

    for n in (41, 47, 60):
        columns = block_columns(n, message_length=20, constraint_height=7)
        changes, cost = search(np.ones(60), np.ones(20, np.uint8), columns)
        carried = stc.syndrome(np.asarray(changes)[:n], message_length=20, constraint_height=7)
        assert carried.all() and cost == changes.sum() and not changes[n:].any()
    assert len(traces) == 1


def test_what_cannot_be_carried_costs_as_much_as_a_forbidden_change():
    columns = np.array([[65], [0], [65]])
    search = jax.jit(functools.partial(viterbi, constraint_height=7))
    for target, rho, fits in (
        ([1, 0, 0], [2.0, 3.0, 1.0], True),
        ([0, 1, 0], [2.0, 3.0, 1.0], False),
        ([1, 0, 0], [np.inf, 3.0, 1.0], False),
        ([1, 0, 0], [2.0, np.inf, 1.0], True),
    ):
        changes, cost = search(np.array(rho), np.array(target), columns)
        assert (cost < WET_COST) == fits
        if fits:
            np.testing.assert_array_equal(changes, [1, 0, 0])
    with pytest.raises(ValueError, match=r"shapes \(3,\), \(2,\), \(3, 1\) given"):
        viterbi(np.ones(3), np.ones(2), columns, constraint_height=7)


def test_the_search_is_differentiable_nowhere():
    columns = block_columns(9, message_length=3, constraint_height=7)
    slope = jax.grad(lambda rho: viterbi(rho, np.ones(3), columns, constraint_height=7).cost)
    np.testing.assert_array_equal(slope(jnp.ones(9)), np.zeros(9))


def test_the_search_and_the_lanes_take_the_same_step(monkeypatch):
    calls, step = [], stc.add_compare_select

    def noted(stay, arriving, costs):
        calls.append(len(costs))
        return step(stay, arriving, costs)

    monkeypatch.setattr(stc, "add_compare_select", noted)
    rho, target = np.ones(40, np.float32), np.ones(10, np.uint8)
    viterbi(rho, target, block_columns(40, message_length=10), constraint_height=10)
    assert set(calls) == {1}
    stc.embed(np.zeros(40, np.uint8), rho, target, constraint_height=7)
    assert set(calls) == {1, 2, 3}


def test_the_example_runs():
    results = doctest.testmod(stc)
    assert results.attempted > 5 and results.failed == 0


@pytest.mark.parametrize("segments", [1, 5])
def test_rows_of_a_batch_are_independent(segments):
    rng = np.random.default_rng(1)
    covers, messages = (
        rng.integers(0, 2, (3, 3000)).astype(np.uint8),
        rng.integers(0, 2, (3, 700)).astype(np.uint8),
    )
    rho = rng.random((3, 3000)).astype(np.float32) * np.array([[1.0], [1e-6], [1e6]], np.float32)
    together = stc.embed(covers, rho, messages, constraint_height=7, segments=segments)
    for row in range(3):
        alone = stc.embed(
            covers[row], rho[row], messages[row], constraint_height=7, segments=segments
        )
        assert cost_of(covers[row], together[row], rho[row]) == pytest.approx(
            cost_of(covers[row], alone, rho[row]), rel=1e-3
        )
    read = stc.extract(together, message_length=700, constraint_height=7, segments=segments)
    np.testing.assert_array_equal(read, messages)


@hypothesis.settings(deadline=None, max_examples=50, derandomize=True)
@hypothesis.given(
    n=st.sampled_from([1, 2, 70, 300, 900]),
    payload=st.sampled_from([0.0, 0.02, 0.2, 0.5, 0.9, 1.0]),
    wet=st.sampled_from([0.0, 0.3, 0.9]),
    segments=st.sampled_from([1, 1, 4]),
    spread=st.floats(0, 12),
    seed=st.integers(0, 1000),
)
def test_what_was_embedded_is_read_and_wet_elements_stay(n, payload, wet, segments, spread, seed):
    m = int(payload * n)
    rng = np.random.default_rng(seed)
    cover, message = rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 2, m).astype(np.uint8)
    rho = np.exp(spread * rng.random(n)).astype(np.float32)
    rho[rng.random(n) < wet] = rng.choice([WET_COST, np.inf])
    try:
        stego = stc.embed(cover, rho, message, constraint_height=7, segments=segments)
    except InputError:
        # With at least four dry elements a bit there is always room.
        assert m > (rho < WET_COST).sum() / 4 - 16
        return
    np.testing.assert_array_equal(
        stc.extract(stego, message_length=m, constraint_height=7, segments=segments), message
    )
    assert (stego == cover)[rho >= WET_COST].all()
    assert stego.dtype == np.uint8 and set(stego) <= {0, 1}


def test_segments_cost_little_and_a_short_message_uses_fewer():
    rng = np.random.default_rng(2)
    cover = rng.integers(0, 2, 40_000).astype(np.uint8)
    message = rng.integers(0, 2, 8_000).astype(np.uint8)
    rho = rng.random(40_000).astype(np.float32)
    whole, cut = (
        cost_of(cover, stc.embed(cover, rho, message, constraint_height=7, segments=k), rho)
        for k in (1, 16)
    )
    assert whole * 0.999 < cut < whole * 1.02
    stego = stc.embed(cover, rho, message[:8], constraint_height=7, segments=16)
    np.testing.assert_array_equal(stego, stc.embed(cover, rho, message[:8], constraint_height=7))


def test_one_byte_no_bits_and_every_bit():
    rng = np.random.default_rng(3)
    cover, rho = rng.integers(0, 2, 5000).astype(np.uint8), rng.random(5000).astype(np.float32)
    for m in (0, 1, 8):
        message = rng.integers(0, 2, m).astype(np.uint8)
        stego = stc.embed(cover, rho, message, constraint_height=7)
        read = stc.extract(stego, message_length=m, constraint_height=7)
        np.testing.assert_array_equal(read, message)
        assert (stego != cover).sum() <= m
    message = rng.integers(0, 2, 5000).astype(np.uint8)
    stego = stc.embed(cover, rho, message, constraint_height=7)
    np.testing.assert_array_equal(
        stc.extract(stego, message_length=5000, constraint_height=7), message
    )


def test_a_block_wider_than_there_are_columns_uses_its_cheapest_elements():
    rng = np.random.default_rng(4)
    n, m = 4000, 20
    cover, message = rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 2, m).astype(np.uint8)
    rho = rng.random(n).astype(np.float32)
    stego = stc.embed(cover, rho, message, constraint_height=7)
    assert cost_of(cover, stego, rho) == pytest.approx(
        naive_viterbi(cover, rho.astype(float), message, 7), rel=1e-3, abs=1e-6
    )


def test_too_much_for_the_dry_elements_says_how_much_would_fit():
    rng = np.random.default_rng(5)
    cover = rng.integers(0, 2, 600).astype(np.uint8)
    message = rng.integers(0, 2, 300).astype(np.uint8)
    rho = np.where(rng.random(600) < 0.9, WET_COST, 1.0).astype(np.float32)
    with pytest.raises(InputError, match=r"about (\d+) bits would fit") as caught:
        stc.embed(cover, rho, message, constraint_height=7)
    room = int(str(caught.value).split("about ")[1].split()[0])
    assert 15 < room < (rho < WET_COST).sum()
    stego = stc.embed(cover, rho, message[:room], constraint_height=7)
    assert (stego == cover)[rho >= WET_COST].all()
    with pytest.raises(InputError, match="at most 600"):
        stc.embed(cover, rho, np.zeros(601, np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        {"rho": np.full(10, np.nan)},
        {"rho": np.full(10, -1.0)},
        {"rho": np.ones(9)},
        {"cover": np.full(10, 2)},
        {"message": [0, 3]},
        {"message": [[0, 1]]},
        {"height": 6},
        {"segments": 0},
    ],
)
def test_nonsense_is_refused_in_one_line(change):
    given = {
        "cover": np.zeros(10, np.uint8),
        "rho": np.ones(10),
        "message": [0, 1],
        "height": 7,
        "segments": 1,
    } | change
    with pytest.raises(InputError) as caught:
        stc.embed(
            given["cover"],
            given["rho"],
            given["message"],
            constraint_height=given["height"],
            segments=given["segments"],
        )
    assert "\n" not in str(caught.value)


def test_one_program_serves_many_sizes():
    rng = np.random.default_rng(6)
    sizes = [
        (n, m)
        for n, m in itertools.product((1000, 1001, 1022, 1047), (211, 222, 247))
        if 4 < n / m < 5
    ]
    assert len(sizes) > 5
    before = lanes._forward_single._cache_size(), lanes._trace_back._cache_size()
    for n, m in sizes:
        cover, message = (
            rng.integers(0, 2, n).astype(np.uint8),
            rng.integers(0, 2, m).astype(np.uint8),
        )
        stego = stc.embed(cover, rng.random(n).astype(np.float32), message, constraint_height=8)
        np.testing.assert_array_equal(
            stc.extract(stego, message_length=m, constraint_height=8), message
        )
    after = lanes._forward_single._cache_size(), lanes._trace_back._cache_size()
    assert [b - a for a, b in zip(before, after, strict=True)] <= [1, 1]


@pytest.mark.parametrize("height", range(7, 13))
def test_submatrices_have_ones_at_both_ends_and_no_column_twice(height):
    for width in (*range(1, 33), 1 << (height - 2)):
        columns = submatrices.columns(width, height)
        assert columns.shape == (width,)
        assert ((columns & 1 == 1) & (columns >> (height - 1) == 1)).all()
        assert len(set(columns.tolist())) == width
    # A height of ten begins with the published 519, 885; outside the table the generator's first
    # number is 1791095845.
    assert submatrices.columns(2, 10).tolist() == [519, 885]
    assert (
        submatrices.columns(1, height)[0]
        == ((1791095845 & ((1 << (height - 2)) - 1)) << 1) + (1 << (height - 1)) + 1
    )
    with pytest.raises(ValueError, match="height must be 7..12"):
        submatrices.columns(3, 6)
