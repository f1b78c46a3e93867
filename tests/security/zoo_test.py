"""The preset that judges every scheme and every model: its list is what there is."""

import json

import pytest
from support import configs

from stegojax import costs
from stegojax.security import parse
from stegojax.zoo import shelves

METHODS = {
    "learned@1": {"name": "ugs", "payload": 0.4},
    "written@2": configs.load("sftn").get_config("tiny").method.to_dict(),
    "whole@1": configs.load("hayesgan").get_config("tiny").method.to_dict(),
    "steganalyzer@1": {"name": "steganalyzer"},
}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Models of which only the config is there."""
    models = []
    for label, method in METHODS.items():
        folder = tmp_path / label
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"method": method}))
        name, version = label.split("@")
        models.append(shelves.Model(name, int(version), "", "", 0, "", {}, tmp_path))
    (tmp_path / "MANIFEST.json").write_bytes(shelves.manifest(models))
    monkeypatch.setenv(shelves.VARIABLE, str(tmp_path))


def test_every_cost_and_every_model_that_hides_in_grey_pictures(shelf):
    schemes = configs.load("security").get_config("zoo").schemes
    assert {f"{cost}-cmd" for cost in costs.COSTS} <= set(schemes)
    assert [text for text in schemes if "learned" in text] == [
        "learned/simulated=run:learned@1@0.4",
        "learned/coded=run:learned@1+stc@0.4",
    ]
    assert [text for text in schemes if text.startswith("written/")] == [
        "written/written=run:written@2@1"
    ]
    assert not [text for text in schemes if "whole" in text or "steganalyzer" in text]
    sources = [parse(text) for text in schemes]
    assert [source.name for source in sources if source.kind == "run"][:2] == ["learned@1"] * 2
