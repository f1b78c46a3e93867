"""What is read after an attack, with and without noise in training.

The runs beside a run, each with other noises between encoder and decoder (`method.noise`), are
trained in WORKDIR/noise/NAME with the run's config; what is there already is not trained again.
The stegos of each, 8-bit, go through every attack, by a real JPEG codec and MATLAB's resizing, and
are read.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import numpy as np

from stegojax import files, images, metrics, parallel, plots, run, train
from stegojax.data import preprocess
from stegojax.errors import InputError
from stegojax.methods import bit_hiding
from stegojax.protocols import quality
from stegojax.tables import markdown

FIGURES = {
    "accuracy": ("Accuracy", "{:.4f}"),
    "revealed_psnr": ("PSNR of what is revealed (dB)", "{:.2f}"),
    "stego_psnr": ("PSNR of what arrives, to the cover (dB)", "{:.2f}"),
}
"""Figure -> title and format; a run has the first or the second of them, and the third."""

UNTOUCHED = {"jpeg": 100.0, "resize": 1.0}
"""Kinds of attack, and the strength at which the plot shows the stego as it is."""


def attack(text: str) -> Callable[[np.ndarray], np.ndarray]:
    """An attack as a config names it.

    Args:
      text: "none"; "jpeg:QUALITY"; or "resize:FACTOR", there and back.

    Returns:
      `uint8 [H, W, C] -> uint8 [H, W, C]`.

    Raises:
      InputError: there is no such attack.
    """
    kind, _, strength = text.partition(":")
    try:
        if kind == "jpeg" and 1 <= int(strength) <= 100:
            return lambda picture: images.jpeg_recompress(picture, int(strength))
        if kind == "resize" and 0 < float(strength) <= 8:
            return lambda picture: _there_and_back(picture, float(strength))
    except ValueError:
        pass
    if text == "none":
        return lambda picture: picture
    raise InputError(
        f"report.noise.attacks: {text!r} is not understood; write none, jpeg:QUALITY of 1 to 100, "
        "or resize:FACTOR above 0"
    )


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The tables of all trainings under all attacks, and a plot of them, WORKDIR/noise.png.

    Args:
      config: of the run; `report.noise.beside` says what else is trained, by name, and
        `report.noise.attacks` the attacks; none for no report.
      workdir: of the run.
      loaded: the run.

    Returns:
      The tables; and "noise", training -> attack -> figures.

    Raises:
      InputError: an attack is unknown, or a training was interrupted.
    """
    section = config.report.get("noise", None)
    attacks = {text: attack(text) for text in section.attacks} if section else {}
    if not attacks:
        return "", {}
    found = {}
    for name, folder in _folders(config, workdir).items():
        one = loaded
        if folder != workdir:
            one = train.to_the_end(_with_noise(config, name), folder)
        found[name] = figures(config, one, attacks)
    text = (
        "Read after an attack on the 8-bit stego, by what the training put between encoder and "
        "decoder:"
    )
    first = next(iter(found.values()))
    for figure, (title, form) in FIGURES.items():
        if figure in next(iter(first.values())):
            rows = [
                [_title(config, name), *(form.format(each[figure]) for each in by_attack.values())]
                for name, by_attack in found.items()
            ]
            text += f"\n\n{title}\n\n" + markdown(["Trained with", *attacks], rows)
    if parallel.is_writer():
        curves = plots.lines(_series(config, found), across="quality, or factor")
        files.write_bytes(workdir / "noise.png", curves)
    return text, {"noise": found}


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """What is trained beside the run.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      A training for each; none where the config asks for no attack.
    """
    return [
        train.Planned(f"the run with {_title(config, name)}", _with_noise(config, name), folder)
        for name, folder in _folders(config, workdir).items()
        if folder != workdir
    ]


def figures(
    config: ml_collections.ConfigDict,
    loaded: run.Loaded,
    attacks: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> dict[str, dict[str, float]]:
    """What is read of a run's stegos after attacks, over `report.batches` batches.

    Args:
      config: of the run.
      loaded: the run.
      attacks: by name.

    Returns:
      Attack -> figure -> mean, of `FIGURES`.
    """
    state, key = parallel.replicate(loaded.state), jax.random.key(config.seed)
    predict = parallel.over_devices(loaded.method.predict)
    totals: dict[str, dict[str, list]] = {text: {} for text in attacks}
    changes = dict(
        held_out_examples=config.report.batches * config.batch_size,
        crop=config.evaluation.crop or config.data.crop,
    )
    with run.loader(config, quality.split(config), **changes) as loader:
        for index, batch in enumerate(loader):
            key_here = jax.random.fold_in(key, index)
            outputs = parallel.gather(predict(state, parallel.shard(batch), key_here))
            for text, damage in attacks.items():
                arrived = np.stack([damage(each) for each in outputs["stego"].astype(np.uint8)])
                arrived = arrived.astype(np.float32)
                shown = parallel.shard({"stego": arrived})
                read = parallel.gather(predict(state, shown, key_here))
                values = {"stego_psnr": metrics.psnr(arrived, batch["cover"])}
                if "logits" in read:
                    message = outputs["message"]
                    values["accuracy"] = bit_hiding.accuracy(read["logits"], message)
                else:
                    values["revealed_psnr"] = metrics.psnr(read["revealed"], batch["secret"])
                for name, value in values.items():
                    totals[text].setdefault(name, []).append(np.asarray(value))
    return {
        text: {name: float(np.concatenate(values).mean()) for name, values in found.items()}
        for text, found in totals.items()
    }


def _there_and_back(picture: np.ndarray, factor: float) -> np.ndarray:
    size = picture.shape[:2]
    small = tuple(max(1, round(factor * side)) for side in size)
    return preprocess.resize(preprocess.resize(picture, small), size)


def _folders(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> dict[str, pathlib.Path]:
    """The trainings that are compared, the run's own first."""
    section = config.report.get("noise", None)
    if not section or not len(section.attacks):
        return {}
    own = tuple(config.method.get("noise", ()))
    same = [name for name, noise in section.beside.items() if tuple(noise) == own]
    mine = same[0] if same else "own"
    others = {name: workdir / "noise" / name for name in section.beside if name != mine}
    return {mine: workdir, **others}


def _noise(config: ml_collections.ConfigDict, name: str) -> tuple[str, ...]:
    beside = config.report.noise.beside
    return tuple(beside[name] if name in beside else config.method.get("noise", ()))


def _with_noise(config: ml_collections.ConfigDict, name: str) -> ml_collections.ConfigDict:
    return run.changed(config, {"method.noise": _noise(config, name)})


def _title(config: ml_collections.ConfigDict, name: str) -> str:
    return " or ".join(_noise(config, name)) or "no noise"


def _series(config, found) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Figure and kind of attack -> training -> (strength, value)."""
    series: dict[str, dict[str, list]] = {}
    for name, by_attack in found.items():
        for text, values in by_attack.items():
            kind, _, strength = text.partition(":")
            places = UNTOUCHED if text == "none" else {kind: float(strength)}
            for kind, place in places.items():
                for figure in ("accuracy", "revealed_psnr"):
                    if figure in values:
                        lines = series.setdefault(f"{FIGURES[figure][0]}, {kind}", {})
                        points = lines.setdefault(_title(config, name), [])
                        points.append((place, values[figure]))
    return {
        title: {name: sorted(points) for name, points in lines.items()}
        for title, lines in series.items()
    }
