"""Pictures in pictures through files and the command: what is hidden comes back from the file, and
what cannot be says why.
"""

import pathlib
import shutil

import jax
import numpy as np
import pytest
from PIL import Image
from support.configs import load
from support.shallow import config, shallow  # noqa: F401

from stegojax import cli, hiders, images, run, tiles, train
from stegojax.checkpoint import Checkpoints, Position
from stegojax.data import embedded
from stegojax.errors import InputError


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, shallow):  # noqa: F811
    folder = tmp_path_factory.mktemp("run")
    assert train.train(config(), folder).finished
    return folder


@pytest.fixture()
def files(tmp_path):
    """A colour cover of odd size with an alpha channel and a text, and a secret of another size."""
    cover = images.read(embedded.path_of("chelsea")).pixels[:75, :91]
    alpha = np.arange(75 * 91, dtype=np.uint32).reshape(75, 91).astype(np.uint8)
    images.write(
        tmp_path / "cover.png",
        cover,
        like=images.Picture(
            cover, alpha, metadata=images.Metadata(gamma=0.45455, text=(("Author", "nobody"),))
        ),
    )
    images.write(tmp_path / "secret.png", images.read(embedded.path_of("coins")).pixels[:120, :80])
    return tmp_path


def hide(workdir, cover, secret, stego):
    return hiders.hide_file(hiders.load(workdir), None, cover, secret.read_bytes(), stego)


def stegojax(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_picture_is_hidden_and_revealed_from_the_file(workdir, files, capsys):
    code, out, err = stegojax(
        capsys,
        "hide",
        "--run",
        workdir,
        files / "cover.png",
        files / "secret.png",
        "-o",
        files / "s.png",
    )
    assert code == 0, err
    assert "resized from 80x120" in err and "read back from the file" in out
    code, out, err = stegojax(
        capsys, "reveal", "--run", workdir, files / "s.png", "-o", files / "r.png"
    )
    assert code == 0, err
    revealed, cover, stego = (images.read(files / name) for name in ("r.png", "cover.png", "s.png"))
    assert revealed.pixels.shape == (75, 91, 1)
    assert stego.pixels.shape == cover.pixels.shape and not np.array_equal(
        stego.pixels, cover.pixels
    )
    np.testing.assert_array_equal(stego.alpha, cover.alpha)
    assert stego.metadata.gamma == pytest.approx(0.45455) and stego.metadata.text == (
        ("Author", "nobody"),
    )


def test_what_the_command_reveals_is_what_the_method_predicts(workdir, files):
    """The file holds the rounded stego of the method, and revealing it is the method's own decoder
    on these pixels.
    """
    hide(workdir, files / "cover.png", files / "secret.png", files / "s.png")
    hiders.write_message(
        files / "r.png", hiders.reveal_file(hiders.load(workdir), None, files / "s.png")
    )
    loaded = run.load(workdir)
    stego = images.read(files / "s.png").pixels[None].astype(np.float32)
    expected = loaded.method.predict(loaded.state, {"stego": stego}, None)["revealed"]
    np.testing.assert_array_equal(
        images.read(files / "r.png").pixels, np.asarray(expected)[0].astype(np.uint8)
    )


def test_a_large_picture_in_tiles_is_the_whole_picture(workdir, files, monkeypatch):
    """Rounding may fall differently where a value is a half but for the order of a sum: one level,
    hardly ever.
    """
    hide(workdir, files / "cover.png", files / "secret.png", files / "whole.png")
    real = tiles.apply
    monkeypatch.setattr(
        tiles, "apply", lambda *arguments, **options: real(*arguments, **{**options, "tile": 48})
    )
    hide(workdir, files / "cover.png", files / "secret.png", files / "tiled.png")
    whole, tiled = (
        images.read(files / name).pixels.astype(int) for name in ("whole.png", "tiled.png")
    )
    assert np.abs(whole - tiled).max() <= 1 and np.mean(whole != tiled) < 0.002


def test_a_grey_cover_becomes_a_colour_stego(workdir, files):
    hide(workdir, files / "secret.png", files / "secret.png", files / "s.png")
    assert images.read(files / "s.png").pixels.shape == (120, 80, 3)


@pytest.mark.parametrize(
    "verb,arguments,message",
    [
        ("hide", ["cover.png", "secret.png", "-o", "s.jpg"], "s.jpg: .jpg files are lossy"),
        ("hide", ["cover.png", "secret.png", "-o", "s.bmp"], "cannot hold the transparency"),
        ("hide", ["cover.png", "secret.png", "-o", "cover.png"], "is the cover itself"),
        ("hide", ["none.png", "secret.png", "-o", "s.png"], "none.png: no such file"),
        ("hide", ["cover.png", "text.png", "-o", "s.png"], "the message: not a picture file"),
        ("hide", ["cover.png", "deep.png", "-o", "s.png"], "more than 8 bits"),
        ("hide", ["cover.png", "secret.png", "-o", "no/s.png"], "cannot be written"),
        ("reveal", ["secret.png", "-o", "r.png"], "a stego of this run is a colour picture"),
        ("reveal", ["cover.png", "-o", "r.jpg"], "r.jpg: .jpg files are lossy"),
        ("reveal", ["cover.png", "-o", "secret.png"], "exists already"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    workdir, files, capsys, monkeypatch, verb, arguments, message
):
    (files / "text.png").write_text("no picture")
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(files / "deep.png")
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    monkeypatch.chdir(files)
    code, out, err = stegojax(capsys, verb, "--run", workdir, *arguments)
    assert code == 1 and not out and len(err.strip().splitlines()) == 1 and message in err, err
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_a_folder_that_is_no_run_is_refused(files, capsys):
    code, _, err = stegojax(
        capsys, "reveal", "--run", files, files / "cover.png", "-o", files / "r.png"
    )
    assert code == 1 and "is not the work directory of a run" in err


def test_a_run_without_a_checkpoint_is_refused(workdir, files, capsys):
    copy = shutil.copytree(workdir, files / "copy", ignore=shutil.ignore_patterns("checkpoints"))
    code, _, err = stegojax(
        capsys, "reveal", "--run", copy, files / "cover.png", "-o", files / "r.png"
    )
    assert code == 1 and "has no checkpoint yet" in err


def test_an_existing_file_is_replaced_when_told(workdir, files, capsys):
    (files / "s.png").write_bytes(b"old")
    code, _, err = stegojax(
        capsys,
        "hide",
        "--run",
        workdir,
        "--overwrite",
        files / "cover.png",
        files / "secret.png",
        "-o",
        files / "s.png",
    )
    assert code == 0, err
    assert pathlib.Path(files / "s.png").read_bytes()[:4] == b"\x89PNG"


@pytest.fixture(scope="module")
def costs_workdir(tmp_path_factory):
    """A run of the asymmetric-cost GAN whose checkpoint is where training begins."""
    folder = tmp_path_factory.mktemp("costs")
    settings = load("asymmetric").get_config("tiny")
    settings.method.network = "xunet"
    made = run.method(settings)
    run.open_workdir(settings, folder)
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.save(
        1, jax.jit(made.init)(jax.random.key(0), run.example(settings)), Position(1, 0)
    )
    checkpoints.close()
    return folder


def test_a_run_with_learned_costs_hides_files(costs_workdir, files, capsys):
    """The command's stego is read without the run, in one picture and in many, and options that the
    run settles are refused.
    """
    (files / "key").write_bytes(bytes(range(32)))
    (files / "message").write_bytes(b"any file")
    key = ["--key-file", files / "key"]
    code, out, err = stegojax(
        capsys,
        "hide",
        "--run",
        costs_workdir,
        files / "cover.png",
        files / "message",
        "-o",
        files / "s.png",
        *key,
        "--constraint-height",
        "7",
    )
    assert code == 0 and "8 bytes hidden" in out, err
    code, _, err = stegojax(capsys, "reveal", files / "s.png", "-o", files / "back", *key)
    assert code == 0 and (files / "back").read_bytes() == b"any file", err
    (files / "covers").mkdir()
    shutil.copy(files / "secret.png", files / "covers" / "a.png")
    code, out, err = stegojax(
        capsys,
        "hide-many",
        "--run",
        costs_workdir,
        files / "covers",
        files / "message",
        "-o",
        files / "out",
        *key,
        "--constraint-height",
        "7",
    )
    assert code == 0 and "1 of 1" in out, err
    assert str(costs_workdir) in (files / "out" / "manifest.json").read_text()
    code, out, _ = stegojax(capsys, "capacity", "--run", costs_workdir, files / "cover.png")
    assert code == 0 and str(costs_workdir) in out
    for arguments, words in (
        (
            [
                "hide",
                "--run",
                costs_workdir,
                files / "cover.png",
                files / "message",
                "-o",
                files / "t.png",
                "--scheme",
                "cmd",
                *key,
            ],
            "--scheme is for messages under a key",
        ),
        (
            ["capacity", "--run", costs_workdir, "--scheme", "wow", files / "cover.png"],
            "--scheme is for",
        ),
    ):
        code, out, err = stegojax(capsys, *arguments)
        assert code == 1 and words in err and not out


def test_a_run_without_costs_is_told_from_one_with(workdir, costs_workdir):
    assert run.use(costs_workdir) == "costs" and run.use(workdir) == "pictures"
    with pytest.raises(
        InputError, match="has no costs to embed with; there are some in runs of asymmetric"
    ):
        run.load_scheme(workdir)
