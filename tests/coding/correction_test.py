"""Polar codes for noisy channels: against every word at small lengths, the definition of
reliability, and the capacity.
"""

import numpy as np
import pytest
from support.matrices import polar_matrix

from stegojax.coding import correction


def gaussian(rng, mean, size):
    """Log-likelihood ratios of zeros sent over a channel with Gaussian noise."""
    return rng.normal(mean, np.sqrt(2 * mean), size)


def capacity_of_mean(mean):
    """Of the binary-input Gaussian channel, by a plain sum."""
    llr = np.linspace(mean - 12 * np.sqrt(2 * mean), mean + 12 * np.sqrt(2 * mean), 100_001)
    density = np.exp(-((llr - mean) ** 2) / (4 * mean)) / np.sqrt(4 * np.pi * mean)
    return 1 - np.trapezoid(density * np.logaddexp(0, -llr), llr) / np.log(2)


@pytest.mark.parametrize(
    "elements,length",
    [(1, 1), (7, 3), (8, 8), (8, 1), (600, 128), (1000, 999), (70_000, 1501), (70_000, 60_000)],
)
def test_without_noise_the_message_is_what_was_encoded(elements, length):
    message = np.random.default_rng(length).integers(0, 2, length).astype(np.uint8)
    sent = correction.encode(message, elements=elements)
    assert sent.shape == (elements,) and sent.dtype == np.uint8
    np.testing.assert_array_equal(correction.decode(4 - 8.0 * sent, message_length=length), message)


def test_the_code_is_the_matrixs_rows_and_a_full_list_finds_the_likeliest_word(monkeypatch):
    """Shortened to 13 of 16 elements: the unsent ones of every word are zero, and decoding is
    maximum likelihood.
    """
    monkeypatch.setattr(correction, "_LIST_SIZE", 32)
    rng, length, elements = np.random.default_rng(0), 5, 13
    messages = (np.arange(1 << length)[:, None] >> np.arange(length) & 1).astype(np.uint8)
    u = np.zeros((len(messages), 16), int)
    u[:, correction.message_positions(4, elements, length)] = messages
    words = u @ polar_matrix(4) % 2
    assert not words[:, elements:].any()
    for message, word in zip(messages, words):
        np.testing.assert_array_equal(
            correction.encode(message, elements=elements), word[:elements]
        )
    for _ in range(20):
        llr = rng.normal(0.5, 1.5, elements).astype(np.float32)
        likeliest = messages[((1 - 2 * words[:, :elements]) * llr).sum(axis=1).argmax()]
        np.testing.assert_array_equal(correction.decode(llr, message_length=length), likeliest)


def test_reliabilities_follow_density_evolution():
    """One step by hand: with two elements the second bit is the better one; with four the order is
    3, 2 or 1, 0 and the worst is 0.

    A sum of bits is known with tanh the product of tanhs, a repeated bit with the sum of the
    log-likelihood ratios.
    """
    np.testing.assert_array_equal(correction.message_positions(1, 2, 1), [1])
    np.testing.assert_array_equal(correction.message_positions(2, 4, 1), [3])
    # Of bits 1 (a sum of two, then twice) and 2 (twice, then a sum of two) the latter is better, at
    # any mean.
    np.testing.assert_array_equal(correction.message_positions(2, 4, 2), [2, 3])
    # Bits from the first unsent element on carry nothing.
    assert correction.message_positions(4, 11, 9).max() <= 10
    # How often the bits of a code of 256 elements are wrong when all before them are given, by
    # simulation: those that carry a message are the ones that are wrong least often, but for a few
    # at the border.
    log_length, message_length = 8, 128
    needed = (message_length + 256**0.7) / 256
    means = np.linspace(0.1, 8, 400)
    mean = means[np.argmin([abs(capacity_of_mean(value) - needed) for value in means])]
    best = np.argsort(error_rates(np.random.default_rng(1), mean, log_length))[:message_length]
    assert (
        len(np.intersect1d(best, correction.message_positions(log_length, 256, message_length)))
        >= 126
    )


def error_rates(rng, mean, log_length, trials=4000):
    """Share of wrong decisions on every bit before the transform, all bits before it being known to
    be zero.
    """
    llr = gaussian(rng, mean, (trials, 1, 1 << log_length))
    for _ in range(log_length):
        a, b = np.split(llr, 2, axis=2)
        sums = 2 * np.arctanh(np.clip(np.tanh(a / 2) * np.tanh(b / 2), -1 + 1e-15, 1 - 1e-15))
        llr = np.stack([sums, a + b], axis=2).reshape(trials, -1, a.shape[2])
    return np.mean(llr[..., 0] < 0, axis=0)


@pytest.mark.parametrize("elements,mean", [(600, 3.0), (1000, 0.8), (70_000, 2.0), (70_000, 8.0)])
def test_what_the_room_promises_comes_through(elements, mean):
    rng = np.random.default_rng(elements)
    capacity = capacity_of_mean(mean)
    length = correction.room(elements, capacity)
    assert 0.2 * capacity < length / elements < capacity
    assert elements < 20_000 or length > 0.8 * capacity * elements
    came_through = 0
    for _ in range(4):
        message = rng.integers(0, 2, length).astype(np.uint8)
        llr = gaussian(rng, mean, elements) * (
            1 - 2.0 * correction.encode(message, elements=elements)
        )
        came_through += np.array_equal(correction.decode(llr, message_length=length), message)
    assert came_through >= 3


def test_room_is_none_where_nothing_is_told():
    assert correction.room(1000, 0.0) == correction.room(0, 0.5) == 0
    assert correction.room(1000, 1.0) == 970


def test_trust_is_what_was_counted_and_does_not_care_for_scale():
    """Of the surest half one in ten is wrong, of the other half one in three."""
    rng = np.random.default_rng(2)
    size = np.concatenate([rng.uniform(0, 1, 80_000), rng.uniform(1, 9, 80_000)])
    wrong = rng.random(size.size) < np.repeat([1 / 3, 0.1], 80_000)
    bits = rng.integers(0, 2, size.size).astype(np.uint8)
    values = size * (2.0 * bits - 1) * np.where(wrong, -1, 1)
    trust = correction.calibrate(values, bits)
    assert trust.dtype == np.uint8 and trust.shape == (16,)
    np.testing.assert_allclose(trust[:8] / 16, np.log(2), atol=0.12)
    np.testing.assert_allclose(trust[8:] / 16, np.log(9), atol=0.2)
    np.testing.assert_array_equal(correction.calibrate(0.001 * values, bits), trust)
    llr = correction.likelihoods(values, trust)
    assert ((llr < 0) == (values > 0)).all()
    np.testing.assert_allclose(np.abs(llr), trust[np.repeat([0, 8], 80_000)] / 16, atol=0.35)
    entropy = [-p * np.log2(p) - (1 - p) * np.log2(1 - p) for p in (1 / 3, 0.1)]
    assert correction.information(trust) == pytest.approx(1 - np.mean(entropy), abs=0.01)


def test_trust_at_the_ends():
    """Faultless values are trusted as far as their number allows, and values that are wrong more
    often than not, not at all.
    """
    values = np.linspace(1, 2, 1600)
    assert (correction.calibrate(values, np.ones(1600)) == round(16 * np.log(100.5 / 0.5))).all()
    assert (correction.calibrate(values, np.zeros(1600)) == 0).all()
    assert (
        correction.information(np.zeros(16, np.uint8)) == 0
        and correction.information(np.full(16, 255, np.uint8)) > 0.99999
    )


def test_more_bits_than_elements_are_refused():
    with pytest.raises(ValueError, match="9 bits do not go into 8 elements"):
        correction.encode(np.ones(9, np.uint8), elements=8)
    with pytest.raises(ValueError, match="0 bits do not go into 8 elements"):
        correction.decode(np.ones(8), message_length=0)


def test_the_code_does_not_change():
    """Sender and receiver compute the positions by themselves: these are those of the first
    version.
    """
    positions = correction.message_positions(13, 8000, 4000)
    assert int(positions.sum()) == 22_264_626 and int((positions**2).sum() % 1_000_003) == 151_684
