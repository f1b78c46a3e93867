"""Other runs: schemes taken apart and put together, networks to begin from, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from support import small_networks
from support.small_networks import ROUGH, differs

from stegojax import embed
from stegojax.costs import COSTS
from stegojax.errors import InputError
from stegojax.methods import trained
from stegojax.types import Costs, State


def scaled_cost(scale, plane):
    return Costs(scale * plane, scale * plane)


def scaled_rule(scale, cost, cover, modifications):
    return jax.tree.map(lambda rho: scale * rho, cost(cover))


LEARNED = embed.Scheme(
    "learned",
    Partial(scaled_cost, jnp.float32(2.0)),
    embed.masks((1, 3), [embed.no_adjustment, Partial(scaled_rule, jnp.float32(5.0))]),
)
PLANE = jnp.arange(1.0, 5.0).reshape(2, 2)


def test_a_scheme_is_taken_apart_and_put_together():
    frozen = trained.freeze(LEARNED)
    assert [float(array) for array in frozen.arrays] == [2.0, 5.0]
    other = frozen.attach([jnp.float32(3.0), jnp.float32(7.0)])
    np.testing.assert_array_equal(other.cost(PLANE).plus, 3 * PLANE)
    first, second = other.recipe.visits
    assert first.adjust is embed.no_adjustment and other.recipe.shares == (1, 3)
    np.testing.assert_array_equal(second.adjust(other.cost, PLANE, PLANE).minus, 21 * PLANE)
    assert trained.freeze(ROUGH).arrays == [] and trained.freeze(ROUGH).attach([]) is ROUGH


def run(scheme=None):
    params = {"d1": {"weight": jnp.ones(2)}, "generator2": {"weight": jnp.ones(3)}}
    return trained.Trained({"name": "toy"}, State(0, params, {"d1": {"mean": 1}}, {}), scheme)


def test_a_scheme_is_a_cost_or_another_runs():
    assert trained.scheme("hill").cost is COSTS["hill"]
    assert trained.scheme("wow-cmd").recipe is embed.RECIPES["cmd"]
    assert trained.scheme("run:there", {"there": run(LEARNED)}.__getitem__) is LEARNED
    alone = LEARNED._replace(recipe=embed.RECIPES["plain"])
    clustered = trained.scheme("cmd:run:a-cmd/run:b", {"a-cmd/run:b": run(alone)}.__getitem__)
    assert clustered.cost is LEARNED.cost and clustered.recipe is embed.RECIPES["cmd"]
    with pytest.raises(InputError, match="the recipe 'cmd' starts from a scheme of one phase"):
        trained.scheme("cmd:run:there", lambda place: run(LEARNED))
    with pytest.raises(InputError, match="the recipe 'cdm' is unknown; there are plain"):
        trained.scheme("cdm:run:there", lambda place: run(alone))
    with pytest.raises(InputError, match="none can be loaded"):
        trained.scheme("run:there")
    with pytest.raises(InputError, match="does not embed by costs"):
        trained.scheme("run:there", lambda place: run())
    assert trained.in_one_phase(ROUGH, "a test") is ROUGH
    with pytest.raises(InputError, match="a test starts from a scheme of one phase; 'learned'"):
        trained.in_one_phase(LEARNED, "a test")


def test_a_network_of_another_run():
    def load(place):
        assert place == "there"
        return run()

    params, stats = trained.network(load, "there", "d2", "d1")
    assert params["weight"].shape == (2,) and stats == {"mean": 1}
    assert trained.network(load, "there", "generator2")[1] == {}
    assert trained.network(load, "", "d1") is None and trained.network(None, "there", "d1") is None
    with pytest.raises(InputError, match="no network 'd3' or 'd4' to begin from; it has d1"):
        trained.network(load, "there", "d3", "d4")


def test_beginnings_are_forgotten_where_a_state_comes_from_a_checkpoint():
    section = dict(d1_from="there", scheme="run:there", payload=0.4)
    assert trained.without_beginnings(section) == dict(section, d1_from="")


def test_a_network_begins_as_it_was_or_is_refused():
    module, planes = small_networks.Generator(), jnp.zeros((1, 4, 4, 2))
    fresh = trained.begin(jax.random.key(0), module, planes)
    given = trained.begin(jax.random.key(1), module, planes)
    assert differs(fresh, given)
    begun = jax.jit(lambda key: trained.begin(key, module, planes, given=given, what="generator"))(
        jax.random.key(0)
    )
    assert not differs(begun, given)
    wider = trained.begin(jax.random.key(1), small_networks.Generator(branches=1), planes)
    with pytest.raises(InputError, match=r"d1 cannot begin from that run: .*\(1,\) there and \(2"):
        trained.begin(jax.random.key(0), module, planes, given=wider, what="d1")
