"""The held-out figures of a run, `Method.measure`, on 8-bit pictures."""

from __future__ import annotations

import pathlib
from typing import Any

import ml_collections

from stegojax import parallel, run, train
from stegojax.tables import markdown

TABLE_5 = (
    ("stego_psnr", "Stego-Cover PSNR (dB)", "{:.2f}"),
    ("revealed_psnr", "Revealed-Secret PSNR (dB)", "{:.2f}"),
    ("stego_ssim", "Stego-Cover SSIM", "{:.4f}"),
    ("revealed_ssim", "Revealed-Secret SSIM", "{:.4f}"),
)
"""The columns of ISGAN's Table 5: figure, title, format."""

LOSSES = (("MSE", "mse_weight"), ("SSIM", "ssim_weight"), ("MS-SSIM", "ms_ssim_weight"))
"""What a mixed loss is made of, as ISGAN's Table 4 calls it, and the weight's field."""


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The table of held-out figures.

    Args:
      config: of the run; `report.batches` says how many batches are measured.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table, and "quality", the figures.
    """
    measured = figures(config, loaded)
    text = f"Held-out pictures, 8-bit, step {loaded.step}:\n\n" + table(config, measured)
    return text, {"quality": measured}


def figures(config: ml_collections.ConfigDict, loaded: run.Loaded) -> dict[str, float]:
    """The mean of every held-out figure of a run over `report.batches` batches, of the pictures
    that nothing was chosen on where its data have such.

    Args:
      config: of the run.
      loaded: the run.

    Returns:
      Name -> mean.
    """
    everything = run.changed(config, {"evaluation.batches": config.report.batches})
    measure = train.held_out(loaded.method, split=split(config))
    means, _, _ = measure(everything, parallel.replicate(loaded.state))
    return means


def split(config: ml_collections.ConfigDict) -> str:
    """Which pictures a run is judged by.

    Args:
      config: of the run.

    Returns:
      "test" where its data keep pictures by which nothing is chosen, otherwise "held_out".
    """
    return "test" if config.data.get("test_share", 0.0) else "held_out"


def table(config: ml_collections.ConfigDict, measured: dict[str, float]) -> str:
    """The columns of ISGAN's Table 5 where a method has them, otherwise one column per figure.

    Args:
      config: of the run.
      measured: from `figures`.

    Returns:
      The table in Markdown.
    """
    source = config.data.get("source", "") or config.data.covers
    if all(name in measured for name, _, _ in TABLE_5):
        header = ["Model", "Cover image", "Secret image", *(title for _, title, _ in TABLE_5)]
        cells = [shape.format(measured[name]) for name, _, shape in TABLE_5]
        secrets = config.data.secret_source or source
        return markdown(header, [[model_name(config), source, secrets, *cells]])
    cells = [f"{value:.4g}" for value in measured.values()]
    return markdown(["Model", "Data", *measured], [[model_name(config), source, *cells]])


def model_name(config: ml_collections.ConfigDict) -> str:
    """What tables call a run: its method, and whether it was trained without an adversary.

    Args:
      config: of the run.

    Returns:
      The name.
    """
    method = config.method
    if method.get("adversarial", True):
        return method.name
    losses = [title for title, field in LOSSES if method.get(field, 0.0)]
    return f"{method.name} (basic{', ' * bool(losses)}{' + '.join(losses)})"
