"""Evaluation of trained runs: the tables of the papers, printed and saved beside the run.

What is measured of a method, its `methods.Entry` says; what a measurement is, its module in
`protocols` says.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import ml_collections

from stegojax import files, parallel, run, security
from stegojax.protocols import bits, costs, covers, quality, sentences, steganalyzer, transfer

REPORTS: dict[str, Callable[..., tuple[str, dict[str, Any]]]] = {
    "quality": quality.evaluate,
    "detection": steganalyzer.evaluate,
    "transfer": transfer.evaluate,
    "times": costs.times,
    "security": costs.detection,
    "bits": bits.evaluate,
    "covers": covers.evaluate,
    "sentences": sentences.evaluate,
}
"""What `methods.Entry.reports` names: `(config, workdir, loaded) -> (text, results)`, "" and {}
where the config asks for none of it.
"""


def evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> str:
    """Evaluates a trained run, prints the tables, and saves them as `evaluation.md` and
    `evaluation.json` in its folder.

    Args:
      config: the config of the run, or of the security protocol.
      workdir: its folder.

    Returns:
      What was printed.

    Raises:
      InputError: the folder is not a run of this config, or holds no checkpoint.
    """
    if config.get("experiment", "") == "security":
        text = security.evaluate(config, workdir)
        print(text)
        return text
    workdir = pathlib.Path(workdir)
    config = run.pin(config, workdir)
    run.check_workdir(config, workdir)
    parallel.check_batch_size(config.batch_size)
    loaded = run.load(workdir)
    texts, results = [], {"step": loaded.step}
    for name in run.entry(config)[0].reports:
        tables, figures = REPORTS[name](config, workdir, loaded)
        texts += [tables] if tables else []
        results |= figures
    text = "\n\n".join(texts)
    if parallel.is_writer():
        print(text)
        files.write_bytes(workdir / "evaluation.md", (text + "\n").encode())
        files.write_bytes(workdir / "evaluation.json", json.dumps(results, indent=2).encode())
    return text
