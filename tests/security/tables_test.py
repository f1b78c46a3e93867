"""Figures and tables by hand."""

import csv
import io

import numpy as np
import pytest

from stegojax.security import tables


def row(name="spam", base="hill", method="Baseline", payload=0.4, error=0.3, scheme="hill"):
    return {
        "steganalyzer": name,
        "scheme": scheme,
        "base": base,
        "row": method,
        "payload": payload,
        "P_E": error,
        "AUC": 0.5,
    }


def test_the_figures_by_hand():
    """40 covers and 4 stegos: at most 2 alarms are 5 %."""
    covers = np.concatenate([np.zeros(37), [0.6, 0.7, 0.8]])
    stegos = np.array([0.1, 0.65, 0.75, 0.9])
    figures = tables.figures(covers, stegos, covers >= 0.5, np.array([0, 1, 1, 1]))
    assert figures["P_E"] == pytest.approx((3 / 40 + 1 / 4) / 2)
    # Above .65 there are two covers and two stegos, and .65 itself.
    assert figures["P_MD at 5 % P_FA"] == pytest.approx(2 / 4 - 1 / 4)
    assert figures["AUC"] == pytest.approx((37 + 38 + 39 + 40) / 160)


def test_the_table_by_hand():
    rows = [
        row(method=method, error=error)
        for method, errors in (("Baseline", (0.30, 0.34)), ("CMD", (0.40, 0.40)))
        for error in errors
    ]
    rows.append(row(base="lsb-matching", error=0.05))
    assert tables.table(rows, "P_E").splitlines() == [
        "| Steganalyzer | Method | hill 0.4 bpp | lsb-matching 0.4 bpp |",
        "|---|---|---|---|",
        "| spam | Baseline | 32.00 ± 2.83 | 5.00 |",
        "| spam | CMD | 40.00 ± 0.00 (+8.00) |  |",
    ]
    assert "(" not in tables.table(rows, "AUC")


def test_steganalyzers_across_with_their_average_by_hand():
    rows = [row(name, error=error) for name, error in (("spam", 0.3), ("xunet", 0.2))]
    rows += [row("spam", method="CMD", error=error) for error in (0.38, 0.42)]
    assert tables.by_method(rows, "P_E").splitlines() == [
        "| Base | Method | spam | xunet | Average |",
        "|---|---|---|---|---|",
        "| hill 0.4 bpp | Baseline | 30.00 | 20.00 | 25.00 |",
        "| hill 0.4 bpp | CMD | 40.00 ± 2.83 (+10.00) |  |  |",
    ]
    assert tables.by_method(rows[2:], "P_E") == ""


def test_errors_against_payloads_by_hand():
    rows = [row(payload=payload, error=error) for payload, error in ((0.4, 0.2), (0.2, 0.3))]
    rows += [row(payload=0.4, error=0.3), row(payload="", scheme="covers", error=0.5)]
    assert tables.against_payload(rows) == {
        "spam": {"hill": [(0.2, 30.0, 0.0), (0.4, 25.0, pytest.approx(5.0))]}
    }


def test_the_file_has_a_line_for_every_row():
    rows = [row(), row(error=0.25)]
    read = list(csv.DictReader(io.StringIO(tables.as_csv(rows).decode())))
    assert [float(line["P_E"]) for line in read] == [0.3, 0.25]
    assert list(read[0]) == list(rows[0])
