"""The one training loop; it knows no paper.

A step is dispatched, then the metrics of the step before it are read, so that the devices never
wait for the host. A metric that is NaN or infinite ends the run before a checkpoint of that state
could be written. SIGTERM and Ctrl-C save and end it in order; after `kill -9` the run goes on from
its last checkpoint to the very same numbers.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
import time
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
import tqdm
from jax.experimental import multihost_utils

from stegojax import files, journal, parallel, plots, run
from stegojax.checkpoint import Checkpoints, Position
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.types import Method, State


class Outcome(NamedTuple):
    """How a call of `train` ended.

    step:      steps done.
    finished:  whether the run is complete; False after SIGTERM or Ctrl-C.
    signal:    the signal that ended it, 0 for none.
    held_out:  the last held-out figures, empty if none were made in this call.
    waited:    share of the time after the first step that was spent waiting for data.
    """

    step: int
    finished: bool
    signal: int
    held_out: dict[str, float]
    waited: float


class Diverged(InputError):
    """A metric is no longer a finite number."""


def train(
    config: ml_collections.ConfigDict, workdir: str | pathlib.Path, *, made: Method | None = None
) -> Outcome:
    """Trains what a config describes, from the beginning or from where its work directory stands.

    Args:
      config: a complete config (see `configs/`).
      workdir: where everything is written.
      made: the method, in place of the one that the config names.

    Raises:
      InputError: the config or the data cannot be used, or the work directory belongs to another
        config.
      Diverged: a metric is NaN or infinite.
    """
    workdir = pathlib.Path(workdir)
    local_batch = parallel.check_batch_size(config.batch_size)
    sizes = run.lengths(config)
    made = made or run.method(config, sizes)
    run.open_workdir(config, workdir, sizes if parallel.is_writer() else None)
    if not parallel.is_writer():
        return _Loop(config, workdir, made, sizes, local_batch).go()
    with run.only_one(workdir):
        return _Loop(config, workdir, made, sizes, local_batch).go()


@dataclasses.dataclass
class _Best:
    """The state with the highest of a held-out figure in one stage.

    checkpoints: where it is kept.
    name:        of the figure.
    stage:       index of the stage.
    title:       who asks for it.
    figure:      the highest so far.
    """

    checkpoints: Checkpoints
    name: str
    stage: int
    title: str
    figure: float = -math.inf


class _Loop:
    """One call of `train`: the state, what it is fed, and where it is written down."""

    def __init__(
        self, config, workdir: pathlib.Path, made: Method, sizes: run.Lengths, local_batch: int
    ):
        self.config, self.workdir, self.method, self.sizes = config, workdir, made, sizes
        self.local_batch = local_batch
        self.stages = run.stages(made, sizes)
        self.ends = list(np.cumsum([stage.steps for stage in self.stages]))
        self.total = int(self.ends[-1])
        self.key = jax.random.key(config.seed)
        milestones = config.checkpoint.milestones
        self.milestone = -(-self.total // milestones) if milestones else 0
        self.checkpoints = Checkpoints(
            workdir / "checkpoints", keep=config.checkpoint.keep, milestone=self.milestone
        )
        self.evaluate = held_out(made)
        self.refresh = refresher(made)
        self.bests = self._bests()
        self.pending: tuple[int, str, Any] | None = None
        self.figures: dict[str, float] = {}

    def go(self) -> Outcome:
        state, position, step = self._begin()
        if step >= self.total:
            _say(f"{self.workdir} is complete: {step} steps are done")
            return Outcome(step, True, 0, {}, 0.0)
        self.journal = journal.Journal(self.workdir, step=step) if parallel.is_writer() else None
        for best in self.bests:
            best.figure = self._best_before(best, step)
        hosts = dict(process_index=jax.process_index(), process_count=jax.process_count())
        loader = pipeline.make(
            run.data_section(self.config),
            split="train",
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            start=position.batches,
            put=parallel.shard,
            **hosts,
        )
        self.bar = tqdm.tqdm(
            total=self.total,
            initial=step,
            unit="step",
            disable=not parallel.is_writer(),
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 10.0,
            file=sys.stderr,
        )
        try:
            with parallel.StopSignal() as stop:
                if step == 0:
                    self._evaluate(state, step, position.stage)
                return self._steps(state, position, step, loader, stop)
        finally:
            loader.close()
            self.bar.close()
            self.checkpoints.close()
            for best in self.bests:
                best.checkpoints.close()
            if self.journal:
                self.journal.close()

    def _begin(self) -> tuple[State, Position, int]:
        """The state to go on from: the newest checkpoint's, or a fresh one."""
        example = run.example(self.config)
        for line in self.method.describe(example):
            _say(line)
        done = self.checkpoints.steps()
        if done:
            position = self.checkpoints.position(done[-1])
            like = run.state_like(self.method, self.sizes, example, position.stage)
            state = self.checkpoints.restore(done[-1], like)
            if parallel.is_writer() and done[-1] < self.total:
                _say(f"going on from step {done[-1]} of {self.total} in {self.workdir}")
            return parallel.replicate(state), position, done[-1]
        state = jax.jit(self.method.init)(jax.random.fold_in(self.key, 0), example)
        state = self.stages[0].begin(state, self._stage_key(0))
        return parallel.replicate(jax.tree.map(np.asarray, state)), Position(0, 0), 0

    def _stage_key(self, stage: int):
        return jax.random.fold_in(jax.random.fold_in(self.key, 1), stage)

    def _compiled(self, stage: int):
        """The train step of a stage; the key of a step is made of the base key and the step,
        inside.
        """
        step_function = self.stages[stage].train_step
        base = jax.random.fold_in(self.key, 2)

        def step(state, batch, key):
            return step_function(state, batch, jax.random.fold_in(key, state.step))

        compiled = parallel.train_step(step)
        return lambda state, batch: compiled(state, batch, base)

    def _steps(self, state: State, position: Position, step: int, loader, stop) -> Outcome:
        config, stage = self.config, position.stage
        train_step = self._compiled(stage)
        started = waited_before = None
        # The time behind a rate excludes compiling, evaluating and saving.
        rate_from, rate_step = None, step
        while step < self.total and not stop.asked(step):
            if step >= self.ends[stage]:
                stage += 1
                self._flush()
                if self.stages[stage].choice:
                    state = self._chosen(stage, step)
                state = parallel.replicate(
                    jax.tree.map(
                        np.asarray, self.stages[stage].begin(state, self._stage_key(stage))
                    )
                )
                if self.stages[stage].train_step is not self.stages[stage - 1].train_step:
                    train_step = self._compiled(stage)
                _say(f"stage {self.stages[stage].name} begins at step {step}")
            batch = next(loader)
            state, values = train_step(state, batch)
            step += 1
            self._flush()
            self.pending = (step, self.stages[stage].name, values)
            if started is None:
                jax.block_until_ready(values)
                started, waited_before = time.monotonic(), loader.waited
                rate_from, rate_step = started, step
            elif time.monotonic() - rate_from > 1.0:
                now = time.monotonic()
                self.speed = (step - rate_step) * config.batch_size / (now - rate_from)
                rate_from, rate_step = now, step
            self.bar.update(1)
            last = step == self.total
            chosen_from = step == self.ends[stage] and not last and self.stages[stage + 1].choice
            evaluating = step % config.evaluation.every == 0 or last or chosen_from
            saving = (
                step % config.checkpoint.every == 0
                or last
                or (self.milestone and step % self.milestone == 0)
            )
            if evaluating or saving:
                self._flush()
                pause = time.monotonic()
                if evaluating:
                    self._evaluate(state, step, stage)
                if saving:
                    self._save(state, step, loader.batches, stage)
                pause = time.monotonic() - pause
                started += pause
                rate_from += pause
        self._flush()
        if step < self.total:
            if step not in self.checkpoints.steps():
                self._save(state, step, loader.batches, stage)
            _say(f"stopped at step {step} of {self.total}; the same command goes on from there")
        spent = time.monotonic() - started if started else 0.0
        share = (loader.waited - waited_before) / spent if spent > 0 else 0.0
        return Outcome(step, step >= self.total, stop.received, self.figures, share)

    speed = 0.0

    def _flush(self) -> None:
        """Reads the metrics of the step before and writes them down."""
        if self.pending is None:
            return
        (step, stage, values), self.pending = self.pending, None
        values = {name: float(value) for name, value in jax.device_get(values).items()}
        for name, value in values.items():
            if not math.isfinite(value):
                self._refuse(step, f"{name} is {value}")
        if self.journal and (step % self.config.log_every == 0 or step == self.total):
            self.journal.write(step, stage=stage, kind="train", values=values)
        self.bar.set_postfix_str(
            f"loss {values['loss']:.4g}, {self.speed:.1f} images/s", refresh=False
        )

    def _refuse(self, step: int, what: str) -> None:
        kept = self.checkpoints.steps()
        last = (
            f"the last good checkpoint is step {kept[-1]} in {self.checkpoints.folder}"
            if kept
            else "no checkpoint was due yet"
        )
        raise Diverged(
            f"training diverged at step {step}: {what}; {last}; lower the learning rate or look "
            "at the data"
        )

    def _save(self, state: State, step: int, batches: int, stage: int) -> None:
        if not parallel.all_finite((state.params, state.batch_stats)):
            self._refuse(step, "a parameter or BatchNorm statistic is not finite")
        self.checkpoints.save(step, state, Position(batches, stage))

    def _evaluate(self, state: State, step: int, stage: int) -> None:
        """Held-out figures, the panel and the curves; the best state so far is kept apart where the
        config asks for it.
        """
        state = self.refresh(self.config, state)
        values, batch, outputs = self.evaluate(self.config, state)
        for name, value in values.items():
            if not math.isfinite(value):
                self._refuse(step, f"held-out {name} is {value}")
        self.figures = values
        self._keep_best(state, step, stage)
        if not parallel.is_writer():
            return
        self.journal.write(step, stage=self.stages[stage].name, kind="held_out", values=values)
        if plots.columns(batch, outputs):
            picture = plots.png(plots.panel(batch, outputs))
            (self.workdir / "panels").mkdir(exist_ok=True)
            files.write_bytes(self.workdir / "panels" / f"{step:07d}.png", picture)
            files.write_bytes(self.workdir / "panel.png", picture)
        files.write_bytes(self.workdir / "curves.png", plots.curves(journal.read(self.workdir)))
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        _say(f"step {step}: held-out {shown}")

    def _bests(self) -> list[_Best]:
        """The last stage's best state, where the config asks for it, and those that other stages
        begin from.
        """
        name, last = self.config.checkpoint.get("best", ""), len(self.stages) - 1
        # Stages before the last learn another task, and what is best at that is not what the run is
        # for.
        found = (
            [
                _Best(
                    Checkpoints(self.workdir / run.BEST_NAME, keep=1), name, last, "checkpoint.best"
                )
            ]
            if name
            else []
        )
        for index, stage in enumerate(self.stages):
            if stage.choice:
                folder = self.workdir / f"best_of_{self.stages[index - 1].name}"
                found.append(
                    _Best(
                        Checkpoints(folder, keep=1),
                        stage.choice,
                        index - 1,
                        f"the choice for stage {stage.name}",
                    )
                )
        return found

    def _keep_best(self, state: State, step: int, stage: int) -> None:
        for best in self.bests:
            if best.name not in self.figures:
                raise InputError(
                    f"{best.title}={best.name!r} is not a held-out figure; there are "
                    f"{', '.join(self.figures)}"
                )
            figure = journal.rounded(self.figures[best.name])
            if step and stage == best.stage and figure > best.figure:
                # A killed run kept it already if it went further than its last checkpoint, and
                # comes to the same state again.
                if step not in best.checkpoints.steps():
                    best.checkpoints.save(step, state, Position(0, stage))
                best.figure = figure

    def _best_before(self, best: _Best, step: int) -> float:
        """The best of a figure in its stage and up to a step; the writer's journal has it."""
        name, stage = best.name, self.stages[best.stage].name
        figures = [
            record[name]
            for record in (journal.read(self.workdir) if parallel.is_writer() else [])
            if record["kind"] == "held_out"
            and 0 < record["step"] <= step
            and record["stage"] == stage
        ]
        figure = max(figures, default=-math.inf)
        if jax.process_count() > 1:
            # As bits: a figure rounded to float32 could lose to itself.
            figure = float(
                multihost_utils.broadcast_one_to_all(np.float64([figure]).view(np.uint32)).view(
                    np.float64
                )[0]
            )
        return figure

    def _chosen(self, stage: int, step: int) -> State:
        """The best state of the stage before, as if it had been reached only now."""
        [best] = [best for best in self.bests if best.stage == stage - 1]
        steps = best.checkpoints.steps()
        if not steps:
            raise InputError(
                f"stage {self.stages[stage].name} begins from the best state of the stage before, "
                "which is not in "
                f"{best.checkpoints.folder}; put the folder back or train anew in another --workdir"
            )
        like = run.state_like(self.method, self.sizes, run.example(self.config), stage - 1)
        state = best.checkpoints.restore(steps[-1], like)
        _say(f"{best.name} was best at step {steps[-1]}: {best.figure:.4g}")
        return state._replace(step=np.full_like(state.step, step))


def refresher(made: Method):
    """Brings BatchNorm statistics up to date before an evaluation, where a method and its config
    ask for it.

    Returns:
      `(config, state) -> state`, the given state untouched.
    """
    if made.refresh is None:
        return lambda config, state: state

    def step(state, batch, key):
        return made.refresh(state, batch, key), {}

    compiled = parallel.train_step(step)

    def refresh(config, state):
        count = config.evaluation.get("refresh_batches", 0)
        if not count:
            return state
        state = jax.tree.map(
            lambda leaf: leaf.copy(), state
        )  # the compiled step reuses its buffers
        key = jax.random.fold_in(jax.random.key(config.seed), 4)
        hosts = dict(process_index=jax.process_index(), process_count=jax.process_count())
        with pipeline.make(
            run.data_section(config),
            split="train",
            batch_size=config.batch_size,
            seed=config.seed,
            put=parallel.shard,
            **hosts,
        ) as loader:
            for index in range(count):
                state, _ = compiled(state, next(loader), jax.random.fold_in(key, index))
        return state

    return refresh


def held_out(made: Method):
    """Compiles the evaluation of a method on the held-out split.

    Returns:
      `(config, state) -> (figures, batch, outputs)`: the mean of each of `Method.measure` over the
      held-out examples, and the first batch with what `Method.predict` made of it, as numpy, for
      the panel.
    """

    def both(state, batch, key):
        outputs = made.predict(state, batch, key)
        return outputs, made.measure(batch, outputs)

    compiled = parallel.over_devices(both)

    def evaluate(config, state):
        totals, first = {}, None
        # The same key and pictures at every evaluation, so that two evaluations differ by the state
        # alone.
        key = jax.random.fold_in(jax.random.key(config.seed), 3)
        local = config.batch_size // jax.process_count()
        section = run.data_section(
            config,
            held_out_examples=config.evaluation.batches * config.batch_size,
            crop=config.evaluation.crop or config.data.crop,
        )
        with pipeline.make(
            section,
            split="held_out",
            batch_size=config.batch_size,
            seed=config.seed,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        ) as loader:
            for index, batch in enumerate(loader):
                place = index * config.batch_size + jax.process_index() * local + np.arange(local)
                real = place < loader.examples
                outputs, values = compiled(
                    state, parallel.shard(batch), jax.random.fold_in(key, index)
                )
                for name, value in parallel.gather(values).items():
                    totals[name] = totals.get(name, 0.0) + np.asarray(
                        [value[real].sum(), real.sum()], np.float64
                    )
                if first is None:
                    first = (batch, parallel.gather(outputs))
        if jax.process_count() > 1:
            totals = {
                name: np.sum(value, axis=0)
                for name, value in multihost_utils.process_allgather(totals).items()
            }
        return {name: float(total / count) for name, (total, count) in totals.items()}, *first

    return evaluate


def _say(line: str) -> None:
    """One line for the person at the terminal, above the progress bar."""
    if parallel.is_writer():
        tqdm.tqdm.write(line, file=sys.stderr)
