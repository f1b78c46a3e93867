"""How long a run is, and runs whose configs were written in an older form."""

import json

import pytest
from support import toy
from support.configs import load

from stegojax import methods, run
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.types import Stage


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The toy method by its name, and an epoch of ten steps."""
    monkeypatch.setitem(
        methods.METHODS,
        "toy",
        methods.Entry(lambda section, *, steps_per_epoch, load=None: toy.make(**section)),
    )
    monkeypatch.setattr(pipeline, "examples_per_epoch", lambda section, split: 40)


def lengths(stages=(), **fields):
    config = toy.config(**{"steps": 0, **fields})
    config.method.stages = stages
    return run.lengths(config)


def test_steps_epochs_or_the_stages_say_how_long_a_run_is():
    assert lengths(steps=7) == run.Lengths(10, 7)
    assert lengths(epochs=1.5) == run.Lengths(10, 15)
    assert lengths(stages=(3, 4)) == run.Lengths(10, 7)
    assert lengths(steps=-1, epochs=2.0) == run.Lengths(10, 20)


def test_two_lengths_or_none_are_refused():
    with pytest.raises(InputError, match="steps=7 and epochs=1.5 are two lengths"):
        lengths(steps=7, epochs=1.5)
    with pytest.raises(InputError, match="leave nothing to train"):
        lengths()


def test_a_length_beside_that_of_the_stages_is_refused():
    made = toy.make(stages=(3, 4))
    assert [stage.steps for stage in run.stages(made, run.Lengths(10, 7))] == [3, 4]
    with pytest.raises(InputError, match="last 7 steps together and the run 9; .*steps=0"):
        run.stages(made, run.Lengths(10, 9))
    assert run.stages(toy.make(), run.Lengths(10, 9))[0][:2] == Stage("train", 9, None)[:2]


def saved(folder, config):
    (folder / run.CONFIG_NAME).write_text(json.dumps(run.plain(config)))
    return folder


def older(config):
    """A config as it was written before reports had a section of their own."""
    report = config.report
    del config.report
    config.evaluation.final_batches = report.batches
    config.evaluation.transfer_steps = report.transfer.steps if "transfer" in report else 0
    if "transfer" in report:
        config.evaluation.transfer_optimizer = report.transfer.optimizer
    if "bits" in report:
        config.evaluation.photographs = report.bits.photographs
        config.evaluation.cross_source = report.bits.cross_source
        config.evaluation.security = report.security
    if "sentences" in report:
        config.evaluation.sentences = report.sentences.count
        for name in ("searched", "beams", "weights"):
            config.evaluation[name] = report.sentences[name]
    return config


@pytest.mark.parametrize(
    "name,steps", [("isgan", None), ("sftn", 1600), ("seq2seq_gan", 2400), ("baluja", None)]
)
def test_a_run_in_the_older_form_is_read_as_todays(tmp_path, name, steps):
    config = load(name).get_config()
    config.loader.workers = 3
    now = run.plain(config)
    then = older(load(name).get_config())
    if steps:
        then.steps = steps
    read = run.read_config(saved(tmp_path, then))
    assert run.difference(run.plain(read), now) == []
    assert read.report.batches == now["report"]["batches"]
    wanted = {key: value for key, value in now["report"].items() if key != "batches"}
    transfer = {} if "transfer" in wanted else {"transfer": {"steps": 0}}
    assert run.plain(read)["report"] == {**now["report"], **transfer}
    run.open_workdir(config, tmp_path, None)


def test_a_difference_is_told_in_one_line(tmp_path):
    config = toy.config()
    saved(tmp_path, config)
    config.batch_size, config.loader.threads, config.report.batches = 8, 7, 50
    config.method.noises = ()  # A field that the saved one lacks.
    with pytest.raises(InputError) as caught:
        run.open_workdir(config, tmp_path, None)
    assert str(caught.value).endswith("the difference: batch_size is 4 there and 8 is asked for")
    assert "\n" not in str(caught.value)
