"""The one training loop; it knows no paper.

A step is dispatched, then the metrics of the step before it are read, so that the devices never
wait for the host. A metric that is NaN or infinite ends the run before a checkpoint of that state
could be written. SIGTERM and Ctrl-C save and end it in order; after `kill -9` the run goes on from
its last checkpoint to the very same numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
import tqdm
from jax.experimental import multihost_utils

from stegojax import files, images, journal, parallel, plots, progress, run, settings
from stegojax.checkpoint import Checkpoints, Damaged, Position
from stegojax.data import pipeline
from stegojax.errors import InputError
from stegojax.steganalysis.held_out import detection_error
from stegojax.types import Key, Method, Stage, State

# Drawing takes a good part of a second; curves are drawn at the end of every call too.
_SECONDS_BETWEEN_CURVES = 10.0


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

    Returns:
      How it ended.

    Raises:
      InputError: the config or the data cannot be used, or the work directory belongs to another
        config; one that asks for more steps of the same is none.
      Diverged: a metric is NaN or infinite.
    """
    workdir = pathlib.Path(workdir)
    settings.check(config.to_dict())
    config = run.pin(config, workdir)
    parallel.check_batch_size(config.batch_size)
    sizes = run.lengths(config, made)
    if not parallel.is_writer():
        run.check_workdir(config, workdir)
        return _Loop(config, workdir, made or run.method(config, sizes), sizes).go()
    with run.held(config, workdir, sizes) as grown:
        for line in _told_of_growth(config, workdir, grown):
            _say(line)
        return _Loop(config, workdir, made or run.method(config, sizes), sizes).go()


def _told_of_growth(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, grown: list[str]
) -> Iterator[str]:
    """What a person should know of a run that is made longer."""
    if not grown:
        return
    yield (
        f"the run in {workdir} is made longer: {', '.join(grown)}; no schedule depends on it, so "
        "it goes on as if it had been that long from the start"
    )
    evaluated = [one["step"] for one in journal.read(workdir) if one["kind"] == "held_out"]
    if evaluated and evaluated[-1] % config.evaluation.every:
        yield (
            f"but for its record: step {evaluated[-1]} was evaluated because the run ended there, "
            "which the longer one would not have done"
        )


def to_the_end(
    config: ml_collections.ConfigDict, workdir: str | pathlib.Path, *, made: Method | None = None
) -> run.Loaded:
    """Trains as `train` does, or finds it done, for a caller that goes on with what was trained.

    Args:
      config, workdir, made: as for `train`.

    Returns:
      The trained run.

    Raises:
      InputError: as `train`, and where it was interrupted.
    """
    if not train(config, workdir, made=made).finished:
        raise InputError(
            f"the training in {workdir} was interrupted; the same command goes on from there"
        )
    return run.load(pathlib.Path(workdir), made=made)


class Timing(NamedTuple):
    """What training steps cost on this machine.

    first:      seconds of the first step, compiling included.
    steps:      seconds of each of the others.
    waited:     share of their time that was spent waiting for data.
    operations: floating-point operations of a step as XLA counts them; None where it does not, or
                nobody asked.
    """

    first: float
    steps: tuple[float, ...]
    waited: float
    operations: float | None = None


def timed(
    config: ml_collections.ConfigDict,
    made: Method | None = None,
    *,
    steps: int = 3,
    stage: int = 0,
    operations: bool = False,
) -> Timing:
    """Takes some steps of one of a run's stages, and keeps nothing of them.

    Args:
      config: of the run.
      made: the method, in place of the one that the config names.
      steps: how many, after the first.
      stage: number of the stage, which begins with what those before it begin with.
      operations: whether to count operations, which compiles once more.

    Returns:
      Their times.

    Raises:
      InputError: the config or the data cannot be used.
    """
    sizes = run.lengths(config, made)
    made = made or run.method(config, sizes, restored=True)
    key, stages = jax.random.key(config.seed), run.stages(made, sizes)
    compiled = _Step(stages[stage], key)
    state = _fresh(made, stages[0], run.example(config), key)
    for number in range(1, stage + 1):
        state = stages[number].begin(state, _stage_key(key, number))
    state = parallel.replicate(jax.tree.map(np.asarray, state))
    spent, counted = [], None
    with run.loader(config, "train", put=parallel.shard) as loader:
        for number in range(1 + steps):
            if number == 1:
                waited = loader.waited
            begin = time.perf_counter()
            batch = next(loader)
            state, values = compiled(state, batch)
            jax.block_until_ready(values)
            spent.append(time.perf_counter() - begin)
        waited = loader.waited - waited if steps else 0.0
        if operations:
            analysis = compiled.lower(state, batch).compile().cost_analysis()
            analysis = analysis[0] if isinstance(analysis, list) else analysis
            counted = (analysis or {}).get("flops")
    return Timing(spent[0], tuple(spent[1:]), waited / max(sum(spent[1:]), 1e-9), counted)


class Planned(NamedTuple):
    """A training that other work needs.

    title:  what is trained, in words.
    config: of its run; None where it cannot be timed before its data are made.
    folder: its work directory.
    made:   the method, in place of the one that the config names.
    """

    title: str
    config: ml_collections.ConfigDict | None = None
    folder: pathlib.Path = pathlib.Path()
    made: Method | None = None


def seconds_left(planned: Planned) -> float | None:
    """How long a training takes on this machine until it is done, from a few of its steps.

    Args:
      planned: the training.

    Returns:
      Seconds, 0 where it is done; None where it cannot be timed.

    Raises:
      InputError: the config or the data cannot be used.
    """
    if planned.config is None:
        return None
    done = max(Checkpoints(planned.folder / "checkpoints").steps(), default=0)
    left = run.lengths(planned.config, planned.made).steps - done
    if left <= 0:
        return 0.0
    timing = timed(planned.config, planned.made)
    return timing.first + left * float(np.median(timing.steps))


def _stage_key(key: Key, stage: int) -> Key:
    return jax.random.fold_in(jax.random.fold_in(key, 1), stage)


def _fresh(made: Method, first: Stage, example: Mapping[str, Any], key: Key) -> State:
    """The state that a run begins with, as numpy."""
    state = jax.jit(made.init)(jax.random.fold_in(key, 0), example)
    return jax.tree.map(np.asarray, first.begin(state, _stage_key(key, 0)))


class _Step:
    """The train step of a stage; the key of a step is made of the base key and the step, inside."""

    def __init__(self, stage: Stage, key: Key):
        def step(state, batch, key):
            return stage.train_step(state, batch, jax.random.fold_in(key, state.step))

        self._step, self._key = parallel.train_step(step), jax.random.fold_in(key, 2)

    def __call__(self, state: State, batch: Any) -> tuple[State, Any]:
        return self._step(state, batch, self._key)

    def lower(self, state: State, batch: Any) -> Any:
        return self._step.lower(state, batch, self._key)


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


class _Pace:
    """How fast a run goes, without the time for compiling, evaluating and saving.

    speed:     examples per second, of the last second or so.
    compiling: whether the next step is the first of its kind.
    """

    def __init__(self, batch_size: int, loader: pipeline.Loader):
        self.speed, self.compiling = 0.0, True
        self._batch_size, self._loader = batch_size, loader
        self._started = self._waited = None

    def left(self, step: int, total: int) -> str:
        """In words how long the rest takes, by the steps of this kind so far with all that went on
        between them.
        """
        since, first = self._compiled
        if step <= first or step >= total:
            return ""
        each = (time.monotonic() - since) / (step - first)
        return f"{progress.duration(each * (total - step))} left, "

    def stepped(self, step: int, values: Any) -> None:
        """A step was dispatched; one that has compiled is waited for."""
        if self.compiling:
            jax.block_until_ready(values)
            self._compiled, self.compiling = (time.monotonic(), step), False
        if self._started is None:
            jax.block_until_ready(values)
            self._started, self._waited = time.monotonic(), self._loader.waited
            self._since, self._step = self._started, step
        elif time.monotonic() - self._since > 1.0:
            now = time.monotonic()
            self.speed = (step - self._step) * self._batch_size / (now - self._since)
            self._since, self._step = now, step

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile does not count."""
        begin = time.monotonic()
        yield
        pause = time.monotonic() - begin
        self._started += pause
        self._since += pause

    def share_waited(self) -> float:
        """Of the time, waiting for data."""
        spent = time.monotonic() - self._started if self._started else 0.0
        return (self._loader.waited - self._waited) / spent if spent > 0 else 0.0


class _Loop:
    """One call of `train`: the state, what it is fed, and where it is written down."""

    def __init__(self, config, workdir: pathlib.Path, made: Method, sizes: run.Lengths):
        self.config, self.workdir, self.method = config, workdir, made
        self.stages = run.stages(made, sizes)
        self.ends = list(np.cumsum([stage.steps for stage in self.stages]))
        self.total = int(self.ends[-1])
        self.key, self.example = jax.random.key(config.seed), run.example(config)
        milestones = config.checkpoint.milestones
        self.milestone = -(-self.total // milestones) if milestones else 0
        self.checkpoints = Checkpoints(
            workdir / "checkpoints", keep=config.checkpoint.keep, milestone=self.milestone
        )
        self.evaluate, self.refresh = held_out(made), refresher(made)
        self.bests = self._bests()
        self.pending: tuple[int, str, Any] | None = None
        self.figures: dict[str, float] = {}
        self.journal: journal.Journal | None = None
        self.drawn = time.monotonic()

    def go(self) -> Outcome:
        state, position, step = self._begin()
        if step >= self.total:
            _say(f"{self.workdir} is complete: {step} steps are done")
            return Outcome(step, True, 0, {}, 0.0)
        if parallel.is_writer():
            self.journal = journal.Journal(self.workdir, step=step)
            if self.journal.damaged:
                _say(
                    f"{self.journal.path}: {self.journal.damaged} damaged lines are dropped; their "
                    "figures will be missing from the curves"
                )
        for best in self.bests:
            best.figure = self._best_before(best, step)
        self.loader = run.loader(self.config, "train", start=position.batches, put=parallel.shard)
        self.pace = _Pace(self.config.batch_size, self.loader)
        self.bar = tqdm.tqdm(
            total=self.total,
            initial=step,
            unit="step",
            disable=not parallel.is_writer(),
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 10.0,
            # Its own guess of the time left takes compiling for stepping.
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            file=sys.stderr,
        )
        try:
            with parallel.StopSignal() as stop:
                if step == 0:
                    self.bar.set_description_str("compiling the evaluation")
                    self._evaluate(state, step, position.stage)
                return self._steps(state, position.stage, step, stop)
        finally:
            self._close()

    def _begin(self) -> tuple[State, Position, int]:
        """The state to go on from: the newest checkpoint's that is whole, or a fresh one."""
        for line in self.method.describe(self.example):
            _say(line)
        while done := self.checkpoints.steps():
            try:
                position = self.checkpoints.position(done[-1])
                like = run.state_like(self.method, self.example, position.stage)
                state = self.checkpoints.restore(done[-1], like)
            except Damaged as error:
                if len(done) == 1 or jax.process_count() > 1:
                    raise
                aside = self.checkpoints.set_aside(done[-1])
                _say(f"{error.found}; it is now {aside.name}, and the one before is taken")
                continue
            if parallel.is_writer() and done[-1] < self.total:
                _say(f"going on from step {done[-1]} of {self.total} in {self.workdir}")
            return parallel.replicate(state), position, done[-1]
        state = _fresh(self.method, self.stages[0], self.example, self.key)
        return parallel.replicate(state), Position(0, 0), 0

    def _steps(self, state: State, stage: int, step: int, stop: parallel.StopSignal) -> Outcome:
        train_step = self._compiled(stage)
        while step < self.total and not stop.asked(step):
            if step >= self.ends[stage]:
                state, stage = self._next_stage(state, stage, step)
                if self.stages[stage].train_step is not self.stages[stage - 1].train_step:
                    train_step, self.pace.compiling = self._compiled(stage), True
            if self.pace.compiling:
                self.bar.set_description_str("compiling the step")
            state, values = train_step(state, next(self.loader))
            step += 1
            # The metrics of the step before: by now they are there, and this step is under way.
            self._flush()
            self.pending = (step, self.stages[stage].name, values)
            if self.pace.compiling:
                self.bar.set_description_str("", refresh=False)
            self.pace.stepped(step, values)
            self.bar.update(1)
            evaluating, saving = self._due(step, stage)
            if evaluating or saving:
                self._flush()
                with self.pace.paused():
                    if evaluating:
                        self._evaluate(state, step, stage)
                    if saving:
                        self._save(state, step, stage)
        self._flush()
        if step < self.total:
            if step not in self.checkpoints.steps():
                self._save(state, step, stage)
            _say(f"stopped at step {step} of {self.total}; the same command goes on from there")
        return Outcome(
            step, step >= self.total, stop.received, self.figures, self.pace.share_waited()
        )

    def _compiled(self, stage: int) -> Callable[[State, Any], tuple[State, Any]]:
        return _Step(self.stages[stage], self.key)

    def _next_stage(self, state: State, stage: int, step: int) -> tuple[State, int]:
        """What the next stage begins with, and its number."""
        stage += 1
        self._flush()
        if self.stages[stage].choice:
            state = self._chosen(stage, step)
        state = self.stages[stage].begin(state, _stage_key(self.key, stage))
        _say(f"stage {self.stages[stage].name} begins at step {step}")
        return parallel.replicate(jax.tree.map(np.asarray, state)), stage

    def _due(self, step: int, stage: int) -> tuple[bool, bool]:
        """Whether to evaluate and whether to save after a step."""
        last = step == self.total
        chosen_from = step == self.ends[stage] and not last and self.stages[stage + 1].choice
        evaluating = step % self.config.evaluation.every == 0 or last or bool(chosen_from)
        saving = step % self.config.checkpoint.every == 0 or last
        return evaluating, saving or bool(self.milestone and step % self.milestone == 0)

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
            f"{self.pace.left(step + 1, self.total)}loss {values['loss']:.4g}, "
            f"{self.pace.speed:.1f} images/s",
            refresh=False,
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

    def _save(self, state: State, step: int, stage: int) -> None:
        if not parallel.all_finite((state.params, state.batch_stats)):
            self._refuse(step, "a parameter or BatchNorm statistic is not finite")
        self.checkpoints.save(step, state, Position(self.loader.batches, stage))

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
        if not self.journal:
            return
        self.journal.write(step, stage=self.stages[stage].name, kind="held_out", values=values)
        if plots.columns(batch, outputs):
            picture = plots.png(plots.panel(batch, outputs))
            (self.workdir / "panels").mkdir(exist_ok=True)
            files.write_bytes(self.workdir / "panels" / f"{step:07d}.png", picture)
            files.write_bytes(self.workdir / "panel.png", picture)
        if time.monotonic() - self.drawn > _SECONDS_BETWEEN_CURVES:
            self._draw()
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        _say(f"step {step}: held-out {shown}")

    def _draw(self) -> None:
        files.write_bytes(self.workdir / "curves.png", plots.curves(journal.read(self.workdir)))
        self.drawn = time.monotonic()

    def _bests(self) -> list[_Best]:
        """The last stage's best state, where the config asks for it, and those that other stages
        begin from.
        """
        name, last, bests = self.config.checkpoint.get("best", ""), len(self.stages) - 1, []
        # Stages before the last learn another task, and what is best at that is not what the run is
        # for.
        if name:
            kept = Checkpoints(self.workdir / run.BEST_NAME, keep=1)
            bests.append(_Best(kept, name, last, "checkpoint.best"))
        for index, stage in enumerate(self.stages):
            if stage.choice:
                folder = self.workdir / f"best_of_{self.stages[index - 1].name}"
                title = f"the choice for stage {stage.name}"
                kept = Checkpoints(folder, keep=1)
                bests.append(_Best(kept, stage.choice, index - 1, title))
        return bests

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
            and name in record
            and 0 < record["step"] <= step
            and record["stage"] == stage
        ]
        figure = max(figures, default=-math.inf)
        if jax.process_count() > 1:
            # As bits: a figure rounded to float32 could lose to itself.
            bits = np.float64([figure]).view(np.uint32)
            figure = float(multihost_utils.broadcast_one_to_all(bits).view(np.float64)[0])
        return figure

    def _chosen(self, stage: int, step: int) -> State:
        """The best state of the stage before, as if it had been reached only now."""
        [best] = [best for best in self.bests if best.stage == stage - 1]
        steps = best.checkpoints.steps()
        if not steps:
            raise InputError(
                f"stage {self.stages[stage].name} begins from the best state of the stage before, "
                f"which is not in {best.checkpoints.folder}; put the folder back or train anew in "
                "another --workdir"
            )
        like = run.state_like(self.method, self.example, stage - 1)
        state = best.checkpoints.restore(steps[-1], like)
        _say(f"{best.name} was best at step {steps[-1]}: {best.figure:.4g}")
        return state._replace(step=np.full_like(state.step, step))

    def _close(self) -> None:
        self.loader.close()
        self.bar.close()
        for kept in (self.checkpoints, *(best.checkpoints for best in self.bests)):
            kept.close()
        if self.journal:
            self.journal.close()
            self._draw()


def refresher(made: Method) -> Callable[[ml_collections.ConfigDict, State], State]:
    """Brings BatchNorm statistics up to date before an evaluation, where a method and its config
    ask for it.

    Args:
      made: the method.

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
        # The compiled step reuses its buffers.
        state = jax.tree.map(lambda leaf: leaf.copy(), state)
        key = jax.random.fold_in(jax.random.key(config.seed), 4)
        with run.loader(config, "train", put=parallel.shard) as loader:
            for index in range(count):
                state, _ = compiled(state, next(loader), jax.random.fold_in(key, index))
        return state

    return refresh


def held_out(
    made: Method, *, split: str = "held_out"
) -> Callable[[ml_collections.ConfigDict, State], tuple]:
    """Compiles the evaluation of a method on pictures that it is not trained on.

    Args:
      made: the method.
      split: "held_out" or "test", see `run.loader`.

    Returns:
      `(config, state) -> (figures, batch, outputs)`: the mean of each of `Method.measure` over the
      held-out examples, and the first batch with what `Method.predict` made of it, as numpy, for
      the panel. Where `evaluation.steganalysis` names features, their detection error is among the
      figures.
    """

    def both(state, batch, key):
        outputs = made.predict(state, batch, key)
        return outputs, made.measure(batch, outputs)

    compiled = parallel.over_devices(both)

    def evaluate(config, state):
        totals, first, pairs = {}, None, []
        steganalysis = config.evaluation.get("steganalysis", "")
        # The same key and pictures at every evaluation, so that two evaluations differ by the state
        # alone.
        key = jax.random.fold_in(jax.random.key(config.seed), 3)
        local = config.batch_size // jax.process_count()
        changes = dict(
            held_out_examples=config.evaluation.batches * config.batch_size,
            crop=config.evaluation.crop or config.data.crop,
        )
        with run.loader(config, split, **changes) as loader:
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
                if steganalysis:
                    pairs.append((batch["cover"][real], _stegos(outputs, steganalysis)[real]))
        if jax.process_count() > 1:
            totals = {
                name: np.sum(value, axis=0)
                for name, value in multihost_utils.process_allgather(totals).items()
            }
        figures = {name: float(total / count) for name, (total, count) in totals.items()}
        if steganalysis:
            figures[f"{steganalysis}_error"] = _detection_error(pairs, steganalysis)
        return figures, *first

    return evaluate


def _stegos(outputs, steganalysis: str) -> np.ndarray:
    if "stego" not in outputs:
        raise InputError(
            f"evaluation.steganalysis={steganalysis!r} is for methods that make stegos; set it to "
            "'' for this one"
        )
    return parallel.gather(outputs["stego"])


def _detection_error(pairs: list, features: str) -> float:
    """The detection error on the luma of all hosts' held-out pairs."""
    covers, stegos = (np.concatenate(pictures) for pictures in zip(*pairs))
    if jax.process_count() > 1:
        covers, stegos = multihost_utils.process_allgather((covers, stegos), tiled=True)
    return detection_error(_luma(covers), _luma(stegos), features=features)


def _luma(pictures: np.ndarray) -> np.ndarray:
    """Whole numbers `[N, H, W]` of pictures `[N, H, W, 1 or 3]`."""
    planes = pictures if pictures.shape[-1] == 1 else images.rgb_to_ycbcr(pictures)
    return np.clip(np.round(np.asarray(planes[..., 0], np.float32)), 0, 255)


def _say(line: str) -> None:
    """One line for the person at the terminal, above the progress bar."""
    if parallel.is_writer():
        tqdm.tqdm.write(line, file=sys.stderr)
