"""What a training step costs, method by method: compile time, steady step time, images/s, memory,
waiting for data.

    python benchmarks/train_step.py                 every config's default preset
    python benchmarks/train_step.py --configs configs/isgan.py --set data.crop=256 \\
        --set batch_size=4
    python benchmarks/train_step.py --configs configs/isgan.py --set method.dtype=bfloat16 \\
        --peak_tflops 989

Each config is measured in a process of its own, so that peak memory is its own; the table goes to
standard output and, with --output, to a Markdown file. Steady time is the median over --steps
steps, after the first three.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def load_config(path: str, settings: list[str]):
    """A config file's `get_config`, with fields set as `section.field=value`."""
    import importlib.util

    from stegojax.errors import InputError

    name, _, preset = path.partition(":")
    spec = importlib.util.spec_from_file_location("benchmarked_config", ROOT / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(preset)
    for setting in settings:
        field, _, text = setting.partition("=")
        *sections, last = field.split(".")
        section = config
        for name in sections:
            section = section[name]
        if last not in section:
            raise InputError(f"{field} is no field of {path}")
        before = section[last]
        section[last] = text if isinstance(before, str) else type(before)(json.loads(text.lower()))
    return config


def measure(path: str, settings: list[str], steps: int) -> dict:
    """One config, in this process."""
    import jax

    from stegojax import train

    config = load_config(path, settings)
    timing = train.timed(config, steps=steps + 2, operations=True)
    host_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    device = jax.local_devices()[0]
    on_device = (device.memory_stats() or {}).get("peak_bytes_in_use")
    return {
        "config": path + ("" if not settings else " " + " ".join(settings)),
        "shape": " x ".join(
            str(size) for size in (config.batch_size, config.data.crop, config.data.crop)
        ),
        "device": device.device_kind,
        "first": timing.first,
        "step": statistics.median(timing.steps[2:]),
        "batch": config.batch_size,
        "share": timing.waited,
        "host": host_memory,
        "device_memory": on_device / 2**30 if on_device else None,
        "flops": timing.operations,
    }


def table(rows: list[dict], peak_tflops: float) -> str:
    """The results as Markdown."""
    lines = [
        "| config | batch | device | first call | step | steps/s | images/s | waiting | host "
        "memory | device memory | "
        "TFLOP/s | share of peak |",
        "|" + "---|" * 12,
    ]
    for row in rows:
        rate = row["flops"] / row["step"] / 1e12 if row["flops"] else None
        lines.append(
            "| "
            + " | ".join(
                [
                    f"`{row['config']}`",
                    row["shape"],
                    row["device"],
                    f"{row['first']:.1f} s",
                    f"{1000 * row['step']:.0f} ms",
                    f"{1 / row['step']:.2f}",
                    f"{row['batch'] / row['step']:.1f}",
                    f"{100 * row['share']:.1f} %",
                    f"{row['host']:.2f} GiB",
                    f"{row['device_memory']:.2f} GiB" if row["device_memory"] else "-",
                    f"{rate:.3f}" if rate else "-",
                    f"{100 * rate / peak_tflops:.1f} %" if rate and peak_tflops else "-",
                ]
            )
            + " |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measures each config in a process of its own and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--configs",
        nargs="*",
        default=None,
        help="config files, with presets; by default every configs/*.py",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="set a field in every config",
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--output", default="", help="also write the table to this file")
    parser.add_argument(
        "--peak_tflops",
        type=float,
        default=0.0,
        help="the device's matrix peak, for the last column",
    )
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.set, options.steps)))
        return 0
    rows = []
    for path in options.configs or sorted(
        f"configs/{path.name}" for path in (ROOT / "configs").glob("*.py")
    ):
        command = [sys.executable, __file__, "--one", path, "--steps", str(options.steps)]
        for setting in options.set:
            command += ["--set", setting]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        if done.returncode:
            print(f"{path} could not be measured (exit code {done.returncode})", file=sys.stderr)
            return 1
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    text = table(rows, options.peak_tflops)
    print(text)
    if options.output:
        pathlib.Path(options.output).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
