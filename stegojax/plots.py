"""Drawings for people: picture panels of what a method does, and curves of how a run went.

Pictures come in as arrays in pixel units 0..255, `[B, H, W, C]` with one or three channels.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

RESIDUAL_GAIN = 10
PANEL = (
    "photograph",
    "cover",
    "stego",
    "residual",
    "changes",
    "secret",
    "revealed",
    "picture",
    "generated",
    "other_key",
    "other_sentence",
)
"""The columns of a panel, left to right; those that a method does not have are left out."""


def columns(batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The pictures of a batch and of what `Method.predict` made of it, by panel column.

    The residual is |stego - cover| x 10.

    Args:
      batch: name -> `[B, H, W, C]`.
      outputs: name -> `[B, H, W, C]`.

    Returns:
      name -> `[B, H, W, C]`, float, 0..255.
    """
    found = {**batch, **outputs}
    if "cover" in found and "stego" in found:
        difference = np.abs(
            np.asarray(found["stego"], np.float32) - np.asarray(found["cover"], np.float32)
        )
        found["residual"] = np.minimum(RESIDUAL_GAIN * difference, 255.0)
    return {name: np.asarray(found[name]) for name in PANEL if name in found}


def panel(batch: Mapping[str, Any], outputs: Mapping[str, Any], *, rows: int = 4) -> np.ndarray:
    """A picture with one row an example and one column a kind of picture.

    Args:
      batch: what the method was given.
      outputs: what `Method.predict` returned.
      rows: how many examples are shown at the most.

    Returns:
      `[H, W, 3]` uint8.
    """
    shown = columns(batch, outputs)
    if not shown:
        raise ValueError(f"there is no picture among {sorted({**batch, **outputs})}")
    rows = min(rows, *(pictures.shape[0] for pictures in shown.values()))
    height = max(pictures.shape[1] for pictures in shown.values())
    width = max(pictures.shape[2] for pictures in shown.values())
    zoom = max(1, 160 // height)
    gap, band = 6, 26
    sheet = np.full(
        (band + rows * (height * zoom + gap), len(shown) * (width * zoom + gap) + gap, 3),
        255,
        np.uint8,
    )
    for column, pictures in enumerate(shown.values()):
        for row in range(rows):
            picture = np.clip(np.round(pictures[row].astype(np.float32)), 0, 255).astype(np.uint8)
            picture = (
                np.broadcast_to(picture, picture.shape[:2] + (3,)).repeat(zoom, 0).repeat(zoom, 1)
            )
            top, left = band + row * (height * zoom + gap), gap + column * (width * zoom + gap)
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=14)
    for column, name in enumerate(shown):
        label = f"|residual| x {RESIDUAL_GAIN}" if name == "residual" else name
        draw.text((gap + column * (width * zoom + gap) + 2, 4), label, fill=(0, 0, 0), font=font)
    return np.asarray(image)


def png(picture: np.ndarray) -> bytes:
    """A picture as a PNG file.

    Args:
      picture: `[H, W, 3]` uint8.

    Returns:
      The file's content.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def curves(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Every recorded metric against the step, one plot each, training and held-out apart.

    Args:
      records: what `journal.read` returned.

    Returns:
      The content of a PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    series: dict[str, dict[str, list]] = {}
    for record in records:
        for name, value in record.items():
            if name not in ("step", "stage", "kind"):
                series.setdefault(name, {}).setdefault(record["kind"], []).append(
                    (record["step"], value)
                )
    names = sorted(series, key=lambda name: ("held_out" not in series[name], name != "loss", name))
    across = min(4, max(1, len(names)))
    down = max(1, -(-len(names) // across))
    figure, axes = plt.subplots(
        down, across, figsize=(4 * across, 2.8 * down), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names):
        for kind, style in (("train", "-"), ("held_out", "o-")):
            points = series[name].get(kind)
            if points:
                steps, values = zip(*points)
                axis.plot(
                    steps, values, style, markersize=3, linewidth=1, label=kind.replace("_", "-")
                )
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
        axis.set_xlabel("step", fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue()


def roc(curves: Mapping[str, Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]]) -> bytes:
    """Receiver operating characteristics, a plot per steganalyzer and payload, a line per scheme:
    the mean over its splits.

    Args:
      curves: title -> scheme -> (false alarms, detections) of each split, as `metrics.roc_curve`
        gives them.

    Returns:
      The content of a PNG file.
    """
    figure, axes = _grid(len(curves))
    grid = np.linspace(0, 1, 201)
    for axis, (title, schemes) in zip(axes, curves.items()):
        for name, splits in schemes.items():
            lines = [
                np.interp(grid, *_upper_steps(alarms, detections)) for alarms, detections in splits
            ]
            axis.plot(grid, np.mean(lines, axis=0), linewidth=1.2, label=_short(name))
        axis.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
        axis.set(title=title, xlabel="false alarms", ylabel="detections", xlim=(0, 1), ylim=(0, 1))
        axis.legend(fontsize=7)
    return _finished(figure)


def error_against_payload(
    series: Mapping[str, Mapping[str, Sequence[tuple[float, float, float]]]],
) -> bytes:
    """Detection error against payload, a plot per steganalyzer, a line per scheme with its standard
    deviation.

    Args:
      series: steganalyzer -> scheme -> (payload in bits per pixel, mean in percent, standard
        deviation) in order of the payload.

    Returns:
      The content of a PNG file.
    """
    figure, axes = _grid(max(1, len(series)))
    for axis, (steganalyzer, schemes) in zip(axes, series.items()):
        for name, points in schemes.items():
            payloads, means, deviations = zip(*points)
            axis.errorbar(
                payloads,
                means,
                yerr=deviations,
                marker="o",
                markersize=3,
                capsize=3,
                linewidth=1.2,
                label=_short(name),
            )
        axis.axhline(50, linestyle=":", color="grey", linewidth=1)
        axis.set(
            title=steganalyzer, xlabel="payload (bits per pixel)", ylabel="P_E (%)", ylim=(0, 55)
        )
        axis.legend(fontsize=7)
    return _finished(figure)


def lines(
    series: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    *,
    across: str,
    lowest: float | None = None,
) -> bytes:
    """Figures against what they depend on, a plot per figure, a line per case.

    Args:
      series: figure -> case -> (place, value) in order of the place.
      across: what the places are.
      lowest: where the vertical axes begin; None for where the values do.

    Returns:
      The content of a PNG file.
    """
    figure, axes = _grid(max(1, len(series)))
    for axis, (title, lines) in zip(axes, series.items()):
        for name, points in lines.items():
            axis.plot(*zip(*points), marker="o", markersize=3, linewidth=1.2, label=_short(name))
        axis.set(title=title, xlabel=across, ylim=(lowest, None))
        axis.legend(fontsize=7)
    return _finished(figure)


def _short(name: str) -> str:
    """A legend's entry: of a long name, a path say, its end."""
    return name if len(name) <= 32 else "..." + name[-29:]


def _grid(count: int):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    across = min(3, count)
    down = -(-count // across)
    figure, axes = plt.subplots(
        down, across, figsize=(4.5 * across, 4 * down), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    for axis in axes.flat[:count]:
        axis.grid(alpha=0.3)
    return figure, axes.flat


def _finished(figure) -> bytes:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue()


def _upper_steps(alarms: np.ndarray, detections: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve with the highest detections at each value of the false alarms, so that it can be
    interpolated.
    """
    values, first = np.unique(alarms, return_index=True)
    return values, np.maximum.reduceat(detections, first)
