"""The security protocol: schemes as they are written, splits that nothing straddles, resumed runs,
tables by hand.
"""

import csv
import json
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from support.security_runs import config

from stegojax import hiders, images, run, secret, security
from stegojax.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "text, expected",
    [
        ("hill", ("hill", "Baseline", "hill", "plain", "simulator", "", None)),
        ("hill-cmd", ("hill", "CMD", "hill", "cmd", "simulator", "", None)),
        ("wow-synch+stc7", ("wow", "SYNCH stc7", "wow", "synch", "stc7", "", None)),
        ("suniward+stc", ("suniward", "stc10", "suniward", "plain", "stc10", "", None)),
        (
            "lsb-matching",
            ("lsb-matching", "Baseline", "lsb-matching", "plain", "simulator", "", None),
        ),
        ("covers", ("covers", "Baseline", "covers", "plain", "simulator", "", None)),
        (
            "hill/Proposed=run:runs/a b@0.4",
            ("hill", "Proposed", "run", "plain", "simulator", "runs/a b", 0.4),
        ),
        ("run:runs/a+stc@0.2", ("run:a", "stc10", "run", "plain", "stc10", "runs/a", 0.2)),
        (
            "folder:/x/y-z",
            ("folder:y-z", "Baseline", "folder", "plain", "simulator", "/x/y-z", None),
        ),
    ],
)
def test_schemes_are_read(text, expected):
    assert security.parse(text) == (text, *expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hil",
        "hill-cmb",
        "hill+huffman",
        "run:",
        "run",
        "folder",
        "covers-cmd",
        "hill:x",
        "hill@0.4",
        "lsb-matching+stc",
        "hill+stc6",
        "run:x+stc",
        "folder:x+stc",
    ],
)
def test_what_is_no_scheme_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="is not understood; write COST") as caught:
        security.parse(text)
    assert "\n" not in str(caught.value)


def test_different_schemes_have_different_files():
    texts = ["hill", "hill-cmd", "hill+stc", "a/b=run:x/y", "a/b=run:x_y", "run:x:y"]
    labels = {security.Case(security.parse(text), 0.4).label for text in texts}
    assert len(labels) == len(texts) and all("/" not in label for label in labels)
    assert (
        security.Case(security.parse("hill"), 0.2).label
        != security.Case(security.parse("hill"), 0.4).label
    )


def test_a_photograph_is_on_one_side_of_every_split():
    groups = np.random.default_rng(1).integers(0, 40, 300).tolist()
    seen = set()
    for number in range(20):
        parts = security.split_photographs(groups, (0.5, 0.1, 0.4), seed=(0, number))
        sides = [{groups[picture] for picture in part} for part in parts]
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        assert sorted(picture for part in parts for picture in part) == list(range(300))
        seen.add(tuple(parts[0]))
    assert len(seen) == 20


def test_shares_without_a_photograph_are_refused():
    with pytest.raises(InputError, match="too few for shares"):
        security.split_photographs([0, 1, 2, 3], (0.5, 0.01, 0.4), seed=(0,))


def test_the_figures_by_hand():
    """40 covers and 4 stegos: at most 2 alarms are 5 %."""
    covers = np.concatenate([np.zeros(37), [0.6, 0.7, 0.8]])
    found = security.figures(
        covers, np.array([0.1, 0.65, 0.75, 0.9]), covers >= 0.5, np.array([0, 1, 1, 1])
    )
    assert found["P_E"] == pytest.approx((3 / 40 + 1 / 4) / 2)
    assert found["P_MD at 5 % P_FA"] == pytest.approx(
        2 / 4 - 1 / 4
    )  # above .65 there are two covers and two stegos, and .65
    assert found["AUC"] == pytest.approx((37 + 38 + 39 + 40) / 160)


def test_the_table_by_hand():
    rows = [
        {"detector": "spam", "base": "hill", "row": row, "payload": 0.4, "P_E": error, "AUC": 0.5}
        for row, errors in (("Baseline", (0.30, 0.34)), ("CMD", (0.40, 0.40)))
        for error in errors
    ]
    rows.append(
        {
            "detector": "spam",
            "base": "lsb-matching",
            "row": "Baseline",
            "payload": 0.4,
            "P_E": 0.05,
            "AUC": 0.9,
        }
    )
    assert security.table(rows, "P_E").splitlines() == [
        "| Detector | Method | hill 0.4 bpp | lsb-matching 0.4 bpp |",
        "|---|---|---|---|",
        "| spam | Baseline | 32.00 ± 2.83 | 5.00 |",
        "| spam | CMD | 40.00 ± 0.00 (+8.00) |  |",
    ]
    assert "(" not in security.table(rows, "AUC")


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
            **{"splits.count": 1},
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
        ({"schemes": ()}, "must be listed"),
        ({"payloads": (2.0,)}, "at most log2 3"),
        ({"detectors": ("spam", "vgg")}, "detector 'vgg' is unknown; there are spam, srm, srmq1"),
        ({"detectors": ("xunet",)}, "set splits.validation above 0"),
        ({"splits.train": 0.9}, "add up to at most 1"),
        ({"covers.crop": 100}, "smaller than covers.crop=100"),
        ({"covers.crop": 6, "detectors": ("srm",)}, "srm needs larger pictures"),
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


def test_a_killed_protocol_goes_on_to_the_same_figures(tmp_path):
    """Real processes: one is killed while it works, started again, and ends with the figures of one
    that was left alone.
    """
    command = [
        sys.executable,
        str(ROOT / "main.py"),
        "--config=" + str(ROOT / "configs" / "security.py:tiny"),
        "--config.schemes=('lsb-matching','hill')",
        "--config.splits.count=1",
        "--config.detectors=('spam','xunet')",
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


def test_an_ensemble_is_saved_whole_or_refused(tmp_path):
    work = tmp_path / "work"
    security.evaluate(config(tmp_path, schemes=("hill",), **{"splits.count": 1}), work)
    folder = work / "detectors" / "hill@0.4" / "spam" / "0"
    trained, features, trained_on = security.load_ensemble(folder)
    assert (features, trained_on, trained.features) == ("spam", "hill@0.4", 686)
    content = (folder / "ensemble.npz").read_bytes()
    (folder / "ensemble.npz").write_bytes(content[:1000])
    with pytest.raises(InputError, match="does not hold a whole trained ensemble"):
        security.load_ensemble(folder)


def test_a_run_makes_stegos_of_grey_covers(tmp_path):
    """ISGAN hides in colour: it gets the grey cover three times, and its luma is what is judged."""
    train_command = [
        sys.executable,
        str(ROOT / "main.py"),
        "--config=" + str(ROOT / "configs" / "isgan.py:tiny"),
        f"--workdir={tmp_path / 'isgan'}",
        "--config.steps=1",
        "--config.method.adversarial=False",
        "--config.report.transfer.steps=0",
    ]
    subprocess.run(train_command, check=True, capture_output=True)
    given = config(
        tmp_path,
        **{
            "covers.crop": 32,
            "covers.tiles": 1,
            "splits.count": 1,
            "schemes": (f"run:{tmp_path / 'isgan'}",),
        },
    )
    text = security.evaluate(given, tmp_path / "work")
    assert (
        "a trained run's predict" in text and "| spam | Baseline | 0.00 |" in text
    )  # an untrained network is easy to tell
    assert images.read(next((tmp_path / "photos").iterdir())).pixels.shape[2] == 1


def test_a_learned_scheme_is_judged_simulated_and_really_coded(tmp_path):
    workdir = tmp_path / "asymmetric"
    command = [
        sys.executable,
        str(ROOT / "main.py"),
        "--config=" + str(ROOT / "configs" / "asymmetric.py:tiny"),
        f"--workdir={workdir}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    given = config(
        tmp_path,
        **{
            "covers.tiles": 1,
            "splits.count": 1,
            "schemes": (
                "hill",
                f"hill/GAN=run:{workdir}@0.4",
                f"hill/GAN stc=run:{workdir}+stc7@0.4",
            ),
        },
    )
    text = security.evaluate(given, tmp_path / "work")
    assert "| spam | GAN |" in text and "| spam | GAN stc |" in text and "real coding, stc7" in text
    for path in (tmp_path / "work" / "stegos").glob("hill_GAN*.npy"):
        change = np.load(path).astype(int) - np.load(tmp_path / "work" / "covers.npy")
        assert np.abs(change).max() == 1 and 0.03 < np.abs(change).mean() < 0.25
