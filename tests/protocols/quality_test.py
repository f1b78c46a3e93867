"""The table of held-out figures, with the papers' columns where a method has them."""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from support import toy_runs

from stegojax import run
from stegojax.protocols import quality


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


FIGURES = {
    "revealed_psnr": 33.333,
    "stego_psnr": 34.567,
    "stego_ssim": 0.95678,
    "revealed_ssim": 0.94321,
    "accuracy": 0.5,
}


def config(**method):
    data = dict(source="embedded", secret_source="")
    return ConfigDict(dict(method=dict(name="isgan", **method), data=data))


def test_the_columns_are_table_5s():
    header, _, row = quality.table(config(), FIGURES).splitlines()
    assert header == (
        "| Model | Cover image | Secret image | Stego-Cover PSNR (dB) | Revealed-Secret PSNR (dB) "
        "| Stego-Cover SSIM | Revealed-Secret SSIM |"
    )
    assert row == "| isgan | embedded | embedded | 34.57 | 33.33 | 0.9568 | 0.9432 |"


def test_without_them_every_figure_has_a_column():
    figures = {"accuracy": 0.51234, "psnr": 41.0}
    header, _, row = quality.table(config(adversarial=False), figures).splitlines()
    assert header == "| Model | Data | accuracy | psnr |"
    assert row == "| isgan (basic) | embedded | 0.5123 | 41 |"


def test_a_basic_model_is_called_by_its_losses():
    weights = dict(adversarial=False, mse_weight=0.3, ssim_weight=0.0, ms_ssim_weight=0.5)
    assert quality.model_name(config(**weights)) == "isgan (basic, MSE + MS-SSIM)"


def test_figures_are_means_over_as_many_batches_as_asked_for(tmp_path):
    settings = toy_runs.config("toy_pictures")
    settings.report.batches = 3
    loaded = run.load(toy_runs.write_run(tmp_path, settings))
    errors = []
    with run.loader(settings, "held_out", held_out_examples=12) as loader:
        for batch in loader:
            bright = 255.0 * (batch["secret"] > 127)
            errors.append(np.abs(bright - batch["secret"]).mean())
    assert len(errors) == 3
    text, results = quality.evaluate(settings, tmp_path, loaded)
    assert results == {"quality": {"error": pytest.approx(np.mean(errors), rel=1e-5)}}
    assert "step 1:" in text and jnp.isfinite(results["quality"]["error"])
