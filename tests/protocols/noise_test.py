"""The table of attacks: which runs stand in it, and what the attacks do."""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from support import noisy_bits, picture_hider, toy_runs
from support.configs import load

from stegojax import images
from stegojax.errors import InputError
from stegojax.protocols import noise

ATTACKS = ("none", "jpeg:30", "resize:0.5")


@pytest.fixture(autouse=True, scope="module")
def registered():
    with noisy_bits.registered(), toy_runs.registered():
        yield


def test_attacks_are_the_real_ones():
    picture = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    np.testing.assert_array_equal(noise.attack("none")(picture), picture)
    np.testing.assert_array_equal(
        noise.attack("jpeg:60")(picture), images.jpeg_recompress(picture, 60)
    )
    assert noise.attack("resize:0.7")(picture).shape == picture.shape
    for text in ("jpeg", "jpeg:101", "resize:0", "snow:1", "jpeg:low"):
        with pytest.raises(InputError, match=f"{text!r} is not understood; write none, jpeg:"):
            noise.attack(text)


def test_every_training_has_a_row_and_every_attack_a_column(tmp_path, monkeypatch):
    config = noisy_bits.config()
    config.method.noise = ()
    config.report.noise = ConfigDict(dict(beside=dict(none=(), loud=("loud",)), attacks=ATTACKS))
    own, other = noisy_bits.loaded(noise=0.3), noisy_bits.loaded(noise=3.0)
    asked = []

    def to_the_end(config, folder):
        asked.append((tuple(config.method.noise), folder))
        return other

    monkeypatch.setattr(noise.train, "to_the_end", to_the_end)
    text, results = noise.evaluate(config, tmp_path, own)
    assert asked == [(("loud",), tmp_path / "noise" / "loud")]
    found = results["noise"]
    assert found["none"]["none"]["accuracy"] > 0.99 > found["loud"]["none"]["accuracy"]
    assert found["none"]["jpeg:30"]["accuracy"] < 0.7
    assert found["none"]["none"]["stego_psnr"] > found["none"]["jpeg:30"]["stego_psnr"]
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == "| Trained with | none | jpeg:30 | resize:0.5 |" == rows[3]
    assert rows[2].startswith(f"| loud | {found['loud']['none']['accuracy']:.4f} | ")
    assert (tmp_path / "noise.png").read_bytes()[:4] == b"\x89PNG"


def test_pictures_are_judged_by_what_is_revealed():
    config = toy_runs.config("toy_pictures")
    loaded = picture_hider.loaded()._replace(state=jnp.float32(0))
    found = noise.figures(config, loaded, {text: noise.attack(text) for text in ATTACKS})
    assert found["none"]["revealed_psnr"] > found["jpeg:30"]["revealed_psnr"]
    assert "accuracy" not in found["none"]


def test_a_run_is_compared_with_those_that_have_other_noise(tmp_path):
    config = load("sftn").get_config("small_jpeg")
    planned = noise.trains(config, tmp_path)
    assert [(each.config.method.noise, each.folder) for each in planned] == [
        ((), tmp_path / "noise" / "none"),
        (("identity", "resize:0.75"), tmp_path / "noise" / "resize"),
    ]
    config.method.noise = ("jpeg:20",)
    assert len(noise.trains(config, tmp_path)) == 3
    config.report.noise.attacks = ()
    assert noise.trains(config, tmp_path) == []
    assert noise.evaluate(config, tmp_path, None) == ("", {})
