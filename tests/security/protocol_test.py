"""The protocol's course: resumed and extended runs, real coding, every kind of source, and what
cannot be done.
"""

import csv
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from PIL import Image
from support import toy_runs
from support.security_runs import config

from stegojax import hiders, run, secret, security, train
from stegojax.errors import InputError
from stegojax.security import parts, protocol

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="module")
def registered():
    with toy_runs.registered():
        yield


def test_the_protocol_finishes_reuses_and_extends(tmp_path, capsys):
    work = tmp_path / "work"
    text = security.evaluate(config(tmp_path), work)
    assert (
        "| spam | Baseline |" in text
        and "simulator of optimal coding" in text
        and "no code" in text
    )
    for name in ("security.md", "security.csv", "roc.png", "payloads.png"):
        assert (work / name).stat().st_size > 0
    covers, stegos = np.load(work / "covers.npy"), np.load(work / "stegos" / "lsb-matching@0.4.npy")
    assert covers.shape == (12, 24, 24) and covers.dtype == stegos.dtype == np.uint8
    change = stegos.astype(int) - covers
    assert (
        np.abs(change).max() == 1 and 0.17 < np.abs(change).mean() < 0.23
    )  # half of .4 bits per pixel
    for number in range(2):
        split = json.loads((work / "splits" / f"{number}.json").read_text())
        groups = json.loads((work / "covers.json").read_text())["photographs"]
        assert not {groups[i] for i in split["train"]} & {groups[i] for i in split["test"]}
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.np[yz]")}
    rows = list(csv.DictReader(open(work / "security.csv")))
    assert len(rows) == 4 and {row["test pairs"] for row in rows} == {"6"}
    security.evaluate(config(tmp_path, schemes=("lsb-matching", "hill", "covers")), work)
    assert all(
        path.stat().st_mtime_ns == time for path, time in before.items()
    )  # nothing made again
    again = list(csv.DictReader(open(work / "security.csv")))
    assert again[:4] == rows and len(again) == 6
    with pytest.raises(InputError, match="covers.crop is 24 there and 20 is asked for"):
        security.evaluate(config(tmp_path, **{"covers.crop": 20}), work)


def test_real_coding_and_the_simulator_change_about_as_much(tmp_path):
    work = tmp_path / "work"
    security.evaluate(
        config(
            tmp_path,
            schemes=("hill", "hill-cmd", "hill+stc7", "hill-cmd+polar"),
            **{"splits.count": 1, "covers.tiles": 1},
        ),
        work,
    )
    rates = {
        path.stem: json.loads(path.read_text())["change rate"]
        for path in (work / "stegos").glob("*.json")
    }
    for simulated, coded in (("hill", "hill+stc7"), ("hill-cmd", "hill-cmd+polar")):
        assert (
            0.8 * rates[f"{simulated}@0.4"]
            < rates[f"{coded}@0.4"]
            < 1.5 * rates[f"{simulated}@0.4"]
        )


def test_folders_of_stegos_and_runs_are_judged(tmp_path):
    """Stegos that `hide` wrote; and the wrong folders."""
    given = config(tmp_path, **{"covers.tiles": 1, "covers.crop": 0, "splits.count": 1})
    stegos = tmp_path / "stegos"
    stegos.mkdir()
    hider, shared = hiders.load(None), secret.key_file(bytes(32))
    for path in sorted((tmp_path / "photos").iterdir()):
        hiders.hide_file(hider, lambda: shared, path, b"hidden", stegos / path.name)
    text = security.evaluate(
        run.changed(given, {"schemes": (f"hill/hide=folder:{stegos}@0.1",)}), tmp_path / "work"
    )
    assert "| spam | hide |" in text and "hill 0.1 bpp" in text and "ready-made" in text
    (stegos / "p3.png").unlink()
    with pytest.raises(InputError, match="holds no p3"):
        security.evaluate(
            run.changed(given, {"schemes": (f"folder:{stegos}",)}), tmp_path / "other"
        )
    with pytest.raises(InputError, match="is not the work directory of a run"):
        security.evaluate(run.changed(given, {"schemes": (f"run:{stegos}",)}), tmp_path / "third")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"schemes": ()}, "schemes must be listed"),
        ({"payloads": (2.0,)}, "at most log2 3"),
        ({"steganalyzers": ("spam", "vgg")}, "'vgg' is unknown; there are spam, srm, srmq1"),
        ({"steganalyzers": ("xunet",)}, "set splits.validation above 0"),
        ({"splits.train": 0.9}, "add up to at most 1"),
        ({"covers.crop": 100}, "smaller than covers.crop=100"),
        ({"covers.crop": 6, "steganalyzers": ("srm",)}, "srm needs larger pictures"),
        ({"covers.source": "folder:/nowhere"}, "no such folder"),
        ({"covers.preprocess": ("random_crop:20",)}, "must not be random"),
        ({"schemes": ("folder:x",)}, "covers from a folder, whole"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, changes, words):
    with pytest.raises(InputError, match=words) as caught:
        security.evaluate(config(tmp_path, **changes), tmp_path / "work")
    assert "\n" not in str(caught.value)


def test_a_flat_cover_is_named(tmp_path):
    given = config(tmp_path)
    Image.fromarray(np.full((48, 72), 255, np.uint8)).save(tmp_path / "photos" / "white.png")
    with pytest.raises(InputError, match=r"white.png.* carries at most \d"):
        security.evaluate(
            run.changed(given, {"payloads": (1.2,), "schemes": ("hill",)}), tmp_path / "work"
        )


def with_a_network(tmp_path, **changes):
    """SPAM and a small Xu-Net on one scheme and one split."""
    fields = {
        "schemes": ("lsb-matching",),
        "payloads": (1.0,),
        "steganalyzers": ("spam", "xunet"),
        "covers.tiles": 4,
        "splits.count": 1,
        "splits.train": 0.5,
        "splits.validation": 0.2,
        "splits.test": 0.3,
        "networks.xunet.steps": 2,
    }
    return config(tmp_path, **{**fields, **changes})


class Killed(BaseException):
    """Ends the protocol where it stands, with nothing written, as `kill -9` does."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a protocol that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    security.evaluate(with_a_network(folder), folder / "work")
    return folder


@pytest.mark.parametrize("kill_at", ["stegos", "features", "network", "result"])
def test_a_killed_protocol_goes_on_to_the_same_figures(whole, monkeypatch, kill_at, tmp_path):
    """Killed while stegos are made, features taken, a network trained, or a result written."""
    place = {
        "stegos": (parts, "remove"),
        "features": (protocol.ensemble, "fit"),
        "network": (train._Loop, "_save"),
        "result": (protocol.networks, "scores"),
    }[kill_at]

    def kill(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*place, kill)
        with pytest.raises(Killed):
            security.evaluate(with_a_network(whole), tmp_path / "killed")
    assert not (tmp_path / "killed" / "security.csv").exists()
    security.evaluate(with_a_network(whole), tmp_path / "killed")
    for name in ("security.csv", "security.md"):
        assert (tmp_path / "killed" / name).read_text() == (whole / "work" / name).read_text()


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_figures(tmp_path):
    """Real processes; slow, as there are three of them."""
    command = [
        sys.executable,
        str(ROOT / "main.py"),
        "--config=" + str(ROOT / "configs" / "security.py:tiny"),
        "--config.schemes=('lsb-matching','hill')",
        "--config.splits.count=1",
        "--config.covers.tiles=1",
    ]
    killed = subprocess.Popen(
        [*command, f"--workdir={tmp_path / 'killed'}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 240
    while (
        not list((tmp_path / "killed").glob("results/*/spam/*.npz"))
        and time.monotonic() < deadline
        and killed.poll() is None
    ):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    figures = []
    for name in ("killed", "whole"):
        subprocess.run(
            [*command, f"--workdir={tmp_path / name}"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        figures.append((tmp_path / name / "security.csv").read_text())
    assert figures[0] == figures[1]


def test_folders_of_earlier_versions_are_used_again(whole, tmp_path, monkeypatch):
    """What is trained is found under its old name, and in a config with the old names."""
    shutil.copytree(whole / "work", tmp_path / "work")
    (tmp_path / "work" / "steganalyzers").rename(tmp_path / "work" / "detectors")
    path = tmp_path / "work" / "config.json"
    older = json.loads(path.read_text())
    older["detectors"] = older.pop("steganalyzers")
    path.write_text(json.dumps(older))
    for file in (tmp_path / "work").rglob("steganalyzer.json"):
        file.rename(file.with_name("detector.json"))
    monkeypatch.setattr(protocol.ensemble, "fit", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(train, "train", lambda *_, **__: pytest.fail("trained again"))
    security.evaluate(with_a_network(whole), tmp_path / "work")
    name, csv_name = "lsb-matching@1", "security.csv"
    assert (tmp_path / "work" / csv_name).read_text() == (whole / "work" / csv_name).read_text()
    folder = tmp_path / "work" / "steganalyzers" / name / "spam" / "0"
    assert security.ensembles.load(folder)[1] == "spam"


def test_an_ensemble_is_saved_whole_or_refused(whole, tmp_path):
    folder = whole / "work" / "steganalyzers" / "lsb-matching@1" / "spam" / "0"
    trained, features, trained_on = security.ensembles.load(folder)
    assert (features, trained_on, trained.features) == ("spam", "lsb-matching@1", 686)
    shutil.copytree(folder, tmp_path / "torn")
    content = (folder / "ensemble.npz").read_bytes()
    (tmp_path / "torn" / "ensemble.npz").write_bytes(content[:1000])
    with pytest.raises(InputError, match="does not hold a whole trained ensemble"):
        security.ensembles.load(tmp_path / "torn")


def test_a_network_begins_from_the_next_higher_payload(tmp_path, monkeypatch):
    started = {}
    fit = protocol.networks.fit

    def spy(section, folder, pictures, *, validated, start=None):
        started[folder.parent.parent.name] = start
        return fit(section, folder, pictures, validated=validated, start=start)

    monkeypatch.setattr(protocol.networks, "fit", spy)
    given = with_a_network(
        tmp_path, **{"payloads": (0.5, 1.0), "steganalyzers": ("xunet",), "splits.curriculum": True}
    )
    security.evaluate(given, tmp_path / "work")
    assert list(started) == ["lsb-matching@1", "lsb-matching@0.5"]
    assert started["lsb-matching@1"] is None
    higher = run.load(tmp_path / "work" / "steganalyzers" / "lsb-matching@1" / "xunet" / "0")
    for ours, theirs in zip(
        jax.tree.leaves(started["lsb-matching@0.5"].params),
        jax.tree.leaves(higher.state.params),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_has_nothing_to_detect_among_covers(tmp_path):
    """Half of the covers against the other half, none of them on both sides or in two parts."""
    given = with_a_network(tmp_path, **{"schemes": ("covers",), "steganalyzers": ("xunet",)})
    security.evaluate(given, tmp_path / "work")
    folder = tmp_path / "work" / "steganalyzers" / "covers" / "xunet" / "0"
    sides = [np.load(folder / f"{name}.npy") for name in ("half", "other_half")]
    pictures = {plane.tobytes() for side in sides for plane in side}
    assert len(pictures) == sum(map(len, sides))
    listed = json.loads((folder / "parts.json").read_text())
    assert sorted(sum(listed.values(), [])) == list(range(len(sides[0])))


def test_a_run_that_hides_pictures_makes_stegos_of_grey_covers(tmp_path):
    """It hides in colour: it gets the grey cover three times, and its luma is what is judged."""
    folder = toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_pictures"))
    given = config(tmp_path, **{"splits.count": 1, "schemes": (f"run:{folder}",)})
    text = security.evaluate(given, tmp_path / "work")
    assert "a trained run's predict" in text
    covers = np.load(tmp_path / "work" / "covers.npy")
    stegos = np.load(next((tmp_path / "work" / "stegos").glob("*.npy")))
    # The secret is the next cover, whose bright pixels are said by the lowest bits, raised by one.
    said = np.roll(covers, -1, axis=0) > 127
    np.testing.assert_array_equal(stegos, 2 * (covers // 2) + said + 1)


def test_a_learned_scheme_is_judged_simulated_and_really_coded(tmp_path):
    folder = toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_costs"))
    given = config(
        tmp_path,
        **{
            "covers.tiles": 1,
            "splits.count": 1,
            "schemes": (f"hill/Learned=run:{folder}+stc7@0.4",),
        },
    )
    text = security.evaluate(given, tmp_path / "work")
    assert "| spam | Learned |" in text and "real coding, stc7" in text
    [path] = (tmp_path / "work" / "stegos").glob("*.npy")
    change = np.load(path).astype(int) - np.load(tmp_path / "work" / "covers.npy")
    assert np.abs(change).max() == 1 and 0.03 < np.abs(change).mean() < 0.25
    # Changes by -1 cost four times as much.
    assert (change == 1).sum() > 2 * (change == -1).sum()


def test_a_run_that_hides_nothing_is_refused(whole, tmp_path):
    folder = whole / "work" / "steganalyzers" / "lsb-matching@1" / "xunet" / "0"
    given = config(tmp_path, schemes=(f"run:{folder}",))
    with pytest.raises(InputError, match="a run of a steganalyzer, which makes no stegos"):
        security.evaluate(given, tmp_path / "work")
