"""Fresh covers through files and the command: what is hidden in one comes back, no two are alike,
and no seed is kept.
"""

import jax
import numpy as np
import pytest
from support import toy_covers as toy
from support.configs import load

from stegojax import cli, hiders, images, methods, run, secret
from stegojax.checkpoint import Checkpoints, Position
from stegojax.errors import InputError
from stegojax.hiders import generated

SIZE = 32


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run whose generator mixes noise into textures."""
    folder = tmp_path_factory.mktemp("run")
    config = load("ssgan").get_config("tiny")
    config.method.size = config.data.crop = SIZE
    networks = toy.NETWORKS._replace(generator=toy.Textured(SIZE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.METHODS, "ssgan", toy.entry(networks))
        made = run.method(config)
        run.open_workdir(config, folder)
        checkpoints = Checkpoints(folder / "checkpoints")
        checkpoints.save(1, made.init(jax.random.key(0), run.example(config)), Position(1, 0))
        checkpoints.close()
        yield folder


@pytest.fixture()
def key(tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(32)))
    return tmp_path / "key"


def hide(workdir, message, stego):
    shared = secret.key_file(bytes(range(32)))
    return hiders.hide_file(hiders.load(workdir), lambda: shared, None, message, stego)


def stegojax(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_pictures_are_written_and_none_is_like_another(workdir, tmp_path, capsys):
    code, out, err = stegojax(capsys, "generate", "--run", workdir, "-n", 3, "-o", tmp_path / "a")
    assert code == 0 and "3 pictures, 0001.png to 0003.png" in out, err
    generated.generate(workdir, tmp_path / "b", count=2)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "0001.png",
        "0002.png",
        "0003.png",
    ]
    found = [
        images.read(path).pixels
        for folder in "ab"
        for path in sorted((tmp_path / folder).iterdir())
    ]
    assert (
        all(pixels.shape == (SIZE, SIZE, 3) for pixels in found)
        and len({pixels.tobytes() for pixels in found}) == 5
    )
    assert found[0].std() > 5
    code, _, err = stegojax(capsys, "generate", "--run", workdir, "-n", 4, "-o", tmp_path / "a")
    assert (
        code == 1
        and "0001.png: exists already" in err
        and not (tmp_path / "a" / "0004.png").exists()
    )
    code, _, err = stegojax(
        capsys, "generate", "--run", workdir, "-n", 4, "-o", tmp_path / "a", "--overwrite"
    )
    assert code == 0 and len(list((tmp_path / "a").iterdir())) == 4


def test_a_picture_is_what_the_generator_makes_of_the_randomness(workdir, monkeypatch):
    """More than a batch of them; the bytes become numbers as written down here."""
    given = iter([np.random.default_rng(i).bytes(4 * 16 * 100) for i in range(2)])
    drawn = []
    monkeypatch.setattr(
        generated.secrets, "token_bytes", lambda count: drawn.append(next(given)) or drawn[-1]
    )
    loaded = run.load(workdir)
    found = generated.make(loaded, 18)
    numbers = np.frombuffer(b"".join(drawn), "<u4").astype(np.float64).reshape(-1, 100)[:18]
    noise = (2 * (np.floor(numbers / 256) + 0.5) / 2**24 - 1).astype(np.float32)
    assert np.abs(noise).max() < 1
    expected = jax.jit(loaded.method.predict)(loaded.state, {"noise": noise}, jax.random.key(5))[
        "generated"
    ]
    assert found.dtype == np.uint8 and found.shape == (18, SIZE, SIZE, 3)
    # Batches of another size may sum in another order, and a value that is a half may be rounded
    # the other way.
    assert (
        np.abs(found.astype(int) - np.asarray(expected)).max() <= 1
        and np.mean(found != np.asarray(expected)) < 0.01
    )


@pytest.mark.parametrize("options", [[], ["--scheme", "hugo", "--code", "polar"]])
def test_a_message_comes_back_from_a_fresh_cover_without_the_run(
    workdir, key, tmp_path, capsys, options
):
    (tmp_path / "message").write_bytes(b"meet at 7")
    for name in ("s.png", "t.png"):
        code, out, err = stegojax(
            capsys,
            "hide",
            "--run",
            workdir,
            tmp_path / "message",
            "-o",
            tmp_path / name,
            "--key-file",
            key,
            *options,
        )
        assert code == 0 and "9 bytes hidden in a fresh cover" in out, err
    code, _, err = stegojax(
        capsys, "reveal", tmp_path / "s.png", "-o", tmp_path / "back", "--key-file", key
    )
    assert code == 0 and (tmp_path / "back").read_bytes() == b"meet at 7", err
    first, second = (images.read(tmp_path / name).pixels.astype(int) for name in ("s.png", "t.png"))
    assert np.abs(first - second).max() > 2  # two covers, not two stegos of one
    code, _, err = stegojax(
        capsys,
        "reveal",
        "--run",
        workdir,
        tmp_path / "s.png",
        "-o",
        tmp_path / "with",
        "--key-file",
        key,
    )
    assert code == 0 and (tmp_path / "with").read_bytes() == b"meet at 7", err


def test_neither_seed_nor_cover_is_kept(workdir, tmp_path, monkeypatch):
    drawn, real = [], generated.secrets.token_bytes
    monkeypatch.setattr(
        generated.secrets, "token_bytes", lambda count: drawn.append(real(count)) or drawn[-1]
    )
    made, make = [], generated.make
    monkeypatch.setattr(
        generated, "make", lambda *arguments: made.append(make(*arguments)) or made[-1]
    )
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    hide(workdir, b"x", tmp_path / "s.png")
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]
    assert {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()} == before
    [cover] = made[0]
    stego = images.read(tmp_path / "s.png")
    assert (
        np.abs(stego.pixels.astype(int) - cover).max() == 1 and stego.metadata == images.Metadata()
    )
    content = (tmp_path / "s.png").read_bytes()
    seeds = [bytes_ for bytes_ in drawn if len(bytes_) == 4 * 16 * 100]
    assert len(seeds) == 1 and seeds[0][:16] not in content


def test_a_message_that_does_not_fit_is_refused_with_what_would(workdir, tmp_path):
    message = np.random.default_rng(0).bytes(3000)
    with pytest.raises(
        InputError,
        match=r"the cover of 32x32 that .* made carries up to \d+ bytes after compression",
    ):
        hide(workdir, message, tmp_path / "s.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments,message",
    [
        (
            ["hide", "cover.png", "message", "-o", "s.png", "--key-file", "key"],
            "makes its own picture: give MESSAGE alone",
        ),
        (["hide", "message", "-o", "s.jpg", "--key-file", "key"], ".jpg files are lossy"),
        (["hide", "message", "-o", "cover.png", "--key-file", "key"], "exists already"),
        (
            ["hide", "message", "-o", "s.png", "--key-file", "key", "--scheme", "hull"],
            "scheme 'hull' is unknown",
        ),
        (["hide", "none", "-o", "s.png", "--key-file", "key"], "none"),
        (["capacity", "cover.png"], "makes its own pictures and hides in no other"),
        (["generate", "-n", "0", "-o", "d"], "0 pictures cannot be made"),
        (["generate", "-n", "10000", "-o", "d"], "10000 pictures cannot be made"),
        (["generate", "-n", "2", "-o", "key"], "key: is a file"),
        (
            ["hide-many", ".", "message", "-o", "out", "--key-file", "key"],
            "has no costs to embed with",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    workdir, key, tmp_path, capsys, monkeypatch, arguments, message
):
    (tmp_path / "message").write_bytes(b"m")
    images.write(tmp_path / "cover.png", np.zeros((32, 32, 1), np.uint8))
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = stegojax(capsys, arguments[0], "--run", workdir, *arguments[1:])
    assert code == 1 and not out and len(err.strip().splitlines()) == 1 and message in err, err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_run_for_something_else_makes_no_covers(tmp_path, capsys):
    run.open_workdir(load("isgan").get_config("tiny"), tmp_path / "run")
    code, _, err = stegojax(capsys, "generate", "--run", tmp_path / "run", "-o", tmp_path / "d")
    assert code == 1 and "(isgan) makes no covers; there are runs of ssgan, sgan" in err
    code, _, err = stegojax(capsys, "generate", "--run", tmp_path / "none", "-o", tmp_path / "d")
    assert (
        code == 1 and "is not the work directory of a run" in err and not (tmp_path / "d").exists()
    )
