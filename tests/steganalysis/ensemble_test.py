"""The ensemble against hand arithmetic, brute force, and Gaussians whose Bayes error is known."""

import itertools

import jax
import numpy as np
import pytest
from scipy.stats import norm

from stegojax.errors import InputError
from stegojax.steganalysis import ensemble

KEY = jax.random.key(7)


def gaussians(rng, pairs, features, distance):
    """Covers and stegos of unit covariance, mixed, whose means lie `distance` apart along the
    diagonal.
    """
    mixing = np.eye(features) + 0.3
    shift = np.full(features, distance / np.sqrt(features))
    return tuple((rng.normal(size=(pairs, features)) + move) @ mixing for move in (0.0, shift))


def error_on(trained, cover, stego):
    wrong = [
        ensemble.predict(KEY, trained, features) != label
        for label, features in enumerate((cover, stego))
    ]
    return np.mean(wrong)


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.0])
def test_it_reaches_the_bayes_error_of_gaussians(distance):
    rng = np.random.default_rng(int(distance))
    trained = ensemble.fit(KEY, *gaussians(rng, 1000, 12, distance), subspace=12)
    bayes = norm.cdf(-distance / 2)
    assert abs(error_on(trained, *gaussians(rng, 5000, 12, distance)) - bayes) < 0.02
    assert abs(trained.oob_errors[-1] - bayes) < 0.03


def test_what_is_far_apart_is_told_apart_and_what_is_the_same_is_not():
    rng = np.random.default_rng(0)
    far = ensemble.fit(KEY, *gaussians(rng, 60, 8, 30.0))
    assert error_on(far, *gaussians(rng, 300, 8, 30.0)) == far.oob_errors[-1] == 0
    same = ensemble.fit(KEY, *gaussians(rng, 400, 8, 0.0), subspace=4)
    assert abs(error_on(same, *gaussians(rng, 3000, 8, 0.0)) - 0.5) < 0.03
    assert abs(same.oob_errors[-1] - 0.5) < 0.08


def test_covers_against_themselves_give_one_half_and_no_vote():
    cover = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    trained = ensemble.fit(KEY, cover, cover)
    assert (
        (trained.oob_errors == 0.5).all()
        and len(trained.thresholds) == 25
        and not trained.weights.any()
    )
    many = np.repeat(cover, 40, axis=0)
    assert not ensemble.votes(trained, many).any()
    labels = ensemble.predict(KEY, trained, many)
    assert abs(labels.mean() - 0.5) < 0.05
    assert (ensemble.predict(jax.random.key(8), trained, many) != labels).any()


def test_fewer_pairs_than_features_in_the_subspace():
    rng = np.random.default_rng(1)
    cover, test = rng.normal(size=(2, 30, 400)) * 0.01
    shift = np.where(np.arange(400) < 200, 0.01, 0.0)
    trained = ensemble.fit(KEY, cover, cover + shift, subspace=300)
    assert trained.oob_errors[-1] < 0.05
    assert error_on(trained, test, test + shift) < 0.05


def test_a_discriminant_by_hand():
    # Means (1, 1) and (5, 3); both scatters [[1, .5], [.5, 1]], as two corners count thrice; the
    # inverse of their sum is [[2, -1], [-1, 2]] / 3, so that w = (2, 0), which projects the covers
    # on 0 and 4, the stegos on 8 and 12.
    cover = np.asarray([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    stego = cover + np.asarray([4.0, 2.0])
    weight, threshold = ensemble._learn(np.stack([cover, stego]), np.asarray([3, 1, 1, 3]))
    np.testing.assert_allclose(weight, [2.0, 0.0], atol=1e-8)
    np.testing.assert_allclose(threshold, 6.0, atol=1e-8)


@pytest.mark.parametrize("rows, columns", [(8, 9), (8, 60), (40, 300)])
def test_the_small_system_has_the_answer_of_the_large_one(rows, columns):
    rng = np.random.default_rng(rows)
    centred, difference = rng.normal(size=(rows, columns)) * 1e-3, rng.normal(size=columns) * 1e-4
    centred -= centred.mean(axis=0)
    scatter = centred.T @ centred
    direct = np.linalg.solve(scatter + 1e-10 * np.eye(columns), difference)
    found = ensemble._direction(centred, difference)
    np.testing.assert_allclose(found, direct, atol=1e-7 * np.abs(direct).max())
    np.testing.assert_allclose(
        scatter @ found + 1e-10 * found, difference, atol=1e-9 * np.abs(difference).max()
    )


def test_more_rows_than_columns_are_solved_as_they_are():
    rng = np.random.default_rng(0)
    centred, difference = rng.normal(size=(50, 7)), rng.normal(size=7)
    np.testing.assert_allclose(
        ensemble._direction(centred, difference),
        np.linalg.inv(centred.T @ centred + 1e-10 * np.eye(7)) @ difference,
        rtol=1e-9,
    )


def test_the_ridge_grows_until_the_matrix_is_regular():
    solution, ridge = ensemble._solve(np.full((2, 2), 1e12), np.asarray([1.0, 1.0]))
    assert ridge > 1e-5
    np.testing.assert_allclose(solution.sum(), 1e-12, rtol=1e-2)
    # Regular in exact arithmetic, and even to Cholesky's: not to the condition number.
    assert ensemble._solve(np.diag([1e12, 0.0]), np.asarray([1.0, 1.0]))[1] > 1e-4
    assert ensemble._solve(np.full((2, 2), 1.0), np.asarray([1.0, 1.0]))[1] == 1e-10


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_makes_the_fewest_errors(seed):
    rng = np.random.default_rng(seed)
    cover, stego = (rng.integers(0, 9, 12) + move for move in (0, rng.integers(-4, 5)))
    counts = rng.integers(1, 4, 12)
    sign, threshold = ensemble._threshold(cover.astype(float), stego.astype(float), counts, 1e-9)

    def errors(sign, threshold):
        return (
            counts[sign * cover > sign * threshold].sum()
            + counts[sign * stego <= sign * threshold].sum()
        )

    inside = np.arange(min(cover.min(), stego.min()), max(cover.max(), stego.max())) + 0.5
    assert errors(sign, threshold) == min(
        errors(s, t) for s, t in itertools.product((1, -1), inside)
    )


def test_projections_that_differ_by_rounding_are_not_parted():
    values = np.asarray([1.0, 1.0, 1.0])
    assert ensemble._threshold(values, values + 1e-15, np.ones(3, int), 1e-12) == (0, 0.0)


def refitted(cover, stego, kind, pair):
    features = [cover.copy(), stego.copy()]
    features[kind][pair] += [0.3, -0.5, 0.4]
    return ensemble.fit(KEY, *features, subspace=3, learners=1)


def test_a_learner_sees_both_of_a_pair_or_neither_and_is_judged_by_the_others():
    rng = np.random.default_rng(3)
    cover = rng.normal(size=(9, 3))
    stego = cover + 0.7 * rng.normal(size=(9, 3)) + 0.5
    trained = ensemble.fit(KEY, cover, stego, subspace=3, learners=1)
    seen = np.asarray(
        [
            [
                not np.allclose(
                    refitted(cover, stego, kind, pair).weights, trained.weights, rtol=1e-7
                )
                for pair in range(9)
            ]
            for kind in range(2)
        ]
    )
    assert (seen[0] == seen[1]).all() and 0 < seen[0].sum() < 9
    wrong = 0.0
    for pair in range(9):
        for features, label in ((cover, 0), (stego, 1)):
            says = features[pair] @ trained.weights[0] > trained.thresholds[0]
            wrong += 0.5 if seen[0][pair] else float(says != label)
    assert trained.oob_errors.tolist() == [wrong / 18]


def test_the_out_of_bag_error_is_the_majority_of_those_that_did_not_see_the_pair():
    rng = np.random.default_rng(4)
    cover, stego = gaussians(rng, 30, 6, 1.0)
    trained = ensemble.fit(KEY, cover, stego, subspace=3, learners=12)
    total = np.zeros((2, 30))
    for number in range(12):
        subspace, counts = ensemble._draw(ensemble._words(KEY), 30, np.arange(6), 3, number)
        assert (subspace == trained.subspaces[number]).all() and counts.sum() == 30
        for kind, pair in itertools.product(range(2), range(30)):
            if counts[pair] == 0:
                place = (cover, stego)[kind][pair, subspace] @ trained.weights[number]
                total[kind, pair] += 1 if place > trained.thresholds[number] else -1
        errors = [
            0.5 if vote == 0 else float((vote > 0) != label)
            for label in (0, 1)
            for vote in total[label]
        ]
        np.testing.assert_allclose(trained.oob_errors[number], np.mean(errors))


def test_draws_are_bootstraps_and_subspaces_without_repeats():
    unseen = []
    for number in range(50):
        subspace, counts = ensemble._draw([1, 2], 200, np.arange(5, 45), 30, number)
        assert (np.diff(subspace) > 0).all() and subspace.min() >= 5 and subspace.max() < 45
        unseen.append(np.mean(counts == 0))
    assert abs(np.mean(unseen) - np.exp(-1)) < 0.02


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one[:4], other[:4]))


def test_the_key_settles_everything_and_a_size_given_is_the_size_found(monkeypatch):
    rng = np.random.default_rng(5)
    cover, stego = (features.astype(np.float32) for features in gaussians(rng, 80, 24, 1.0))
    found = ensemble.fit(KEY, cover, stego)
    size, count = found.subspaces.shape[1], len(found.thresholds)
    assert equal(found, ensemble.fit(KEY, cover, stego))
    assert not equal(
        found, ensemble.fit(jax.random.key(8), cover, stego, subspace=size, learners=count)
    )
    for workers in (1, 3):
        monkeypatch.setattr(ensemble, "_WORKERS", workers)
        assert equal(found, ensemble.fit(KEY, cover, stego, subspace=size))
    assert equal(
        found,
        ensemble.fit(
            jax.random.wrap_key_data(jax.random.key_data(KEY)), cover, stego, subspace=size
        ),
    )
    fewer = ensemble.fit(KEY, cover, stego, subspace=size, learners=10)
    np.testing.assert_array_equal(fewer.weights, found.weights[:10])
    best = min(found.trials, key=lambda trial: (trial.oob_error, trial.subspace))
    assert best == (size, count, found.oob_errors[-1]) and len(found.trials) >= 3


def test_votes_and_labels_of_a_hand_made_ensemble():
    hand = ensemble.Ensemble(
        np.asarray([[0, 1], [1, 2], [0, 2]]),
        np.asarray([[1.0, -1.0], [2.0, 1.0], [0.0, 0.0]]),
        np.asarray([0.5, 1.0, 0.0]),
        np.asarray([0.5] * 3),
        (),
        3,
    )
    features = np.asarray([[2, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]])
    np.testing.assert_allclose(ensemble.votes(hand, features), [2 / 3, 0, -2 / 3, 1 / 3])
    many = np.repeat(features, 500, axis=0)
    labels = ensemble.predict(KEY, hand, many).reshape(4, 500)
    assert (
        labels.dtype == np.int32
        and labels[[0, 3]].all()
        and not labels[2].any()
        and abs(labels[1].mean() - 0.5) < 0.1
    )


def test_votes_do_not_depend_on_how_many_rows_are_projected_at_once(monkeypatch):
    rng = np.random.default_rng(6)
    trained = ensemble.fit(KEY, *gaussians(rng, 40, 10, 1.0), subspace=4, learners=9)
    features = rng.normal(size=(23, 10))
    whole = ensemble.votes(trained, features)
    monkeypatch.setattr(ensemble, "_CHUNK", 40)
    np.testing.assert_array_equal(ensemble.votes(trained, features), whole)
    slow = [np.mean([np.sign(row[s] @ w - t) for s, w, t in zip(*trained[:3])]) for row in features]
    np.testing.assert_allclose(whole, slow)


def test_features_that_never_vary_are_not_drawn():
    rng = np.random.default_rng(7)
    cover, stego = (np.full((20, 12), 0.1, np.float32) for _ in range(2))
    varying = [1, 4, 5, 9]
    cover[:, varying], stego[:, varying[:3]] = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    # Constant in each class, yet not the same: this one tells all.
    cover[:, 9], stego[:, 9] = 0.0, 1.0
    trained = ensemble.fit(KEY, cover, stego)
    assert set(trained.subspaces.ravel()) <= set(varying)
    assert ensemble.fit(KEY, cover, stego, subspace=4).oob_errors[-1] == 0
    with pytest.raises(InputError, match="1 to 4 features, as many as vary; got 5"):
        ensemble.fit(KEY, cover, stego, subspace=5)
    with pytest.raises(InputError, match="none of the 3 features varies"):
        ensemble.fit(KEY, cover[:, [0, 2, 3]], stego[:, [0, 2, 3]])


def with_value(value):
    features = np.ones((4, 3))
    features[2, 1] = value
    return features


GOOD = np.random.default_rng(0).normal(size=(4, 3))
BAD = {
    "unequal numbers": (
        GOOD,
        GOOD[:3],
        {},
        r"pairs of one shape \[N, D\]; got \(4, 3\) and \(3, 3\)",
    ),
    "unequal features": (GOOD, GOOD[:, :2], {}, "pairs of one shape"),
    "empty": (GOOD[:0], GOOD[:0], {}, "not empty; got shape"),
    "no features": (GOOD[:, :0], GOOD[:, :0], {}, "not empty; got shape"),
    "a vector": (GOOD[0], GOOD[0], {}, r"got shape \(3,\)"),
    "one pair": (GOOD[:1], GOOD[:1] + 1, {}, "at least 2 pairs of cover and stego; got 1"),
    "NaN": (
        GOOD,
        with_value(np.nan),
        {},
        "stego features must be finite: 1 of 4 rows .* row 2 with nan in feature 1",
    ),
    "infinite": (with_value(-np.inf), GOOD, {}, "cover features must be finite: 1 of 4 rows"),
    "overflowing": (with_value(1e60), GOOD, {}, "cover features must be finite"),
    "words": (GOOD.astype(str), GOOD.astype(str), {}, "float or int; got <U"),
    "no subspace": (GOOD, GOOD + 1, {"subspace": 0}, "1 to 3 features"),
    "a large subspace": (GOOD, GOOD + 1, {"subspace": 4}, "1 to 3 features"),
    "no learners": (GOOD, GOOD + 1, {"learners": 0}, "at least one learner; got 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_learned_from_is_refused(name):
    cover, stego, options, message = BAD[name]
    with pytest.raises(InputError, match=message):
        ensemble.fit(KEY, cover, stego, **options)


def test_what_cannot_be_judged_is_refused():
    trained = ensemble.fit(KEY, GOOD, GOOD + 1, learners=2)
    with pytest.raises(InputError, match="trained on 3 features per picture; got 2"):
        ensemble.votes(trained, GOOD[:, :2])
    with pytest.raises(InputError, match="finite"):
        ensemble.predict(KEY, trained, with_value(np.nan))


def test_two_pairs_are_enough():
    cover = np.asarray([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]])
    trained = ensemble.fit(KEY, cover, cover + np.asarray([10.0, 0.0, 0.0]), subspace=3)
    assert (
        trained.oob_errors[-1] == 0
        and error_on(trained, cover, cover + np.asarray([9.0, 0.0, 0.0])) == 0
    )


def test_learners_are_enough_when_the_error_is_steady():
    steady = [0.5] * 10 + [0.2] * 90
    lengths = [length for length in range(1, 101) if ensemble._enough(steady[:length])]
    # The last means over five that hold one of the ten are out of the last fifty from 60 on.
    assert lengths == list(range(60, 101))
    assert not ensemble._enough([0.2] * 24) and ensemble._enough([0.2] * 25)
    # It is the means over five that count: these lie within 0.002 of each other.
    assert ensemble._enough([0.2, 0.21] * 13)
    swinging = [0.2 + 0.1 * (number // 5 % 2) for number in range(600)]
    assert [length for length in range(1, 501) if ensemble._enough(swinging[:length])] == [500]


def searched(error_of, most):
    tried = []

    def counted(size):
        assert 1 <= size <= most and size not in tried
        tried.append(size)
        return error_of(size)

    ensemble._search(counted, most)
    return tried


def test_the_search_walks_right_and_closes_in():
    # Halves the step around 800 once; then its neighbours are worse by less than 2 %.
    assert searched(lambda size: 0.2 + 4e-7 * (size - 730) ** 2, 5000) == [
        200,
        400,
        600,
        800,
        1000,
        700,
        900,
    ]
    # Falls to the end of what there is.
    assert searched(lambda size: 0.5 - size / 3000, 1000)[:5] == [200, 400, 600, 800, 1000]
    # Nothing is gained from 200 to 400: what lies left of the smallest is still looked at.
    assert searched(lambda size: 0.3, 5000)[:5] == [200, 400, 600, 100, 300]
    assert searched(lambda size: 0.0, 5000) == [200, 400, 600]


def test_the_search_ends_where_little_is_gained():
    # By less than 2 %, by less than 0.005, and where the step has come below a twentieth of the
    # size.
    assert searched(lambda size: 0.406 - 0.006 * (size == 400), 5000) == [200, 400, 600]
    assert searched(lambda size: 0.053 - 0.003 * (size == 400), 5000) == [200, 400, 600]
    assert searched(lambda size: 0.3 + abs(size - 3000) / 1000, 5000)[14:] == [
        3000,
        3200,
        2900,
        3100,
    ]


@pytest.mark.parametrize("most", range(1, 14))
def test_the_search_ends_in_small_spaces(most):
    for error_of in (lambda size: 0.3, lambda size: 0.4 / size, lambda size: 0.01 * size):
        tried = searched(error_of, most)
        assert min(error_of(size) for size in tried) == min(
            error_of(size) for size in range(1, most + 1)
        )
