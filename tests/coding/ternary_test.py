"""Two-layer +-1 embedding: values, message and cost, with every binary code."""

import functools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from stegojax.coding import optimal_lambda, polar, ternary
from stegojax.errors import InputError
from stegojax.types import WET_COST, Costs

STC = ternary.stc_code(constraint_height=7)
CODES = {
    "stc": STC,
    "segments": ternary.stc_code(constraint_height=7, segments=4),
    "polar": ternary.polar_code(list_size=2),
}


def entropies(lambda_, plus, minus, cover):
    """Naive, in float64: of the change, and of the second-lowest bit of the stego."""
    p = np.stack([np.exp(-np.minimum(lambda_ * rho, 700)) for rho in (plus, minus, 0 * plus)])
    p /= p.sum(axis=0)
    values = np.stack([cover + 1, cover - 1, cover])
    zero = (p * ((values >> 1) % 2 == 0)).sum(axis=0)

    def entropy(*parts):
        return -sum(np.where(q > 0, q * np.log2(np.maximum(q, 1e-300)), 0).sum() for q in parts)

    return entropy(*p), entropy(zero, 1 - zero)


def bound(plus, minus, bits, cover):
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if entropies(middle, plus, minus, cover)[0] > bits else (low, middle)
        )
    p = np.stack([np.exp(-np.minimum(high * rho, 700)) for rho in (plus, minus)])
    p /= 1 + p.sum(axis=0)
    return (p[0] * plus + p[1] * minus).sum()


def cost_of(cover, stego, costs):
    step = stego.astype(int) - cover
    return (costs.plus.astype(float) * (step == 1)).sum() + (
        costs.minus.astype(float) * (step == -1)
    ).sum()


def scene(seed, n, *, ratio=1.0):
    rng = np.random.default_rng(seed)
    cover = rng.integers(-300, 300, n)
    rho = (rng.random(n) ** 2 * 10 + 0.05).astype(np.float32)
    return rng, cover, Costs(rho, rho * rng.choice([1 / ratio, 1.0, ratio], n).astype(np.float32))


@pytest.mark.parametrize("ratio", [1.0, 9.0])
def test_lambda_and_split_are_those_of_the_entropies(ratio):
    _, cover, costs = scene(0, 3000, ratio=ratio)
    plus, minus = (cost.astype(float) for cost in costs)
    carrying, other = np.where(cover % 2, plus, minus), np.where(cover % 2, minus, plus)
    for bits in (1, 30, 1200, 4000):
        lambda_, upper = optimal_lambda(carrying, other, bits)
        whole, second = entropies(lambda_, plus, minus, cover)
        assert whole == pytest.approx(bits, rel=1e-4, abs=0.02)
        assert upper == pytest.approx(second, rel=1e-4, abs=1e-2)


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("split", ["entropy", "half"])
def test_the_message_is_read_and_no_value_is_forbidden(name, split):
    rng, cover, costs = scene(1, 2000, ratio=3.0)
    forbidden = rng.random((2, 2000)) < 0.2
    costs = Costs(*np.where(forbidden, WET_COST, costs).astype(np.float32))
    message = rng.integers(0, 2, 500).astype(np.uint8)
    stego, lengths = ternary.embed(
        cover.astype(np.int16), costs, message, code=CODES[name], split=split
    )
    assert stego.dtype == np.int16 and sum(lengths) == 500
    assert lengths[0] == 250 if split == "half" else 200 < lengths[0] < 300
    step = stego.astype(int) - cover
    assert set(step) == {-1, 0, 1}
    assert (step != 1)[forbidden[0]].all() and (step != -1)[forbidden[1]].all()
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=CODES[name]), message)


def test_cost_over_the_bound_and_the_entropy_split_beats_halves_where_costs_are_lopsided():
    rng, cover, costs = scene(2, 2000)
    # Going up is cheap for odd values and down for even ones: nearly everything carries over.
    odd = cover % 2 == 1
    costs = Costs(
        np.where(odd, costs.plus, 5 * costs.plus), np.where(odd, 5 * costs.plus, costs.plus)
    )
    message = rng.integers(0, 2, 600).astype(np.uint8)
    least = bound(*(cost.astype(float) for cost in costs), 600, cover)
    cost = {}
    for split in ("entropy", "half"):
        stego, lengths = ternary.embed(cover, costs, message, code=CODES["polar"], split=split)
        cost[split] = cost_of(cover, stego, costs)
    assert least < cost["entropy"] < 1.3 * least
    assert cost["entropy"] < 0.9 * cost["half"]


def test_costs_alone_keep_values_in_their_range():
    rng = np.random.default_rng(3)
    cover = rng.choice(np.array([0, 255], np.uint8), 2000)
    ones = np.ones(2000, np.float32)
    inwards = Costs(np.where(cover == 255, WET_COST, ones), np.where(cover == 0, WET_COST, ones))
    message = rng.integers(0, 2, 400).astype(np.uint8)
    stego, lengths = ternary.embed(cover, inwards, message, code=CODES["polar"])
    assert stego.dtype == np.uint8 and set(stego) == {0, 1, 254, 255}
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=CODES["polar"]), message)
    # Wider values know no such range, and narrow ones are not let overflow.
    stego, lengths = ternary.embed(
        cover.astype(np.int16), Costs(ones, ones), message, code=CODES["polar"]
    )
    assert set(stego) == {-1, 0, 1, 254, 255, 256}
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=CODES["polar"]), message)
    for costs in (Costs(ones, inwards.minus), Costs(inwards.plus, ones)):
        with pytest.raises(InputError, match="allow changes that leave 0..255, the range of uint8"):
            ternary.embed(cover, costs, message, code=CODES["polar"])


@hypothesis.settings(deadline=None, max_examples=30, derandomize=True)
@hypothesis.given(
    n=st.sampled_from([1, 2, 30, 1500]),
    payload=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    wet=st.sampled_from([0.0, 0.5, 0.9]),
    ratio=st.sampled_from([1.0, 4.0, 100.0]),
    seed=st.integers(0, 1000),
)
def test_what_was_embedded_is_read_whatever_the_costs(n, payload, wet, ratio, seed):
    rng, cover, costs = scene(seed, n, ratio=ratio)
    costs = Costs(*np.where(rng.random(n) < wet, np.inf, costs).astype(np.float32))
    message = rng.integers(0, 2, int(payload * (1 - wet) * n / 2)).astype(np.uint8)
    try:
        stego, lengths = ternary.embed(cover, costs, message, code=STC)
    except InputError:
        # Half of what the dry elements could hold at most in theory fits unless there are hardly
        # any.
        assert len(message) > (costs.plus < WET_COST).sum() / 2 - 24
        return
    step = stego - cover
    assert abs(step).max(initial=0) <= 1
    assert (step == 0)[np.isinf(costs.plus)].all()
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=STC), message)


def test_a_batch_shares_its_split_and_rows_are_their_own():
    rng, cover, costs = scene(4, 4000)
    covers, plus = cover.reshape(2, 2000), costs.plus.reshape(2, 2000)
    messages = rng.integers(0, 2, (2, 500)).astype(np.uint8)
    stego, lengths = ternary.embed(covers, Costs(plus, plus), messages, code=STC)
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=STC), messages)
    for row in range(2):
        alone, _ = ternary.embed(covers[row], Costs(plus[row], plus[row]), messages[row], code=STC)
        both = Costs(plus[row], plus[row])
        assert cost_of(covers[row], stego[row], both) == pytest.approx(
            cost_of(covers[row], alone, both), rel=0.15
        )


@pytest.mark.parametrize("m", [0, 1, 2, 8])
def test_short_messages(m):
    rng, cover, costs = scene(5, 500)
    message = rng.integers(0, 2, m).astype(np.uint8)
    stego, lengths = ternary.embed(cover, costs, message, code=STC)
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=STC), message)
    assert sum(lengths) == m and (stego != cover).sum() <= m


@pytest.mark.parametrize("name", CODES)
def test_too_much_says_how_much_would_fit(name, monkeypatch):
    monkeypatch.setattr(ternary, "_ATTEMPTS", 3)
    rng, cover, costs = scene(6, 2000)
    costs = Costs(*np.where(rng.random(2000) < 0.96, WET_COST, costs).astype(np.float32))
    message = rng.integers(0, 2, 700).astype(np.uint8)
    with pytest.raises(
        InputError, match=r"^700 bits do not fit .* about \d+ bits would fit$"
    ) as caught:
        ternary.embed(cover, costs, message, code=CODES[name])
    room = int(str(caught.value).split("about ")[1].split()[0])
    assert 20 < room < 130
    stego, lengths = ternary.embed(cover, costs, message[:room], code=CODES[name])
    np.testing.assert_array_equal(ternary.extract(stego, lengths, code=CODES[name]), message[:room])


@pytest.mark.parametrize(
    "change",
    [
        {"cover": np.full(10, 1.5)},
        {"cover": np.full(10, np.inf)},
        {"plus": np.full(10, np.nan)},
        {"plus": np.full(10, -1.0)},
        {"plus": np.ones(9)},
        {"split": "third"},
        {"message": [2]},
    ],
)
def test_nonsense_is_refused_in_one_line(change):
    given = {
        "cover": np.full(10, 7),
        "plus": np.ones(10),
        "split": "entropy",
        "message": [0, 1],
    } | change
    with pytest.raises(InputError) as caught:
        ternary.embed(
            given["cover"],
            Costs(given["plus"], np.ones(10)),
            given["message"],
            code=STC,
            split=given["split"],
        )
    assert "\n" not in str(caught.value)


def test_any_pair_of_functions_is_a_code():
    code = ternary.Code(functools.partial(polar.embed, list_size=2), polar.extract)
    rng, cover, costs = scene(7, 2000)
    message = rng.integers(0, 2, 300).astype(np.uint8)
    stego, lengths = ternary.embed(cover, costs, message, code=code)
    read = ternary.extract(stego, lengths, code=ternary.polar_code(list_size=4))
    np.testing.assert_array_equal(read, message)
    assert (ternary.extract(stego, lengths, code=STC) != message).any()


ORIGINAL = [
    (
        7,
        96,
        31,
        953,
        "00000000+-0000000000000-00000000000-000000-0000-0-00-0+00000000-000000000000000000-+00000000000-",
    ),
    (
        10,
        240,
        80,
        2739,
        "00000000000000000-00-000000000000000000000000000000000-00000000-+0-0-00000000+000-0000000000000000+000-00000-0"
        "00000000000000000000+00--00000000000000000000000000000000+000000000000000+00-00000+00000000000000000000000-00-"
        "0+000000000000000000",
    ),
    (
        12,
        150,
        29,
        553,
        "00000+00000000000000-00000000000000000000000000000000000+00000000000000000000000+00-0000000000000000000000000-"
        "0+00000-000000000000000000000-0000000000",
    ),
]
"""Made with the original C++ (its two-layer `stc_hide`): height, elements, bits, cost of its
changes, and the changes.
"""


@pytest.mark.parametrize("height, n, m, cost, changes", ORIGINAL)
def test_the_original_and_this_read_each_other(height, n, m, cost, changes):
    rng = np.random.RandomState(height)
    cover = rng.randint(1, 255, n)
    costs = Costs(*(rng.randint(1, 1000, n).astype(np.float32) for _ in range(2)))
    message, code = (
        rng.randint(0, 2, m).astype(np.uint8),
        ternary.stc_code(constraint_height=height),
    )
    theirs = cover + np.array(["-0+".index(change) - 1 for change in changes])
    np.testing.assert_array_equal(
        ternary.extract(theirs, (m // 2, m - m // 2), code=code, order="pystc"), message
    )
    ours, lengths = ternary.embed(cover, costs, message, code=code, split="half", order="pystc")
    assert lengths == (m // 2, m - m // 2)
    np.testing.assert_array_equal(ternary.extract(ours, lengths, code=code, order="pystc"), message)
    # Both find the cheapest vector for each layer, so what the other reads in ours is what it reads
    # in its own.
    assert cost_of(cover, ours, costs) == pytest.approx(cost, rel=1e-6)


@pytest.mark.parametrize("order", ternary.ORDERS)
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_an_order_is_a_permutation_of_each_layer(order, n):
    for permutation in ternary.ORDERS[order](n, (3, 4)):
        assert permutation is None or sorted(permutation) == list(range(n))


def test_the_lower_layer_parts_the_neighbours_of_the_upper():
    n = 10_000
    _, lower = ternary.ORDERS["strided"](n, (1, 1))
    place = np.argsort(lower)
    for near in range(1, 50):
        apart = np.abs(place[near:] - place[:-near])
        assert np.minimum(apart, n - apart).min() > 50


def test_a_batch_takes_the_best_lambda_of_each_cover():
    """Two covers whose costs differ by a factor cost together what they cost alone, and each
    carries its message.
    """
    rng, cover, costs = scene(5, 2000)
    messages = rng.integers(0, 2, (2, 500)).astype(np.uint8)
    covers, both = np.stack([cover, cover]), Costs(*(np.stack([rho, 1000 * rho]) for rho in costs))
    stegos, lengths = ternary.embed(covers, both, messages, code=STC)
    np.testing.assert_array_equal(ternary.extract(stegos, lengths, code=STC), messages)
    alone = [
        cost_of(cover, ternary.embed(cover, costs, message, code=STC)[0], costs)
        for message in messages
    ]
    together = [cost_of(cover, stego, costs) for stego in stegos]
    np.testing.assert_allclose(together, alone, rtol=1e-3)
