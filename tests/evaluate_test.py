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
        monkeypatch.setitem(evaluate.REPORTS, name, evaluate.Report(report(name, text)))
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


def test_what_trains_is_made_only_where_it_is_asked_for(tmp_path, capsys, monkeypatch):
    calls = []

    def trains(config, workdir):
        return [train.Planned("a thing", config, tmp_path)] if config.report.batches > 1 else []

    def measure(config, workdir, loaded):
        calls.append(1)
        return "Trained", {"trained": 1}

    monkeypatch.setitem(evaluate.REPORTS, "transfer", evaluate.Report(measure, trains))
    entry = methods.Entry(toy_runs.pictures_from_config, reports=("transfer",))
    monkeypatch.setitem(methods.METHODS, "toy_pictures", entry)
    config = run.changed(toy_runs.config("toy_pictures", raised=1.0), {"steps": 4})
    toy_runs.write_run(tmp_path, config)
    with pytest.raises(InputError, match="asks for no report transfer"):
        evaluate.evaluate(config, tmp_path, only="transfer")
    with pytest.raises(InputError, match="no report bits of toy_pictures; there are transfer"):
        evaluate.evaluate(config, tmp_path, only="bits")
    config.report.batches = 2
    assert evaluate.evaluate(config, tmp_path) == "" and not calls
    assert "since it trains a thing: --mode=transfer" in capsys.readouterr().err
    assert evaluate.evaluate(config, tmp_path, only="transfer") == "Trained" and calls
    assert "expected: about" in capsys.readouterr().err
    assert json.loads((tmp_path / "transfer.json").read_text()) == {"step": 1, "trained": 1}


def test_a_run_that_was_made_longer_is_evaluated_as_it_is(tmp_path):
    config = toy_runs.config("toy_pictures", raised=1.0)
    toy_runs.write_run(tmp_path, run.changed(config, {"steps": 7}))
    assert "| toy_pictures | embedded |" in evaluate.evaluate(config, tmp_path)
