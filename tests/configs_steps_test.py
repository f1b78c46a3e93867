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
FROZEN = {
    "separable": ("encoder", "decoder", "steganalyzer", "message_steganalyzer"),
    "words": ("generator", "state_reader", "discriminator"),
    "staircase": ("generator", "d1"),
    "warm-up": ("generator",),
    "imitation": ("d1",),
    "same noise": ("phased",),
    "phased": ("policy",),
}
"""Stage -> the networks that it leaves as they are, where the method has them."""
ALWAYS_FROZEN = {"seq2seq_user": ("sentence_encoder", "state_reader", "discriminator")}
"""Method -> the networks that it never trains."""
PER_EPOCH = 10


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
    batched = jax.vmap(
        step, axis_name=parallel.AXIS, in_axes=(None, 0, None), out_axes=(None, None)
    )
    return jax.jit(batched)


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
    if len(path) == 1:
        return False
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


class Tiny:
    """A config's tiny preset: its state before the first stage, and two batches."""

    def __init__(self, name):
        config = load(name).get_config("tiny")
        self.sizes, self.example = run.lengths(config), run.example(config)
        self.method = run.method(config, self.sizes)
        self.stages = run.stages(self.method, self.sizes)
        with pipeline.make(
            run.data_section(config), split="train", batch_size=config.batch_size, seed=0
        ) as loader:
            self.batches = [{name: leaf[None] for name, leaf in next(loader).items()} for _ in "ab"]
        self.state = in_numpy(jax.jit(self.method.init)(jax.random.key(0), self.example))


def in_numpy(tree):
    return jax.tree.map(np.asarray, tree)


def check_moves(stage, before, after, values, *, frozen=()):
    """The figures are finite; trained networks move, frozen ones do not, nor their statistics."""
    assert all(np.isfinite(value) for value in values.values()), values
    assert parallel.all_finite((after.params, after.batch_stats))
    frozen = set(FROZEN.get(stage.name, frozen)) & set(before.params)
    frozen |= {"tes"} & set(before.params) if stage.name != "staircase" else set()
    waits = {name for name in before.params if values.get(f"{name}_learns", 1) == 0}
    for network in before.params:
        share = moved(before.params[network], after.params[network])
        still = network in frozen | waits
        assert (share == 0) if still else (share > 0.8), (network, share)
        if network in frozen and before.batch_stats.get(network):
            assert moved(before.batch_stats[network], after.batch_stats[network]) == 0, network
    assert frozen or stage.name not in FROZEN


@pytest.mark.parametrize("name", METHODS)
def test_a_small_step_is_finite_moves_what_is_trained_and_resumes(name, tmp_path):
    tiny, key = Tiny(name), jax.random.key(1)
    step = on_one_device(tiny.stages[0].train_step)
    first, values = in_numpy(step(tiny.state, tiny.batches[0], key))
    frozen = ALWAYS_FROZEN.get(name, ())
    check_moves(tiny.stages[0], tiny.state, first, values, frozen=frozen)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, first, Position(1, 0))
    restored = checkpoints.restore(1, run.state_like(tiny.method, tiny.example, 0))
    checkpoints.close()
    second, resumed = (step(one, tiny.batches[1], key)[0] for one in (first, restored))
    for one, other in zip(jax.tree.leaves(second), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def later():
    """The configs that train in stages; one of a family's is tested always."""
    staged = [name for name in METHODS if run.entry(load(name).get_config())[0].use == "bits"]
    return [
        pytest.param(name, marks=[] if name == "sftn" else pytest.mark.slow)
        for name in [
            *staged,
            "seq2seq_gan",
            "asdlgan",
            "reload",
            "sparrl",
            "steggman",
            "utgan",
            "jsgan",
        ]
    ]


@pytest.mark.parametrize("name", later())
def test_the_last_stage_moves_what_it_trains_alone(name):
    tiny = Tiny(name)
    state = tiny.state
    for stage in tiny.stages:
        state = in_numpy(stage.begin(state, jax.random.key(2)))
    after, values = in_numpy(
        on_one_device(stage.train_step)(state, tiny.batches[0], jax.random.key(1))
    )
    check_moves(stage, state, after, values)
