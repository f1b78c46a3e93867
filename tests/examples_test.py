"""The examples run as they stand, and the package's root offers what they use."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import stegojax
from stegojax import secret
from stegojax.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_hiding_in_python():
    done = run("hide_in_python.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "The eagle has landed."


def test_a_loss_of_ones_own_trains(tmp_path):
    done = run("own_loss.py", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "stego_psnr" in done.stdout.splitlines()[-1]


def test_arrays_come_back_as_they_were_given():
    pixels = np.random.default_rng(0).integers(60, 190, (64, 80)).astype(np.uint8)
    key = secret.key_file(bytes(range(32)))
    for cover in (pixels, pixels[..., None], np.stack([pixels] * 3, axis=-1)):
        before = cover.copy()
        stego = stegojax.hide(cover, b"a b c", key, scheme="hill")
        assert stego.shape == cover.shape and stego.dtype == np.uint8
        assert stegojax.reveal(stego, key) == b"a b c"
        np.testing.assert_array_equal(cover, before)
    assert stegojax.capacity(pixels) > 5


@pytest.mark.parametrize(
    "pixels,words",
    [
        (np.zeros((8, 8, 4), np.uint8), "transparency"),
        (np.zeros((8, 8)), "float64"),
        (np.zeros(64, np.uint8), r"\[64\]"),
    ],
)
def test_what_is_no_picture_is_refused(pixels, words):
    with pytest.raises(InputError, match=words):
        stegojax.hide(pixels, b"", "password")
    with pytest.raises(InputError, match=words):
        stegojax.reveal(pixels, "password")


def test_a_text_is_no_message():
    with pytest.raises(InputError, match="encode"):
        stegojax.hide(np.zeros((64, 64), np.uint8), "text", "password")


def test_a_model_by_its_name():
    done = run("use_a_model.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("xunet-hill@") and "stego" in done.stdout


def test_costs_and_changes():
    done = run("costs_and_changes.py")
    assert done.returncode == 0, done.stderr
    assert "of the changes are in the cheaper half" in done.stdout


def test_a_system_is_trained_and_used(tmp_path):
    done = run("train_and_use.py", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "revealed: (1, 64, 64, 1)" in done.stdout


def test_modules_are_attributes_of_the_package():
    code = "import stegojax; print(stegojax.costs.hill.__name__, stegojax.train.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["hill", "stegojax.train"]
    assert {"costs", "losses", "train", "hide", "load"} <= set(dir(stegojax))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stegojax.nothing  # noqa: B018


def snippets():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_snippet(code, cwd):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_the_readme_hides_in_an_array(tmp_path):
    done = run_snippet(snippets()[0] + "assert message == b'any bytes'", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_readme_trains_with_a_loss_of_ones_own(tmp_path):
    done = run_snippet(snippets()[1], tmp_path)
    assert done.returncode == 0 and "stego_psnr" in done.stdout, done.stderr
