"""Evaluation of trained runs: the tables of the papers, printed and saved beside the run.

The quality protocol reads `Method.measure` on held-out pictures. A method that was trained against
a steganalyzer is also put to the transfer test of ISGAN's Table 6: a steganalyzer is trained on the
stegos of the same networks trained without an adversary, and tested on this run's.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

from stegojax import (
    embed,
    envelope,
    files,
    metrics,
    optimizers,
    parallel,
    plots,
    run,
    security,
    train,
)
from stegojax.checkpoint import Checkpoints
from stegojax.coding import ternary
from stegojax.costs import COSTS
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.journal import markdown
from stegojax.methods import attack
from stegojax.models import isgan as isgan_models
from stegojax.protocols import bits, covers, sentences
from stegojax.types import Cover

TABLE_5 = (
    ("stego_psnr", "Stego-Cover PSNR (dB)", "{:.2f}"),
    ("revealed_psnr", "Revealed-Secret PSNR (dB)", "{:.2f}"),
    ("stego_ssim", "Stego-Cover SSIM", "{:.4f}"),
    ("revealed_ssim", "Revealed-Secret SSIM", "{:.4f}"),
)

_TIMED = 3


def evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> str:
    """Evaluates a trained run, prints the tables, and saves them as `evaluation.md` and
    `evaluation.json` in its folder.

    Args:
      config: the config of the run.
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
    run.open_workdir(config, workdir)
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


def quality(config: ml_collections.ConfigDict, loaded: run.Loaded) -> dict[str, float]:
    """The mean of every held-out figure of a run over `report.batches` batches."""
    everything = run.changed(config, {"evaluation.batches": config.report.batches})
    figures, _, _ = train.held_out(loaded.method)(everything, parallel.replicate(loaded.state))
    return figures


def detection(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """Tests a steganalyzer's run on held-out pairs, and saves the ROC curve beside the run.

    Args:
      config: of the run.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table and its figures: P_E of the decisions at probability .5, the area under the ROC
      curve, and the stegos missed at 5 % false alarms.
    """
    score, state = parallel.over_devices(loaded.method.predict), parallel.replicate(loaded.state)
    key, found = (
        jax.random.fold_in(jax.random.key(config.seed), 5),
        {"cover_score": [], "stego_score": []},
    )
    section = run.data_section(
        config,
        held_out_examples=config.report.batches * config.batch_size,
        crop=config.evaluation.crop or config.data.crop,
    )
    hosts = dict(process_index=jax.process_index(), process_count=jax.process_count())
    with pipeline.make(
        section, split="held_out", batch_size=config.batch_size, seed=config.seed, **hosts
    ) as loader:
        for index, batch in enumerate(loader):
            outputs = score(state, parallel.shard(batch), jax.random.fold_in(key, index))
            for side, values in found.items():
                values.append(
                    multihost_utils.process_allgather(parallel.gather(outputs[side]), tiled=True)
                )
    covers, stegos = (np.concatenate(values)[: loader.examples] for values in found.values())
    figures = security.figures(covers, stegos, covers >= 0.5, stegos >= 0.5)
    how = (
        f"{config.method.scheme} {config.method.payload:g} bpp"
        if config.data.kind != "cover_stego"
        else config.data.stegos
    )
    header = ["Network", "Stegos", "Pairs", *(f"{name} (%)" for name in figures)]
    row = [
        config.method.network,
        how,
        str(len(covers)),
        *(f"{100 * value:.2f}" for value in figures.values()),
    ]
    text = f"Held-out pairs, step {loaded.step}:\n\n" + markdown(header, [row])
    if parallel.is_writer():
        curve = metrics.roc_curve(
            np.concatenate([covers, stegos]), np.repeat([0, 1], [len(covers), len(stegos)])
        )
        files.write_bytes(workdir / "roc.png", plots.roc({config.method.network: {how: [curve]}}))
    return text, figures


def quality_table(config: ml_collections.ConfigDict, figures: dict[str, float]) -> str:
    """The columns of ISGAN's Table 5 where a method has them, otherwise one column per figure."""
    source = config.data.get("source", "") or config.data.covers
    if all(name in figures for name, _, _ in TABLE_5):
        header = ["Model", "Cover image", "Secret image", *(title for _, title, _ in TABLE_5)]
        cells = [shape.format(figures[name]) for name, _, shape in TABLE_5]
        return markdown(
            header, [[_model_name(config), source, config.data.secret_source or source, *cells]]
        )
    return markdown(
        ["Model", "Data", *figures],
        [[_model_name(config), source, *(f"{v:.4g}" for v in figures.values())]],
    )


def times(config: ml_collections.ConfigDict, loaded: run.Loaded) -> dict[str, float]:
    """The two times of the asymmetric-cost paper's Table 2, on this machine.

    Returns:
      "training_hours", projected from a few steps of the run's first stage to its whole length, and
      "seconds_per_stego": costs, adjustment and syndrome-trellis coding of constraint height 10 for
      256x256 covers in a batch of 8, pixels to pixels.
    """
    sizes = run.lengths(config)
    made = run.method(config, sizes)
    stage = run.stages(made, sizes)[0]
    key = jax.random.key(config.seed)
    step = parallel.train_step(stage.train_step)
    state = parallel.replicate(stage.begin(jax.jit(made.init)(key, run.example(config)), key))
    hosts = dict(process_index=jax.process_index(), process_count=jax.process_count())
    with pipeline.make(
        run.data_section(config),
        split="train",
        batch_size=config.batch_size,
        seed=config.seed,
        put=parallel.shard,
        **hosts,
    ) as loader:
        spent = []
        for _ in range(1 + _TIMED):
            begin = time.perf_counter()
            state, metrics_ = step(state, next(loader), key)
            jax.block_until_ready(metrics_)
            spent.append(time.perf_counter() - begin)
    named, section = run.entry(config)
    scheme = named.scheme(loaded.state, section, name=config.method.name, load=run.trained)
    rng = np.random.default_rng(0)
    photographs = pipeline.make(
        dict(kind="pictures", source="embedded", crop=256, held_out_crop="centre"),
        split="held_out",
        batch_size=1,
        seed=0,
    )
    with photographs as loader:
        found = [batch["cover"][0, ..., 0] for batch in loader]
    covers = np.stack([np.roll(found[i % len(found)], 7 * i, axis=0) for i in range(8)])
    carriers = [
        embed.carriers(
            rng.permutation(covers[0].size),
            [covers[0].shape],
            recipe=scheme.recipe,
            grain=envelope.GRAIN,
        )
        for _ in covers
    ]
    messages = rng.integers(
        0, 2, (len(covers), int(config.method.payload * covers[0].size))
    ).astype(np.uint8)
    made_in = []
    for _ in range(1 + _TIMED):
        begin = time.perf_counter()
        embed.embed_many(
            carriers,
            [Cover((cover,)) for cover in covers],
            messages,
            scheme=scheme,
            code=ternary.stc_code(),
        )
        made_in.append(time.perf_counter() - begin)
    return {
        "training_hours": sizes.steps * min(spent[1:]) / 3600,
        "seconds_per_stego": min(made_in[1:]) / len(covers),
    }


def times_table(config: ml_collections.ConfigDict, found: dict[str, float]) -> str:
    """The layout of the asymmetric-cost paper's Table 2."""
    return "Times (Table 2), training projected from a few steps:\n\n" + markdown(
        ["Method", "Training (h)", "Generating a stego (s)"],
        [
            [
                _model_name(config),
                f"{found['training_hours']:.3g}",
                f"{found['seconds_per_stego']:.3f}",
            ]
        ],
    )


def against_its_base(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> str:
    """The security protocol on a run that embeds by costs, on its initial scheme, and on that with
    CMD, in WORKDIR/security.
    """
    base, payload = config.method.scheme, config.method.payload
    own = f"{base}/Proposed=run:{workdir}@{payload:g}"
    schemes = (base, f"{base}-cmd", own) if base in COSTS else (own,)
    whole = ml_collections.ConfigDict(
        {
            "experiment": "security",
            "seed": config.seed,
            "payloads": (payload,),
            "schemes": schemes,
            "networks": {},
            "loader": config.loader.to_dict(),
            **config.report.security.to_dict(),
        }
    )
    return security.evaluate(whole, workdir / "security")


def _model_name(config: ml_collections.ConfigDict) -> str:
    name = config.method.name
    return f"{name} (basic)" if config.method.get("adversarial", True) is False else name


def transfer_test(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> dict[str, float]:
    """Trains a steganalyzer on the basic model's stegos and tests it on a run's.

    The basic model is trained in `WORKDIR/basic` with the run's own config and no adversary, the
    steganalyzer in `WORKDIR/steganalyzer`; what is there already is not trained again. Both learn
    from the training split and are tested on the held-out one.

    Returns:
      Accuracy on held-out pairs by what is attacked: "basic", then the step of every checkpoint of
        the run.
    """
    if not config.method.get("adversarial", False):
        raise InputError(
            "the transfer test compares a run that has an adversary with one that has none; "
            "set report.transfer.steps=0 for this run"
        )
    basic_config = run.changed(config, {"method.adversarial": False})
    _say("Table 6: the basic model")
    _finish(train.train(basic_config, workdir / "basic"))
    basic = run.load(workdir / "basic")

    detector_config = run.changed(
        config,
        {
            "method": ml_collections.ConfigDict(
                {"name": "attack", "attacked": f"basic, step {basic.step}"}
            ),
            "steps": config.report.transfer.steps,
            "epochs": 0.0,
            "checkpoint.milestones": 0,
            "evaluation.crop": 0,
        },
    )
    sizes = run.lengths(detector_config)
    made = _attack(config, basic, sizes)
    _say("Table 6: the steganalyzer, on the basic model's stegos")
    _finish(train.train(detector_config, workdir / "steganalyzer", made=made))

    checkpoints = Checkpoints(workdir / "steganalyzer" / "checkpoints")
    like = run.state_like(made, sizes, run.example(config), 0)
    state = checkpoints.restore(checkpoints.steps()[-1], like)
    # At the size it was trained at: the pyramid's maxima over a larger picture are larger.
    evaluation = run.changed(detector_config, {"evaluation.batches": config.report.batches})
    measure = train.held_out(made)
    accuracies = {"basic": measure(evaluation, parallel.replicate(state))[0]["accuracy"]}
    for step in Checkpoints(workdir / "checkpoints").steps():
        loaded = run.load(workdir, step=step)
        # Encoder and decoder alone have a place in the attacked state; the run's own steganalyzer
        # is left out.
        kept = {name: loaded.state.params[name] for name in basic.state.params}
        stats = {name: loaded.state.batch_stats[name] for name in basic.state.batch_stats}
        attacked = attack.attack(state, loaded.state._replace(params=kept, batch_stats=stats))
        accuracies[str(step)] = measure(evaluation, parallel.replicate(attacked))[0]["accuracy"]
    return accuracies


def transfer_table(config: ml_collections.ConfigDict, accuracies: dict[str, float]) -> str:
    """The layout of ISGAN's Table 6: accuracy of the steganalyzer by model and length of
    training.
    """
    header = [
        "Dataset",
        "Basic model",
        *(f"{_model_name(config)} (step {step})" for step in accuracies if step != "basic"),
    ]
    row = [config.data.source, *(f"{value:.4f}" for value in accuracies.values())]
    return (
        "Accuracy of a steganalyzer trained on the basic model's stegos (a transfer test: it does "
        "not show security against "
        "a steganalyzer trained on this run's own):\n\n" + markdown(header, [row])
    )


def _attack(config, basic: run.Loaded, sizes: run.Lengths):
    return attack.make(
        attack.InYCbCr(isgan_models.Steganalyzer(axis_name=parallel.AXIS)),
        basic.method,
        basic.state,
        optimizers.make(
            **config.report.transfer.optimizer.to_dict(), steps_per_epoch=sizes.steps_per_epoch
        ),
    )


def _quality(config, workdir, loaded):
    figures = quality(config, loaded)
    table = quality_table(config, figures)
    return f"Held-out pictures, 8-bit, step {loaded.step}:\n\n{table}", {"quality": figures}


def _transfer(config, workdir, loaded):
    if not config.report.transfer.steps:
        return "", {}
    accuracies = transfer_test(config, workdir)
    return transfer_table(config, accuracies), {"transfer": accuracies}


def _times(config, workdir, loaded):
    seconds = times(config, loaded)
    return times_table(config, seconds), {"times": seconds}


def _security(config, workdir, loaded):
    if not config.report.get("security", None):
        return "", {}
    return f"Detection (Table 1):\n\n{against_its_base(config, workdir)}", {}


REPORTS: dict[str, Callable[..., tuple[str, dict[str, Any]]]] = {
    "quality": _quality,
    "detection": detection,
    "transfer": _transfer,
    "times": _times,
    "security": _security,
    "bits": bits.evaluate,
    "covers": covers.evaluate,
    "sentences": sentences.evaluate,
}
"""What `methods.Entry.reports` names: `(config, workdir, loaded) -> (text, results)`, "" and {}
where the config asks for none of it.
"""


def _finish(outcome: train.Outcome) -> None:
    if not outcome.finished:
        raise InputError("evaluation was interrupted; the same command goes on from there")


def _say(line: str) -> None:
    if jax.process_index() == 0:
        print(line, file=sys.stderr)
