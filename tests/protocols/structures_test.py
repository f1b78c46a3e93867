"""SFTN's Table II from the records of runs: whose figures stand in which column, and which epochs
they are of.
"""

import json

import pytest
from support.configs import load

from stegojax import journal, run
from stegojax.protocols import structures


@pytest.fixture
def config():
    config = load("sftn").get_config("tiny")
    config.report.structures.names = ("a", "proposed")
    config.method.stage_lengths, config.evaluation.every = (1.0, 2.0, 20.0), 2
    config.method.stage_unit = "epochs"
    return config


def record(folder, records):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        dict(step=step, stage=stage, kind="held_out", accuracy_rounded=rounded, accuracy=last)
        for step, stage, rounded, last in records
    ]
    (folder / journal.NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_column_is_a_structure_and_a_row_an_epoch(config, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "lengths", lambda config: run.Lengths(2, 46))
    trained = []
    monkeypatch.setattr(
        structures.train, "to_the_end", lambda config, folder: trained.append((config, folder))
    )
    own = [(0, "warm_up", 0.1, 0.1), (2, "warm_up", 0.5, 0.2), (4, "joint", 0.6, 0.2)]
    own += [(step, "separable", 0.3, step / 100) for step in range(8, 47, 2)]
    record(tmp_path, own)
    record(tmp_path / "structures" / "a", [(2, "warm_up", 0.4, 0.0), (6, "joint", 0.7, 0.0)])
    text, results = structures.evaluate(config, tmp_path, None)
    [(changed, folder)] = trained
    assert changed.method.structure == "a" and folder == tmp_path / "structures" / "a"
    joint = {"a": [(0, 0.4), (2, 0.7)], "proposed": [(0, 0.5), (1, 0.6)]}
    assert results["structures"]["joint"] == joint
    first, second = (part.splitlines() for part in text.split("Test in SF-stage"))
    rows = [line for line in first if line.startswith("| ")]
    assert rows[1:] == ["| 0 | 0.4000 | 0.5000 |", "| 1 |  | 0.6000 |", "| 2 | 0.7000 |  |"]
    rows = [line for line in second if line.startswith("| ")]
    assert rows[0] == "| Epoch | Structure A | Proposed |"
    # Twenty evaluations, every second, the last among them.
    assert rows[1] == "| 1 |  | 0.1000 |" and rows[-1] == "| 19 |  | 0.4600 |" and len(rows) == 11
    assert (tmp_path / "structures.png").read_bytes()[:4] == b"\x89PNG"


def test_a_run_that_asks_for_none_trains_none(config, tmp_path):
    config.report.structures.names = ()
    assert structures.trains(config, tmp_path) == []
    assert structures.evaluate(config, tmp_path, None) == ("", {})
