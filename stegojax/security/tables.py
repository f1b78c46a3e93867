"""The figures and the tables of the security protocol."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from stegojax import metrics
from stegojax.tables import markdown

FALSE_ALARMS = 0.05

TITLES = {
    "P_E": "Detection error rate P_E (%); in brackets the gain on the baseline.",
    "AUC": "Area under the ROC curve (%)",
    "P_MD at 5 % P_FA": "Missed stegos at 5 % false alarms (%)",
}
"""Figure -> what stands above its table."""


def figures(
    cover_scores: np.ndarray,
    stego_scores: np.ndarray,
    cover_decisions: np.ndarray,
    stego_decisions: np.ndarray,
) -> dict[str, float]:
    """What is reported of a steganalyzer on test pictures.

    Args:
      cover_scores, stego_scores: `[N]` each, larger for what looks like a stego.
      cover_decisions, stego_decisions: 1 where the steganalyzer says stego.

    Returns:
      "P_E", (false alarms + missed stegos) / 2 of the decisions; "AUC"; and "P_MD at 5 % P_FA", the
      share of stegos missed at the threshold that lets at most 5 % of the covers raise an alarm.
    """
    scores = np.concatenate([cover_scores, stego_scores])
    labels = np.repeat([0, 1], [len(cover_scores), len(stego_scores)])
    alarms, detections = metrics.roc_curve(scores, labels)
    return {
        "P_E": float(np.mean(cover_decisions) + 1 - np.mean(stego_decisions)) / 2,
        "AUC": float(metrics.area_under_curve(jnp.asarray(scores), jnp.asarray(labels))),
        "P_MD at 5 % P_FA": 1 - float(detections[alarms <= FALSE_ALARMS].max(initial=0.0)),
    }


def table(rows: Sequence[dict[str, Any]], figure: str) -> str:
    """One figure in the layout of the asymmetric-cost paper's Table 1: steganalyzers and methods
    down, what they build on across.

    Args:
      rows: what `security.csv` holds.
      figure: one of its columns.

    Returns:
      Markdown. A cell is the mean over the splits in percent, its standard deviation after +-, and
      for P_E in brackets by how much it exceeds the row "Baseline" of its column.
    """
    columns = sorted(
        {(row["base"], row["payload"]) for row in rows},
        key=lambda column: (column[0], str(column[1])),
    )
    unit = rows[0].get("unit", "bpp")
    titles = [f"{base} {payload:g} {unit}" if payload != "" else base for base, payload in columns]
    lines = []
    for name in dict.fromkeys(row["steganalyzer"] for row in rows):
        here = [row for row in rows if row["steganalyzer"] == name]
        methods = {row["row"] for row in here}
        for method in sorted(methods, key=lambda method: (method != "Baseline", method)):
            cells = [_cell(here, figure, column, method) for column in columns]
            lines.append([name, method, *cells])
    return markdown(["Steganalyzer", "Method", *titles], lines)


def by_method(rows: Sequence[dict[str, Any]], figure: str) -> str:
    """One figure in the layout of the paper's Tables 3 to 7: methods down, steganalyzers across,
    and their average.

    Args:
      rows: what `security.csv` holds.
      figure: one of its columns.

    Returns:
      Markdown, cells as in `table`; "" for fewer than two steganalyzers. An average is given where
      every steganalyzer has judged the method.
    """
    steganalyzers = list(dict.fromkeys(row["steganalyzer"] for row in rows))
    if len(steganalyzers) < 2:
        return ""
    lines, unit = [], rows[0].get("unit", "bpp")
    places = dict.fromkeys((row["base"], row["payload"], row["row"]) for row in rows)
    for base, payload, method in places:
        found = [[row for row in rows if row["steganalyzer"] == name] for name in steganalyzers]
        cells = [_cell(here, figure, (base, payload), method) for here in found]
        title = f"{base} {payload:g} {unit}" if payload != "" else base
        means = [_mean(here, figure, (base, payload), method) for here in found]
        average = "" if None in means else f"{100 * np.mean(means):.2f}"
        lines.append([title, method, *cells, average])
    return markdown(["Base", "Method", *steganalyzers, "Average"], lines)


def _mean(rows, figure, column, method) -> float | None:
    values = [
        row[figure]
        for row in rows
        if (row["base"], row["payload"], row["row"]) == (*column, method)
    ]
    return float(np.mean(values)) if values else None


def _cell(rows: Sequence[dict[str, Any]], figure: str, column: tuple[str, Any], method: str) -> str:
    values, baseline = (
        np.asarray(
            [
                row[figure]
                for row in rows
                if (row["base"], row["payload"]) == column and row["row"] == which
            ]
        )
        for which in (method, "Baseline")
    )
    text = "" if not values.size else f"{100 * values.mean():.2f}"
    text += f" ± {100 * values.std(ddof=1):.2f}" if values.size > 1 else ""
    if values.size and baseline.size and method != "Baseline" and figure == "P_E":
        text += f" ({100 * (values.mean() - baseline.mean()):+.2f})"
    return text


def as_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """The content of `security.csv`.

    Args:
      rows: at least one.

    Returns:
      A header, and a line per row.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def against_payload(
    rows: Sequence[dict[str, Any]],
) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """P_E against the payload, for `plots.error_against_payload`.

    Args:
      rows: what `security.csv` holds.

    Returns:
      Steganalyzer -> scheme -> (payload, mean, standard deviation) in percent.
    """
    series: dict[str, dict[str, dict[float, list[float]]]] = {}
    for row in rows:
        if row["payload"] != "":
            schemes = series.setdefault(row["steganalyzer"], {})
            points = schemes.setdefault(row["scheme"], {})
            points.setdefault(float(row["payload"]), []).append(100 * row["P_E"])
    return {
        name: {
            scheme: [
                (payload, float(np.mean(errors)), float(np.std(errors)))
                for payload, errors in sorted(points.items())
            ]
            for scheme, points in schemes.items()
        }
        for name, schemes in series.items()
    }
