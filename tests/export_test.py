"""Runs made ready for others: what is written, what it gives, and what is refused."""

import json
import pathlib

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support import configs, toy_runs

import stegojax
from stegojax import cli, export, hiders, images, run
from stegojax.checkpoint import Checkpoints, Position
from stegojax.errors import InputError
from stegojax.zoo import shelves

CARD = {
    "line": "HILL, dearer below",
    "command": "python main.py --config=configs/toy.py",
    "figures": [{"what": "P_E", "value": 12.5, "spread": 0.5, "command": "make figure"}],
}


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


@pytest.fixture
def workdir(tmp_path):
    return toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_costs"))


def test_a_model_is_what_the_run_was(workdir, tmp_path, monkeypatch):
    (workdir / "evaluation.json").write_text('{"P_E": 0.125}')
    card = export.export(workdir, tmp_path / "shelf" / "toy@2", card=CARD)
    folder = tmp_path / "shelf" / "toy@2"
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "card.md",
        "config.json",
        "weights.safetensors",
    ]
    assert card == json.loads((folder / "card.json").read_text())
    assert card["name"] == "toy" and card["version"] == 2 and card["evaluation"] == {"P_E": 0.125}
    assert set(card["embedded"]) == {"change_rate"}
    text = (folder / "card.md").read_text()
    assert "| P_E | 12.5 ± 0.5 | `make figure` |" in text and "Licence: not said" in text
    monkeypatch.setenv("STEGOJAX_MODELS", str(tmp_path / "shelf"))
    before = run.load(workdir)
    for place in (folder, "toy", "toy@2"):
        loaded = stegojax.load(place)
        assert loaded.step == before.step and loaded.state.opt_state == {}
        np.testing.assert_array_equal(loaded.state.params["net"], before.state.params["net"])
    assert run.load("toy").title == "toy@2" and run.load_scheme("toy").name == "toy@2"
    assert run.use("toy") == "costs"
    assert hiders.load("toy").takes_cover


def test_the_config_says_no_place_of_this_machine(tmp_path):
    settings = toy_runs.config("toy_costs")
    settings.data.source = "folder:/home/someone/photographs/"
    workdir = toy_runs.write_run(tmp_path / "run", settings)
    export.export(workdir, tmp_path / "model")
    written = (tmp_path / "model" / "config.json").read_text()
    assert '"folder:photographs"' in written and "someone" not in written


def test_what_predict_does_not_need_is_left_out():
    settings = configs.load("sftn").get_config("tiny")
    made = run.method(settings, run.Lengths(10, 10), restored=True)
    like = run.state_like(made, run.example(settings), len(made.stages) - 1)
    networks = export.used_networks(run.Loaded(settings, made, like, 1))
    assert networks == ("decoder", "encoder", "image_decoder") and "steganalyzer" in like.params


def test_half_precision_only_where_no_figure_changes(tmp_path, monkeypatch):
    workdir = toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_pictures", raised=1.0))

    def figures(loaded):
        return {"raised": float(loaded.state.params["net"])}

    monkeypatch.setattr(export, "embedded_figures", figures)
    card = export.export(workdir, tmp_path / "half", half=True)
    assert card["precision"] == "float16" and card["embedded"] == {"raised": 1.0}
    weights = load_file(tmp_path / "half" / "weights.safetensors")
    assert weights["params/net"].dtype == np.float16
    assert run.load(tmp_path / "half").state.params["net"].dtype == np.float32
    state = run.load(workdir).state._replace(params={"net": np.float32(1e6)})
    checkpoints = Checkpoints(workdir / "checkpoints")
    checkpoints.save(2, jax.tree.map(np.asarray, state), Position(2, 0))
    checkpoints.close()
    with pytest.raises(InputError, match="raised .* is inf in place of 1e.06; export without"):
        export.export(workdir, tmp_path / "other", half=True)
    assert not (tmp_path / "other").exists() and not list(tmp_path.glob(".stegojax-*"))
    assert export.export(workdir, tmp_path / "whole")["embedded"] == {"raised": 1e6}


@pytest.mark.parametrize(
    "card,words",
    [
        ({"lines": "x"}, "field 'lines' is unknown; there are line"),
        ({"figures": [{"what": "x"}]}, "says what, value and command"),
        ({"hours": "two"}, "hours are a number"),
    ],
)
def test_a_card_is_checked_before_any_work(card, words, tmp_path):
    with pytest.raises(InputError, match=words):
        export.export("no run", tmp_path / "model", card=card)


def test_a_name_is_checked_and_nothing_is_written_over(workdir, tmp_path):
    with pytest.raises(InputError, match="is no name of a model"):
        export.export(workdir, tmp_path / "Toy@1")
    with pytest.raises(InputError, match="exists already"):
        export.export(workdir, tmp_path / "run")


@pytest.fixture
def folder(workdir, tmp_path):
    export.export(workdir, tmp_path / "model")
    return tmp_path / "model"


def rewrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def foreign(path):
    save_file({"w": np.zeros(3, np.float32)}, path)


@pytest.mark.parametrize(
    "change,words",
    [
        (lambda path: rewrite(path, lambda content: content[:-2]), "is damaged or no file of"),
        (lambda path: path.write_bytes(b"\x80\x04]\x94."), "is damaged or no file of weights"),
        (lambda path: path.write_bytes(b""), "is damaged or no file of weights"),
        (foreign, "is not of stegojax"),
        (
            lambda path: rewrite(path.parent / "config.json", lambda text: text + b" "),
            "is not the config that weights.safetensors belongs to",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_in_a_line(folder, change, words):
    change(folder / "weights.safetensors")
    with pytest.raises(InputError, match=words) as caught:
        run.load(folder)
    assert "\n" not in str(caught.value)


def test_a_run_gives_the_same_bytes_again(folder, workdir, tmp_path):
    for number in range(3):
        export.export(workdir, tmp_path / f"again{number}")
        again = tmp_path / f"again{number}" / "weights.safetensors"
        assert again.read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_a_model_has_one_step(folder):
    with pytest.raises(InputError, match="is of step 1 alone"):
        run.load(folder, step=2)
    assert run.load(folder, step=1).step == 1


def test_the_commands(workdir, tmp_path, capsys, monkeypatch):
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    target = tmp_path / "shelf" / "toy@1"
    words = ["export", str(workdir), "-o", str(target), "--card", str(tmp_path / "card.json")]
    assert cli.main(words) == 0
    assert "toy_costs at step 1" in capsys.readouterr().out
    monkeypatch.setenv(shelves.VARIABLE, str(tmp_path / "shelf"))
    assert cli.main(["models"]) == 0
    assert "toy@1" in (shown := capsys.readouterr().out) and "HILL, dearer below" in shown
    assert cli.main(["models", "toy"]) == 0
    assert capsys.readouterr().out == (target / "card.md").read_text()
    (tmp_path / "card.json").write_text("[")
    assert cli.main([*words[:3], str(tmp_path / "new"), *words[4:]]) == 1
    assert "is no JSON file" in capsys.readouterr().err
    assert not pathlib.Path(tmp_path / "new").exists()


def test_who_reveals_is_told_which_model_it_takes(tmp_path, monkeypatch, capsys):
    """Networks that hide pictures are needed to reveal them; costs are not."""
    photograph = np.random.default_rng(0).integers(60, 190, (32, 32, 3)).astype(np.uint8)
    images.write(tmp_path / "cover.png", photograph)
    (tmp_path / "key").write_bytes(bytes(range(32)))
    for name in ("toy_pictures", "toy_costs"):
        method = {"raised": 1.0} if name == "toy_pictures" else {}
        workdir = toy_runs.write_run(tmp_path / "runs" / name, toy_runs.config(name, **method))
        export.export(workdir, tmp_path / "shelf" / f"{name}@3")
    monkeypatch.setenv(shelves.VARIABLE, str(tmp_path / "shelf"))
    monkeypatch.chdir(tmp_path)
    assert hiders.models_that_reveal("toy_pictures") == ["toy_pictures@3"]
    assert hiders.models_that_reveal("toy_costs") == []
    assert hiders.models_that_reveal(tmp_path / "runs" / "toy_pictures") == []
    assert cli.main(["reveal", "cover.png", "-o", "found", "--key-file", "key"]) == 1
    assert "name their model: --run toy_pictures@3" in capsys.readouterr().err
