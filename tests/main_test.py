"""`main.py` as a person starts it: it trains, says where the pictures are, and answers mistakes in
one line.
"""

import ast
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def command(*arguments):
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


def environment():
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}


def main(*arguments, cwd=ROOT):
    return subprocess.run(
        command(*arguments), env=environment(), cwd=cwd, capture_output=True, text=True, timeout=600
    )


def test_the_tiny_preset_trains_stops_on_sigterm_and_goes_on(tmp_path):
    workdir = tmp_path / "run"
    arguments = (
        "--config=configs/atique.py:tiny",
        f"--workdir={workdir}",
        "--config.method.optimizer=sgd:learning_rate=1e-4,momentum=0.5",
        "--config.steps=120",
        "--config.evaluation.every=120",
        "--config.checkpoint.every=120",
    )
    process = subprocess.Popen(
        command(*arguments),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 300
    metrics = workdir / "metrics.jsonl"
    while time.monotonic() < deadline and not (
        metrics.exists() and metrics.read_text().count('"kind": "train"') >= 3
    ):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "the same command goes on from there" in output
    [checkpoint] = (workdir / "checkpoints").iterdir()
    assert 3 <= int(checkpoint.name) < 120
    again = main(*arguments)
    assert again.returncode == 0, again.stderr
    assert f"going on from step {checkpoint.name} of 120" in again.stderr
    assert "finished 120 steps" in again.stdout and str(workdir / "panel.png") in again.stdout
    steps = [line for line in metrics.read_text().splitlines() if '"kind": "train"' in line]
    assert len(steps) == 120
    kept = json.loads((workdir / "config.json").read_text())
    assert kept["method"]["optimizer"] == dict(name="sgd", learning_rate=1e-4, momentum=0.5)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--config=configs/none.py"], "No such file"),
        (["--config=configs/isgan.py:nonsense"], "preset 'nonsense' is unknown"),
        (["--config=configs/asymmetric.py:small_hill"], "did you mean small_"),
        (["--config=configs/asymmetric.py::hill_"], "preset ':hill_' is unknown"),
        (["--config=configs/none.py:help"], "No such file"),
        (
            ["--config=configs/xunet.py:tiny", "--config.method.optimizer=adam:momentum=1"],
            "optimizer 'adam' takes no 'momentum'",
        ),
        (
            ["--config=configs/xunet.py:tiny", "--config.method.optimizer=adam:fast"],
            "not of the form",
        ),
        (["--config=configs/xunet.py:tiny", "--config.method.optimizer={'name':"], "is not a dict"),
        (["--config=configs/xunet.py:tiny", "--config.method.optimizer.b1=1"], "is replaced whole"),
        (
            [
                "--config=configs/xunet.py:tiny",
                "--config.method.optimizer.name=adam",
                "--config.method.optimizer.momentum=0.5",
            ],
            "method.optimizer: optimizer 'adam' takes no 'momentum'",
        ),
        (["--config=configs/isgan.py:tiny", "--config.method.gama=1"], "no field gama"),
        (
            ["--config=configs/isgan.py:tiny", "--config.batch_size=many"],
            "--config.batch_size=many",
        ),
        (["--config=configs/isgan.py:tiny", "--config.data.source=folder:/nowhere"], "/nowhere"),
        (["--config=configs/isgan.py:tiny", "--config.data.crop=4000"], "4000"),
        (["--config=configs/isgan.py:tiny", "--config.steps=0"], "nothing to train"),
        (
            ["--config=configs/isgan.py:tiny", "--mode=evaluate", "--workdir=/tmp/no-such-run"],
            "is not the work directory of a run",
        ),
    ],
)
def test_a_mistake_is_answered_in_one_line(tmp_path, arguments, message):
    if not any("workdir" in argument for argument in arguments):
        arguments = [*arguments, f"--workdir={tmp_path / 'run'}"]
    done = main(*arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_modes_are_the_reports_that_train():
    from stegojax import evaluate

    source = (ROOT / "main.py").read_text()
    [line] = [line for line in source.splitlines() if line.startswith("TRAINING_REPORTS")]
    names = {name for name, report in evaluate.REPORTS.items() if report.trains}
    assert set(ast.literal_eval(line.partition(" = ")[2])) == names


def test_an_optimizer_may_be_named_anew(tmp_path):
    done = main(
        "--config=configs/xunet.py:tiny",
        "--config.method.optimizer.name=adam",
        "--config.data.crop=4000",
        f"--workdir={tmp_path / 'run'}",
    )
    left_out, refused = done.stderr.strip().splitlines()
    assert left_out.startswith("method.optimizer: adam takes no momentum")
    assert "4000" in refused and done.returncode == 1


def test_help_lists_the_presets_of_a_config_wherever_it_lies(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text((ROOT / "configs" / "xunet.py").read_text())
    done = main(f"--config={mine}:help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    listed = [line.split(None, 1)[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert listed[:3] == ["(none)", "tiny", "laptop"] and "Xu-Net" in done.stdout


def test_the_default_work_directory_is_named_after_config_and_preset():
    spec = importlib.util.spec_from_file_location("stegojax_main", ROOT / "main.py")
    code = (
        "import importlib.util, sys; spec = importlib.util.spec_from_file_location('m', "
        "sys.argv[1]); "
        "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m); "
        "print(m.default_workdir(['--config=configs/isgan.py:tiny']), "
        "m.default_workdir(['--config', 'a/b.py']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, spec.origin], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.split() == ["runs/isgan-tiny", "runs/b"], done.stderr


@pytest.mark.parametrize(
    "value",
    [
        *("seed=-1", "log_every=0", "log_every=-1", "batch_size=0", "steps=-1", "epochs=nan"),
        *("checkpoint.every=0", "checkpoint.every=-1", "checkpoint.keep=0", "loader.threads=0"),
        *("evaluation.every=0", "evaluation.every=-1", "evaluation.batches=0", "data.crop=-5"),
        *("method.width=nan", "method.width=0", "method.dtype=float99", "method.gamma=-inf"),
    ],
)
def test_a_wrong_value_is_answered_before_jax_is_there(tmp_path, value):
    field, _, given = value.partition("=")
    probe = "import sys, runpy; sys.argv = sys.argv[1:]\ntry: runpy.run_path(sys.argv[0], "
    probe += "run_name='__main__')\nfinally: print('jax' in sys.modules)"
    workdir = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", probe, str(ROOT / "main.py")]
        + ["--config=configs/isgan.py:tiny", f"--config.{value}", f"--workdir={workdir}"],
        env={**environment(), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout == "False\n", done
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {field}=") and "must be" in line and not workdir.exists()
