"""One step of every config: traced at its own size and the paper's, and done at the tiny one, where
it moves what it trains, leaves the rest alone, and resumes.
"""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from support.configs import NAMES, load

from stegojax import parallel, run
from stegojax.checkpoint import Checkpoints, Position
from stegojax.data import pipeline

METHODS = [name for name in NAMES if name != "security"]
FROZEN = {"separable": {"encoder", "decoder", "steganalyzer"}}
"""Stage -> the networks that it leaves as they are."""
PER_EPOCH = 10


FROZEN_AT_FIRST = {"seq2seq_gan": ("generator", "state_reader", "discriminator")}
"""Networks that the first stage of a method leaves alone."""


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """Steps are done once: their compilation is what takes the time."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def presets_of(names, *presets):
    return [(name, preset) for name in names for preset in presets if preset in load(name).PRESETS]


def others():
    return [
        (name, preset)
        for name in METHODS
        for preset in load(name).PRESETS
        if preset not in ("", "tiny", "paper")
    ]


def on_one_device(step):
    """A train step as `(state, batch, key) -> (state, metrics)`, the batch `[1, B, ...]`."""
    return jax.pmap(
        step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        devices=jax.local_devices()[:1],
    )


def traced(config, monkeypatch):
    """Shapes before and after a step of every stage, with its metrics."""
    monkeypatch.setattr(
        pipeline, "examples_per_epoch", lambda section, split: PER_EPOCH * config.batch_size
    )
    sizes = run.lengths(config)
    made = run.method(config, sizes)
    example = run.example(config)
    batch = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, config.batch_size) + leaf.shape[1:], leaf.dtype),
        example,
    )
    steps = {}
    for number, stage in enumerate(run.stages(made, sizes)):
        like = run.state_like(made, example, number)
        # Stages that share a step share its trace.
        steps.setdefault(stage.train_step, on_one_device(stage.train_step))
        yield like, *jax.eval_shape(steps[stage.train_step], like, batch, jax.random.key(0))


def check_trace(name, preset, monkeypatch):
    for like, after, values in traced(load(name).get_config(preset), monkeypatch):
        assert jax.tree.structure(after) == jax.tree.structure(like)
        for before, now in zip(jax.tree.leaves(like), jax.tree.leaves(after), strict=True):
            assert before.shape == now.shape and before.dtype == now.dtype
        assert "loss" in values and all(value.shape == () for value in values.values())


@pytest.mark.parametrize("name,preset", presets_of(METHODS, "", "paper"))
def test_it_traces_at_its_own_size(name, preset, monkeypatch):
    check_trace(name, preset, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name,preset", others())
def test_other_presets_trace_at_their_own_size(name, preset, monkeypatch):
    check_trace(name, preset, monkeypatch)


def cancelled(path, params):
    """Whether a bias is taken away again by the batch normalisation that follows, so that its
    gradient is rounding alone.
    """
    *outside, layer, name = path
    return (
        name == "bias"
        and layer.startswith("conv")
        and (*outside, layer.replace("conv", "norm"), "scale") in params
    )


def moved(before, after):
    """The share of a network's arrays that are other than before."""
    before, after = flatten_dict(before), flatten_dict(after)
    assert set(before) == set(after)
    return np.mean(
        [
            not np.array_equal(before[path], after[path])
            for path in before
            if not cancelled(path, before)
        ]
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_small_step_is_finite_moves_what_is_trained_and_resumes(name, tmp_path):
    config = load(name).get_config("tiny")
    sizes = run.lengths(config)
    made = run.method(config, sizes)
    example = run.example(config)
    with pipeline.make(
        run.data_section(config), split="train", batch_size=config.batch_size, seed=0
    ) as loader:
        batches = [{key: leaf[None] for key, leaf in next(loader).items()} for _ in range(2)]
    key = jax.random.key(1)
    state = jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), example))
    step = on_one_device(run.stages(made, sizes)[0].train_step)
    first, values = jax.tree.map(np.asarray, step(state, batches[0], key))
    assert all(np.isfinite(value) for value in values.values()), values
    assert parallel.all_finite((first.params, first.batch_stats))
    for network in state.params:
        share = moved(state.params[network], first.params[network])
        frozen = network in FROZEN_AT_FIRST.get(name, ())
        assert share == 0 if frozen else share > 0.8, network
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, first, Position(1, 0))
    restored = checkpoints.restore(1, run.state_like(made, example, 0))
    checkpoints.close()
    second, resumed = (step(one, batches[1], key)[0] for one in (first, restored))
    for one, other in zip(jax.tree.leaves(second), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
