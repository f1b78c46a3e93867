"""Wrong values in every field of every method's, data's and general section: each is refused in one
line that names the field, or can be used; nothing else is raised, and nothing is computed for it.
"""

import copy
import json
import pathlib

import pytest
from ml_collections import ConfigDict
from support.configs import load

from stegojax import methods, run, settings
from stegojax.data import kinds, pipeline
from stegojax.errors import InputError

CONFIGS = sorted((pathlib.Path(__file__).resolve().parents[2] / "configs").glob("*.py"))
NO_RUNS = ("__init__", "presets", "sections", "security")

WRONG = (
    None,
    True,
    -1,
    0,
    3,
    10**30,
    -0.5,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "nonsense",
    "64x",
    "0x0",
    "folder:",
    [],
    ["x"],
    [[1, 2]],
    ["resize:-3"],
    {},
    {"a": 1},
    {"name": "adam"},
    {"name": ["adam"], "learning_rate": 1e-3},
)
"""Values of all kinds; what is right for one field is wrong for most others."""


def smallest():
    """The tiny config of every method, as a JSON file gives it back."""
    for path in CONFIGS:
        if path.stem not in NO_RUNS:
            config = load(path.stem).get_config("tiny")
            yield config.method.name, json.loads(json.dumps(config.to_dict()))


METHODS = dict(smallest())


def refusals(whole, section, field, use):
    """What is said of every wrong value in a field; None where it can be used."""
    for value in WRONG:
        config = copy.deepcopy(whole)
        (config[section] if section else config)[field] = value
        try:
            settings.check(config)
            use(config)
        except InputError as error:
            yield value, str(error)
        except Exception as error:
            raise AssertionError(f"{section}.{field}={value!r}: {error!r}") from error
        else:
            yield value, None


def test_every_method_has_a_config():
    assert set(METHODS) == set(methods.METHODS)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_wrong_value_in_a_methods_section(name):
    def use(config):
        run.method(ConfigDict(config), restored=True)

    refused = 0
    for field in METHODS[name]["method"]:
        for _, said in refusals(METHODS[name], "method", field, use):
            assert said is None or "\n" not in said
            # Weights are refused together, and the method itself goes by this word.
            assert (
                said is None
                or field in said
                or field.rpartition("_")[2] in said
                or "method" in said
            )
            refused += said is not None
    assert refused > 12 * len(METHODS[name]["method"])


@pytest.mark.parametrize("name", ["isgan", "sgan", "seq2seq_gan", "steganalyzer"])
def test_a_wrong_value_in_the_datas_section(name):
    def use(config):
        pipeline.example(config["data"])
        pipeline.examples_per_epoch({**config["data"], **config["loader"]}, split="train")

    refused = 0
    for field in [*METHODS[name]["data"], "held_out_crop", "train_share", "no_such_field"]:
        for _, said in refusals(METHODS[name], "data", field, use):
            assert said is None or "\n" not in said
            refused += said is not None
    assert refused > 10 * len(METHODS[name]["data"])


def test_a_wrong_value_in_the_general_sections():
    whole, checked = METHODS["isgan"], 0
    for field in settings.RULES:
        section, _, last = field.rpartition(".")
        if section in ("", "loader", "evaluation", "report", "checkpoint"):
            said = dict(enumerate(refusals(whole, section, last, lambda config: None)))
            assert sum(text is not None for _, text in said.values()) >= 11, field
            assert all(field in text for _, text in said.values() if text is not None)
            checked += len(said)
    assert checked > 300


@pytest.mark.parametrize("section", settings.SECTIONS)
def test_a_section_that_is_none(section):
    for value, said in refusals(METHODS["isgan"], "", section, lambda config: None):
        assert (said is None) == isinstance(value, dict) or "must be" in said


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_a_field_that_is_missing_is_named(kind):
    required = {"cover_stego": "covers", "sentences": "vocabulary"}
    if kind in required:
        with pytest.raises(InputError, match=f"data.{required[kind]} is missing"):
            kinds.kind_of({"kind": kind})
    else:
        assert kinds.kind_of({"kind": kind})[1] == {}
