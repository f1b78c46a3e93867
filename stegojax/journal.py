"""The record of a run: `metrics.jsonl`, one JSON object a line, and TensorBoard events beside it.

A record is `{"step": int, "stage": str, "kind": "train" | "held_out", name: value, ...}`. A run
that goes on from a checkpoint drops the records of later steps first, so that the file is the one
an uninterrupted run would have written.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tensorboardX import SummaryWriter

from stegojax import files

NAME = "metrics.jsonl"


class Journal:
    """Appends records; use it in the writing process alone."""

    def __init__(self, workdir: pathlib.Path, *, step: int):
        """Opens the journal of a run that stands at `step`, dropping what was recorded of later
        steps, and what is damaged (`damaged` lines).
        """
        self.path = pathlib.Path(workdir) / NAME
        records, self.damaged = _records(self.path)
        kept = [record for record in records if record["step"] <= step]
        files.write_bytes(self.path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        self._file = open(self.path, "a", encoding="utf-8")
        self._events = SummaryWriter(
            str(pathlib.Path(workdir) / "tensorboard"), purge_step=step + 1
        )

    def write(self, step: int, *, stage: str, kind: str, values: dict[str, float]) -> None:
        """Adds one record to the file, on disk when this returns, and to the events."""
        record = {
            "step": step,
            "stage": stage,
            "kind": kind,
            **{name: rounded(value) for name, value in values.items()},
        }
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._events.add_scalar(f"{kind}/{name}", float(value), step)

    def close(self) -> None:
        """Closes both files."""
        self._file.close()
        self._events.close()


def rounded(value: float) -> float:
    """A figure as the journal has it.

    Args:
      value: the figure.

    Returns:
      It, with nine significant digits.
    """
    return float(f"{float(value):.9g}")


def read(workdir: pathlib.Path) -> list[dict[str, Any]]:
    """The records of a run; what is damaged is passed over.

    Args:
      workdir: of the run.

    Returns:
      The records, oldest first.
    """
    return _records(pathlib.Path(workdir) / NAME)[0]


def _records(path: pathlib.Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a file, and how many of its lines are none; a last line without its end, which
    a killed process leaves, does not count.
    """
    if not path.exists():
        return [], 0
    records, damaged = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        record = _record(line)
        if record is not None:
            records.append(record)
        elif line.strip() and line.endswith(b"\n"):
            damaged += 1
    return records, damaged


def _record(line: bytes) -> dict[str, Any] | None:
    """One record, or None where the line is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not {"step", "stage", "kind"} <= record.keys():
        return None
    step, names, figures = record["step"], (record["stage"], record["kind"]), dict(record)
    for name in ("step", "stage", "kind"):
        del figures[name]
    whole = type(step) is int and step >= 0 and all(isinstance(name, str) for name in names)
    numbers = all(type(value) in (int, float) for value in figures.values())
    return record if whole and numbers else None
