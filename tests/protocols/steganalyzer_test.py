"""What is told of a steganalyzer's run, against its scores one by one."""

import jax
import numpy as np
import pytest
from PIL import Image
from support.configs import load
from support.small_networks import Steganalyzer
from support.toy_runs import write_run

from stegojax import evaluate, run, security
from stegojax.methods import steganalyzer as methods
from stegojax.protocols import steganalyzer


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.NETWORKS, "small", Steganalyzer)
        config = load("xunet").get_config("tiny")
        config.method.network = "small"
        # Three batches of four, the last of them filled up.
        config.batch_size, config.report.batches = 4, 3
        yield write_run(tmp_path_factory.mktemp("run"), config)


def test_the_figures_are_those_of_the_scores(workdir, capsys):
    loaded = run.load(workdir)
    config, key = loaded.config, jax.random.fold_in(jax.random.key(loaded.config.seed), 5)
    scores = {"cover_score": [], "stego_score": []}
    with run.loader(config, "held_out", held_out_examples=12) as loader:
        for number, batch in enumerate(loader):
            own = jax.random.fold_in(key, number)
            outputs = loaded.method.predict(loaded.state, batch, own)
            for side, values in scores.items():
                values.append(outputs[side])
    covers, stegos = (np.concatenate(values) for values in scores.values())
    text, figures = steganalyzer.evaluate(config, workdir, loaded)
    expected = security.figures(covers, stegos, covers >= 0.5, stegos >= 0.5)
    assert figures == pytest.approx(expected, abs=1e-6)
    header, _, row = [line for line in text.splitlines() if line.startswith("|")]
    assert header.startswith("| Network | Stegos | Pairs | P_E (%) | AUC (%) |")
    what = f"{config.method.scheme} {config.method.payload:g} bpp"
    assert row.startswith(f"| small | {what} | 12 | {100 * figures['P_E']:.2f} |")
    assert Image.open(workdir / "roc.png").size[0] > 300
    # The same stegos every time.
    assert evaluate.evaluate(config, workdir) == text == capsys.readouterr().out.strip()
