"""Evaluation: what a method's entry lists is measured in order, printed, and saved."""

import json

import pytest
from support import toy, toy_runs

from stegojax import evaluate, methods, run, train
from stegojax.errors import InputError


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


def test_every_report_that_a_method_lists_is_known():
    listed = {name for entry in methods.METHODS.values() for name in entry.reports}
    assert listed == set(evaluate.REPORTS)


def test_reports_come_in_order_and_what_is_not_asked_for_leaves_no_trace(
    tmp_path, capsys, monkeypatch
):
    calls = []

    def report(name, text):
        def measure(config, workdir, loaded):
            calls.append((name, workdir, loaded.step))
            return text, ({name: 1.5} if text else {})

        return measure

    for name, text in (("first", "One"), ("empty", ""), ("second", "Two")):
        monkeypatch.setitem(evaluate.REPORTS, name, report(name, text))
    entry = methods.Entry(toy_runs.pictures_from_config, reports=("second", "empty", "first"))
    monkeypatch.setitem(methods.METHODS, "toy_pictures", entry)
    config = toy_runs.config("toy_pictures", raised=1.0)
    toy_runs.write_run(tmp_path, config)
    text = evaluate.evaluate(config, tmp_path)
    assert text == "Two\n\nOne" and capsys.readouterr().out == "Two\n\nOne\n"
    assert (tmp_path / "evaluation.md").read_text() == "Two\n\nOne\n"
    results = json.loads((tmp_path / "evaluation.json").read_text())
    assert results == {"step": 1, "second": 1.5, "first": 1.5}
    assert calls == [(name, tmp_path, 1) for name in ("second", "empty", "first")]


def test_another_config_is_refused_but_for_what_is_reported(tmp_path):
    config = toy_runs.config("toy_pictures", raised=1.0)
    toy_runs.write_run(tmp_path, config)
    text = evaluate.evaluate(run.changed(config, {"report.batches": 2}), tmp_path)
    assert "| toy_pictures | embedded |" in text
    with pytest.raises(InputError, match=r"method\.raised"):
        evaluate.evaluate(run.changed(config, {"method.raised": 2.0}), tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not the work directory of a run"):
        evaluate.evaluate(toy.config(), tmp_path)


def test_a_run_that_was_trained_is_evaluated(tmp_path):
    config = toy_runs.config("toy_pictures", raised=1.0)
    train.train(config, tmp_path)
    evaluate.evaluate(config, tmp_path)
    figures = json.loads((tmp_path / "evaluation.json").read_text())["quality"]
    last = train.held_out(run.method(config))(config, run.load(tmp_path).state)[0]
    assert figures == pytest.approx(last)
