"""Names of models: where they are looked for, and what is refused."""

import json

import pytest
from support import toy_runs

from stegojax import export, run, train
from stegojax.errors import InputError
from stegojax.zoo import shelves


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Versions 1 and 12 of a model, and nothing in the cache."""
    workdir = toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_costs"))
    for version in (1, 12):
        export.export(workdir, tmp_path / "shelf" / f"toy@{version}", card={"line": f"{version}"})
    monkeypatch.setenv(shelves.VARIABLE, str(tmp_path / "shelf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shelf"


def test_the_newest_version_and_the_one_that_is_named(shelf):
    assert shelves.find("toy").label == "toy@12" and shelves.find("toy@1").line == "1"
    assert shelves.find("toy@2") is None and shelves.find("../toy") is None
    pinned = shelves.find("toy@1").pinned
    assert shelves.find(pinned).label == "toy@1"
    with pytest.raises(InputError, match="has other weights"):
        shelves.find(pinned[:-12] + "0" * 12)


def test_the_first_shelf_that_has_a_name_serves(shelf, tmp_path, monkeypatch):
    cached = tmp_path / "cache" / "stegojax" / "models"
    export.export(tmp_path / "run", cached / "toy@13")
    export.export(tmp_path / "run", cached / "other@1")
    assert shelves.find("toy").shelf == shelf and shelves.find("other").shelf == cached
    assert {model.label for model in shelves.models()} >= {"toy@1", "toy@12", "toy@13", "other@1"}
    monkeypatch.delenv(shelves.VARIABLE)
    assert shelves.find("toy").label == "toy@13"


def test_a_folder_goes_before_a_model(shelf, tmp_path):
    assert shelves.locate("toy").model.label == "toy@12"
    (tmp_path / "toy").mkdir()
    assert shelves.locate("toy").model.label == "toy@12"
    (tmp_path / "toy" / "config.json").write_text("{}")
    assert shelves.locate("toy").model is None


def test_unknown_names_and_folders_are_told_apart(shelf, tmp_path):
    with pytest.raises(InputError, match="neither the work directory of a run nor a model"):
        run.load("tyo")
    with pytest.raises(InputError, match="it holds no config.json"):
        run.load(tmp_path / "shelf")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "card.md"])
def test_a_changed_file_is_refused(shelf, name):
    path = shelf / "toy@1" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=f"{name}: is damaged or another file"):
        run.load("toy@1")
    path.unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        run.load("toy@1")


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "{}",
        '{"models": {"toy": {}}}',
        '{"models": {"toy@1": {"line": "", "sha256": "", "bytes": 1, "config": "", '
        '"files": {"../x": ""}}}}',
    ],
)
def test_a_damaged_manifest_is_refused(shelf, content):
    (shelf / "MANIFEST.json").write_text(content)
    with pytest.raises(InputError, match="is not a whole manifest"):
        shelves.find("toy")


def test_a_variable_that_names_no_shelf_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(shelves.VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="STEGOJAX_MODELS is .* which holds no MANIFEST.json"):
        run.load("toy")


def test_a_config_is_written_down_with_version_and_hash(shelf, tmp_path):
    config = toy_runs.config("toy_costs", scheme="cmd:run:toy", payload=0.4)
    with config.unlocked():
        config.method.d1_from, config.method.d2_from = "toy@1", "elsewhere"
    pinned = run.pin(config, tmp_path / "new").method
    assert pinned.scheme == f"cmd:run:{shelves.find('toy').pinned}"
    assert pinned.d1_from == shelves.find("toy@1").pinned and pinned.d2_from == "elsewhere"
    assert config.method.d1_from == "toy@1"


def test_what_was_written_down_stays_when_a_new_version_comes(shelf, tmp_path):
    config = toy_runs.config("toy_costs", scheme="run:toy", payload=0.4)
    train.train(config, tmp_path / "new")
    written = json.loads((tmp_path / "new" / "config.json").read_text())["method"]["scheme"]
    assert written == f"run:{shelves.find('toy@12').pinned}"
    export.export(tmp_path / "run", shelf / "toy@13")
    assert run.pin(config, tmp_path / "new").method.scheme == written
