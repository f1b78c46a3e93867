"""Trains or evaluates what a config describes: `python main.py --config=configs/isgan.py`.

Fields are set as --config.FIELD=VALUE. An optimiser is replaced whole by its name and fields:
--config.method.optimizer=adam:learning_rate=1e-3,b1=0.5. A config's presets are listed by
--config=configs/isgan.py:help.
"""

import ast
import logging
import os
import pathlib
import re
import sys

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from stegojax import edge, settings

FLAGS = flags.FLAGS
QUOTES = "'\""
TRAINING_REPORTS = ["transfer", "security", "covers", "noise", "structures", "users"]
"""Names in `stegojax.evaluate.REPORTS`, which is not imported before flags are understood."""


class SectionParser(flags.ArgumentParser):
    """A whole section of a config: a dict as Python writes it, or what `optimizers.parse` takes."""

    def parse(self, argument):
        """The section of an argument; the preset's, which comes as a section, stays as it is."""
        if not isinstance(argument, str):
            return argument
        from stegojax import optimizers

        if not argument.lstrip().startswith("{"):
            return ConfigDict(optimizers.parse(argument))
        try:
            return ConfigDict(ast.literal_eval(argument))
        except (SyntaxError, TypeError, ValueError):
            raise ValueError(f"{argument} is not a dict as Python writes it") from None


config_flags.register_flag_parser_for_type(ConfigDict, SectionParser())
config_flags.DEFINE_config_file(
    "config",
    None,
    "The experiment, with its preset after a colon: configs/isgan.py, configs/isgan.py:tiny; "
    "configs/isgan.py:help lists the presets.",
    lock_config=True,
)
flags.DEFINE_string(
    "workdir", "", "Where everything is written; by default runs/ and the config's name and preset."
)
flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate", *TRAINING_REPORTS],
    "What to do: train; evaluate what was trained, which only reads; or make one of the reports "
    "that train something first, and say how long that takes.",
)
flags.DEFINE_string("coordinator", "", "Several hosts: HOST:PORT of process 0.")
flags.DEFINE_integer("process_count", 0, "Several hosts: how many processes there are.")
flags.DEFINE_integer("process_id", -1, "Several hosts: the number of this one, from 0.")
flags.DEFINE_bool(
    "pod",
    False,
    "Several hosts on a TPU pod, under Slurm or MPI: find the others from the environment.",
)
flags.mark_flag_as_required("config")


def config_argument(arguments: list[str]) -> tuple[pathlib.Path, str]:
    """`--config=configs/isgan.py:tiny` among the arguments -> `configs/isgan.py` and `tiny`."""
    given = ""
    for argument, following in zip(arguments, arguments[1:] + [""]):
        name, equals, value = argument.partition("=")
        if name in ("--config", "-config"):
            given = value if equals else following
    path, _, preset = given.partition(":")
    return pathlib.Path(path), preset


def default_workdir(arguments: list[str]) -> pathlib.Path:
    """`--config=configs/isgan.py:tiny` among the arguments -> `runs/isgan-tiny`."""
    path, preset = config_argument(arguments)
    return pathlib.Path("runs") / (path.stem + (f"-{preset}" if preset else ""))


def parse_flags(argv):
    """Parses the command line; what cannot be parsed ends the process with a line and exit code 2.

    Asked for the presets of a config, it prints them and ends the process.
    """
    from configs import presets

    try:
        path, preset = config_argument(argv[1:])
        if preset == presets.HELP:
            print(presets.listing(path))
            sys.exit(0)
        arguments = FLAGS(argv)
        FLAGS.config.lock()
        return arguments
    except AttributeError as error:
        cause = error.args[0] if error.args else ""
        name, _, hint = str(cause.args[0] if isinstance(cause, KeyError) else cause).partition("\n")
        name = name.strip(QUOTES)
        if any(re.match(rf"--?config\.[\w.]*optimizer\.{name}\b", given) for given in argv):
            hint = "an optimiser is replaced whole, --config.method.optimizer=NAME:FIELD=VALUE,..."
        _refuse(f"the config has no field {name}; {hint or 'its file lists the fields'}")
    except (flags.Error, KeyError, OSError, TypeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        causes = [line for line in lines if re.match(r"(\w+Error: |\[Errno )", line)]
        _refuse(re.sub(r"^\w+Error: ", "", causes[-1]) if causes else " ".join(lines[:2]))


def _refuse(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def main(argv):
    """Returns the process's exit code."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is not a flag; fields are set as --config.FIELD=VALUE")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in ("jax", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    settings.check(FLAGS.config.to_dict())  # before JAX, which takes its time
    with edge.undisturbed():
        from stegojax import evaluate, optimizers, parallel, train

    workdir = pathlib.Path(FLAGS.workdir) if FLAGS.workdir else default_workdir(sys.argv[1:])
    given = config_flags.get_override_values(FLAGS["config"])
    for line in optimizers.settle(FLAGS.config, given=given):
        print(line, file=sys.stderr)
    parallel.start(
        coordinator=FLAGS.coordinator,
        process_count=FLAGS.process_count,
        process_id=FLAGS.process_id,
        pod=FLAGS.pod,
    )
    if FLAGS.mode != "train" or FLAGS.config.get("experiment", "") == "security":
        only = FLAGS.mode if FLAGS.mode in TRAINING_REPORTS else ""
        evaluate.evaluate(FLAGS.config, workdir, only=only)
        return 0
    outcome = train.train(FLAGS.config, workdir)
    if outcome.finished and outcome.held_out:
        print(
            f"finished {outcome.step} steps; {100 * outcome.waited:.1f} % of the time went into "
            "waiting for data"
        )
    print(
        f"pictures: {workdir / 'panel.png'}  curves: {workdir / 'curves.png'}  figures: "
        f"{workdir / 'metrics.jsonl'}"
    )
    return edge.INTERRUPTED if outcome.signal == 2 else 0


if __name__ == "__main__":
    sys.exit(edge.guarded(lambda: app.run(main, flags_parser=parse_flags), name="error"))
