"""What a steganalyzer's run is worth on photographs of any source, with the standard error over
photographs: pairs of covers and simulated stegos, prepared as in its training.

python benchmarks/mismatch.py --run xunet-hill --source folder:DIR
"""

import argparse

import numpy as np

import stegojax
from stegojax import run, security
from stegojax.data import pipeline
from stegojax.protocols import steganalyzer
from stegojax.tables import markdown


def main():
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="a steganalyzer: a folder or a model's name")
    parser.add_argument("--source", required=True, help="of the photographs, as in a config")
    parser.add_argument(
        "--all", action="store_true", help="of all of them, and not of the held-out ones alone"
    )
    parser.add_argument("--pairs", type=int, default=1200)
    options = parser.parse_args()

    loaded = stegojax.load(options.run)
    changes = {"data.source": options.source}
    if options.all:
        # A hash of the name sends so many to training; a few may be missing.
        changes["data.train_share"] = 0.001
    changes["report.batches"] = -(-options.pairs // loaded.config.batch_size)
    config = run.changed(loaded.config, changes)
    covers, stegos = steganalyzer.scores(config, loaded)
    source = pipeline.examples_per_epoch(run.data_section(config), split="held_out")
    wrong = ((covers >= 0.5).astype(float) + (stegos < 0.5)) / 2
    photographs = np.arange(len(wrong)) % source
    means = np.array([wrong[photographs == each].mean() for each in np.unique(photographs)])
    figures = security.figures(covers, stegos, covers >= 0.5, stegos >= 0.5)
    header = ["run", "photographs", "pairs", "P_E (%)", "false alarms (%)", "AUC (%)"]
    row = [
        loaded.title,
        str(len(means)),
        str(len(wrong)),
        f"{100 * wrong.mean():.2f} ± {100 * means.std(ddof=1) / len(means) ** 0.5:.2f}",
        f"{100 * (covers >= 0.5).mean():.2f}",
        f"{100 * figures['AUC']:.2f}",
    ]
    print(markdown(header, [row]))


if __name__ == "__main__":
    main()
