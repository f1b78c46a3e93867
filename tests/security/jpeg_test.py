"""The security protocol on JPEG covers: compressed to a quality, or files as they are."""

import json

import numpy as np
import pytest
from support.configs import load
from support.jpeg_files import by_pillow
from support.security_runs import config

from stegojax import detection, security, train
from stegojax.costs import dct
from stegojax.domains import JPEG, jpeg
from stegojax.errors import InputError
from stegojax.security.sources import parse

COMPRESSED = {
    "covers.domain": "jpeg",
    "covers.quality": 75,
    "steganalyzers": ("dctr",),
    "splits.count": 1,
}


def test_photographs_are_compressed_and_payloads_are_relative_to_their_coefficients(tmp_path):
    work = tmp_path / "work"
    given = config(tmp_path, schemes=("covers", "nsf5", "uerd-bbc+stc7"), **COMPRESSED)
    text = security.evaluate(given, work)
    assert "uerd 0.4 bpnzac" in text and "| dctr | BBC stc7 |" in text
    covers, tables = np.load(work / "covers.npy"), np.load(work / "tables.npy")
    assert covers.shape == (12, 24, 24) and covers.dtype == np.int16 and tables.shape == (12, 8, 8)
    stegos = np.load(work / "stegos" / "nsf5@0.4.npy")
    change = stegos.astype(int) - covers
    assert (abs(stegos)[change != 0] < abs(covers)[change != 0]).all() and abs(change).max() == 1
    weight = [JPEG.weight(jpeg.Cover((plane,))) for plane in covers]
    # The binary entropy of this share is .4.
    assert abs((change != 0).sum() / sum(weight) - 0.0794) < 0.02
    trained = detection.load(work / "steganalyzers" / "nsf5@0.4" / "dctr" / "0")
    (tmp_path / "photo.jpg").write_bytes(by_pillow())
    judged, refused = detection.judge(trained, [str(tmp_path / "photo.jpg"), __file__])
    assert 0 <= judged.score <= 1 and "not a JPEG file" in refused.error
    notes = json.loads((work / "stegos" / "uerd-bbc+stc7@0.4.json").read_text())
    assert notes["made by"] == "real coding, stc7"


def test_files_as_they_are_keep_their_coefficients_and_tables(tmp_path):
    folder = tmp_path / "jpegs"
    folder.mkdir()
    for number, quality in enumerate((60, 75, 90, 95)):
        (folder / f"{number}.jpg").write_bytes(by_pillow(80, 72, quality=quality, seed=number))
    fields = {**COMPRESSED, "covers.source": f"folder:{folder}", "covers.quality": 0}
    fields |= {"covers.crop": 32, "covers.tiles": 1, "schemes": ("uerd",)}
    fields |= {"steganalyzers": ("jrm",)}
    work = tmp_path / "work"
    assert "| jrm | Baseline |" in security.evaluate(config(tmp_path, **fields), work)
    covers, tables = np.load(work / "covers.npy"), np.load(work / "tables.npy")
    whole, _ = JPEG.read(folder / "2.jpg")
    assert np.array_equal(tables[2], whole.side[0][0])
    assert np.array_equal(covers[2], whole.planes[0][24:56, 16:48])


def test_networks_see_decompressed_luminance(tmp_path):
    fields = {**COMPRESSED, "schemes": ("nsf5", "covers"), "steganalyzers": ("xunet",)}
    fields |= {"splits.validation": 0.2, "splits.train": 0.4, "splits.test": 0.4}
    work = tmp_path / "work"
    text = security.evaluate(config(tmp_path, **fields), work)
    assert "| xunet | Baseline |" in text
    covers, tables = np.load(work / "covers.npy"), np.load(work / "tables.npy")
    for name, planes in (
        ("covers", covers),
        ("nsf5@0.4", np.load(work / "stegos" / "nsf5@0.4.npy")),
    ):
        seen = np.load(work / "decompressed" / f"{name}.npy")
        assert seen.dtype == np.float32 and abs(seen - np.round(seen)).max() > 0.2
        np.testing.assert_allclose(
            seen[3], dct.unrounded_pixels(planes[3].astype(float), tables[3]), rtol=1e-5
        )
    trained = detection.load(work / "steganalyzers" / "nsf5@0.4" / "xunet" / "0")
    (tmp_path / "photo.jpg").write_bytes(by_pillow(45, 39))
    assert trained.read(str(tmp_path / "photo.jpg")).shape == (1, 45, 39)
    judged, refused = detection.judge(trained, [str(tmp_path / "photo.jpg"), __file__])
    assert 0 <= judged.score <= 1 and "not a JPEG file" in refused.error


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"covers.domain": "png"}, "covers.domain is one of pixels, jpeg"),
        ({"steganalyzers": ("spam",)}, "dctr, gfr, jrm, ccjrm, xunet do"),
        ({"steganalyzers": ("dctr",), "covers.domain": "pixels"}, "spam, srm, srmq1, xunet do"),
        ({"schemes": ("hill",)}, "costs juniward, uerd"),
        ({"schemes": ("lsb-matching",)}, "is not understood"),
        ({"covers.crop": 20}, "a multiple of 8"),
        ({"covers.quality": 0, "covers.source": "embedded"}, "come from a folder"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, message):
    fields = {**COMPRESSED, "schemes": ("uerd",), **changes}
    if changes.get("covers.domain") == "pixels":
        fields["schemes"] = ("hill",)
    with pytest.raises(InputError, match=message):
        security.evaluate(config(tmp_path, **fields), tmp_path / "work")


def test_a_run_embeds_into_covers_of_its_own_domain(tmp_path):
    """A run on coefficients beside its base; in covers of pixels it is refused."""
    section = load("asymmetric_jpeg").get_config("tiny")
    section.steps = 1
    section.evaluation.every = section.checkpoint.every = 1
    train.to_the_end(section, tmp_path / "run")
    schemes = (f"run:{tmp_path / 'run'}@0.4", f"bbm:run:{tmp_path / 'run'}@0.4")
    with pytest.raises(InputError, match="one phase|embeds into coefficients"):
        pixels = config(tmp_path, schemes=schemes[:1], **{"steganalyzers": ("spam",)})
        security.evaluate(pixels, tmp_path / "pixels")
    work = tmp_path / "work"
    text = security.evaluate(config(tmp_path, schemes=schemes, **COMPRESSED), work)
    assert "run:run" in text and "BBM" in text
    for path in sorted((work / "stegos").glob("*.npy")):
        change = np.load(path).astype(int) - np.load(work / "covers.npy")
        assert abs(change).max() == 1 and 0.001 < (change != 0).mean() < 0.1


def test_sources_of_coefficients():
    assert parse("juniward-bbc", domain=JPEG).row == "BBC"
    assert parse("bbc:run:x@0.4", domain=JPEG).recipe == "bbc"
    for text in ("run:x", "cmd:run:x@0.4", "folder:x@0.4"):
        with pytest.raises(InputError, match="recipes plain, bbc, bbm"):
            parse(text, domain=JPEG)
