"""Evaluation: the paper's tables from a trained run, found again and not repeated."""

import json

import numpy as np
import pytest
from support.configs import load
from support.shallow import config, shallow  # noqa: F401

from stegojax import evaluate, run, train
from stegojax.errors import InputError


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, shallow):  # noqa: F811
    workdir = tmp_path_factory.mktemp("run")
    train.train(config(), workdir)
    return workdir, evaluate.evaluate(config(), workdir)


def test_the_quality_table_has_the_papers_columns_and_the_runs_figures(evaluated):
    workdir, text = evaluated
    header, _, row = [line for line in text.splitlines() if line.startswith("|")][:3]
    for column in (
        "Model",
        "Cover image",
        "Stego-Cover PSNR (dB)",
        "Revealed-Secret PSNR (dB)",
        "Stego-Cover SSIM",
    ):
        assert column in header
    figures = json.loads((workdir / "evaluation.json").read_text())["quality"]
    assert (
        f"| {figures['stego_psnr']:.2f} | {figures['revealed_psnr']:.2f} | "
        f"{figures['stego_ssim']:.4f} |" in row
    )
    direct = evaluate.quality(config(), run.load(workdir))
    assert direct["stego_psnr"] == pytest.approx(figures["stego_psnr"], rel=1e-5)


def test_the_transfer_table_compares_the_basic_model_with_every_kept_step(evaluated):
    workdir, text = evaluated
    transfer = json.loads((workdir / "evaluation.json").read_text())["transfer"]
    assert list(transfer) == ["basic", "3", "6", "8"]
    assert all(0 <= value <= 1 for value in transfer.values())
    assert "Basic model" in text and "isgan (step 8)" in text
    assert run.read_config(workdir / "basic").method.adversarial is False


def test_a_second_evaluation_trains_nothing(evaluated, monkeypatch):
    workdir, text = evaluated
    monkeypatch.setattr(train._Loop, "_steps", lambda *arguments: pytest.fail("trained again"))
    assert evaluate.evaluate(config(), workdir) == text


def test_a_run_without_adversary_has_no_transfer_test(tmp_path):
    basic = config(method__adversarial=False)
    train.train(basic, tmp_path)
    with pytest.raises(InputError, match="set report.transfer.steps=0"):
        evaluate.evaluate(basic, tmp_path)
    basic.report.transfer.steps = 0
    text = evaluate.evaluate(basic, tmp_path)
    assert "isgan (basic)" in text and "Accuracy of a steganalyzer" not in text


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not the work directory of a run"):
        evaluate.evaluate(config(), tmp_path)


def tiny(name, **changes):
    """A config's tiny preset, with fields set anew."""
    return run.changed(load(name).get_config("tiny"), changes)


def test_a_steganalyzers_run_has_the_figures_of_a_detector(tmp_path, capsys):
    given = tiny("xunet")
    train.train(given, tmp_path)
    text = evaluate.evaluate(given, tmp_path)
    assert (
        text in capsys.readouterr().out
        and "| xunet | " in text
        and "| Network | Stegos | Pairs | P_E (%) | AUC (%) |" in text
    )
    figures = json.loads((tmp_path / "evaluation.json").read_text())
    assert (
        0 <= figures["P_E"] <= 1
        and 0 <= figures["AUC"] <= 1
        and (tmp_path / "roc.png").stat().st_size > 0
    )
    assert evaluate.evaluate(given, tmp_path) == text  # the same stegos every time


def test_a_learned_scheme_is_set_beside_its_base_and_its_times_are_told(tmp_path):
    given = tiny("asymmetric")
    train.train(given, tmp_path)
    text = evaluate.evaluate(given, tmp_path)
    for part in (
        "| Method | Training (h) | Generating a stego (s) |",
        "| spam | Baseline |",
        "| spam | CMD |",
        "| spam | Proposed |",
        "| asymmetric | embedded |",
    ):
        assert part in text
    times = json.loads((tmp_path / "evaluation.json").read_text())["times"]
    assert all(np.isfinite(value) and value > 0 for value in times.values())
    assert times["training_hours"] < 0.1
