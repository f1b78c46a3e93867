"""Panels and curves: the right pictures in the right places, and files that are whole."""

import io

import numpy as np
import pytest
from PIL import Image

from stegojax import plots


def test_the_panel_shows_every_picture_with_the_residual_ten_fold():
    cover = np.full((2, 20, 20, 3), 100.0)
    batch = {"cover": cover, "secret": np.full((2, 20, 20, 1), 30.0)}
    outputs = {"stego": cover + 4.0, "revealed": np.full((2, 20, 20, 1), 31.4)}
    shown = plots.columns(batch, outputs)
    assert list(shown) == ["cover", "stego", "residual", "secret", "revealed"]
    np.testing.assert_array_equal(shown["residual"], 40.0)
    sheet = plots.panel(batch, outputs)
    values = {tuple(pixel) for pixel in sheet.reshape(-1, 3)}
    assert {(100,) * 3, (104,) * 3, (40,) * 3, (30,) * 3, (31,) * 3} <= values
    # 20 pixels are shown 8-fold, and two rows of them.
    assert (sheet[26:] == 104).all(axis=-1).sum() == 2 * 160 * 160


def test_a_large_residual_is_clipped():
    batch, outputs = {"cover": np.zeros((1, 4, 4, 3))}, {"stego": np.full((1, 4, 4, 3), 200.0)}
    assert plots.columns(batch, outputs)["residual"].max() == 255.0


def test_nothing_to_show_is_an_error():
    with pytest.raises(ValueError, match="no picture"):
        plots.panel({"tokens": np.zeros((2, 3))}, {})


def test_curves_are_a_picture_of_every_metric():
    records = [
        {"step": step, "stage": "train", "kind": kind, "loss": 1 / (step + 1), "psnr": step}
        for step in range(5)
        for kind in ("train", "held_out")
    ]
    image = Image.open(io.BytesIO(plots.curves(records)))
    image.load()
    assert image.format == "PNG" and image.size[0] > 600
