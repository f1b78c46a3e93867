"""Every preset of every config, without a computation: it builds, its fields are known, its stages
make up its length, and its factory takes it.
"""

import inspect

import pytest
from ml_collections import ConfigDict
from support.configs import FOLDER, NAMES, load

from configs import presets
from stegojax import evaluate, optimizers, run
from stegojax.data import kinds, pipeline

METHODS = [name for name in NAMES if name != "security"]
"""The configs that train a method."""
SECTIONS = {"method", "data", "loader", "evaluation", "report", "checkpoint"}
PER_EPOCH = 10


@pytest.fixture
def no_data(monkeypatch):
    """An epoch of so many steps, whatever the data."""

    def examples(section, *, split):
        assert set(section) - {"kind", *pipeline._LOADER_FIELDS} <= set(
            inspect.signature(kinds.KINDS[section["kind"]].examples).parameters
        )
        return PER_EPOCH

    monkeypatch.setattr(pipeline, "examples_per_epoch", examples)


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_listed_with_a_line_each(name):
    module = load(name)
    assert {"", "tiny", "paper"} <= set(module.PRESETS)
    listed = presets.listing(FOLDER / f"{name}.py").splitlines()
    for preset, (line, _) in module.PRESETS.items():
        assert line and "\n" not in line and len(line) < 100
        assert [preset or "(none)", line] in [row.split(None, 1) for row in listed], preset
    title = module.__doc__.split("\n\n")[0].replace("\n", " ")
    assert listed[0] == title
    assert f"configs/{name}.py:help" in module.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_preset_is_refused_and_close_ones_are_named(name):
    with pytest.raises(ValueError, match="preset 'tinny' is unknown; did you mean tiny.*:help"):
        load(name).get_config("tinny")
    with pytest.raises(ValueError, match="preset ':tiny_' is unknown"):
        load(name).get_config(":tiny_")


@pytest.mark.parametrize("name", METHODS)
def test_every_preset_builds_and_its_factory_takes_it(name, no_data):
    module = load(name)
    for preset in module.PRESETS:
        config = module.get_config(preset)
        config.batch_size = 1
        config.lock()
        assert isinstance(config, ConfigDict) and run.plain(config), preset
        assert set(config) - SECTIONS == {"seed", "batch_size", "epochs", "steps", "log_every"}
        assert optimizers.settle(config) == [], preset
        sizes = run.lengths(config)
        assert sizes.steps_per_epoch == PER_EPOCH
        made = run.method(config, sizes)
        total = sum(stage.steps for stage in run.stages(made, sizes))
        assert total == sizes.steps >= 1, preset
        assert not made.stages or config.steps == config.epochs == 0, preset


@pytest.mark.parametrize("name", METHODS)
def test_a_config_has_the_settings_of_its_own_reports(name):
    config = load(name).get_config()
    reports = set(run.entry(config)[0].reports)
    assert reports <= set(evaluate.REPORTS)
    others = {"quality", "deception", "detection", "simulators", "times"}
    security = {"security"} if "bits" in reports else set()
    assert set(config.report) == {"batches"} | (reports - others) | security


@pytest.mark.parametrize("preset", ["", "tiny", "networks", "paper"])
def test_the_networks_of_the_protocol_are_steganalyzers(preset):
    config = load("security").get_config(preset)
    assert optimizers.settle(config) == []
    for section in config.networks.values():
        assert (section.steps > 0) != (section.epochs > 0)
        run.method(section, run.Lengths(PER_EPOCH, 1))


def test_a_change_of_an_absent_field_is_refused():
    config = ConfigDict(dict(method=dict(width=1.0)))
    with pytest.raises(KeyError, match="no field method.wdith"):
        presets.change(config, {"method.wdith": 0.5})


def test_a_dict_replaces_a_section_whole():
    config = ConfigDict(dict(method=dict(optimizer=dict(name="sgd", momentum=0.9))))
    presets.change(config, {"method.optimizer": dict(name="adam", b1=0.5)})
    assert config.method.optimizer.to_dict() == dict(name="adam", b1=0.5)


def test_experiments_come_at_the_papers_scale_and_at_the_defaults():
    experiments = {"one": ("the one", {"method.depth": 2, "data.crop": 64})}
    assert presets.at_scale(experiments, {"data.crop": 256, "steps": 0}) == {
        "one": ("the one", {"data.crop": 64, "steps": 0, "method.depth": 2})
    }
    [(name, (line, changes))] = presets.small(experiments).items()
    assert name == "small_one" and line.startswith("the one")
    assert changes == {"method.depth": 2, "data.crop": 64}


@pytest.mark.parametrize(
    "name,field,value,follower",
    [
        ("sftn", "source", "folder:mine", "report.security.covers.source"),
        ("hidden", "preprocess", ("jpeg:90",), "report.security.covers.preprocess"),
        ("seq2seq_gan", "vocabulary", 50, "method.vocabulary"),
        ("ssgan", "crop", 48, "method.size"),
    ],
)
def test_what_follows_from_the_data_follows_them(name, field, value, follower):
    config = load(name).get_config()
    config.lock()
    config.data[field] = value
    section = config
    for part in follower.split("."):
        section = section[part]
    assert section == value
