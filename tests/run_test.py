"""Runs on disk: their lengths, configs of earlier versions, and what does not fit is named in one
line.
"""

import json

import pytest
from ml_collections import ConfigDict
from support import toy, toy_runs
from support.configs import load

from stegojax import methods, older, run
from stegojax.errors import InputError


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


@pytest.mark.parametrize("steps, epochs, length", [(6, 0.0, 6), (0, 2.5, 5), (-1, 2.5, 5)])
def test_a_run_is_as_long_as_steps_or_epochs_say(steps, epochs, length):
    """Ten photographs make five pairs, and two batches of two of them an epoch."""
    config = toy.config(steps=steps, epochs=epochs, batch_size=2)
    assert run.lengths(config, toy.make()) == (2, length)


def test_a_run_is_as_long_as_its_stages():
    config = toy.config(steps=0)
    assert run.lengths(config, toy.make(stages=(2, 4))) == (1, 6)
    assert [stage.steps for stage in run.stages(toy.make(), run.Lengths(1, 6))] == [6]


@pytest.mark.parametrize(
    "stages, steps, epochs, words",
    [
        ((), 0, 0.0, "leave nothing to train"),
        ((), 3, 1.0, "are two lengths"),
        ((2, 4), 6, 0.0, "the stages say how long the run is, and so do steps=6 and epochs=0.0"),
        ((2, 4), 0, 1.0, "the stages say how long the run is"),
    ],
)
def test_no_length_and_two_lengths_are_refused(stages, steps, epochs, words):
    with pytest.raises(InputError, match=words):
        run.lengths(toy.config(steps=steps, epochs=epochs), toy.make(stages=stages))


@pytest.fixture
def workdir(tmp_path):
    return toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_pictures", raised=1.0))


def rewrite(workdir, change):
    path = workdir / run.CONFIG_NAME
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda config: config.pop("method"), "config.json has no method: it is not of a trained"),
        (lambda config: config.pop("data"), "config.json has no data"),
        (lambda config: config.pop("checkpoint"), "config.json has no checkpoint"),
        (lambda config: config["method"].update(name="toy_bits"), "method 'toy_bits' is unknown"),
        (lambda config: config["method"].pop("name"), "config.json has no method.name"),
        (
            lambda config: config["method"].update(raised="much"),
            "method.raised='much' must be a number",
        ),
        (
            lambda config: config["method"].update(raised=True),
            "method.raised=True must be a number",
        ),
        (lambda config: config["method"].update(name=7), "method.name=7 must be a name"),
        (lambda config: config.update(seed=-1), "seed=-1 must be a whole number from 0"),
        (lambda config: config.update(seed="one"), "seed='one' must be a whole number"),
        (lambda config: config.update(data=[]), r"data=\[\] must be a section"),
        (lambda config: config["checkpoint"].update(keep=0), "checkpoint.keep=0 must be"),
        (lambda config: config["checkpoint"].update(best=1), "checkpoint.best=1 must be a text"),
        (lambda config: config["evaluation"].update(batches=1.5), "evaluation.batches=1.5 must be"),
        (lambda config: config["method"].update(lowered=1), "method.lowered is unknown"),
        (lambda config: config["data"].update(kind="sounds"), "data.kind 'sounds' is unknown"),
        (lambda config: config["data"].update(crop="wide"), "data.crop='wide' must be a size"),
        (lambda config: config["method"].update(raised=float("nan")), "method.raised=nan must be"),
        (lambda config: config.update(method="toy"), "method='toy' must be a section"),
    ],
)
def test_a_config_that_does_not_fit_is_named_in_one_line(workdir, change, words):
    rewrite(workdir, change)
    with pytest.raises(InputError, match=words) as caught:
        run.load(workdir)
    assert "\n" not in str(caught.value) and str(workdir) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"7",
        b'"isgan"',
        b"{",
        b'{"seed": 0}',
        b"[" * 100_000,
        bytes(range(256)),
        b"\xff\xfe{\x00}\x00",
        b'{"": {}}',
        b'{"a.b": 1, "method": {"": 1}}',
        b'{"method": null, "data": null}',
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_config_is_named_in_one_line(workdir, content):
    (workdir / run.CONFIG_NAME).write_bytes(content)
    for use in (run.load, run.use):
        with pytest.raises(InputError) as caught:
            use(workdir)
        said = str(caught.value)
        assert "\n" not in said and len(said) < 600 and str(workdir) in said


def test_damaged_versions_are_begun_anew(workdir):
    config = run.read_config(workdir)
    for content in (b"{}", b"7", b"\xff", b""):
        (workdir / run.VERSIONS_NAME).write_bytes(content)
        run.open_workdir(config, workdir)
        assert len(json.loads((workdir / run.VERSIONS_NAME).read_bytes())) == 1


def test_other_networks_in_the_checkpoint_are_named(workdir, monkeypatch):
    def other(section, **options):
        made = toy_runs.hides_pictures()

        def init(key, batch):
            state = made.init(key, batch)
            return state._replace(params={"encoder": state.params["net"]})

        return made._replace(init=init)

    monkeypatch.setitem(methods.METHODS, "toy_pictures", methods.Entry(other))
    with pytest.raises(InputError, match=r"params\.encoder is absent there and float32 \[\] by"):
        run.load(workdir)


def test_the_method_can_be_given(workdir):
    """As where a run was trained that no config names."""
    rewrite(workdir, lambda config: config["method"].update(name="attack"))
    made = toy_runs.hides_pictures()
    loaded = run.load(workdir, made=made)
    assert loaded.method is made and loaded.step == 1 and loaded.workdir == workdir


OLD = {
    "steps": -1,
    "epochs": 3.0,
    "method": {"name": "hidden"},
    "evaluation": {
        "every": 5,
        "final_batches": 7,
        "transfer_steps": 0,
        "photographs": 4,
        "sentences": 9,
        "beams": 2,
        "security": {
            "detectors": ["spam"],
            "networks": {"srnet": {"steps": 5, "method": {}, "evaluation": {"final_batches": 1}}},
        },
    },
}


def test_configs_of_earlier_versions_come_in_todays_form():
    config = ConfigDict(OLD)
    older.renew(config)
    networks = {"srnet": {"steps": 5, "method": {}, "evaluation": {}, "report": {"batches": 1}}}
    new = {
        "steps": 0,
        "epochs": 3.0,
        "method": {"name": "hidden"},
        "evaluation": {"every": 5},
        "report": {
            "batches": 7,
            "transfer": {"steps": 0},
            "bits": {"photographs": 4},
            "sentences": {"count": 9, "beams": 2},
            "security": {"steganalyzers": ["spam"], "networks": networks},
        },
    }
    assert json.loads(config.to_json()) == new
    older.renew(config)
    assert json.loads(config.to_json()) == new


def test_stages_of_earlier_versions_say_how_long_a_run_is():
    config = ConfigDict({**OLD, "steps": 8, "method": {"stage_lengths": (4, 4)}})
    older.renew(config)
    assert config.steps == 0 and config.epochs == 0


def test_an_older_run_goes_on_and_is_written_in_todays_form(workdir):
    def age(config):
        config["evaluation"]["final_batches"] = config.pop("report")["batches"]

    rewrite(workdir, age)
    run.open_workdir(toy_runs.config("toy_pictures", raised=1.0), workdir)
    assert json.loads((workdir / run.CONFIG_NAME).read_text())["report"] == {"batches": 1}


def saved(folder, config):
    (folder / run.CONFIG_NAME).write_text(json.dumps(run.plain(config)))
    return folder


LATER = ("batches", "noise", "structures", "users")
"""Of `report`, what never was in `evaluation`, or under another name."""


def as_earlier(config):
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
    then = as_earlier(load(name).get_config())
    if steps:
        then.steps = steps
    read = run.read_config(saved(tmp_path, then))
    assert run.difference(run.plain(read), now) == []
    assert read.report.batches == now["report"]["batches"]
    wanted = {key: value for key, value in now["report"].items() if key not in LATER}
    wanted.get("sentences", {}).pop("beside", None)
    transfer = {} if "transfer" in wanted else {"transfer": {"steps": 0}}
    assert run.plain(read)["report"] == {"batches": read.report.batches, **wanted, **transfer}
    run.open_workdir(config, tmp_path, None)


@pytest.mark.parametrize("name", ["isgan", "asymmetric", "seq2seq_gan"])
def test_a_run_without_later_fields_did_what_they_say(tmp_path, name):
    now = run.plain(load(name).get_config())
    then = load(name).get_config()
    for field in older.ADDED[name]:
        del then.method[field]
    assert run.difference(run.plain(run.read_config(saved(tmp_path, then))), now) == []


def test_a_difference_is_told_in_one_line(tmp_path):
    config = toy.config()
    saved(tmp_path, config)
    config.batch_size, config.loader.threads, config.report.batches = 8, 7, 50
    config.method.noise = ()  # A field that the saved one lacks.
    with pytest.raises(InputError) as caught:
        run.open_workdir(config, tmp_path, None)
    assert str(caught.value).endswith("the difference: batch_size is 4 there and 8 is asked for")
    assert "\n" not in str(caught.value)
