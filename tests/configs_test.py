"""Every config and preset: it builds and traces at its own size; the small ones step, train what
they should, and resume.
"""

import pathlib
import re

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict
from support.configs import load, one_step

from stegojax import parallel, run
from stegojax.checkpoint import Checkpoints, Position
from stegojax.data import pipeline

CONFIGS = sorted(
    {path.stem for path in (pathlib.Path(__file__).parent.parent / "configs").glob("*.py")}
    - {"security"}
)
"""All that train one method; the security protocol's has a test of its own."""
STEGANALYZERS = ("xunet", "yenet", "yedroudjnet", "srnet", "dengnet", "gncnn")
PRESETS = {
    "isgan": [
        "",
        "tiny",
        "lfw",
        "paper",
        "voc",
        "imagenet",
        "voc_lfw",
        "imagenet_voc",
        "basic",
        "lfw_basic",
        "voc_basic",
        "imagenet_basic",
        "mse",
        "ssim",
        "mse_ssim",
        "mse_ms_ssim",
        "mse_ssim_ms_ssim",
    ],
    "baluja": ["", "tiny", "lfw", "voc", "imagenet", "paper"],
    "atique": ["", "tiny", "lfw", "voc", "imagenet", "paper"],
    **{name: ["", "tiny", "paper", "curriculum", "pairs"] for name in STEGANALYZERS},
    "ugs": ["", "tiny", "paper", "paper_02"],
    "asymmetric": [
        "",
        "tiny",
        "paper",
        "learned_02",
        "d1_srnet",
        "d2_yedroudjnet",
        "both_xunet",
        "strategy2",
        "strategy3",
        "strategy4",
        "eta_learned",
        "input2",
        "input3",
        "share_30",
        "subimages1",
        "subimages4",
        "no_reconstruction",
        "small_subimages3",
        "small_learned",
    ],
    "sftn": [
        "",
        "tiny",
        "paper",
        "qf70",
        "structure_a",
        "structure_b",
        "structure_c",
        "straight_through",
        "noise",
        "small_qf90",
        "small_structure_a",
        "small_noise",
    ],
    "chatgan": ["", "tiny", "paper", "qf70", "small_qf50"],
    "abdh": ["", "tiny", "paper", "qf90", "small_qf50"],
    "steganogan": [
        "",
        "tiny",
        "paper",
        "basic1",
        "residual3",
        "dense6",
        "small_basic1",
        "small_dense4",
    ],
    "ssgan": ["", "tiny", "paper", "hugo", "red_channel", "penalty", "both", "alpha_07"],
    "sgan": ["", "tiny", "paper", "red_channel"],
    "hayesgan": ["", "tiny", "paper", "size64"],
    "seq2seq_gan": [
        "",
        "tiny",
        "no_key",
        "plane",
        "modulation",
        "paper",
        "paper_plane",
        "paper_modulation",
        "paper_scramble",
    ],
    "hidden": [
        "",
        "tiny",
        "paper",
        "dropout",
        "crop",
        "combined",
        "small_dropout",
        "small_combined",
    ],
}
TABLE = [(name, preset) for name in PRESETS for preset in PRESETS[name]]
SIZES = run.Lengths(steps_per_epoch=10, steps=20)


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


def test_the_table_names_every_config():
    assert sorted(PRESETS) == CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_the_first_lines_name_every_preset(name):
    text = load(name).__doc__
    for preset in PRESETS[name]:
        assert not preset or preset.removesuffix("_basic") in re.findall(r"\w+", text), preset


@pytest.mark.parametrize("name", CONFIGS)
def test_an_unknown_preset_is_refused(name):
    with pytest.raises(ValueError, match="preset 'nonsense' is unknown"):
        load(name).get_config("nonsense")


@pytest.mark.parametrize("name,preset", TABLE)
def test_it_builds_and_traces_at_its_own_size(name, preset):
    config = load(name).get_config(preset)
    assert isinstance(config, ConfigDict) and run.plain(config)
    # Where a config lists stages, their lengths must add up to its own.
    sizes = SIZES._replace(
        steps=config.steps if config.steps > 0 else round(config.epochs * SIZES.steps_per_epoch)
    )
    made = run.method(config, sizes)
    example = run.example(config)
    like = run.state_like(made, sizes, example, 0)
    batch = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, config.batch_size) + leaf.shape[1:], leaf.dtype),
        example,
    )
    with jax.default_device(jax.local_devices()[0]):
        step = jax.pmap(
            made.train_step,
            axis_name=parallel.AXIS,
            in_axes=(None, 0, None),
            out_axes=(None, None),
            devices=jax.local_devices()[:1],
        )
        after, values = jax.eval_shape(step, like, batch, jax.random.key(0))
    assert jax.tree.structure(after) == jax.tree.structure(like)
    for before, now in zip(jax.tree.leaves(like), jax.tree.leaves(after), strict=True):
        assert before.shape == now.shape and before.dtype == now.dtype
    assert "loss" in values and all(value.shape == () for value in values.values())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_small_step_is_finite_moves_what_is_trained_and_resumes(name, tmp_path):
    config = load(name).get_config("tiny")
    sizes = SIZES._replace(steps=config.steps)
    made = run.method(config, sizes)
    example = run.example(config)
    loader = pipeline.make(
        run.data_section(config), split="train", batch_size=config.batch_size, seed=0
    )
    batches = [next(loader), next(loader)]
    loader.close()
    start = jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), example))
    first, values = one_step(made, start, batches[0])
    assert all(np.isfinite(value) for value in values.values()), values
    assert parallel.all_finite(first.params)
    for network in start.params:
        before, after = (flatten_dict(state.params[network]) for state in (start, first))
        moved = [
            not np.array_equal(before[path], after[path])
            for path in before
            if not cancelled(path, before)
        ]
        assert np.mean(moved) > 0.8, network
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, first, Position(1, 0))
    restored = checkpoints.restore(1, run.state_like(made, sizes, example, 0))
    second, _ = one_step(made, jax.tree.map(np.array, first), batches[1])
    resumed, _ = one_step(made, restored, batches[1])
    for a, b in zip(jax.tree.leaves(second), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
