"""The tables of runs that make covers, on networks of one number; the distance against its
definition.
"""

import json

import jax
import numpy as np
import optax
import pytest
from support import toy_covers as toy
from support.configs import load

from stegojax import evaluate, images, methods, metrics, parallel, run, train
from stegojax.errors import InputError
from stegojax.methods import generation, steganalyzer
from stegojax.models import inception, random_features
from stegojax.protocols import covers, distance

RNG = np.random.default_rng(0)


def test_the_distance_is_frechet_s_of_the_features_of_all_pictures():
    """70 and 66 pictures: more than a batch, and the last batch not full."""
    real = RNG.integers(0, 256, (70, 16, 16, 3)).astype(np.float32)
    made = np.round(0.5 * RNG.integers(0, 256, (66, 16, 16, 3)) + 60).astype(np.float32)
    name, found = distance.distance(real, made)
    features = [
        np.asarray(random_features.features(pictures), np.float64) for pictures in (real, made)
    ]
    means = [values.mean(axis=0) for values in features]
    deviations = [values - mean for values, mean in zip(features, means)]
    covariances = [values.T @ values / (len(values) - 1) for values in deviations]
    expected = metrics.frechet_distance(means[0], covariances[0], means[1], covariances[1])
    assert found == pytest.approx(expected, rel=1e-3) and found > 1
    assert "no FID" in name and "random" in name
    assert distance.distance(real, real[::-1])[1] == pytest.approx(0, abs=1e-3)


def test_with_a_file_of_weights_it_is_fid(monkeypatch):
    """The features are the network's under the file's weights: here the means of the channels,
    times a number.
    """
    monkeypatch.setattr(inception, "load", lambda path: {"factor": np.float32(path)})
    monkeypatch.setattr(
        inception,
        "features",
        lambda weights, pictures: weights["factor"] * pictures.mean(axis=(1, 2)),
    )
    real, made = (even(70, seed) for seed in (1, 2))
    name, found = distance.distance(real, made + 3, weights="0.5")
    values = [0.5 * pictures.astype(np.float64).mean(axis=(1, 2)) for pictures in (real, made + 3)]
    expected = metrics.frechet_distance(
        *(figure for value in values for figure in (value.mean(axis=0), np.cov(value.T)))
    )
    assert name == "FID" and found == pytest.approx(expected, rel=1e-3)


def test_a_distance_needs_sets():
    with pytest.raises(InputError, match="two or more in each, 1 given"):
        distance.distance(
            np.zeros((5, 16, 16, 3), np.float32), np.zeros((1, 16, 16, 3), np.float32)
        )


def even(count, seed=0):
    return 2.0 * np.random.default_rng(seed).integers(10, 100, (count, 8, 8, 3)).astype(np.float32)


def parity(gain, seen=None):
    """A steganalyzer that sees every change of even covers, and its state."""
    simulate = generation.simulator("lsb-matching", payload=0.4)

    def stegos(frozen, batch, key, payload):
        if seen is not None:
            seen.append(batch["cover"].shape)
        return batch["cover"] + simulate(key, batch["cover"])

    made = steganalyzer.make(toy.Parity(gain), optax.sgd(1.0), steganalyzer.Simulator(stegos))
    return made, made.init(jax.random.key(0), {"cover": even(1)})


@pytest.mark.parametrize(
    "gain, pictures, accuracy, area",
    [
        # About a fifth of a stego's samples are odd, none of its cover's.
        (20.0, even(10), 1.0, 1.0),
        # Odd covers are called stegos, and so are their stegos.
        (20.0, np.concatenate([even(5), even(5) + 1]), 0.75, None),
        (-20.0, even(10), 0.0, 0.0),
    ],
)
def test_a_steganalyzer_is_tested_on_every_cover_and_a_stego_of_each(
    gain, pictures, accuracy, area
):
    """Ten covers in batches of four: what fills the last batch does not count."""
    seen = []
    figures = covers.tested(jax.random.key(0), *parity(gain, seen), pictures, batch_size=4)
    assert figures["accuracy"] == pytest.approx(accuracy)
    assert figures["P_E"] == pytest.approx(1 - accuracy)
    assert set(seen) == {(1, 8, 8, 3)}  # four devices, one cover each
    if area is not None:
        assert figures["AUC"] == pytest.approx(area)


def test_a_steganalyzer_learns_what_there_is_to_see(registered, tmp_path, monkeypatch):
    """Also after it was interrupted, and it is not trained again."""
    settings = config()
    settings.batch_size = 8
    settings.report.covers.update(steps=30)
    settings.report.covers.optimizer = dict(name="sgd", learning_rate=200.0)

    def train_on(folder):
        return covers.trained(settings, folder, even(16), even(8, seed=1), "lsb-matching")

    made, state = train_on(tmp_path / "one")
    assert float(state.params["steganalyzer"]["gain"]) > 10 and int(state.step) == 30
    tests = even(12, seed=2)
    assert covers.tested(jax.random.key(1), made, state, tests, batch_size=4)["accuracy"] == 1
    stops = iter([False] * 7 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", lambda self, step: next(stops))
        with pytest.raises(InputError, match="was interrupted"):
            train_on(tmp_path / "two")
    again = train_on(tmp_path / "two")[1]
    assert float(again.params["steganalyzer"]["gain"]) == float(
        state.params["steganalyzer"]["gain"]
    )
    monkeypatch.setattr(train._Loop, "_steps", lambda *arguments: pytest.fail("trained again"))
    train_on(tmp_path / "one")


def test_seeds_make_lists_that_do_not_meet():
    first, second = (covers.seeds(which, 50) for which in (0, 1))
    assert first.shape == (50, 100) and first.dtype == np.float32 and np.abs(first).max() < 1
    np.testing.assert_array_equal(covers.seeds(0, 20), first[:20])
    assert not np.isin(first[:, 0], second[:, 0]).any()


def test_a_sheet_shows_pictures_in_rows_of_eight():
    pictures = np.arange(20, dtype=np.float32).reshape(20, 1, 1, 1) * np.ones(
        (1, 2, 2, 3), np.float32
    )
    found = covers.sheet(pictures)
    assert found.shape == (4, 16, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[::2, ::2, 0], np.arange(16).reshape(2, 8))
    assert covers.sheet(pictures[:3]).shape == (2, 6, 3)


@pytest.fixture(scope="module")
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.METHODS, "ssgan", toy.entry())
        yield


@pytest.fixture(scope="module")
def workdir(registered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert train.train(config(), folder).finished
    return folder


def config():
    settings = load("ssgan").get_config("tiny")
    settings.method.optimizer = dict(name="sgd", learning_rate=2000.0)
    settings.method.steganalyzer_optimizer = dict(name="sgd", learning_rate=0.01)
    settings.method.clip = 0.5
    return settings


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_tables_are_printed_and_the_run_stays_as_it_was(workdir, capsys, monkeypatch):
    before = contents(workdir / "checkpoints")
    tests = []
    real = covers.tested

    def spy(key, made, state, pictures, *, batch_size):
        tests.append(pictures)
        return real(key, made, state, pictures, batch_size=batch_size)

    monkeypatch.setattr(covers, "tested", spy)
    text = evaluate.evaluate(config(), workdir, only="covers")
    assert capsys.readouterr().out.strip() == text
    for words in (
        "Table 1",
        "Table 2",
        "Table 3",
        "| S1 |",
        "| S2 |",
        "| S3 |",
        "| Real images |",
        "| Generated images |",
        "| lsb-matching 0.4 bpp | generated |",
        distance.RANDOM_FEATURES,
    ):
        assert words in text, words
    results = json.loads((workdir / "covers.json").read_text())["covers"]
    assert set(results["schemes"]["lsb-matching"]) == {"real", "generated", "S1", "S2", "S3"}
    distances = results["distances"]
    assert list(distances["steps"]) == ["2", "4"] and distances["held_out"] > 0
    assert results["hours"] > 0
    assert images.read(workdir / "samples.png").pixels.shape == (16, 8 * 16, 3)
    assert contents(workdir / "checkpoints") == before
    # What is tested: photographs, fresh seeds, the training's covers, fresh seeds again, and these
    # of another generator.
    photographs, fresh, same, again, tuned = tests
    loaded = run.load(workdir)
    np.testing.assert_array_equal(same, covers.generate(loaded, loaded.state, covers.seeds(0, 8)))
    np.testing.assert_array_equal(fresh, covers.generate(loaded, loaded.state, covers.seeds(1, 8)))
    np.testing.assert_array_equal(again, fresh)
    assert (tuned != fresh).any()
    assert photographs.std(axis=(1, 2)).max() > 0 == same.std(axis=(1, 2)).max()


def test_tuning_goes_on_from_the_runs_state_and_optimisers(workdir, tmp_path):
    """Equal to a run of as many steps more; no step leaves the state as it is."""
    settings, loaded = config(), run.load(workdir)
    assert covers.tune(settings, tmp_path / "none", loaded, 0) is loaded.state
    tuned = covers.tune(settings, tmp_path / "tuned", loaded, 2)
    assert int(tuned.step) == int(loaded.state.step) + 2
    step = parallel.train_step(loaded.method.train_step)
    state = parallel.replicate(loaded.state)
    key = jax.random.fold_in(jax.random.key(settings.seed), 2)
    with run.loader(settings, "train", put=parallel.shard) as loader:
        for number in range(2):
            own = jax.random.fold_in(key, int(loaded.state.step) + number)
            state, _ = step(state, next(loader), own)
    for ours, by_hand in zip(jax.tree.leaves(tuned), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(ours, by_hand)


def test_settings_that_measure_nothing_are_refused(workdir):
    settings = config()
    settings.report.covers.schemes = ()
    with pytest.raises(InputError, match="and a scheme"):
        covers.evaluate(settings, workdir, run.load(workdir))


def measured(accuracy, schemes=("lsb-matching",)):
    cases = {name: {"accuracy": accuracy, "P_E": 0.5, "AUC": 0.5} for name in ("real", "generated")}
    cases |= {
        name: {"accuracy": accuracy + 0.1, "P_E": 0.5, "AUC": 0.5} for name in ("S1", "S2", "S3")
    }
    distances = {"name": "distance", "held_out": 1.0, "steps": {"4": 2.0}}
    return {"hours": accuracy, "distances": distances, "schemes": dict.fromkeys(schemes, cases)}


def test_runs_stand_beside_each_other_and_every_embedding_has_its_rows(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps(run.plain(config())))
    (other / "evaluation.json").write_text(json.dumps({"covers": measured(0.7)}))
    own = measured(0.6, ("lsb-matching", "hugo"))
    text = covers._text(config(), own, 4, covers._beside([str(other)]))
    name = config().method.name
    for line in (
        f"|  | {name} | {name} |",
        "| Time (mins) | 36.0 | 42.0 |",
        "| lsb-matching | Real images | 0.60 | 0.70 |",
        "| hugo | Generated images | 0.60 |  |",
        "| hugo | S3 | 0.70 |",
    ):
        assert line in text.splitlines(), line
    with pytest.raises(InputError, match="holds no figures of generated covers; run --mode"):
        covers._beside([str(tmp_path)])
