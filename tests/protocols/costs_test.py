"""What is told of runs that have learned costs: their times, and what detects them."""

import numpy as np
import pytest
from ml_collections import ConfigDict
from support import toy_runs

from stegojax import embed, run, security, train
from stegojax.protocols import costs
from stegojax.types import Stage


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


def settings(scheme="hill"):
    config = toy_runs.config("toy_costs", scheme=scheme, payload=0.4)
    config.report.security = ConfigDict(
        dict(
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=24, tiles=1, limit=0),
            steganalyzers=("spam",),
            splits=dict(count=1, networks=1, train=0.5, validation=0.0, test=0.5, curriculum=False),
            ensemble=dict(subspace=50, learners=3),
        )
    )
    return config


def test_hours_are_those_of_the_fastest_step_times_the_length(tmp_path, monkeypatch):
    config = settings()
    config.steps = 7200
    timing = train.Timing(9.0, (2.0, 1.0, 1.5), 0.0)
    monkeypatch.setattr(train, "timed", lambda *_, **__: timing)
    monkeypatch.setattr(costs, "seconds_per_stego", lambda *_: 0.25)
    text, results = costs.times(config, tmp_path, None)
    assert results == {"times": {"training_hours": 2.0, "seconds_per_stego": 0.25}}
    assert text.splitlines()[-1] == "| toy_costs | 2 | 0.250 |"


def test_every_stage_counts_with_its_own_steps(monkeypatch):
    """Four steps of a quarter of an hour, and two of an hour."""
    stages = (Stage("first", 4, None), Stage("second", 2, None))
    monkeypatch.setattr(run, "stages", lambda *_: stages)
    seconds = {0: (900.0, 1000.0), 1: (3700.0, 3600.0)}
    monkeypatch.setattr(
        train, "timed", lambda *_, stage, **__: train.Timing(9.0, seconds[stage], 0.0)
    )
    assert costs.training_hours(settings()) == 3.0


def test_stegos_are_timed_as_the_paper_makes_them(tmp_path, monkeypatch):
    """Eight covers of 256x256 at the run's payload, with its costs; the first batch compiles."""
    loaded = run.load(toy_runs.write_run(tmp_path, settings()))
    calls = []

    def spy(orders, covers, messages, *, scheme, **_):
        elements = {order.size for order in orders}
        calls.append((elements, {cover.shapes for cover in covers}, messages.shape))
        assert scheme.cost(np.ones((16, 16), np.float32)).minus[8, 8] > 0
        return covers

    monkeypatch.setattr(embed, "embed_with", spy)
    assert 0 < costs.seconds_per_stego(loaded.config, loaded) < 1
    shapes = ({256 * 256}, {((256, 256),)}, (8, int(0.4 * 256 * 256)))
    assert calls == [shapes] * 4


RUN = "run:WORKDIR@0.4"
CODED = "run:WORKDIR+stc@0.4"


@pytest.mark.parametrize(
    "base, coded, wanted",
    [
        ("hill", False, ("hill", "hill-cmd", f"hill/Proposed={RUN}")),
        (
            "hill",
            True,
            ("hill/Baseline=hill+stc", "hill/CMD=hill-cmd+stc", f"hill/Proposed={CODED}"),
        ),
        (
            "learned",
            False,
            (f"learned/Baseline=plain:{RUN}", f"learned/CMD=cmd:{RUN}", f"learned/Proposed={RUN}"),
        ),
        (
            "run:a/b",
            True,
            (
                "run_a_b/Baseline=plain:run:a/b+stc@0.4",
                "run_a_b/CMD=cmd:run:a/b+stc@0.4",
                f"run_a_b/Proposed={CODED}",
            ),
        ),
    ],
)
def test_a_run_is_set_beside_what_it_started_from(tmp_path, monkeypatch, base, coded, wanted):
    given = []
    monkeypatch.setattr(
        security,
        "of_a_run",
        lambda config, workdir, *, schemes, payload: given.append((schemes, payload)) or "tables",
    )
    config = settings(base)
    config.report.security.coded = coded
    text, results = costs.detection(config, tmp_path, None)
    assert text == "Detection (Table 1):\n\ntables" and results == {}
    schemes = tuple(scheme.replace("WORKDIR", str(tmp_path)) for scheme in wanted)
    assert given == [(schemes, 0.4)]
    for scheme in schemes:
        security.parse(scheme)


def test_the_protocol_takes_the_run(tmp_path):
    config = settings()
    toy_runs.write_run(tmp_path, config)
    text, _ = costs.detection(config, tmp_path, run.load(tmp_path))
    for row in ("Baseline", "CMD", "Proposed"):
        assert f"| spam | {row} |" in text
    assert (tmp_path / "security" / "security.csv").exists()
    config.report.security = None
    assert costs.detection(config, tmp_path, None) == ("", {})
