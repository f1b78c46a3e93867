"""Verdicts without a run: thresholds, what is declined, and the command."""

import csv

import numpy as np
import pytest
from PIL import Image

from stegojax import cli, verdicts
from stegojax.errors import InputError

WINDOW = 16


def measure(planes):
    """Two steganalyzers that see the grey level; noise and steps are unlike."""
    level = planes.mean(axis=(1, 2))
    unlike = [planes.std(axis=(1, 2)), np.abs(planes[:, 0, 0] - planes[:, -1, -1])]
    return np.stack([level, 2 * level], axis=1), np.stack(unlike, axis=1)


@pytest.fixture
def panel():
    """Covers have levels 0 to 99 and are flat."""
    levels = np.arange(100.0)
    known = verdicts.calibrate(np.stack([levels, 2 * levels], axis=1))
    return verdicts.Panel(
        ("one, on this", "two, on that"),
        measure,
        (5.0, 3.0),
        WINDOW,
        {"grey": known, "colour": known},
    )


def write(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return str(path)


def flat(level, size=20):
    return np.full((size, size), level)


def only(panel, path):
    (verdict,) = verdicts.judge(panel, [path])
    return verdict


def test_thresholds_are_passed_by_the_share_of_covers_that_is_said(panel):
    covers = np.random.default_rng(0).normal(5, 3, (1000, 2))
    calibration = verdicts.calibrate(covers)
    whole = verdicts.standardised(calibration, covers).min(axis=1)
    for rate in verdicts.RATES:
        assert 0.8 * rate <= (whole > calibration.thresholds[rate]).mean() <= rate
    assert abs(verdicts.standardised(calibration, covers).mean()) < 1e-9


@pytest.mark.parametrize(
    "level,verdict,why",
    [
        (50, verdicts.CLEAR, "under the 5% threshold"),
        (97, verdicts.STEGO, "5% of covers look"),
        (120, verdicts.STEGO, "1% of covers look"),
    ],
)
def test_a_picture_is_compared_with_the_covers(panel, tmp_path, level, verdict, why):
    found = only(panel, write(tmp_path / "a.png", flat(level)))
    assert found.verdict == verdict and why in found.why
    assert found.scores[0] == pytest.approx(found.scores[1])
    assert verdicts.line(panel, found).endswith(
        f"one {found.scores[0]:+.1f}, two {found.scores[1]:+.1f})"
    )


def test_what_is_unlike_the_covers_is_declined(panel, tmp_path):
    small = only(panel, write(tmp_path / "small.png", flat(50, 15)))
    assert small.verdict == verdicts.UNKNOWN and "15x15, and 16x16 are needed" in small.why
    noise = np.random.default_rng(0).integers(0, 256, (20, 20))
    rough = only(panel, write(tmp_path / "rough.png", noise))
    assert rough.verdict == verdicts.UNKNOWN and "unlike the covers" in rough.why
    assert "in noise and texture" in rough.why
    step = flat(50)
    step[-4:, -4:] = 54
    stepped = only(panel, write(tmp_path / "step.png", step))
    assert stepped.verdict == verdicts.UNKNOWN and "in how it was processed: 4.00" in stepped.why
    jpeg = only(panel, write(tmp_path / "picture.jpg", flat(50)))
    assert jpeg.verdict == verdicts.UNKNOWN and "JPEG file" in jpeg.why and not jpeg.scores


def test_grey_in_three_channels_is_grey_and_one_bad_channel_is_enough_to_decline(panel, tmp_path):
    grey = np.repeat(flat(50)[..., None], 3, axis=-1).astype(np.uint8)
    assert len(verdicts.planes_of(grey, WINDOW)) == 1
    colour = grey.copy()
    colour[..., 2] = np.random.default_rng(0).integers(0, 256, (20, 20))
    assert len(verdicts.planes_of(colour, WINDOW)) == 3
    assert only(panel, write(tmp_path / "colour.png", colour)).verdict == verdicts.UNKNOWN


def test_the_command_names_its_sources_and_goes_on_after_a_bad_file(
    panel, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(verdicts, "load", lambda: panel)
    good, bad = write(tmp_path / "good.png", flat(50)), tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    table = tmp_path / "verdicts.csv"
    assert cli.main(["detect", str(bad), good, "-o", str(table)]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{good}: no sign (") and "judged by: two, on that" in shown.err
    rows = list(csv.DictReader(open(table)))
    assert [row["verdict"] for row in rows] == ["", "no sign"] and "bad.png" in rows[0]["error"]
    assert float(rows[1]["one, on this"]) < 0.1 and rows[0]["one, on this"] == ""


def test_a_run_is_no_panel():
    with pytest.raises(InputError, match="is no panel of steganalyzers"):
        verdicts.load("xunet-hill")
