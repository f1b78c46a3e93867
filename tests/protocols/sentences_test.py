"""The protocol of sentences: figures by hand, keys and tries on a rule that is known, and a whole
evaluation of a tiny run.
"""

import json

import jax
import numpy as np
import pytest
from PIL import Image
from support.configs import load
from support.sentences import ROW, VOCABULARY, stub

from stegojax import evaluate, run, secret
from stegojax.checkpoint import Checkpoints, Position
from stegojax.errors import InputError
from stegojax.hiders import sentences as learned
from stegojax.protocols import sentences

IDS = VOCABULARY.encode_all(
    ["the cat sees my dog.", "my dog sees.", "the old cat sees."], length=ROW
).ids
KEYS = [learned.material(secret.key_file(bytes([number]) * 32), "scramble") for number in range(3)]


def test_figures_by_length_by_hand():
    wanted = [["a", "b"], ["c", "d"], ["e", "f", "g", "h"], ["i", "j", "k", "l"]]
    read = [["a", "b"], ["c"], ["e", "f", "g", "h"], ["i", "j", "x", "l"]]
    found = sentences.by_length(wanted, read)
    assert list(found) == [2, 4] and [group["count"] for group in found.values()] == [2, 2]
    assert found[2]["wer"] == 1 / 4 and found[2]["exact"] == 1 / 2 and found[2]["bleu"] == 0
    assert found[4]["wer"] == 1 / 8 and found[4]["exact"] == 1 / 2
    # Runs of 1 to 4 words that came back: 7 of 8, 4 of 6, 2 of 4, 1 of 2.
    np.testing.assert_allclose(found[4]["bleu"], (7 / 8 * 4 / 6 * 2 / 4 * 1 / 2) ** 0.25, rtol=1e-6)


def pictures(sender, numbers):
    batch = {
        "ids": IDS,
        "noise": np.stack([key.noise[n] for key, n in zip(KEYS, numbers)]),
        "order": np.concatenate([key.arrays["order"] for key in KEYS]),
        "signs": np.concatenate([key.arrays["signs"] for key in KEYS]),
    }
    return learned.predict(sender.loaded, batch)["stego"].astype(np.uint8)


def test_differences_between_keys_sentences_and_noises():
    """The rule's pictures differ by sentence in their first pixels alone, and by key everywhere."""
    sender = stub(threshold=100.0)
    made = pictures(sender, range(3))
    found = sentences.differences(sender.loaded, IDS, KEYS, made)
    rolled = np.abs(8.0 * (np.roll(IDS, 1, axis=0) - IDS)).sum() / (3 * 64 * 64 * 3)
    np.testing.assert_allclose(found["between sentences"], rolled, rtol=1e-5)
    expected = []
    for place, key in enumerate(KEYS):
        batch = {
            "ids": IDS[place : place + 1],
            "noise": key.noise[place : place + 1],
            **KEYS[(place + 1) % 3].arrays,
        }
        expected.append(
            np.abs(learned.predict(sender.loaded, batch)["stego"][0] - made[place]).mean()
        )
    np.testing.assert_allclose(found["between keys"], np.mean(expected), rtol=1e-5)
    np.testing.assert_allclose(found["keys / sentences"], np.mean(expected) / rolled, rtol=1e-4)
    np.testing.assert_allclose(
        found["between noises"],
        np.abs(pictures(sender, (1, 2, 3)).astype(float) - made).mean(),
        rtol=1e-5,
    )
    assert found["nearest under a wrong key"] > 5 and found["taken under a wrong key"] == 0


def test_tries_are_counted():
    sender = stub()
    first = [int(np.flatnonzero(key.noise[:, 0, 0] <= 0)[0]) + 1 for key in KEYS]
    found = sentences.sending(sender.loaded, IDS, KEYS)
    assert found == {
        "sentences": 3,
        "at once": first.count(1) / 3,
        "exactly": 1.0,
        "mean tries": np.mean(first),
        "most tries": max(first),
    }
    none = sentences.sending(stub(threshold=-100.0).loaded, IDS, KEYS)
    assert none == {"sentences": 3, "at once": 0, "exactly": 0, "mean tries": 0, "most tries": 0}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run of the tiny preset whose checkpoint is where training begins."""
    folder = tmp_path_factory.mktemp("run")
    config = load("seq2seq_gan").get_config("tiny")
    made = run.method(config)
    run.open_workdir(config, folder)
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.save(1, jax.jit(made.init)(jax.random.key(0), run.example(config)), Position(1, 1))
    checkpoints.close()
    return folder


def test_an_evaluation_writes_tables_numbers_and_curves(workdir, capsys):
    changes = {"report.sentences.count": 5, "report.sentences.beside": (str(workdir),)}
    config = run.changed(run.read_config(workdir), changes)
    text = evaluate.evaluate(config, workdir)
    assert "BLEU, 2 x 256 numbers in 64x64" in text
    assert (
        "random-feature Frechet distance (no FID)" in text
        and "held-out sentences as 8-bit PNG files" in text
    )
    results = json.loads((workdir / "evaluation.json").read_text())
    assert set(results["words"]) == {"greedy", "beam", "wrong key"}
    assert all(set(found) == {"bleu", "wer", "exact"} for found in results["words"].values())
    assert results["sending"]["sentences"] == 2 and results["sending"]["exactly"] == 0
    assert {"between sentences", "between keys", "taken under a wrong key"} <= set(results["key"])
    assert results["key"]["between keys"] > 0
    assert Image.open(workdir / sentences.CURVES_NAME).size[0] > 300


def test_a_word_that_the_vocabulary_lacks_is_an_error_whatever_is_read():
    rows = VOCABULARY.encode_all(
        ["the cat sees my dog.", "the zebra sees my dog."], length=ROW, unknown="mark"
    ).ids
    wanted = [sentences.wanted(VOCABULARY, row) for row in rows]
    read = [VOCABULARY.tokens_of(row) for row in rows]
    assert wanted[0] == read[0]
    assert sentences.figures(wanted[1:], read[1:])["wer"] == 1 / 6


def test_held_out_sentences_are_drawn_by_the_seed(workdir):
    config = run.changed(run.read_config(workdir), {"report.sentences.count": 5})
    ids, photographs, available = sentences.held_out(config)
    again, other = (
        sentences.held_out(run.changed(config, {"seed": seed}))[0] for seed in (config.seed, 9)
    )
    assert len(ids) == len(photographs) == 5 < available
    np.testing.assert_array_equal(ids, again)
    assert (ids != other).any()


def test_fields_out_of_range_are_refused(workdir):
    loaded = run.load(workdir)
    for field, value in (("count", 1), ("searched", -1), ("beams", 0), ("beams", 401)):
        with pytest.raises(InputError, match="count must be at least 2, searched not negative"):
            sentences.evaluate(
                run.changed(loaded.config, {f"report.sentences.{field}": value}), workdir, loaded
            )


def test_lengths_of_two_runs_stand_beside_each_other():
    runs = {
        "small": {3: {"bleu": 0.5, "exact": 0.25, "wer": 0.1, "count": 4}},
        "large": {
            3: {"bleu": 1.0, "exact": 1.0, "wer": 0.0, "count": 4},
            5: {"bleu": 0.75, "exact": 0.5, "wer": 0.1, "count": 2},
        },
    }
    assert sentences.lengths_table(runs).splitlines() == [
        "| Words and marks | BLEU, small | Exact, small | BLEU, large | Exact, large |",
        "|---|---|---|---|---|",
        "| 3 | 0.5000 | 0.2500 | 1.0000 | 1.0000 |",
        "| 5 |  |  | 0.7500 | 0.5000 |",
    ]
