"""Evaluation of trained runs: the tables of the papers, printed and saved beside the run.

The quality protocol reads `Method.measure` on held-out pictures. A method that was trained against a steganalyzer is also put to
the transfer test of ISGAN's Table 6: a steganalyzer is trained on the stegos of the same networks trained without an adversary,
and tested on this run's.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

from stegojax import files, metrics, parallel, plots, run, security, train
from stegojax.checkpoint import Checkpoints
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.methods import detector
from stegojax.models import isgan as isgan_models

TABLE_5 = (("stego_psnr", "Stego-Cover PSNR (dB)", "{:.2f}"), ("revealed_psnr", "Revealed-Secret PSNR (dB)", "{:.2f}"),
           ("stego_ssim", "Stego-Cover SSIM", "{:.4f}"), ("revealed_ssim", "Revealed-Secret SSIM", "{:.4f}"))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> str:
    """Evaluates a trained run, prints the tables, and saves them as `evaluation.md` and `evaluation.json` in its folder.

    Args:
      config: the config of the run.
      workdir: its folder.

    Returns:
      What was printed.

    Raises:
      InputError: the folder is not a run of this config, or holds no checkpoint.
    """
    if config.get("experiment", "") == "security":
        return security.evaluate(config, workdir)
    workdir = pathlib.Path(workdir)
    run.open_workdir(config, workdir)
    parallel.check_batch_size(config.batch_size)
    loaded = run.load(workdir)
    if config.method.name == "steganalyzer":
        return detection(config, workdir, loaded)
    figures = quality(config, loaded)
    text = f"Held-out pictures, 8-bit, step {loaded.step}:\n\n" + quality_table(config, figures)
    results = {"step": loaded.step, "quality": figures}
    if config.evaluation.get("transfer_steps", 0):
        transfer = transfer_test(config, workdir)
        results["transfer"] = transfer
        text += "\n\n" + transfer_table(config, transfer)
    if parallel.is_writer():
        print(text)
        files.write_bytes(workdir / "evaluation.md", (text + "\n").encode())
        files.write_bytes(workdir / "evaluation.json", json.dumps(results, indent=2).encode())
    return text


def quality(config: ml_collections.ConfigDict, loaded: run.Loaded) -> dict[str, float]:
    """The mean of every held-out figure of a run over `evaluation.final_batches` batches."""
    everything = run.changed(config, {"evaluation.batches": config.evaluation.final_batches})
    figures, _, _ = train.held_out(loaded.method)(everything, parallel.replicate(loaded.state))
    return figures


def detection(config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded) -> str:
    """Tests a steganalyzer's run on held-out pairs; prints the table, and saves it and the ROC curve beside the run.

    Returns:
      What was printed: P_E of the decisions at probability .5, the area under the ROC curve, and the stegos missed at 5 % false
      alarms.
    """
    score, state = parallel.over_devices(loaded.method.predict), parallel.replicate(loaded.state)
    key, found = jax.random.fold_in(jax.random.key(config.seed), 5), {"cover_score": [], "stego_score": []}
    section = run.data_section(config, held_out_examples=config.evaluation.final_batches * config.batch_size,
                               crop=config.evaluation.crop or config.data.crop)
    hosts = dict(process_index=jax.process_index(), process_count=jax.process_count())
    with pipeline.make(section, split="held_out", batch_size=config.batch_size, seed=config.seed, **hosts) as loader:
        for index, batch in enumerate(loader):
            outputs = score(state, parallel.shard(batch), jax.random.fold_in(key, index))
            for side, values in found.items():
                values.append(multihost_utils.process_allgather(parallel.gather(outputs[side]), tiled=True))
    covers, stegos = (np.concatenate(values)[:loader.examples] for values in found.values())
    figures = security.figures(covers, stegos, covers >= 0.5, stegos >= 0.5)
    how = f"{config.method.scheme} {config.method.payload:g} bpp" if config.data.kind != "cover_stego" else config.data.stegos
    header = ["Network", "Stegos", "Pairs", *(f"{name} (%)" for name in figures)]
    row = [config.method.network, how, str(len(covers)), *(f"{100 * value:.2f}" for value in figures.values())]
    text = f"Held-out pairs, step {loaded.step}:\n\n" + markdown(header, [row])
    if parallel.is_writer():
        print(text)
        files.write_bytes(workdir / "evaluation.md", (text + "\n").encode())
        files.write_bytes(workdir / "evaluation.json", json.dumps({"step": loaded.step, **figures}, indent=2).encode())
        curve = metrics.roc_curve(np.concatenate([covers, stegos]), np.repeat([0, 1], [len(covers), len(stegos)]))
        files.write_bytes(workdir / "roc.png", plots.roc({config.method.network: {how: [curve]}}))
    return text


def quality_table(config: ml_collections.ConfigDict, figures: dict[str, float]) -> str:
    """The columns of ISGAN's Table 5 where a method has them, otherwise one column per figure."""
    source = config.data.get("source", "") or config.data.covers
    if all(name in figures for name, _, _ in TABLE_5):
        header = ["Model", "Cover image", "Secret image", *(title for _, title, _ in TABLE_5)]
        cells = [shape.format(figures[name]) for name, _, shape in TABLE_5]
        return markdown(header, [[_model_name(config), source, config.data.secret_source or source, *cells]])
    return markdown(["Model", "Data", *figures], [[_model_name(config), source, *(f"{v:.4g}" for v in figures.values())]])


def _model_name(config: ml_collections.ConfigDict) -> str:
    name = config.method.get("network", config.method.name)
    return f"{name} (basic)" if config.method.get("adversarial", True) is False else name


def transfer_test(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> dict[str, float]:
    """Trains a steganalyzer on the basic model's stegos and tests it on a run's.

    The basic model is trained in `WORKDIR/basic` with the run's own config and no adversary, the steganalyzer in
    `WORKDIR/steganalyzer`; what is there already is not trained again. Both learn from the training split and are tested on the
    held-out one.

    Returns:
      Accuracy on held-out pairs by what is attacked: "basic", then the step of every checkpoint of the run.
    """
    if not config.method.get("adversarial", False):
        raise InputError("the transfer test compares a run that has an adversary with one that has none; "
                         "set evaluation.transfer_steps=0 for this run")
    basic_config = run.changed(config, {"method.adversarial": False})
    _say("Table 6: the basic model")
    _finish(train.train(basic_config, workdir / "basic"))
    basic = run.load(workdir / "basic")

    detector_config = run.changed(config, {
        "method": ml_collections.ConfigDict({"name": "detector", "attacked": f"basic, step {basic.step}"}),
        "steps": config.evaluation.transfer_steps, "checkpoint.milestones": 0, "evaluation.crop": 0})
    sizes = run.lengths(detector_config)
    made = _detector(config, basic, sizes)
    _say("Table 6: the steganalyzer, on the basic model's stegos")
    _finish(train.train(detector_config, workdir / "steganalyzer", made=made))

    checkpoints = Checkpoints(workdir / "steganalyzer" / "checkpoints")
    like = run.state_like(made, sizes, run.example(config), 0)
    state = checkpoints.restore(checkpoints.steps()[-1], like)
    # At the size it was trained at: the pyramid's maxima over a larger picture are larger.
    evaluation = run.changed(detector_config, {"evaluation.batches": config.evaluation.final_batches})
    measure = train.held_out(made)
    accuracies = {"basic": measure(evaluation, parallel.replicate(state))[0]["accuracy"]}
    for step in Checkpoints(workdir / "checkpoints").steps():
        loaded = run.load(workdir, step=step)
        # Encoder and decoder alone have a place in the attacked state; the run's own steganalyzer is left out.
        kept = {name: loaded.state.params[name] for name in basic.state.params}
        stats = {name: loaded.state.batch_stats[name] for name in basic.state.batch_stats}
        attacked = detector.attack(state, loaded.state._replace(params=kept, batch_stats=stats))
        accuracies[str(step)] = measure(evaluation, parallel.replicate(attacked))[0]["accuracy"]
    return accuracies


def transfer_table(config: ml_collections.ConfigDict, accuracies: dict[str, float]) -> str:
    """The layout of ISGAN's Table 6: accuracy of the steganalyzer by model and length of training."""
    header = ["Dataset", "Basic model", *(f"{_model_name(config)} (step {step})" for step in accuracies if step != "basic")]
    row = [config.data.source, *(f"{value:.4f}" for value in accuracies.values())]
    return ("Accuracy of a steganalyzer trained on the basic model's stegos (a transfer test: it does not show security against "
            "a steganalyzer trained on this run's own):\n\n" + markdown(header, [row]))


def _detector(config, basic: run.Loaded, sizes: run.Lengths):
    return detector.make(isgan_models.Steganalyzer(axis_name=parallel.AXIS), basic.method, basic.state,
                         steps_per_epoch=sizes.steps_per_epoch, optimizer=config.evaluation.transfer_optimizer.to_dict())


def _finish(outcome: train.Outcome) -> None:
    if not outcome.finished:
        raise InputError("evaluation was interrupted; the same command goes on from there")


def _say(line: str) -> None:
    if jax.process_index() == 0:
        print(line, file=sys.stderr)
