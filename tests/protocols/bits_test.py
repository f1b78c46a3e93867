"""The tables of runs that hide bits: the papers' columns, and a net payload that files really bring
through.
"""

import csv
import json

import numpy as np
import pytest
from ml_collections import ConfigDict
from support import noisy_bits, toy_runs

from stegojax import evaluate, run, security
from stegojax.errors import InputError
from stegojax.hiders import bit_channel, bits
from stegojax.protocols import bits as protocol
from stegojax.protocols import quality


@pytest.fixture(autouse=True, scope="module")
def registered():
    with noisy_bits.registered(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "SIDE", 96)
        yield


def settings(**method):
    config = noisy_bits.config(noise=1.0, **method)
    config.report.bits.photographs = 2
    return config


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, registered):
    config, folder = settings(), tmp_path_factory.mktemp("run")
    config.report.bits.cross_source = "embedded:grey"
    config.report.security = ConfigDict(
        dict(
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=32, tiles=1, limit=8),
            steganalyzers=("spam",),
            splits=dict(count=1, networks=1, train=0.5, validation=0.0, test=0.5, curriculum=False),
            ensemble=dict(subspace=20, learners=5),
            networks={},
        )
    )
    toy_runs.write_run(folder, config)
    evaluate.evaluate(config, folder, only="security")
    return folder, evaluate.evaluate(config, folder)


def test_the_table_has_the_papers_columns_and_what_was_measured(evaluated):
    folder, text = evaluated
    results = json.loads((folder / "evaluation.json").read_text())
    header, _, own, cross = [line for line in text.splitlines() if line.startswith("|")][-4:]
    for column in (
        "Accuracy unrounded",
        "Accuracy rounded",
        "Accuracy, last stage",
        "PSNR (dB)",
        "SSIM",
        "Net payload (bpp)",
        "spam error",
    ):
        assert column in header
    assert own.startswith("| noisy_bits | 2 of embedded | ") and cross.startswith(
        "| noisy_bits | 1 of embedded:grey | "
    )
    found = results["photographs"]["embedded"]
    # Logistic noise of scale 1 turns 12 % of the bits over; levels 2 and 6 of eight are whole, so
    # rounding changes nothing.
    assert (
        found["accuracy"]
        == found["accuracy_rounded"]
        == found["accuracy_unrounded"]
        == pytest.approx(0.881, abs=0.01)
    )
    assert (
        f"| {found['accuracy']:.4f} | {found['psnr']:.2f} | {found['ssim']:.4f} | "
        f"{found['net_payload']:.4f} |" in own
    )
    found = json.loads((folder / "security.json").read_text())["detection"]
    assert own.endswith(f"| {found['spam']:.4f} |") and cross.endswith("|  |")
    with open(folder / "security" / "security.csv", newline="") as file:
        [row] = csv.DictReader(file)
    assert found == {"spam": float(row["P_E"])} and row["steganalyzer"] == "spam"


def test_the_net_payload_comes_through_and_a_longer_one_is_not_promised(evaluated):
    folder, _ = evaluated
    loaded = run.load(folder)
    cover = protocol.photographs(settings(), loaded, "embedded")[0]
    assert cover.shape == (96, 96, 1)
    sounding = bit_channel.sound(loaded, cover)
    most, found = bits.most_bytes(sounding), protocol.net_payload(loaded, cover, sounding, seed=1)
    assert most <= found <= 1.12 * most
    # What was found may need more luck with salts than the next call has.
    message = np.random.default_rng(0).bytes(most)
    assert (
        bits.reveal(loaded, protocol._KEY, bits.hide(loaded, protocol._KEY, cover, message))
        == message
    )
    figures = protocol.figures(loaded, cover, seed=1)
    # Salts are drawn anew, so it is not the same to the last step of the search.
    assert most <= round(figures["net_payload"] * 96**2 / 8) <= 1.12 * most
    # Of 9216 bits, 1536 say salt and header; the rest of the channel is used to four fifths or so.
    assert 0.55 < figures["share_of_capacity"] < 0.9


def test_figures_are_of_photographs_that_nothing_was_chosen_on(tmp_path):
    config = settings()
    config.data.test_share, config.report.bits.photographs = 0.6, 9
    loaded = run.load(toy_runs.write_run(tmp_path, config))
    of_two, of_four = (
        len(protocol.photographs(config, loaded, source)) for source in ("embedded", "embedded:")
    )
    assert (of_two, of_four) == (2, 4)
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "loader", lambda config, split, **changes: seen.append(split) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            quality.figures(config, loaded)
    assert seen == ["test"]


def test_a_run_that_reads_nothing_has_no_net_payload(tmp_path):
    config = settings()
    config.method.noise = 60.0
    loaded = run.load(toy_runs.write_run(tmp_path, config))
    cover = protocol.photographs(config, loaded, "embedded")[0]
    assert protocol.net_payload(loaded, cover, bit_channel.sound(loaded, cover), seed=0) == 0


def test_colour_runs_and_runs_of_blocks_are_measured(tmp_path):
    """A block holds 100 of 256 bits; SSIM and PSNR are of the blocks, and a picture smaller than
    one is left out.
    """
    config = settings(channels=3, depth=0, length=100)
    loaded = run.load(toy_runs.write_run(tmp_path, config))
    covers = protocol.photographs(config, loaded, "embedded")
    assert [cover.shape for cover in covers] == [(96, 96, 3)] * 2
    figures = protocol.figures(loaded, covers[0], seed=0)
    assert set(figures) == set(protocol.FIGURES) and figures["accuracy"] == pytest.approx(
        0.881, abs=0.02
    )
    config.data.crop = 128
    with pytest.raises(InputError, match="has no held-out picture as large as"):
        protocol.photographs(config, loaded._replace(config=config), "embedded")


def test_the_security_protocol_makes_stegos_with_random_messages(tmp_path):
    """Fair bits in every pixel, other ones in every picture; a run of blocks takes pictures of its
    own size.
    """
    config = settings()
    folder = toy_runs.write_run(tmp_path / "run", config)
    given = ConfigDict(
        dict(
            experiment="security",
            seed=0,
            payloads=(1.0,),
            schemes=(f"run:{folder}",),
            steganalyzers=("spam",),
            networks={},
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=32, tiles=1, limit=6),
            splits=dict(count=1, networks=1, train=0.5, validation=0.0, test=0.5, curriculum=False),
            ensemble=dict(subspace=20, learners=5),
            loader=config.loader.to_dict(),
        )
    )
    security.evaluate(given, tmp_path / "security")
    stegos = np.load(next((tmp_path / "security" / "stegos").glob("*.npy")))
    said = stegos % 8 == 6
    assert (said | (stegos % 8 == 2)).all() and abs(said.mean() - 0.5) < 0.03
    assert abs((said[0] == said[1]).mean() - 0.5) < 0.06
    folder = toy_runs.write_run(tmp_path / "blocks", settings(depth=0, length=100))
    given.schemes = (f"run:{folder}",)
    with pytest.raises(InputError, match="hides in pictures of 16x16; set covers.crop to that"):
        security.evaluate(given, tmp_path / "other")
