"""ADV-EMB: adjusted costs by hand, the smallest share that deceives a linear steganalyzer, the
agreement of gradients, and files through it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import small_networks
from support.configs import load

from stegojax import embed, run, secret
from stegojax.coding import ternary
from stegojax.errors import InputError
from stegojax.hiders import by_costs
from stegojax.hiders.element_channel import Choices
from stegojax.methods import advemb, steganalyzer, trained
from stegojax.types import WET_COST, Costs, Cover

SECTION = dict(network="xunet", width=0.25, optimizer=dict(name="sgd", learning_rate=0.1))
KEY = secret.key_file(bytes(range(32)))


class Tilted(nn.Module):
    """Logits 0 and the mean change from 100 along a pattern of stripes, less a threshold."""

    @nn.compact
    def __call__(self, planes, *, train):
        threshold = self.param("threshold", nn.initializers.zeros, ())
        stripes = jnp.where(jnp.arange(planes.shape[2]) % 2 == 0, 1.0, -1.0)[None, None, :, None]
        logit = jnp.mean((planes - 100) * stripes, axis=(1, 2, 3)) - threshold
        return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


def adversary(threshold, **options):
    params = {"threshold": jnp.float32(threshold)}
    adjusting = advemb.Adjusting(**options)
    return advemb.adversarial(small_networks.ROUGH, Tilted(), params, {}, adjusting=adjusting)


@pytest.fixture(scope="module")
def cover():
    rng = np.random.default_rng(0)
    return Cover((np.clip(np.round(rng.normal(100, 2, (48, 48))), 0, 255).astype(np.int16),))


def coded(cover, scheme):
    """Every version's stego of one message and order, and which is chosen."""
    rng = np.random.default_rng(1)
    order, message = rng.permutation(cover.elements), rng.integers(0, 2, (1, 900), np.uint8)
    made = []

    def make(version, rows):
        stegos = embed.embed_with(
            [order] * len(rows), [cover] * len(rows), message, scheme=version,
            code=ternary.stc_code(constraint_height=7),
        )  # fmt: skip
        made.append(stegos[0])
        return stegos

    [chosen] = embed.until_accepted(make, 1, scheme=scheme)
    return made, chosen


def tilt(stego):
    stripes = np.where(np.arange(48) % 2 == 0, 1.0, -1.0)
    return float(np.mean((stego.planes[0] - 100.0) * stripes))


def test_costs_by_hand():
    plus, minus = jnp.asarray([[3.0, 4.0, 5.0, WET_COST]]), jnp.asarray([[3.0, 4.0, 5.0, 6.0]])
    found = advemb.opposed(Costs(plus, minus), jnp.asarray([[1.0, -1.0, 0.0, 1.0]]), factor=2.0)
    np.testing.assert_array_equal(found.plus, [[6, 2, 5, WET_COST]])
    np.testing.assert_array_equal(found.minus, [[1.5, 8, 5, 3]])


def test_the_smallest_share_that_deceives_is_taken(cover):
    """A threshold half-way between the tilts of what no share and all of it give."""
    never = adversary(-1e3)
    every, first = coded(cover, never)
    assert len(every) == 11 and first is every[0]
    tilts = [tilt(stego) for stego in every]
    # Adjusting more tilts more, and a plain stego hardly.
    assert tilts[0] - tilts[10] > 5 * abs(tilts[0] - tilts[1])
    threshold = (tilts[0] + tilts[10]) / 2 - 2e-4
    wanted = next(i for i, value in enumerate(tilts) if value < threshold)
    assert 1 < wanted < 10
    made, chosen = coded(cover, adversary(threshold))
    assert len(made) == wanted + 1
    np.testing.assert_array_equal(chosen.planes[0], every[wanted].planes[0])


def test_simulated_stegos_take_the_smallest_share_too(cover):
    plane = jnp.asarray(cover.planes[0], jnp.float32)
    planes = jnp.stack([plane, plane[::-1], plane])

    def tilted(planes):
        stripes = np.where(np.arange(48) % 2 == 0, 1.0, -1.0)
        return np.mean((np.asarray(planes) - 100) * stripes, axis=(-2, -1))

    none = tilted(planes + embed.simulate(jax.random.key(0), planes, 900.0, scheme=adversary(1e3)))
    scheme = adversary(float(none.min()) - 0.02)
    changes = jax.jit(lambda key: embed.simulate(key, planes, 900.0, scheme=scheme))(
        jax.random.key(0)
    )
    assert set(np.unique(changes)) == {-1, 0, 1}
    assert scheme.accepts(planes + changes).all() and (tilted(planes + changes) < none).all()
    whole = embed.simulate(jax.random.key(0), cover, 900, scheme=scheme)
    assert scheme.accepts(plane + whole.reshape(48, 48))


def test_gradients_that_disagree_leave_costs_alone(cover):
    """A linear steganalyzer's gradients agree everywhere, one of the picture's sign nowhere new."""
    plane = jnp.asarray(cover.planes[0], jnp.float32)
    cost = embed.bounded(small_networks.rough_cost)

    class Centred(nn.Module):
        """The squared distance from 100.5, whose gradient turns where a change crosses it."""

        @nn.compact
        def __call__(self, planes, *, train):
            logit = jnp.mean((planes - 100.5) ** 2, axis=(1, 2, 3))
            return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)

    def ratios(module, gradients):
        adjusting = advemb.Adjusting(payload=1.2, gradients=gradients)
        rule = advemb._Against(module, adjusting)
        params = {"threshold": jnp.float32(0)}
        costs = jax.jit(lambda plane: rule(params, {}, cost, plane, jnp.zeros_like(plane)))(plane)
        return np.asarray(costs.plus / cost(plane).plus)

    np.testing.assert_array_equal(ratios(Tilted(), 1), ratios(Tilted(), 4))
    one, four = ratios(Centred(), 1), ratios(Centred(), 4)
    assert set(np.unique(one)) == {0.5, 2.0} and set(np.unique(four)) == {0.5, 1.0, 2.0}
    left_alone = four == 1
    assert left_alone.any() and (np.abs(np.asarray(plane)[left_alone] - 100.5) < 1).all()
    np.testing.assert_array_equal(one[~left_alone], four[~left_alone])


def test_files_deceive_and_are_revealed_with_the_key_alone(cover):
    """What is written is what is accepted, header and all."""
    plain = by_costs.hide(KEY, cover, b"any file", choices=Choices(small_networks.ROUGH))
    scheme = adversary(tilt(plain) - 0.02)
    choices = Choices(scheme, constraint_height=7)
    stego = by_costs.hide(KEY, cover, bytes(range(60)), choices=choices)
    assert embed.accepted([stego], scheme=scheme) == [True]
    assert by_costs.reveal(KEY, stego) == bytes(range(60))
    [together] = by_costs.hide_batch(KEY, [cover], [b"x"], choices=choices)
    assert by_costs.reveal(KEY, together) == b"x"


def test_a_run_is_for_costs():
    config = load("advemb").get_config("tiny")
    state = jax.jit(run.method(config).init)(jax.random.key(0), run.example(config))
    scheme = advemb.scheme(state, config.method.to_dict(), name="mine")
    assert scheme.name == "mine" and len(scheme.alternatives) == 10
    assert [recipe.shares for recipe in scheme.alternatives[:2]] == [(9, 1), (8, 2)]
    frozen = trained.freeze(scheme)
    again = frozen.attach(frozen.arrays)
    assert jax.tree.structure(again.accepts) == jax.tree.structure(scheme.accepts)
    with pytest.raises(InputError, match="'mine' tries several recipes for every cover"):
        trained.in_one_phase(scheme, "CMD")


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(scheme="hill-cmd"), "ADV-EMB starts from a scheme of one phase"),
        (dict(factor=1.0), "factor=1.0 must be above 1"),
        (dict(gradients=0), "gradients=0 at least 1"),
        (dict(network="resnet"), "'resnet' is unknown"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        advemb.from_config(SECTION | options, steps_per_epoch=1)


def test_its_steganalyzer_learns_from_the_initial_schemes_stegos():
    made = advemb.make(small_networks.ROUGH, small_networks.Steganalyzer(), optax.sgd(0.1))
    batch = {"cover": jnp.asarray(small_networks.covers(2, (16, 16)))}
    state = jax.jit(made.init)(jax.random.key(0), batch)
    assert set(state.params) == {steganalyzer.NAME}


def test_a_steganalyzer_of_another_scheme_or_size_is_refused():
    """The Xu-Net that ships was trained on HILL, whole."""
    section = dict(SECTION, network_from="xunet-hill@1")
    with pytest.raises(InputError, match="was trained on hill, and method.scheme is wow"):
        advemb.from_config(section | dict(scheme="wow"), steps_per_epoch=1, load=run.trained)
    made = advemb.from_config(section, steps_per_epoch=1, load=run.trained)
    with pytest.raises(InputError, match="it must be of the same network, width"):
        made.init(jax.random.key(0), {"cover": jnp.zeros((1, 32, 32, 1))})
