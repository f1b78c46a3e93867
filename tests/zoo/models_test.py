"""Every model that comes with the package loads and gives the figures of its card."""

import json

import pytest

from stegojax import export, run, verdicts
from stegojax.zoo import shelves

MODELS = shelves.read_manifest(shelves.PACKAGE)
LARGEST = 25_000_000


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.label)
def test_a_model_gives_the_figures_of_its_card(model, monkeypatch):
    monkeypatch.delenv(shelves.VARIABLE, raising=False)
    card = json.loads((model.folder / export.CARD_NAME).read_text())
    assert card["sha256"] == model.sha256 and card["config"] == model.config
    if card["method"] == verdicts.PANEL:
        figures = verdicts.embedded_figures(verdicts.load(model.label))
    else:
        figures = export.embedded_figures(run.load(model.label))
    assert figures.keys() == card[export.CHECKED].keys()
    for name, value in figures.items():
        assert export.same_figure(value, card[export.CHECKED][name]), name


def test_every_file_is_of_a_model_and_all_fit_the_wheel():
    listed = {model.folder / name for model in MODELS for name in model.hashes}
    there = {path for path in shelves.PACKAGE.rglob("*") if "@" in path.parent.name}
    assert listed == there
    assert sum(path.stat().st_size for path in there) < LARGEST
