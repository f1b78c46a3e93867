"""Figures of text against their definitions, computed plainly; the Frechet distance against closed
forms.
"""

import collections
import math

import numpy as np
import pytest
import scipy.linalg

from stegojax import metrics


def plain_bleu(references, revealed):
    precisions = []
    for n in range(1, 5):
        found = total = 0
        for one, other in zip(references, revealed, strict=True):
            runs, known = (
                collections.Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
                for words in (other, one)
            )
            found += sum(min(times, known[run]) for run, times in runs.items())
            total += sum(runs.values())
        precisions.append(found / total if total else 0)
    length, wanted = sum(map(len, revealed)), sum(map(len, references))
    if not all(precisions):
        return 0.0
    return min(1.0, math.exp(1 - wanted / length)) * math.prod(precisions) ** 0.25


def plain_distance(one, other):
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, start=1):
        before, row = row, [i]
        for j, candidate in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != candidate)))
    return row[-1]


def texts(seed):
    """Hidden sentences, and what came back: words replaced, left out, put in; one sentence empty,
    one unharmed.
    """
    rng = np.random.default_rng(seed)
    words = ["the", "cat", "sees", "a", "dog", ".", "?", "don't", "3,000", "9/11"]
    references = [list(rng.choice(words, rng.integers(4, 12))) for _ in range(30)]
    revealed = []
    for sentence in references:
        damaged = [
            str(rng.choice(words)) if rng.random() < 0.1 else word
            for word in sentence
            if rng.random() > 0.1
        ]
        revealed.append(damaged + list(rng.choice(words, rng.integers(0, 2))))
    revealed[0], revealed[1] = [], list(references[1])
    return references, revealed


@pytest.mark.parametrize("seed", range(3))
def test_text_figures_are_the_definitions(seed):
    references, revealed = texts(seed)
    expected = plain_bleu(references, revealed)
    assert 0.2 < expected < 0.9 and metrics.bleu(references, revealed) == pytest.approx(
        expected, abs=1e-9
    )
    errors = sum(map(plain_distance, references, revealed))
    assert metrics.wer(references, revealed) == pytest.approx(
        errors / sum(map(len, references)), abs=1e-12
    )
    assert metrics.exact_match(references, revealed) == pytest.approx(
        np.mean([a == b for a, b in zip(references, revealed)])
    )
    assert 0 < metrics.exact_match(references, revealed) < 1


def test_text_figures_by_hand():
    hidden = [["the", "cat", "sat", "on", "the", "mat"]]
    # Runs found: 5 of 6, 3 of 5, 2 of 4, 1 of 3; as long as the reference.
    expected = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert metrics.bleu(hidden, [["the", "cat", "sat", "on", "a", "mat"]]) == pytest.approx(
        expected
    )
    assert metrics.bleu(hidden, [["the", "cat", "sat", "on"]]) == pytest.approx(math.exp(1 - 6 / 4))
    assert metrics.wer(hidden, [["the", "cat", "sat", "on", "mat", "!"]]) == pytest.approx(2 / 6)
    assert metrics.wer([["yes"]], [["no", "never", "again"]]) == 3
    assert (
        metrics.bleu(hidden, hidden) == metrics.exact_match(hidden, hidden) == 1
        and metrics.wer(hidden, hidden) == 0
    )
    assert (
        metrics.bleu(hidden, [[]]) == metrics.exact_match(hidden, [[]]) == 0
        and metrics.wer(hidden, [[]]) == 1
    )
    assert metrics.bleu(hidden, [["a", "the", "cat", "b", "on", "the"]]) == 0


def test_texts_that_cannot_be_compared():
    for figure in (metrics.bleu, metrics.wer, metrics.exact_match):
        with pytest.raises(ValueError, match="1 and 2 were given"):
            figure([["a"]], [["a"], ["b"]])
        with pytest.raises(ValueError, match="0 and 0"):
            figure([], [])
        for wrong in ("a b", ["a b"], [""]):
            with pytest.raises(ValueError, match="number 1 of revealed; split it first"):
                figure([["a"], ["b"]], [["a"], wrong])
    with pytest.raises(ValueError, match="every reference needs a word"):
        metrics.wer([[]], [["a"]])


def covariance(rng, size, rank):
    factors = rng.normal(size=(size, rank))
    return factors @ factors.T / rank


def test_the_frechet_distance_of_known_distributions():
    assert metrics.frechet_distance([1.0], [[4.0]], [4.0], [[9.0]]) == pytest.approx(9 + 1)
    spread_x, spread_y = np.array([0.0, 1, 4, 9]), np.array([1.0, 0, 16, 9])
    expected = 4 * 0.25 + np.sum((np.sqrt(spread_x) - np.sqrt(spread_y)) ** 2)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    for basis in (np.eye(4), turn):
        x, y = (basis @ np.diag(spread) @ basis.T for spread in (spread_x, spread_y))
        assert metrics.frechet_distance(np.zeros(4), x, np.full(4, 0.5), y) == pytest.approx(
            expected, abs=1e-6
        )


def test_the_frechet_distance_is_that_of_the_matrix_root():
    rng = np.random.default_rng(1)
    x, y = covariance(rng, 12, 40), covariance(rng, 12, 30)
    means = rng.normal(size=(2, 12))
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(
        x + y - 2 * scipy.linalg.sqrtm(x @ y).real
    )
    assert metrics.frechet_distance(means[0], x, means[1], y) == pytest.approx(expected, rel=1e-9)
    assert metrics.frechet_distance(means[1], y, means[0], x) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_equal_and_of_singular_distributions():
    rng = np.random.default_rng(2)
    x, mean = covariance(rng, 20, 5), rng.normal(size=20)
    assert 0 <= metrics.frechet_distance(mean, x, mean, x) < 1e-6
    assert metrics.frechet_distance(mean, x, mean, 0 * x) == pytest.approx(np.trace(x))
    assert metrics.frechet_distance(mean, x, mean + 1, x) == pytest.approx(20, abs=1e-6)


def test_distributions_that_cannot_be_compared():
    eye = np.eye(2)
    with pytest.raises(ValueError, match=r"\(2,\), \(3,\)"):
        metrics.frechet_distance(np.zeros(2), eye, np.zeros(3), eye)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        metrics.frechet_distance(np.zeros(2), eye, np.zeros(2), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        metrics.frechet_distance(np.array([0, np.nan]), eye, np.zeros(2), eye)
    with pytest.raises(ValueError, match="symmetric"):
        metrics.frechet_distance(np.zeros(2), eye, np.zeros(2), np.array([[1, 0.5], [0, 1]]))
