"""Schedules by hand, weight decay on kernels alone, and options that are refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from stegojax import optimizers
from stegojax.errors import InputError


def test_the_rate_drops_every_so_many_epochs_after_the_first():
    schedule = optimizers.staircase(1.0, factor=0.5, every=2, after=3, steps_per_epoch=10)
    rates = [float(schedule(jnp.int32(step))) for step in (0, 29, 49, 50, 69, 70, 90)]
    np.testing.assert_allclose(rates, [1, 1, 1, 0.5, 0.5, 0.25, 0.125])


def rates(steps, **options):
    """The learning rates of plain descent, seen in its updates."""
    optimizer = optimizers.make("sgd", learning_rate=1.0, **options)
    state, seen = optimizer.init(jnp.zeros(1)), []
    for _ in range(steps):
        updates, state = optimizer.update(jnp.ones(1), state)
        seen.append(-float(updates[0]))
    return seen


@pytest.mark.parametrize(
    "schedule",
    [
        dict(milestones=(1, 1.5, 3), steps_per_epoch=2),
        dict(milestones=[2, 3, 6], unit="steps", steps_per_epoch=50),
    ],
)
def test_the_rate_drops_at_milestones(schedule):
    np.testing.assert_allclose(
        rates(8, factor=0.5, **schedule), [1, 1, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125]
    )


def test_the_rate_drops_every_so_many_steps():
    seen = rates(7, factor=0.5, every=2, after=1, unit="steps", steps_per_epoch=50)
    np.testing.assert_allclose(seen, [1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_decay_of_convolutions_leaves_out_fully_connected_layers():
    optimizer = optimizers.make(
        "sgd", learning_rate=1.0, steps_per_epoch=1, weight_decay=0.5, decayed="convolutions"
    )
    params = {
        "conv": jnp.full((3, 3, 1, 1), 2.0),
        "full": jnp.full((3, 1), 2.0),
        "bias": jnp.full(1, 2.0),
    }
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert {name: float(update.ravel()[0]) for name, update in updates.items()} == {
        "conv": -3.0,
        "full": -2.0,
        "bias": -2.0,
    }


def test_sgd_with_decay_is_the_hand_computed_step():
    optimizer = optimizers.make("sgd", learning_rate=0.1, steps_per_epoch=1, weight_decay=0.5)
    params = {"kernel": jnp.asarray([[2.0]]), "bias": jnp.asarray([2.0])}
    updates, _ = optimizer.update(
        {"kernel": jnp.asarray([[1.0]]), "bias": jnp.asarray([1.0])}, optimizer.init(params), params
    )
    np.testing.assert_allclose(updates["kernel"], [[-0.1 * (1 + 0.5 * 2)]])
    np.testing.assert_allclose(updates["bias"], [-0.1])


def test_gradients_are_clipped_to_a_norm():
    optimizer = optimizers.make("sgd", learning_rate=1.0, steps_per_epoch=1, clip_norm=1.0)
    updates, _ = optimizer.update(
        {"a": jnp.asarray([3.0, 4.0])}, optimizer.init({"a": jnp.zeros(2)}), {"a": jnp.zeros(2)}
    )
    np.testing.assert_allclose(updates["a"], [-0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(optimizers.OPTIMIZERS))
def test_every_optimizer_goes_down(name):
    optimizer = optimizers.make(name, learning_rate=0.1, steps_per_epoch=1)
    x = {"a": jnp.asarray([2.0])}
    state = optimizer.init(x)
    for _ in range(20):
        updates, state = optimizer.update({"a": 2 * x["a"]}, state, x)
        x = {"a": x["a"] + updates["a"]}
    assert 0 <= float(x["a"][0]) < 2.0


@pytest.mark.parametrize(
    "options,message",
    [
        (dict(name="lion", learning_rate=1.0), "'lion' is unknown; there are adadelta, adam"),
        (dict(name="sgd", learning_rate=1.0, b1=0.5), "takes no 'b1'"),
        (dict(name="sgd", learning_rate=0.0), "must be positive"),
        (dict(name="sgd", learning_rate=float("nan")), "must be positive"),
        (
            dict(name="sgd", learning_rate=1.0, unit="hours"),
            "'hours' is unknown; there are epochs, steps",
        ),
        (
            dict(name="sgd", learning_rate=1.0, decayed="biases"),
            "'biases' is unknown; there are kernels, convolutions",
        ),
        (dict(name="sgd", learning_rate=1.0, milestones=(5, 5)), "must be positive and ascend"),
        (dict(name="sgd", learning_rate=1.0, milestones=(0,)), "must be positive and ascend"),
        (
            dict(name="sgd", learning_rate=1.0, milestones=(5,), every=2.0),
            "either at milestones or every",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        optimizers.make(**options, steps_per_epoch=1)


def test_a_line_of_text_is_a_section():
    assert optimizers.parse("adam:learning_rate=1e-3,b1=0.5") == dict(
        name="adam", learning_rate=1e-3, b1=0.5
    )
    assert optimizers.parse("sgd:learning_rate=1,milestones=(2, 3.5),unit='steps'") == dict(
        name="sgd", learning_rate=1, milestones=(2, 3.5), unit="steps"
    )


@pytest.mark.parametrize(
    "text,message",
    [
        ("lion:learning_rate=1", "'lion' is unknown"),
        ("adam", "learning_rate=.absent. must be positive"),
        ("adam:learning_rate=fast", "is not of the form"),
        ("adam:1e-3", "is not of the form"),
        ("adam:**{}", "is not of the form"),
        ("adam:learning_rate=1)+(2", "is not of the form"),
        ("adam:learning_rate='1'", "learning_rate='1' cannot be used"),
        ("adam:learning_rate=1,milestones=('a',)", "milestones=.*cannot be used"),
        ("sgd:learning_rate=1,b1=0.5", "takes no 'b1'"),
    ],
)
def test_a_line_that_is_no_section_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        optimizers.parse(text)


def sections(**fields):
    """A config with an optimiser in a section and one in a report's."""
    one = dict(name="sgd", learning_rate=1e-3, momentum=0.9, weight_decay=1e-4)
    config = ConfigDict(
        dict(
            method=dict(optimizer=dict(one, **fields)),
            report=dict(covers=dict(optimizer=dict(name="adam", learning_rate=1e-3))),
        )
    )
    config.lock()
    return config


def test_fields_of_the_optimizer_before_are_left_out():
    config = sections(name="adam")
    lines = optimizers.settle(config, given={"method.optimizer.name"})
    assert config.method.optimizer.to_dict() == dict(
        name="adam", learning_rate=1e-3, weight_decay=1e-4
    )
    [line] = lines
    assert line.startswith("method.optimizer: adam takes no momentum")
    assert config.is_locked and optimizers.settle(config) == []


@pytest.mark.parametrize("given", ["method.optimizer.momentum", "method.optimizer"])
def test_a_given_field_that_does_not_fit_is_refused(given):
    with pytest.raises(InputError, match="method.optimizer: .*'adam' takes no 'momentum'"):
        optimizers.settle(sections(name="adam"), given={given})


def test_the_optimizers_of_reports_are_checked_up_front():
    config = sections()
    config.report.covers.optimizer.learning_rate = -1.0
    with pytest.raises(InputError, match="report.covers.optimizer: .*must be positive"):
        optimizers.settle(config)
