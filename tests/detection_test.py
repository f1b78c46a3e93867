"""Scores of picture files by trained steganalyzers, and the command that prints them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from support.security_runs import config

from stegojax import cli, detection, run, security
from stegojax.errors import InputError


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A protocol with an ensemble and a network on the same stegos."""
    folder = tmp_path_factory.mktemp("detect")
    given = config(
        folder,
        schemes=("lsb-matching",),
        steganalyzers=("spam", "xunet"),
        payloads=(1.0,),
        **{
            "splits.count": 1,
            "splits.train": 0.5,
            "splits.validation": 0.2,
            "splits.test": 0.3,
            "covers.tiles": 4,
        },
    )
    security.evaluate(given, folder / "work")
    return folder / "work"


@pytest.mark.parametrize("name", ["spam", "xunet"])
def test_scores_are_those_of_the_protocol(work, name, tmp_path):
    """The test pictures' scores, read back from files, are what the protocol wrote down."""
    folder = work / "steganalyzers" / "lsb-matching@1" / name / "0"
    steganalyzer = detection.load(folder)
    split = json.loads((work / "splits" / "0.json").read_text())
    saved = np.load(work / "results" / "lsb-matching@1" / name / "0.npz")
    planes = np.load(work / "stegos" / "lsb-matching@1.npy")[split["test"]]
    paths = []
    for number, plane in enumerate(planes):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(plane).save(paths[-1])
    scores = [found.score for found in detection.judge(steganalyzer, paths)]
    expected = saved["stego_score"] if name == "xunet" else (1 + saved["stego_score"]) / 2
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert "lsb-matching" in steganalyzer.trained_on


def test_the_channels_of_a_colour_picture_are_averaged(work, tmp_path):
    steganalyzer = detection.load(work / "steganalyzers" / "lsb-matching@1" / "spam" / "0")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "colour.png")
    for channel in range(3):
        Image.fromarray(pixels[..., channel]).save(tmp_path / f"{channel}.png")
    colour, *channels = (
        found.score
        for found in detection.judge(
            steganalyzer,
            [str(tmp_path / name) for name in ("colour.png", "0.png", "1.png", "2.png")],
        )
    )
    assert colour == pytest.approx(np.mean(channels))


def test_the_command_prints_scores_writes_them_and_goes_on_after_a_bad_file(work, tmp_path, capsys):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 24)).astype(np.uint8)).save(good)
    bad.write_bytes(b"no picture")
    table = tmp_path / "scores.csv"
    folder = str(work / "steganalyzers" / "lsb-matching@1" / "spam" / "0")
    assert cli.main(["detect", str(bad), str(good), "--run", folder, "-o", str(table)]) == 1
    shown = capsys.readouterr()
    assert str(good) in shown.out and str(bad) in shown.err and shown.err.count("\n") == 2
    rows = list(csv.DictReader(open(table)))
    assert (
        [row["path"] for row in rows] == [str(bad), str(good)]
        and rows[0]["score"] == ""
        and 0 <= float(rows[1]["score"]) <= 1
    )
    assert (
        cli.main(["detect", str(good), "--run", folder, "-o", str(table)]) == 1
    )  # the table exists
    assert cli.main(["detect", str(good), "--run", folder, "-o", str(table), "--overwrite"]) == 0


def test_the_help_says_what_the_score_does_not_mean(capsys):
    with pytest.raises(SystemExit):
        cli.main(["detect", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "does not mean" in shown and "does not show that a picture is clean" in shown


def test_what_detects_nothing_is_refused(work, tmp_path):
    with pytest.raises(InputError, match="is not the work directory of a run"):
        detection.load(tmp_path)
    (tmp_path / "config.json").write_text(
        (work / "steganalyzers" / "lsb-matching@1" / "xunet" / "0" / "config.json").read_text()
    )
    with pytest.raises(InputError, match="has no checkpoint yet"):
        detection.load(tmp_path)


def test_a_picture_smaller_than_the_field_has_an_error_and_no_score(work, tmp_path):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small.png")
    steganalyzer = detection.load(work / "steganalyzers" / "lsb-matching@1" / "xunet" / "0")
    found = list(detection.judge(steganalyzer, [str(tmp_path / "small.png")]))
    assert found[0].score is None and "at least 16x16" in found[0].error
    assert (
        run.load(work / "steganalyzers" / "lsb-matching@1" / "xunet" / "0").config.method.network
        == "xunet"
    )
