"""ISGAN's transfer test, on the real wiring with few layers."""

import json

import jax
import numpy as np
import pytest
from support.shallow import config, shallow  # noqa: F401

from stegojax import run, train
from stegojax.errors import InputError
from stegojax.protocols import transfer


@pytest.fixture(scope="module")
def tested(tmp_path_factory, shallow):  # noqa: F811
    workdir = tmp_path_factory.mktemp("run")
    train.train(config(), workdir)
    text, results = transfer.evaluate(config(), workdir, run.load(workdir))
    return workdir, text, results["transfer"]


def test_the_basic_model_is_set_beside_every_kept_step(tested):
    workdir, text, accuracies = tested
    assert list(accuracies) == ["basic", "3", "6", "8"]
    header, _, row = [line for line in text.splitlines() if line.startswith("|")]
    assert header == (
        "| Dataset | Basic model | isgan (step 3) | isgan (step 6) | isgan (step 8) |"
    )
    cells = [f"{value:.4f}" for value in accuracies.values()]
    assert row == "| " + " | ".join(["embedded", *cells]) + " |"
    basic = run.read_config(workdir / "basic")
    assert basic.method.adversarial is False
    assert json.loads((workdir / "steganalyzer-8" / "config.json").read_text())["method"] == {
        "name": "attack",
        "attacked": "basic, step 8",
    }


def test_what_is_attacked_takes_the_basic_models_place(tested, monkeypatch):
    """Every accuracy is of another pair of encoder and decoder, and of the same steganalyzer."""
    workdir, _, accuracies = tested
    seen = []
    real = train.held_out

    def spy(made):
        measure = real(made)

        def measured(settings, state):
            seen.append(state)
            return measure(settings, state)

        return measured

    monkeypatch.setattr(train, "held_out", spy)
    monkeypatch.setattr(train._Loop, "_steps", lambda *arguments: pytest.fail("trained again"))
    again = transfer.accuracies(config(), workdir)
    assert again == accuracies and len(seen) == 4
    assert all(same(seen[0].params["steganalyzer"], state.params["steganalyzer"]) for state in seen)
    frozen = [state.params["frozen"] for state in seen]
    assert not any(same(frozen[0], other) for other in frozen[1:])


def same(one, other):
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


def test_a_run_without_adversary_has_no_transfer_test(tmp_path):
    basic = config(method__adversarial=False)
    with pytest.raises(InputError, match=r"set report\.transfer\.steps=0"):
        transfer.evaluate(basic, tmp_path, None)
    basic.report.transfer.steps = 0
    assert transfer.evaluate(basic, tmp_path, None) == ("", {})
