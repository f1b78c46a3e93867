"""Steganographic polar codes against the matrix written out, every word at small lengths, a plain
decoder, and the bound.
"""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from support.matrices import polar_matrix

from stegojax.coding import polar
from stegojax.errors import InputError
from stegojax.types import WET_COST


def binary_bound(rho, bits):
    """Least expected cost at which independent changes carry so many bits, by bisection in
    float64.
    """
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        x = np.minimum(middle * rho, 700)
        entropy = (np.log1p(np.exp(-x)) + x / (1 + np.exp(x))).sum() / np.log(2)
        low, high = (middle, high) if entropy > bits else (low, middle)
    return (rho / (1 + np.exp(np.minimum(high * rho, 700)))).sum()


def plain_decoder(llr, carries, u):
    """Successive cancellation, bit by bit, after the definition."""
    if len(llr) == 1:
        bit = u[0] if carries[0] else int(llr[0] < 0)
        return np.array([bit])
    half = len(llr) // 2
    a, b = llr[:half], llr[half:]
    sums = 2 * np.arctanh(np.clip(np.tanh(a / 2) * np.tanh(b / 2), -1 + 1e-15, 1 - 1e-15))
    left = plain_decoder(sums, carries[:half], u[:half])
    right = plain_decoder(b + (1 - 2 * left) * a, carries[half:], u[half:])
    return np.concatenate([left ^ right, right])


def cost_of(cover, stego, rho):
    return (rho.astype(float) * (cover != stego)).sum()


@pytest.mark.parametrize("log_length", [0, 1, 3, 6])
def test_the_transform_is_the_product_with_the_matrix_and_its_own_inverse(log_length):
    bits = np.random.default_rng(0).integers(0, 2, (4, 1 << log_length)).astype(np.uint8)
    product = bits.astype(int) @ polar_matrix(log_length) % 2
    np.testing.assert_array_equal(polar.transform(bits), product)
    np.testing.assert_array_equal(jax.jit(polar.transform)(jnp.asarray(bits)), product)
    np.testing.assert_array_equal(polar.transform(polar.transform(bits)), bits)
    with pytest.raises(ValueError, match="power of two"):
        polar.transform(np.zeros(6, np.uint8))


def test_message_positions_follow_arikans_recursion():
    # z0 = 1/2: 3/4, 1/4; then 15/16, 9/16, 7/16, 1/16.
    np.testing.assert_array_equal(polar.message_positions(2, 4, 2), [0, 1])
    # z0 = 5/8: 55/64, 25/64; then 4015/4096, 3025/4096, 2575/4096, 625/4096; then the 5 largest of
    # 8.
    z = np.array([5 / 8])
    for _ in range(3):
        z = np.stack([2 * z - z * z, z * z], axis=1).ravel()
    np.testing.assert_array_equal(polar.message_positions(3, 8, 5), np.sort(np.argsort(-z)[:5]))
    # Known zeros carry nothing: with one element in use, only the last bit can.
    np.testing.assert_array_equal(polar.message_positions(1, 1, 1), [0])


def test_decoding_by_nodes_is_decoding_bit_by_bit():
    rng = np.random.default_rng(1)
    for message_length in (10, 64, 90):
        carries = np.zeros(128, bool)
        carries[polar.message_positions(7, 128, message_length)] = True
        u = np.where(carries, rng.integers(0, 2, 128), 0)
        llr = rng.normal(0, 3, 128)
        levels, starts = polar._nodes(carries)
        assert (1 << levels).sum() == 128 and levels.size < 128
        decoded = polar._decode(
            llr[:, None].astype(np.float32),
            u[:, None].astype(np.uint8),
            levels.astype(np.int32),
            starts.astype(np.int32),
            carries[starts],
            levels.size,
            list_size=1,
        )
        np.testing.assert_array_equal(np.asarray(decoded)[:, 0], plain_decoder(llr, carries, u))


def test_a_list_that_holds_everything_finds_the_cheapest_word():
    rng = np.random.default_rng(2)
    words = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8)
    carried = words @ polar_matrix(3) % 2
    for m in (3, 5, 8):
        positions = polar.message_positions(3, 8, m)
        for _ in range(5):
            cover = rng.integers(0, 2, 8).astype(np.uint8)
            message = rng.integers(0, 2, m).astype(np.uint8)
            rho = rng.random(8).astype(np.float32)
            matching = words[(carried[:, positions] == message).all(axis=1)]
            stego = polar.embed(cover, rho, message, list_size=32)
            assert cost_of(cover, stego, rho) == pytest.approx(
                ((matching != cover) * rho).sum(axis=1).min(), rel=1e-5
            )


@pytest.mark.parametrize("list_size, limit", [(1, 1.14), (8, 1.08)])
def test_cost_over_the_bound(list_size, limit):
    rng = np.random.default_rng(3)
    n, m = 16_384, 8_192
    cover, message = rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 2, m).astype(np.uint8)
    rho = rng.permutation(np.arange(1, n + 1) / n).astype(np.float32)
    stego = polar.embed(cover, rho, message, list_size=list_size)
    ratio = cost_of(cover, stego, rho) / binary_bound(rho.astype(float), m)
    assert 1.0 < ratio < limit


@hypothesis.settings(deadline=None, max_examples=40, derandomize=True)
@hypothesis.given(
    n=st.sampled_from([1, 7, 200, 256]),
    payload=st.floats(0, 1),
    wet=st.sampled_from([0.0, 0.3, 0.9]),
    spread=st.floats(0, 12),
    seed=st.integers(0, 1000),
)
def test_what_was_embedded_is_read_and_wet_elements_stay(n, payload, wet, spread, seed):
    m = int(payload * n)
    rng = np.random.default_rng(seed)
    cover, message = rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 2, m).astype(np.uint8)
    rho = np.exp(spread * rng.random(n)).astype(np.float32)
    rho[rng.random(n) < wet] = rng.choice([WET_COST, np.inf])
    try:
        stego = polar.embed(cover, rho, message)
    except InputError as error:
        assert wet and "bits would fit" in str(error)
        return
    np.testing.assert_array_equal(polar.extract(stego, message_length=m), message)
    assert (stego == cover)[rho >= WET_COST].all()


def test_rows_of_a_batch_and_blocks_are_independent(monkeypatch):
    monkeypatch.setattr(polar, "_MAX_LOG_LENGTH", 8)
    assert polar.block_shape(1100) == (5, 8)
    rng = np.random.default_rng(4)
    covers = rng.integers(0, 2, (2, 1100)).astype(np.uint8)
    messages = rng.integers(0, 2, (2, 250)).astype(np.uint8)
    rho = rng.random((2, 1100)).astype(np.float32) * np.array([[1.0], [1e4]], np.float32)
    together = polar.embed(covers, rho, messages, list_size=2)
    np.testing.assert_array_equal(polar.extract(together, message_length=250), messages)
    for row in range(2):
        alone = polar.embed(covers[row], rho[row], messages[row], list_size=2)
        np.testing.assert_array_equal(together[row], alone)


@pytest.mark.parametrize("n", [1, 2, 3, 63, 4096, 4097, 70_000, 1_179_648, (1 << 20) + 1, 1 << 24])
def test_blocks_are_as_few_and_as_short_as_will_do(n):
    blocks, log_length = polar.block_shape(n)
    assert n - n // blocks * blocks < blocks and n // blocks <= 1 << log_length <= 1 << 20
    assert (blocks - 1) << 20 < n and (log_length == 0 or n // blocks > 1 << (log_length - 1))


def test_too_much_for_the_dry_elements_says_how_much_would_fit():
    rng = np.random.default_rng(5)
    cover = rng.integers(0, 2, 256).astype(np.uint8)
    message = rng.integers(0, 2, 128).astype(np.uint8)
    rho = np.where(rng.random(256) < 0.7, WET_COST, 1.0).astype(np.float32)
    with pytest.raises(InputError, match=r"about \d+ bits would fit") as caught:
        polar.embed(cover, rho, message)
    room = int(str(caught.value).split("about ")[1].split()[0])
    assert 16 < room <= (rho < WET_COST).sum()
    np.testing.assert_array_equal(
        polar.extract(polar.embed(cover, rho, message[:room]), message_length=room), message[:room]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"rho": np.full(10, np.nan)},
        {"rho": np.full(10, -1.0)},
        {"cover": np.full(10, 2)},
        {"list_size": 0},
        {"list_size": 33},
        {"message": np.zeros(11, np.uint8)},
    ],
)
def test_nonsense_is_refused_in_one_line(change):
    given = {
        "cover": np.zeros(10, np.uint8),
        "rho": np.ones(10),
        "message": [0, 1],
        "list_size": 4,
    } | change
    with pytest.raises(InputError) as caught:
        polar.embed(given["cover"], given["rho"], given["message"], list_size=given["list_size"])
    assert "\n" not in str(caught.value)


def test_a_message_that_only_changed_padding_could_carry_is_refused():
    """Nearly all elements are wet: where the decoder breaks its rules it may break the padding's,
    which is not in the stego.
    """
    refused = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        bits = rng.integers(0, 2, 70).astype(np.uint8)
        message = rng.integers(0, 2, 22).astype(np.uint8)
        rho = np.where(rng.random(70) < 0.6, WET_COST, 1.0).astype(np.float32)
        try:
            stego = polar.embed(bits, rho, message, list_size=8)
        except InputError:
            refused += 1
            continue
        np.testing.assert_array_equal(polar.extract(stego, message_length=22), message)
    assert 0 < refused < 40
