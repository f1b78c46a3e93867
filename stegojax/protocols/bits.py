"""Evaluation of runs that hide bits: the columns of SFTN's Tables III and IV, and how much arrives
without an error.

The figures are means over whole photographs that nothing was trained or chosen on, cut to 512x512
where they are larger: the share of bits that are read right before rounding, after it, and after
the last stage; PSNR and SSIM of the 8-bit stego; and the net payload, the longest file of random
bytes that `hide` and `reveal` of `hiders.bits` bring through, in bits per pixel. Detection errors
come from the security protocol (`security`), in WORKDIR/security, with steganalyzers trained anew
on this run's stegos.
"""

from __future__ import annotations

import csv
import pathlib
import sys
from typing import Any

import jax
import ml_collections
import numpy as np

from stegojax import run, secret, security
from stegojax.data import preprocess
from stegojax.data.sources import open_source
from stegojax.errors import InputError
from stegojax.hiders import bit_channel, bits
from stegojax.tables import markdown

SIDE = 512
"""Pictures are cut to this height and width, those of the paper."""

FIGURES = {
    "accuracy_unrounded": ("Accuracy unrounded", "{:.4f}"),
    "accuracy_rounded": ("Accuracy rounded", "{:.4f}"),
    "accuracy": ("Accuracy, last stage", "{:.4f}"),
    "psnr": ("PSNR (dB)", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "net_payload": ("Net payload (bpp)", "{:.4f}"),
    "share_of_capacity": ("of what the channel carries", "{:.1%}"),
}

_KEY = secret.key_file(bytes(32))
# Where the search for the net payload starts, as a multiple of what a cover is said to carry, and
# its steps.
_FIRST, _STEP = 1.12, 0.04


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The tables of a run.

    Args:
      config: of the run.
      workdir: its folder.
      loaded: the run.

    Returns:
      The table in Markdown, with the steganalyzers' errors where they have been measured; and
      "photographs", per source the mean figures.
    """
    results: dict[str, Any] = {"photographs": {}}
    sources = [config.data.source] + (
        [config.report.bits.cross_source] if config.report.bits.cross_source else []
    )
    for source in sources:
        covers = photographs(config, loaded, source)
        rows = []
        for number, cover in enumerate(covers):
            rows.append(figures(loaded, cover, seed=config.seed + number))
            _say(
                f"{source}, photograph {number + 1} of {len(covers)}: net payload "
                f"{rows[-1]['net_payload']:.4f} bpp at "
                f"{rows[-1]['psnr']:.2f} dB"
            )
        results["photographs"][source] = {
            name: float(np.mean([row[name] for row in rows])) for name in FIGURES
        }
        results["photographs"][source]["count"] = len(rows)
    # What the report "security" has left there.
    errors = _errors(workdir)
    header = [
        "Method",
        "Photographs",
        *(title for title, _ in FIGURES.values()),
        *(f"{name} error" for name in errors),
    ]
    rows = []
    for number, (source, found) in enumerate(results["photographs"].items()):
        cells = [config.method.name, f"{found['count']} of {source}"]
        cells += [form.format(found[name]) for name, (_, form) in FIGURES.items()]
        # Steganalyzers are trained on the run's own kind of covers: Table IV has no such columns.
        cells += [f"{value:.4f}" if number == 0 else "" for value in errors.values()]
        rows.append(cells)
    text = (
        f"Whole held-out photographs of at most {SIDE}x{SIDE}, 8-bit (Tables III and IV of the "
        "SFTN paper); the net payload is "
        "what files bring through without an error:\n\n" + markdown(header, rows)
    )
    return text, results


def photographs(
    config: ml_collections.ConfigDict, loaded: run.Loaded, source: str
) -> list[np.ndarray]:
    """The covers of the evaluation.

    Args:
      config: of the run; `report.bits.photographs` is how many at most, and steps of
        `data.preprocess` that are not random apply.
      loaded: the run.
      source: a name for `open_source`.

    Returns:
      Pictures uint8 `[H, W, C]`, at most 512x512, C as the run hides in.

    Raises:
      InputError: there is none that is large enough.
    """
    shape, section = bit_channel.message_shape(loaded), config.data
    options = {name: section[name] for name in ("train_share",) if name in section}
    if source == section.source:
        # Of another source nothing was chosen on any.
        options["test_share"] = section.get("test_share", 0.0)
    held_out = open_source(source, "test", data_dir=section.data_dir, **options)
    steps = preprocess.parse(text for text in section.preprocess if "random" not in text)
    found = []
    for index in range(len(held_out)):
        if len(found) == config.report.bits.photographs:
            break
        picture = held_out[index]
        picture = (
            preprocess.to_colour(picture) if shape.channels == 3 else preprocess.to_grey(picture)
        )
        picture = preprocess.apply(np.random.default_rng(0), picture, steps)
        picture = preprocess.centre_crop(
            picture, tuple(min(side, SIDE) for side in picture.shape[:2])
        )
        if bit_channel.elements(loaded, picture):
            found.append(picture)
    if not found:
        raise InputError(
            f"{source} has no held-out picture as large as those that the run was trained on; add "
            "some"
        )
    return found


def figures(loaded: run.Loaded, cover: np.ndarray, *, seed: int) -> dict[str, float]:
    """What is reported of one cover.

    Args:
      loaded: a trained run.
      cover: uint8 `[H, W, C]`, C as the run hides in.
      seed: of the message.

    Returns:
      The names of `FIGURES` and their values.
    """
    random = np.random.default_rng(seed)
    message = random.integers(0, 2, bit_channel.elements(loaded, cover)).astype(np.uint8)
    measured = bit_channel.measure(loaded, cover, message)
    sounding = bit_channel.sound(loaded, cover)
    payload = 8 * net_payload(loaded, cover, sounding, seed=seed)
    return {
        "accuracy_unrounded": measured["accuracy_unrounded"],
        "accuracy_rounded": measured["accuracy_rounded"],
        "accuracy": measured["accuracy"],
        "psnr": measured["stego_psnr"],
        "ssim": measured["stego_ssim"],
        "net_payload": payload / (cover.shape[0] * cover.shape[1]),
        "share_of_capacity": payload / max(sounding.information * sounding.elements, 1.0),
    }


def net_payload(
    loaded: run.Loaded, cover: np.ndarray, sounding: bit_channel.Sounding, *, seed: int
) -> int:
    """The longest file that a cover brings through, found by hiding and revealing ever shorter
    ones.

    Args:
      loaded: a trained run.
      cover: uint8 `[H, W, C]`.
      sounding: of the cover.
      seed: of the files' bytes.

    Returns:
      Bytes, to four hundredths of what the cover is said to carry; 0 where nothing came back.
    """
    most, random = max(0, bits.most_bytes(sounding)), np.random.default_rng(seed)
    for factor in np.arange(_FIRST, 0, -_STEP):
        message = random.bytes(int(factor * most))
        try:
            stego = bits.hide(loaded, _KEY, cover, message, attempts=2, sounding=sounding)
            if message and bits.reveal(loaded, _KEY, stego) == message:
                return len(message)
        except InputError:
            continue
    return 0


def detection(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The error of steganalyzers trained on a run's stegos, by the security protocol with
    `report.security`, in WORKDIR/security.

    Args:
      config: of the run.
      workdir: its folder.
      loaded: the run.

    Returns:
      The protocol's tables; and "detection", P_E by steganalyzer, the mean over the splits.
    """
    if not config.report.get("security", None):
        return "", {}
    tables = security.of_a_run(config, workdir, schemes=(f"run:{workdir}",), payload=1.0)
    return tables, {"detection": _errors(workdir)}


def _errors(workdir: pathlib.Path) -> dict[str, float]:
    try:
        with open(pathlib.Path(workdir) / "security" / "security.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return {}
    return {
        name: float(np.mean([float(row["P_E"]) for row in rows if row["steganalyzer"] == name]))
        for name in dict.fromkeys(row["steganalyzer"] for row in rows)
    }


def _say(line: str) -> None:
    if jax.process_index() == 0:
        print(line, file=sys.stderr)
