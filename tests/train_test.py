"""The loop: exact continuation, stages, divergence, signals, the best state, refreshed statistics,
devices and hosts.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support import toy

from stegojax import journal, parallel, run, train
from stegojax.checkpoint import Checkpoints
from stegojax.data import pipeline
from stegojax.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parent.parent


def last_state(workdir, made, stage=0, step=None):
    checkpoints = Checkpoints(pathlib.Path(workdir) / "checkpoints")
    step = checkpoints.steps()[-1] if step is None else step
    example = run.example(toy.config())
    return checkpoints.restore(step, run.state_like(made, example, stage))


def assert_same(left, right):
    for (path, a), b in zip(
        jax.tree.flatten_with_path(left)[0], jax.tree.leaves(right), strict=True
    ):
        np.testing.assert_array_equal(a, b, err_msg=jax.tree_util.keystr(path))


def test_a_run_writes_everything_and_learns(tmp_path):
    outcome = train.train(toy.config(steps=12), tmp_path, made=toy.make())
    assert outcome.finished and outcome.step == 12
    records = journal.read(tmp_path)
    trained = [record for record in records if record["kind"] == "train"]
    assert [record["step"] for record in trained] == list(range(1, 13))
    assert trained[-1]["loss"] < trained[0]["loss"]
    assert [record["step"] for record in records if record["kind"] == "held_out"] == [
        0,
        3,
        6,
        9,
        12,
    ]
    for name in (
        "config.json",
        "versions.json",
        "metrics.jsonl",
        "curves.png",
        "panel.png",
        "panels/0000012.png",
    ):
        assert (tmp_path / name).stat().st_size > 0, name
    assert list((tmp_path / "tensorboard").iterdir())
    assert Checkpoints(tmp_path / "checkpoints").steps() == [10, 12]
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock",
        "checkpoints",
        "config.json",
        "curves.png",
        "metrics.jsonl",
        "panel.png",
        "panels",
        "tensorboard",
        "versions.json",
    }


def test_a_complete_run_is_not_trained_again(tmp_path):
    train.train(toy.config(), tmp_path, made=toy.make())
    before = (tmp_path / "metrics.jsonl").read_bytes()
    outcome = train.train(toy.config(), tmp_path, made=toy.make())
    assert (
        outcome.finished
        and outcome.step == 6
        and (tmp_path / "metrics.jsonl").read_bytes() == before
    )


@pytest.mark.parametrize("stages", [(), (3, 3)])
def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path, monkeypatch, stages):
    made, config = toy.make(stages=stages), toy.config(steps=0 if stages else 6)
    last_stage = 1 if stages else 0
    train.train(config, tmp_path / "straight", made=made)
    stops = iter([False] * 4 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", lambda self, step: next(stops))
        outcome = train.train(config, tmp_path / "broken", made=made)
    assert not outcome.finished and outcome.step == 4
    assert train.train(config, tmp_path / "broken", made=made).finished
    straight = last_state(tmp_path / "straight", made, stage=last_stage)
    assert_same(straight, last_state(tmp_path / "broken", made, stage=last_stage))
    assert int(straight.step) == 6
    assert journal.read(tmp_path / "straight") == journal.read(tmp_path / "broken")


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(tmp_path, capfd):
    made, config = toy.make(), toy.config(steps=6)
    train.train(config, tmp_path / "straight", made=made)
    shutil.copytree(tmp_path / "straight", tmp_path / "broken")
    [data] = (tmp_path / "broken" / "checkpoints" / "6" / "state" / "d").iterdir()
    data.write_bytes(data.read_bytes()[::-1])
    capfd.readouterr()
    assert train.train(config, tmp_path / "broken", made=made).finished
    said = capfd.readouterr().err
    assert "checkpoints/6 cannot be read" in said and "Traceback" not in said
    assert "it is now 6.damaged, and the one before is taken" in said
    assert "going on from step 4 of 6" in said
    assert_same(last_state(tmp_path / "straight", made), last_state(tmp_path / "broken", made))
    assert journal.read(tmp_path / "straight") == journal.read(tmp_path / "broken")
    for step in ("4", "6"):
        (tmp_path / "broken" / "checkpoints" / step / "digests.json").write_text("[]")
    with pytest.raises(InputError, match="checkpoints/4 cannot be read"):
        train.train(config, tmp_path / "broken", made=made)


@pytest.mark.parametrize(
    "lines, damaged",
    [
        (b"\xff\xfe\x00\n", 1),
        (b"[1, 2]\nnull\n7\n", 3),
        (b'{"step": "three", "stage": "train", "kind": "train", "loss": 1.0}\n', 1),
        (b'{"stage": "train", "kind": "train", "loss": 1.0}\n', 1),
        (b'{"step": 2, "stage": "train", "kind": "train", "loss": "low"}\n', 1),
        (b'{"step": 2, "stage": "train", "kind": "held_out"}\n', 0),
        (b"[" * 100_000 + b"\n", 1),
        (b'{"step": 2, "sta', 0),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_run_goes_on_over_a_damaged_journal(tmp_path, lines, damaged):
    """A last line without its end is what a killed process leaves, and no damage."""
    with open(tmp_path / journal.NAME, "wb") as file:
        good = {"step": 1, "stage": "train", "kind": "train", "loss": 2.0}
        file.write(json.dumps(good).encode() + b"\n" + lines)
    opened = journal.Journal(tmp_path, step=3)
    assert opened.damaged == damaged
    opened.write(4, stage="train", kind="train", values={"loss": 1.0})
    opened.close()
    records = journal.read(tmp_path)
    assert records[0] == good and records[-1]["step"] == 4
    assert journal.Journal(tmp_path, step=9).damaged == 0


def test_what_is_dropped_of_a_journal_is_said(tmp_path, capfd):
    config = toy.config(steps=3, checkpoint__best="error")
    train.train(config, tmp_path, made=toy.make())
    with open(tmp_path / journal.NAME, "ab") as file:
        file.write(b"\xff\n")
        file.write(b'{"step": 3, "stage": "train", "kind": "held_out"}\n')
    shutil.rmtree(tmp_path / "checkpoints" / "3")
    capfd.readouterr()
    assert train.train(config, tmp_path, made=toy.make()).finished
    assert "metrics.jsonl: 1 damaged lines are dropped" in capfd.readouterr().err


def test_a_run_that_is_made_longer_equals_one_that_was_that_long(tmp_path, capfd):
    made = toy.make()
    train.train(toy.config(steps=9), tmp_path / "straight", made=made)
    train.train(toy.config(steps=6), tmp_path / "grown", made=made)
    assert train.train(toy.config(steps=9), tmp_path / "grown", made=made).step == 9
    assert "is made longer: steps from 6 to 9" in capfd.readouterr().err
    assert_same(last_state(tmp_path / "straight", made), last_state(tmp_path / "grown", made))
    assert journal.read(tmp_path / "straight") == journal.read(tmp_path / "grown")
    with pytest.raises(InputError, match="steps is 9 there and 6 is asked for"):
        train.train(toy.config(steps=6), tmp_path / "grown", made=made)
    with pytest.raises(InputError, match=r"seed is 3 there and 4"):
        train.train(toy.config(steps=12, seed=4), tmp_path / "grown", made=made)
    train.train(toy.config(steps=10), tmp_path / "grown", made=made)
    train.train(toy.config(steps=12), tmp_path / "grown", made=made)
    assert "but for its record: step 10 was evaluated" in capfd.readouterr().err


def test_stages_follow_each_other_and_hand_over(tmp_path):
    """They say how long the run is."""
    made = toy.make(stages=(2, 4))
    assert train.train(toy.config(steps=0), tmp_path, made=made).step == 6
    state = last_state(tmp_path, made, stage=1)
    names = [record["stage"] for record in journal.read(tmp_path) if record["kind"] == "train"]
    assert names == ["joint"] * 2 + ["second"] * 4
    # The copy is what the first stage ended with; the second went on with the original.
    assert set(state.params) == {"gain", "copy"}
    assert not np.array_equal(state.params["gain"]["gain"], state.params["copy"]["gain"])
    one = toy.make()
    train.train(toy.config(steps=2), tmp_path / "first", made=one)
    first = last_state(tmp_path / "first", one)
    assert_same(first.params["gain"], state.params["copy"])


def test_divergence_names_step_and_metric_and_keeps_the_last_good_checkpoint(tmp_path):
    made = toy.make(bad_step=5)
    with pytest.raises(
        train.Diverged, match=r"step 5: loss is nan; the last good checkpoint is step 4"
    ):
        train.train(toy.config(), tmp_path, made=made)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [2, 4]
    assert parallel.all_finite(last_state(tmp_path, made).params)


def test_a_checkpoint_due_at_the_bad_step_is_not_written(tmp_path):
    with pytest.raises(train.Diverged, match="step 4: loss is nan"):
        train.train(toy.config(), tmp_path, made=toy.make(bad_step=4))
    assert Checkpoints(tmp_path / "checkpoints").steps() == [2]


def test_poisoned_parameters_are_not_written(tmp_path):
    made = toy.make()

    def poison(state, batch, key):
        state, values = made.train_step(state, batch, key)
        return state._replace(params=jax.tree.map(lambda leaf: leaf * np.inf, state.params)), {
            "loss": values["loss"]
        }

    with pytest.raises(train.Diverged, match="not finite"):
        train.train(
            toy.config(steps=2, evaluation__every=5, checkpoint__every=1),
            tmp_path,
            made=made._replace(
                train_step=poison, measure=lambda batch, outputs: {"one": np.ones(1, np.float32)}
            ),
        )
    assert Checkpoints(tmp_path / "checkpoints").steps() == []


def test_sigterm_saves_and_ends_in_order(tmp_path):
    made = toy.make()

    class Killer:
        def __init__(self):
            self.left = 3

        def __call__(self, *arguments, **options):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(*arguments, **options)

    real, before = train._Loop._flush, signal.getsignal(signal.SIGTERM)
    killer = Killer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train._Loop, "_flush", lambda self: killer(self))
        outcome = train.train(
            toy.config(steps=50, checkpoint__every=40, evaluation__every=40), tmp_path, made=made
        )
    assert outcome.signal == signal.SIGTERM and not outcome.finished and 0 < outcome.step < 40
    assert Checkpoints(tmp_path / "checkpoints").steps() == [outcome.step]
    assert signal.getsignal(signal.SIGTERM) == before
    assert [r["step"] for r in journal.read(tmp_path) if r["kind"] == "train"] == list(
        range(1, outcome.step + 1)
    )


def test_another_config_is_refused_with_its_differences(tmp_path):
    train.train(toy.config(), tmp_path, made=toy.make())
    with pytest.raises(InputError, match=r"data\.crop is 16 there and 24 is asked for"):
        train.train(toy.config(data__crop=24), tmp_path, made=toy.make())
    train.train(toy.config(loader__threads=2), tmp_path, made=toy.make())


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with run.only_one(tmp_path), pytest.raises(InputError, match="another process is training"):
        train.train(toy.config(), tmp_path, made=toy.make())
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_batch_that_the_devices_cannot_share_is_refused(tmp_path):
    with pytest.raises(InputError, match="batch_size=6 cannot be divided among 4 devices"):
        train.train(toy.config(batch_size=6), tmp_path, made=toy.make())


def test_nothing_is_traced_after_the_first_step(tmp_path):
    traces = []
    train.train(toy.config(steps=9), tmp_path, made=toy.make(traces=traces))
    assert len(traces) == 1


def test_metrics_are_read_one_step_late(tmp_path):
    """When a step is dispatched, the metrics of the one before have not been asked for yet."""
    made, seen = toy.make(), []
    real_flush, real_compiled = train._Loop._flush, train._Loop._compiled

    def flush(self):
        if self.pending:
            seen.append(("read", self.pending[0]))
        real_flush(self)

    def compiled(self, stage):
        step = real_compiled(self, stage)

        def dispatch(state, batch):
            seen.append(("dispatch", len([s for s in seen if s[0] == "dispatch"]) + 1))
            return step(state, batch)

        return dispatch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train._Loop, "_flush", flush)
        patch.setattr(train._Loop, "_compiled", compiled)
        train.train(
            toy.config(steps=5, evaluation__every=9, checkpoint__every=9), tmp_path, made=made
        )
    assert seen.index(("dispatch", 3)) < seen.index(("read", 2)) < seen.index(("dispatch", 4))


KILLED = """
import os, signal, sys
sys.path[:0] = [{tests!r}, {root!r}]
import jax
from support import toy
from stegojax import train
from stegojax.data import pipeline
kill_at, workdir = int(sys.argv[1]), sys.argv[2]
real = pipeline.Loader.__next__
def counted(self):
    if self.batches == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self)
pipeline.Loader.__next__ = counted
train.train(toy.config(steps=10, checkpoint__every=4), workdir, made=toy.make())
"""


def spawn(code, *arguments, devices, **environment):
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        **environment,
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            code.format(tests=str(ROOT / "tests"), root=str(ROOT)),
            *map(str, arguments),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, *, code=0):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def test_after_kill_9_a_run_goes_on_to_the_very_same_numbers(tmp_path):
    made, never = toy.make(), 11
    straight = spawn(KILLED, never, tmp_path / "straight", devices=4)
    finish(spawn(KILLED, 7, tmp_path / "killed", devices=4), code=-signal.SIGKILL)
    assert Checkpoints(tmp_path / "killed" / "checkpoints").steps() == [4]
    going_on = finish(spawn(KILLED, never, tmp_path / "killed", devices=4))
    assert "going on from step 4 of 10" in going_on
    finish(straight)
    assert_same(last_state(tmp_path / "straight", made), last_state(tmp_path / "killed", made))
    assert journal.read(tmp_path / "straight") == journal.read(tmp_path / "killed")


HOSTS = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from stegojax import parallel, train
count, number, port, workdir = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
if count > 1:
    parallel.start(coordinator="127.0.0.1:" + port, process_count=count, process_id=number)
from support import toy
train.train(toy.config(), workdir, made=toy.make())
"""


def assert_near(one, other, made):
    """Two runs have the same numbers but for the order in which devices add them up."""
    states = [jax.tree.leaves(last_state(folder, made)) for folder in (one, other)]
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6)
    for left, right in zip(journal.read(one), journal.read(other), strict=True):
        assert left.keys() == right.keys() and left["step"] == right["step"]
        for field in set(left) - {"stage", "kind"}:
            assert right[field] == pytest.approx(left[field], rel=1e-4), field


def test_two_processes_of_two_devices_equal_one_of_four(tmp_path):
    port, made = 20000 + os.getpid() % 20000, toy.make()
    both = [spawn(HOSTS, 2, number, port, tmp_path / "hosts", devices=2) for number in (0, 1)]
    train.train(toy.config(), tmp_path / "four", made=made)
    for process in both:
        finish(process)
    assert_near(tmp_path / "four", tmp_path / "hosts", made)


@pytest.mark.slow
def test_one_device_equals_four(tmp_path):
    """Slow, as a process of its own: the methods' tests compare single steps."""
    made = toy.make()
    process = spawn(HOSTS, 1, 0, 0, tmp_path / "one", devices=1)
    train.train(toy.config(), tmp_path / "four", made=made)
    finish(process)
    assert_near(tmp_path / "one", tmp_path / "four", made)


@pytest.mark.slow
def test_two_hosts_stop_at_one_step_when_one_is_told_to(tmp_path):
    port = 20000 + (os.getpid() + 7) % 20000
    code = HOSTS.replace(
        "train.train(toy.config()",
        "train.train(toy.config(steps=100000, checkpoint__every=90000, "
        "evaluation__every=90000, log_every=20)",
    )
    both = [spawn(code, 2, number, port, tmp_path, devices=2) for number in (0, 1)]
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not any(
        record["kind"] == "train" for record in journal.read(tmp_path)
    ):
        time.sleep(0.2)
    both[1].send_signal(signal.SIGTERM)
    outputs = [finish(process) for process in both]
    assert "stopped at step" in outputs[0]
    [step] = Checkpoints(tmp_path / "checkpoints").steps()
    assert 0 < step < 90000 and f"stopped at step {step} of" in outputs[0]


def test_figures_are_averages_over_real_examples(tmp_path):
    """The held-out figure equals the mean over the batches, computed outside the loop."""
    made, config = toy.make(), toy.config()
    state = jax.jit(made.init)(jax.random.key(0), run.example(config))
    values, first, _ = train.held_out(made)(config, parallel.replicate(state))
    errors = []
    section = run.data_section(config, held_out_examples=8)
    with pipeline.make(section, split="held_out", batch_size=8, seed=config.seed) as loader:
        for batch in loader:
            outputs = made.predict(state, batch, jax.random.key(0))
            errors += list(np.asarray(made.measure(batch, outputs)["error"]))
            np.testing.assert_array_equal(batch["cover"][:4], first["cover"])
    assert len(errors) == 8
    assert values["error"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_timed_steps_are_those_of_the_first_stage_and_leave_nothing_behind():
    traces, made = [], toy.make(stages=(2, 4))
    first, second = made.stages

    def step(state, batch, key):
        traces.append(batch["cover"].shape)
        return first.train_step(state, batch, key)

    made = made._replace(stages=(first._replace(train_step=step), second))
    timing = train.timed(toy.config(steps=0), made, steps=2, operations=True)
    assert len(timing.steps) == 2 and 0 <= timing.waited <= 1
    assert timing.first > max(timing.steps) > 0  # the first one compiles
    assert timing.operations > 1000 and set(traces) == {(1, 16, 16, 3)}


def test_a_training_that_other_work_needs_is_finished_or_refused(tmp_path, monkeypatch):
    made, stops = toy.make(), iter([False] * 3 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", lambda self, step: next(stops))
        with pytest.raises(InputError, match="was interrupted; the same command goes on"):
            train.to_the_end(toy.config(), tmp_path, made=made)
    loaded = train.to_the_end(toy.config(), tmp_path, made=made)
    assert loaded.step == int(loaded.state.step) == 6 and loaded.method is made


def test_json_lines_are_whole_after_a_torn_write(tmp_path):
    (tmp_path / journal.NAME).write_text(
        json.dumps({"step": 1, "stage": "a", "kind": "train", "loss": 2.0}) + '\n{"step": 2, "st'
    )
    assert [record["step"] for record in journal.read(tmp_path)] == [1]


def best_config(**changes):
    """A run whose figure rises and falls, evaluated more often than saved."""
    return toy.config(
        **{
            **dict(steps=10, evaluation__every=1, checkpoint__every=4, checkpoint__best="figure"),
            **changes,
        }
    )


def uneven(figures, **options):
    """The toy with a figure that follows a list by step, as the state knows it."""
    made = toy.make(**options)

    def predict(state, batch, key):
        return {"step": jax.numpy.broadcast_to(state.step, batch["cover"].shape[:1])}

    def measure(batch, outputs):
        return {"figure": jax.numpy.asarray(figures, jax.numpy.float32)[outputs["step"]]}

    return made._replace(predict=predict, measure=measure)


RISES_AND_FALLS = [9.0, 0.1, 0.7, 0.2, 0.6, 0.3, 0.8, 0.8, 0.5, 0.4, 0.1]


def best_of(workdir, made, stage=0):
    checkpoints = Checkpoints(pathlib.Path(workdir) / run.BEST_NAME)
    [step] = checkpoints.steps()
    return step, checkpoints.restore(step, run.state_like(made, run.example(toy.config()), stage))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The folder of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("straight")
    train.train(best_config(), folder, made=uneven(RISES_AND_FALLS))
    return folder


def test_the_best_state_is_kept_apart(tmp_path):
    """The first of the highest figures after step 0; its state is the one that the run had then."""
    made = uneven(RISES_AND_FALLS)
    train.train(best_config(checkpoint__every=1, checkpoint__keep=20), tmp_path, made=made)
    step, state = best_of(tmp_path, made)
    assert step == 6 and int(state.step) == 6
    assert_same(state, last_state(tmp_path, made, step=6))


def test_without_a_figure_no_best_state_is_kept(tmp_path):
    train.train(toy.config(), tmp_path, made=toy.make())
    assert not (tmp_path / run.BEST_NAME).exists()


@pytest.mark.parametrize("stop", [5, 6])
def test_a_stopped_run_keeps_the_same_best_state(tmp_path, straight, monkeypatch, stop):
    made = uneven(RISES_AND_FALLS)
    stops = iter([False] * stop + [True])
    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", lambda self, step: next(stops))
        assert not train.train(best_config(), tmp_path / "broken", made=made).finished
    assert train.train(best_config(), tmp_path / "broken", made=made).finished
    (step, best), (other, broken) = (
        best_of(folder, made) for folder in (straight, tmp_path / "broken")
    )
    assert step == other == 6
    assert_same(best, broken)


class Killed(BaseException):
    """Ends a run where it stands, with nothing written, as `kill -9` does."""


@pytest.mark.parametrize("kill_at", [7, 8])
def test_a_killed_run_comes_to_the_same_best_state_again(tmp_path, straight, monkeypatch, kill_at):
    """The best state, of step 6, was written after the last checkpoint, of step 4, from which the
    run goes on.
    """
    made = uneven(RISES_AND_FALLS)

    def killed(self, step):
        if step == kill_at:
            raise Killed
        return False

    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", killed)
        patch.setattr(
            train._Loop,
            "_save",
            lambda self, state, step, *rest: step == 4 and real(self, state, step, *rest),
        )
        with pytest.raises(Killed):
            train.train(best_config(), tmp_path / "killed", made=made)
    assert Checkpoints(tmp_path / "killed" / "checkpoints").steps() == [4]
    assert best_of(tmp_path / "killed", made)[0] == 6
    assert train.train(best_config(), tmp_path / "killed", made=made).finished
    (step, best), (other, again) = (
        best_of(folder, made) for folder in (straight, tmp_path / "killed")
    )
    assert step == other == 6
    assert_same(best, again)
    assert journal.read(straight) == journal.read(tmp_path / "killed")


real = train._Loop._save


def test_only_the_last_stage_has_a_best_state(tmp_path):
    made = uneven(RISES_AND_FALLS, stages=(6, 4))
    train.train(best_config(steps=0), tmp_path, made=made)
    step, state = best_of(tmp_path, made, stage=1)
    assert step == 7 and set(state.params) == {"gain", "copy"}


def test_a_figure_that_does_not_exist_is_named_before_the_first_step(tmp_path):
    with pytest.raises(
        InputError, match=r"checkpoint\.best='acuracy' is not a held-out figure; there are error$"
    ):
        train.train(toy.config(checkpoint__best="acuracy"), tmp_path, made=toy.make())
    assert not [record for record in journal.read(tmp_path) if record["kind"] == "train"]


def refreshing(made, calls=None):
    """The toy with statistics brought up to date by its own training step."""

    def refresh(state, batch, key):
        if calls is not None:
            jax.debug.callback(lambda: calls.append(1))
        return state._replace(batch_stats=made.train_step(state, batch, key)[0].batch_stats)

    return made._replace(refresh=refresh)


def test_refreshing_before_an_evaluation_leaves_training_as_it_was(tmp_path):
    made = refreshing(toy.make())
    train.train(toy.config(), tmp_path / "plain", made=made)
    train.train(toy.config(evaluation__refresh_batches=3), tmp_path / "refreshed", made=made)
    assert_same(last_state(tmp_path / "plain", made), last_state(tmp_path / "refreshed", made))
    plain, refreshed = (
        [
            [record for record in journal.read(tmp_path / name) if record["kind"] == kind]
            for kind in ("train", "held_out")
        ]
        for name in ("plain", "refreshed")
    )
    assert plain[0] == refreshed[0]
    assert all(a["error"] != b["error"] for a, b in zip(plain[1], refreshed[1], strict=True))


def test_refreshing_uses_training_batches_and_changes_what_the_method_says(tmp_path):
    """Equal to as many calls by hand; the state that was given can still be used."""
    made, config = refreshing(toy.make()), toy.config(evaluation__refresh_batches=3)
    state = jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), run.example(config)))
    given = parallel.replicate(state)
    refreshed = train.refresher(made)(config, given)
    assert_same(state, given)
    expected = state
    step = jax.pmap(made.refresh, axis_name=parallel.AXIS, in_axes=(None, 0, None), out_axes=None)
    with pipeline.make(
        run.data_section(config), split="train", batch_size=config.batch_size, seed=config.seed
    ) as loader:
        for _ in range(3):
            expected = step(
                jax.tree.map(np.asarray, expected), parallel.shard(next(loader)), jax.random.key(0)
            )
    assert_same(jax.tree.map(np.asarray, expected), refreshed)
    assert any(
        (a != b).any()
        for a, b in zip(
            jax.tree.leaves(state.batch_stats), jax.tree.leaves(refreshed.batch_stats), strict=True
        )
    )


@pytest.mark.parametrize("count", [0, 2])
def test_as_many_batches_as_asked_for_are_used(count):
    calls = []
    made, config = refreshing(toy.make(), calls), toy.config(evaluation__refresh_batches=count)
    state = parallel.replicate(
        jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), run.example(config)))
    )
    after = train.refresher(made)(config, state)
    jax.block_until_ready(after)
    jax.effects_barrier()
    assert len(calls) == count * jax.device_count()


def test_the_best_state_has_the_refreshed_statistics(tmp_path):
    made = refreshing(uneven([0.0, 1.0, *[0.5] * 9]))
    train.train(
        best_config(steps=2, checkpoint__every=1, evaluation__refresh_batches=2),
        tmp_path,
        made=made,
    )
    step, best = best_of(tmp_path, made)
    trained = last_state(tmp_path, made, step=1)
    assert step == 1
    assert_same((best.params, best.opt_state), (trained.params, trained.opt_state))
    assert any(
        (a != b).any()
        for a, b in zip(
            jax.tree.leaves(best.batch_stats), jax.tree.leaves(trained.batch_stats), strict=True
        )
    )


BEST_EARLY = [9.0, 0.1, 0.7, 0.2, 0.6, 0.3, 0.5, 0.8, 0.5, 0.4, 0.1]


def choosing(figures=BEST_EARLY, choice="figure"):
    """Two stages of six and four steps; the second begins from the best state of the first."""
    made = uneven(figures, stages=(6, 4))
    first, second = made.stages
    return made._replace(stages=(first, second._replace(choice=choice)))


def choosing_config(**changes):
    return best_config(
        **{
            **dict(
                steps=0,
                checkpoint__best="",
                evaluation__every=2,
                checkpoint__every=1,
                checkpoint__keep=20,
            ),
            **changes,
        }
    )


def test_a_stage_begins_from_the_best_state_of_the_one_before(tmp_path):
    """Evaluated at 2, 4 and 6, best at 2; the last state's step is kept, so that the keys of its
    steps go on.
    """
    made = choosing()
    train.train(choosing_config(), tmp_path, made=made)
    best, chosen = (last_state(tmp_path, made, step=2), last_state(tmp_path, made, stage=1, step=7))
    assert Checkpoints(tmp_path / "best_of_joint").steps() == [2]
    assert int(chosen.step) == 7
    # What the second stage does not train tells where it began.
    assert_same(chosen.params["copy"], best.params["gain"])


def test_without_a_choice_a_stage_begins_from_the_last_state(tmp_path):
    made = choosing(choice="")
    train.train(choosing_config(), tmp_path, made=made)
    last, second = (last_state(tmp_path, made, step=6), last_state(tmp_path, made, stage=1, step=7))
    assert not list(tmp_path.glob("best_of_*"))
    assert_same(second.params["copy"], last.params["gain"])


def test_the_end_of_a_stage_that_is_chosen_from_is_evaluated(tmp_path):
    train.train(choosing_config(evaluation__every=100), tmp_path, made=choosing())
    assert [
        record["step"] for record in journal.read(tmp_path) if record["kind"] == "held_out"
    ] == [0, 6, 10]
    assert Checkpoints(tmp_path / "best_of_joint").steps() == [6]


BEST_IN_THE_MIDDLE = [9.0, 0.1, 0.3, 0.2, 0.7, 0.3, 0.7, 0.8, 0.5, 0.4, 0.1]


@pytest.fixture(scope="module")
def chosen_straight(tmp_path_factory):
    """The folder of a run of two stages that nothing interrupts."""
    folder = tmp_path_factory.mktemp("straight")
    train.train(choosing_config(), folder, made=choosing(BEST_IN_THE_MIDDLE))
    return folder


@pytest.mark.parametrize("saved,kill_at", [(1, 4), (3, 6), (6, 6), (6, 8), (8, 9)])
def test_a_killed_run_begins_the_next_stage_from_the_same_state(
    tmp_path, chosen_straight, monkeypatch, saved, kill_at
):
    """Killed within the first stage, after it, or in the second; the last checkpoint lies
    before.
    """
    made = choosing(BEST_IN_THE_MIDDLE)

    def killed(self, step):
        if step == kill_at:
            raise Killed
        return False

    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", killed)
        patch.setattr(
            train._Loop,
            "_save",
            lambda self, state, step, *rest: step <= saved and real(self, state, step, *rest),
        )
        with pytest.raises(Killed):
            train.train(choosing_config(), tmp_path / "killed", made=made)
    assert train.train(choosing_config(), tmp_path / "killed", made=made).finished
    assert Checkpoints(tmp_path / "killed" / "best_of_joint").steps() == [4]
    assert_same(
        last_state(chosen_straight, made, stage=1), last_state(tmp_path / "killed", made, stage=1)
    )
    assert journal.read(chosen_straight) == journal.read(tmp_path / "killed")


def test_a_choice_whose_state_is_gone_is_an_error(tmp_path, monkeypatch):
    made, stops = choosing(), iter([False] * 6 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(parallel.StopSignal, "asked", lambda self, step: next(stops))
        train.train(choosing_config(), tmp_path, made=made)
    shutil.rmtree(tmp_path / "best_of_joint")
    with pytest.raises(InputError, match="is not in .*best_of_joint; put the folder back"):
        train.train(choosing_config(), tmp_path, made=made)


def test_a_choice_that_is_no_figure_is_named_before_the_first_step(tmp_path):
    with pytest.raises(
        InputError,
        match="the choice for stage second='acuracy' is not a held-out figure; there are figure$",
    ):
        train.train(choosing_config(), tmp_path, made=choosing(choice="acuracy"))


def test_one_function_in_two_stages_is_compiled_once(tmp_path):
    traces = []
    made = toy.make(stages=(3, 3), traces=traces)
    first, second = made.stages
    made = made._replace(stages=(first, second._replace(begin=lambda state, key: state)))
    train.train(toy.config(steps=0), tmp_path, made=made)
    # Shapes are worked out before the loop in a trace of their own.
    assert len(traces) <= 2
