"""ISGAN's Table 6: a steganalyzer that was trained on the stegos of the same networks, trained
without an adversary, is tested on a run's.

A transfer test: it does not show security against a steganalyzer trained on the run's own stegos.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import jax
import ml_collections

from stegojax import optimizers, parallel, run, train
from stegojax.checkpoint import Checkpoints
from stegojax.errors import InputError
from stegojax.methods import attack
from stegojax.models import isgan as isgan_models
from stegojax.protocols.quality import model_name
from stegojax.tables import markdown
from stegojax.types import Method, State


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The table of the transfer test, where the config asks for it.

    Args:
      config: of the run; `report.transfer.steps` says how long the steganalyzer is trained, 0 for
        no test, and `report.transfer.optimizer` with which optimiser.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table, and "transfer", the accuracies.
    """
    if not config.report.transfer.steps:
        return "", {}
    measured = accuracies(config, workdir)
    return table(config, measured), {"transfer": measured}


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """What the transfer test trains before it can be measured.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      The basic model and the steganalyzer; nothing where the config asks for no test.
    """
    steps = config.report.transfer.steps
    if not steps:
        return []
    without = _without_adversary(config)
    length = run.lengths(without).steps
    basic = run.method(without, restored=True)
    state = jax.jit(basic.init)(jax.random.key(0), run.example(without))
    return [
        train.Planned(f"the basic model ({length} steps)", without, workdir / "basic"),
        train.Planned(
            f"a steganalyzer ({steps} steps)",
            _steganalyzers(config, length),
            _folder(workdir, length),
            _attack(config, basic, state),
        ),
    ]


def accuracies(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> dict[str, float]:
    """Trains a steganalyzer on the basic model's stegos and tests it on a run's.

    The basic model is trained in `WORKDIR/basic` with the run's own config and no adversary, the
    steganalyzer in `WORKDIR/steganalyzer-STEPS`, with the basic model's steps; what is there
    already is not trained again. Both learn from the training split and are tested on the held-out
    one.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      Accuracy on held-out pairs by what is attacked: "basic", then the step of every checkpoint of
      the run.

    Raises:
      InputError: the run has no adversary, or a training was interrupted.
    """
    if not config.method.get("adversarial", False):
        raise InputError(
            "the transfer test compares a run that has an adversary with one that has none; "
            "set report.transfer.steps=0 for this run"
        )
    _say("Table 6: the basic model")
    basic = train.to_the_end(_without_adversary(config), workdir / "basic")
    _say("Table 6: the steganalyzer, on the basic model's stegos")
    training = _steganalyzers(config, basic.step)
    made = _attack(config, basic.method, basic.state)
    trained = train.to_the_end(training, _folder(workdir, basic.step), made=made)

    everything = run.changed(training, {"evaluation.batches": config.report.batches})
    measure = train.held_out(made)

    def accuracy(state):
        return measure(everything, parallel.replicate(state))[0]["accuracy"]

    by_step = {"basic": accuracy(trained.state)}
    for step in Checkpoints(workdir / "checkpoints").steps():
        own = run.load(workdir, step=step).state
        # Encoder and decoder alone have a place in the attacked state; the run's own steganalyzer
        # is left out.
        hiding = own._replace(
            params={name: own.params[name] for name in basic.state.params},
            batch_stats={name: own.batch_stats[name] for name in basic.state.batch_stats},
        )
        by_step[str(step)] = accuracy(attack.attack(trained.state, hiding))
    return by_step


def _without_adversary(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    return run.changed(config, {"method.adversarial": False})


def _folder(workdir: pathlib.Path, basic_steps: int) -> pathlib.Path:
    return workdir / f"steganalyzer-{basic_steps}"


def _steganalyzers(
    config: ml_collections.ConfigDict, basic_steps: int
) -> ml_collections.ConfigDict:
    """The config of the steganalyzer's training."""
    what = {"name": "attack", "attacked": f"basic, step {basic_steps}"}
    return run.changed(
        config,
        {
            "method": ml_collections.ConfigDict(what),
            "steps": config.report.transfer.steps,
            "epochs": 0.0,
            "checkpoint.milestones": 0,
            # At the size it was trained at: the pyramid's maxima over a larger picture are larger.
            "evaluation.crop": 0,
        },
    )


def _attack(config: ml_collections.ConfigDict, basic: Method, state: State) -> Method:
    """What the steganalyzer's training trains, on the stegos of a state of the basic model."""
    training = _steganalyzers(config, 0)
    descent = optimizers.make(
        **config.report.transfer.optimizer.to_dict(),
        steps_per_epoch=run.lengths(training, basic._replace(stages=())).steps_per_epoch,
    )
    module = attack.InYCbCr(isgan_models.Steganalyzer(axis_name=parallel.AXIS))
    return attack.make(module, basic, state, descent)


def table(config: ml_collections.ConfigDict, accuracies: dict[str, float]) -> str:
    """The layout of ISGAN's Table 6: accuracy of the steganalyzer by model and length of training.

    Args:
      config: of the run.
      accuracies: from `accuracies`.

    Returns:
      The table in Markdown, and what it does not show.
    """
    steps = (step for step in accuracies if step != "basic")
    header = ["Dataset", "Basic model", *(f"{model_name(config)} (step {step})" for step in steps)]
    row = [config.data.source, *(f"{value:.4f}" for value in accuracies.values())]
    return (
        "Accuracy of a steganalyzer trained on the basic model's stegos (a transfer test: it does "
        "not show security against a steganalyzer trained on this run's own):\n\n"
        + markdown(header, [row])
    )


def _say(line: str) -> None:
    if parallel.is_writer():
        print(line, file=sys.stderr)
