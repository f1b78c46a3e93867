"""ReLOAD (Mo et al., "ReLOAD: using reinforcement learning to optimize asymmetric distortion for
additive steganography", IEEE TIFS 18, 2023): agents at the pixels make changes cheaper, step by
step, so that the residuals of the stego come nearer to the cover's.

In each step every agent of the cheapest pixels makes raising or lowering its pixel cheaper by 1.25,
or does nothing; the embedding is simulated anew *with the same noise*, and what is rewarded is the
fall of the residuals' distance, the mean square of the 30 SRM residuals of the changes. So learned,
costs suit the one noise that they were adapted to, and no real message: with another noise the
distance rises. The figure for it is `distance_ratio`.

What is embedded with is a phased use of the same agents ("phased"): the changes of the lattices
before are real, and a policy of its own makes cheaper, once and by a larger factor, what suits
them. It is trained, and judged (`distance_ratio_phased`, beside CMD's), with fresh noise.

The policy is one of six numbers, or the authors' network, which first imitates the rule that the
residuals' autocorrelation gives: a changed pixel turns the way that its neighbours' changes favour.

Pictures are `[B, H, W, 1]`, float32 whole numbers 0..255. Every channel of a colour picture is
embedded into as a plane.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from stegojax import embed, optimizers, parallel, probabilities, recipes
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer, trained
from stegojax.methods.fields import read
from stegojax.models import high_pass
from stegojax.models import reload as models
from stegojax.types import WET_COST, Array, Costs, Key, Method, Params, Stage, State

POLICY, PHASED = "policy", "phased"
"""Names in states: of the agents that work with one noise, and of those of the phased use."""

POLICIES = ("numbers", "network")
FIGURES = (
    "distance_ratio",
    "distance_ratio_other_noise",
    "distance_ratio_phased",
    "distance_ratio_cmd",
)
"""The residuals' distance over that of the initial scheme: with the noise adapted to, of these
costs with other noise, of the phased use, and of CMD, the last two with fresh noise.
"""
_SMOOTHING = np.full((3, 3), 0.0625)
_SMOOTHING[1, 1] = 0.5
_LATTICES = 4


class Numbers(NamedTuple):
    """How agents act and learn.

    payload:       bits per pixel.
    amplitude:     by which an action makes a change cheaper.
    agents:        the share of pixels, the cheapest, that have an agent.
    episode:       steps of an episode in training.
    tested:        steps when it is used; a picture stops where its distance first rises.
    discount:      of later rewards.
    entropy:       the weight of the policy's entropy, returns being of deviation 1.
    phased_factor: by which the phased use makes a change cheaper.
    """

    payload: float = 0.4
    amplitude: float = 1.25
    agents: float = 0.18
    episode: int = 3
    tested: int = 10
    discount: float = 0.95
    entropy: float = 0.01
    phased_factor: float = 9.0


class Training(NamedTuple):
    """All that a training consists of; the arguments of `make`."""

    base: trained.Frozen
    module: nn.Module
    optimizer: optax.GradientTransformation
    phased_optimizer: optax.GradientTransformation
    numbers: Numbers
    lengths: tuple[int, ...]
    imitates: bool


class Fields(NamedTuple):
    """The `method` section of a config.

    optimizer, phased_optimizer: the arguments of `optimizers.make`.
    scheme:        the initial scheme, of one phase, see `trained.scheme`.
    policy:        a name in `POLICIES`.
    stage_lengths: steps of the imitation (of a network alone), with one noise, and phased.
    width, depth:  of a network, see `models.reload.ActorCritic`.
    payload, amplitude, agents, episode, tested, discount, entropy, phased_factor: see `Numbers`.
    """

    optimizer: Mapping[str, Any]
    phased_optimizer: Mapping[str, Any]
    scheme: str = "hill"
    policy: str = "numbers"
    stage_lengths: Sequence[int] = (60, 60)
    width: float = 1.0
    depth: int = 8
    payload: float = 0.4
    amplitude: float = 1.25
    agents: float = 0.18
    episode: int = 3
    tested: int = 10
    discount: float = 0.95
    entropy: float = 0.01
    phased_factor: float = 9.0


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """The training that a config's `method` section describes.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The method, see `make`.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    fields = read(Fields, section)
    if fields.policy not in POLICIES:
        raise InputError(
            f"method.policy {fields.policy!r} is unknown; there are {', '.join(POLICIES)}"
        )
    module: nn.Module = models.SixNumbers()
    if fields.policy == "network":
        module = models.ActorCritic(fields.width, fields.depth, axis_name=parallel.AXIS)
    return make(
        trained.scheme(fields.scheme, load),
        module,
        optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch),
        optimizers.make(**fields.phased_optimizer, steps_per_epoch=steps_per_epoch),
        numbers=_numbers(fields),
        lengths=tuple(int(length) for length in fields.stage_lengths),
        imitates=fields.policy == "network",
    )


def scheme(
    state: State, section: Mapping[str, Any], *, name: str, load: trained.Load | None = None
) -> embed.Scheme:
    """What a trained run embeds with: the phased use, on CMD's lattices.

    Args:
      state: of the run.
      section: its config's `method` section, see `Fields`.
      name: what to call it.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The scheme, holding the state's parameters.
    """
    state = jax.tree.map(jnp.asarray, state)
    fields = read(Fields, section)
    base = trained.freeze(trained.scheme(fields.scheme, load))
    return _scheme(base, state, _numbers(fields))._replace(name=name)


def make(
    base: embed.Scheme,
    module: nn.Module,
    optimizer: optax.GradientTransformation,
    phased_optimizer: optax.GradientTransformation,
    *,
    numbers: Numbers = Numbers(),
    lengths: Sequence[int] = (60, 60),
    imitates: bool = False,
) -> Method:
    """ReLOAD as a `Method`.

    Args:
      base: the initial scheme, of one phase; it may be what another run has learned.
      module: the policy, see `models.reload`; that of the phased use is `SixNumbers`.
      optimizer, phased_optimizer: of the two.
      numbers: how agents act and learn.
      lengths: steps of the stages.
      imitates: whether the policy first imitates the rule, in a stage of its own.

    Returns:
      The method. `predict` takes `{"cover": [B, H, W, 1]}` and gives the stego of the phased use,
      "changes", and the figures `FIGURES`.

    Raises:
      InputError: the initial scheme has several phases, or a number is out of range.
    """
    names = ["rule", "same noise", PHASED][not imitates :]
    if len(lengths) != len(names) or min(lengths) < 1:
        raise InputError(
            f"method.stage_lengths needs {len(names)} numbers above 0, for {', '.join(names)}; got "
            f"{tuple(lengths)}"
        )
    small = min(numbers.amplitude, numbers.phased_factor)
    if not (0 < numbers.payload < 1.5 and 0 < numbers.agents <= 1 and small > 1):
        raise InputError(
            f"method.payload={numbers.payload} is above 0 and under 1.5, "
            f"agents={numbers.agents} a share, amplitude={numbers.amplitude} and "
            f"phased_factor={numbers.phased_factor} above 1"
        )
    if numbers.episode < 1 or numbers.tested < 1:
        raise InputError(
            f"method.episode={numbers.episode} and tested={numbers.tested} are at least 1"
        )
    frozen = trained.freeze(trained.in_one_phase(base, "ReLOAD"))
    training = Training(
        frozen, module, optimizer, phased_optimizer, numbers, tuple(lengths), imitates
    )
    steps = {"rule": _imitating_step, "same noise": _acting_step, PHASED: _phased_step}
    stages = tuple(
        Stage(name, length, functools.partial(steps[name], training))
        for name, length in zip(names, lengths, strict=True)
    )
    return Method(
        functools.partial(_init, training),
        stages[0].train_step,
        functools.partial(_predict, training),
        _measure,
        stages,
    )


def distance(modifications: Array) -> Array:
    """The residuals' distance: the mean square, over pixels and the 30 SRM kernels, of what changes
    do to the residuals.

    Args:
      modifications: `[..., H, W]`.

    Returns:
      `[...]`.
    """
    return jnp.mean(_squares(modifications), axis=(-2, -1))


def rewards(before: Array, after: Array) -> Array:
    """What each agent is rewarded with: by how much the squared residuals have fallen at its pixel,
    in the mean of the 30 kernels, spread a little over the neighbours.

    Args:
      before, after: modifications `[..., H, W]` before and after a step.

    Returns:
      The same shape.
    """
    return models.correlated(_squares(before) - _squares(after), _SMOOTHING)


def _squares(modifications: Array) -> Array:
    """The mean of the 30 squared residuals of changes, per pixel."""
    planes = modifications.reshape(-1, *modifications.shape[-2:], 1)
    responses = high_pass.residuals(planes, high_pass.SRM)
    return jnp.mean(responses**2, axis=-1).reshape(modifications.shape)


def acted(costs: Costs, actions: Array, *, factor: float) -> Costs:
    """Costs after a step.

    Args:
      costs: any shape.
      actions: same shape, see `models.reload`.
      factor: by which a change becomes cheaper.

    Returns:
      Costs; forbidden changes stay so.
    """

    def one(rho, action):
        return jnp.where((actions == action) & (rho < WET_COST), rho / factor, rho)

    return Costs(one(costs.plus, models.RAISE), one(costs.minus, models.LOWER))


def agents(costs: Costs, share: float) -> Array:
    """Which pixels have an agent: the cheapest.

    Args:
      costs: `[..., H, W]`.
      share: of the pixels.

    Returns:
      bool, same shape.
    """
    rho = jnp.minimum(costs.plus, costs.minus)
    flat = jnp.sort(rho.reshape(*rho.shape[:-2], -1), axis=-1)
    limit = flat[..., min(int(share * flat.shape[-1]), flat.shape[-1] - 1)]
    return rho < limit[..., None, None]


def by_rule(modifications: Array) -> Array:
    """The rule that a network imitates: a changed pixel acts along `models.reload.preferred`.

    Args:
      modifications: `[..., H, W]`.

    Returns:
      Actions, int32, same shape.
    """
    way = jnp.where(modifications != 0, models.preferred(modifications), 0.0)
    return (models.NOTHING + way).astype(jnp.int32)


def _maps(covers: Array, modifications: Array, last: Array) -> Array:
    return jnp.stack([(covers + modifications) / 255.0, -modifications, last * 1.0], axis=-1)


def _drawn(keys: Key, costs: Costs, bits: float | Array) -> Array:
    """Modifications of planes `[B, H, W]`, each with its own noise."""
    chances = probabilities.gibbs(costs, probabilities.lambda_for_payload(costs, bits))
    return jax.vmap(probabilities.simulate)(keys, chances)


class _Begun(NamedTuple):
    """Covers at the start of an episode."""

    covers: Array
    costs: Costs
    mask: Array
    keys: Key
    bits: float


def _begun(training: Training, state: State, batch, key: Key) -> _Begun:
    covers = batch["cover"][..., 0]
    cost = training.base.attach(state.params.get(steganalyzer.FROZEN, [])).cost
    costs = embed.bounded(cost)(covers)
    numbers = training.numbers
    return _Begun(
        covers,
        costs,
        agents(costs, numbers.agents),
        parallel.example_keys(key, covers.shape[0]),
        numbers.payload * covers.shape[1] * covers.shape[2],
    )


class _Episode(NamedTuple):
    """What happened in the steps of an episode, `[T, B, H, W]` each but for the maps' channels."""

    maps: Array
    actions: Array
    rewards: Array


def _episode(begun: _Begun, act: Callable[[Array, Array], Array], numbers: Numbers) -> _Episode:
    """Steps with one noise; `act(t, maps) -> actions`."""

    def one(carry, step):
        costs, last, before = carry
        maps = _maps(begun.covers, before, last)
        actions = jnp.where(begun.mask, act(step, maps), models.NOTHING)
        costs = acted(costs, actions, factor=numbers.amplitude)
        after = _drawn(begun.keys, costs, begun.bits)
        return (costs, actions, after), _Episode(maps, actions, rewards(before, after))

    last = jnp.full(begun.covers.shape, models.NOTHING)
    start = (begun.costs, last, _drawn(begun.keys, begun.costs, begun.bits))
    return jax.lax.scan(one, start, jnp.arange(numbers.episode))[1]


def _returns(gained: Array, discount: float) -> Array:
    """Of rewards `[T, B, H, W]`, what each step and those after it bring, discounted."""

    def one(later, own):
        total = own + discount * later
        return total, total

    return jax.lax.scan(one, jnp.zeros_like(gained[0]), gained, reverse=True)[1]


def _acting_step(training: Training, state: State, batch, key: Key):
    """One episode with one noise, and one update of the policy."""
    numbers, begun = training.numbers, _begun(training, state, batch, key)
    weights, stats = state.params[POLICY], state.batch_stats[POLICY]

    def act(step, maps):
        (_, logits), _ = networks.apply_training(training.module, weights, stats, maps)
        own = jax.vmap(lambda key: jax.random.fold_in(jax.random.fold_in(key, 1), step))
        return jax.vmap(jax.random.categorical)(own(begun.keys), logits)

    episode = _episode(begun, act, numbers)
    mask = jnp.broadcast_to(begun.mask, episode.rewards.shape)
    wanted = _returns(episode.rewards, numbers.discount)
    return _update(
        training.module,
        training.optimizer,
        POLICY,
        state,
        episode.maps,
        episode.actions,
        wanted,
        mask,
        numbers.entropy,
        {"mean_return": jnp.sum(wanted[0] * begun.mask) / jnp.maximum(jnp.sum(begun.mask), 1)},
    )


def _update(module, optimizer, name, state, maps, actions, returns, mask, entropy_weight, figures):
    """One step of a policy's gradient, given `[T, B, H, W]` actions and returns; pixels of a mask
    count.
    """
    count = jnp.maximum(parallel.mean(jnp.sum(mask)), 1)
    mean = parallel.mean(jnp.sum(returns * mask)) / count
    spread = jnp.sqrt(parallel.mean(jnp.sum((returns - mean) ** 2 * mask)) / count)
    flat = maps.reshape(-1, *maps.shape[2:])

    def loss_fn(weights):
        (values, logits), stats = networks.apply_training(
            module, weights, state.batch_stats[name], flat
        )
        logs = jax.nn.log_softmax(logits).reshape(*actions.shape, 3)
        chosen = jnp.take_along_axis(logs, actions[..., None], axis=-1)[..., 0]
        values = values.reshape(actions.shape)
        # Returns of deviation 1: the entropy's weight and the values' range belong to such.
        wanted = (returns - mean) / jnp.maximum(spread, 1e-6)
        gain = jax.lax.stop_gradient(wanted - values) * chosen
        entropy = -jnp.sum(jnp.exp(logs) * logs, axis=-1)
        each = -gain - entropy_weight * entropy + 0.25 * (wanted - values) ** 2
        return jnp.sum(each * mask) / count, (stats, jnp.sum(entropy * mask) / count)

    after, values, entropy = _descended(optimizer, name, state, loss_fn)
    acting = jnp.sum((actions != models.NOTHING) * mask) / count
    return after, parallel.mean({**values, "entropy": entropy, "acting": acting, **figures})


def _descended(optimizer, name, state, loss_fn):
    """The state after a step of one policy down `loss_fn(weights) -> (loss, (statistics, more))`;
    the figures of the step; and `more`.
    """
    (loss, (stats, more)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params[name])
    params, opt_state, norm = networks.descend(
        optimizer, gradients, state.opt_state[name], state.params[name]
    )
    after = State(
        state.step + 1,
        {**state.params, name: params},
        {**state.batch_stats, name: stats},
        {**state.opt_state, name: opt_state},
    )
    return after, {"loss": loss, "gradient_norm": norm}, more


def _imitating_step(training: Training, state: State, batch, key: Key):
    """One step of a policy towards the rule's actions, in an episode that the rule acts in."""
    begun = _begun(training, state, batch, key)
    episode = _episode(begun, lambda step, maps: by_rule(-maps[..., 1]), training.numbers)
    mask = jnp.broadcast_to(begun.mask, episode.actions.shape)
    flat = episode.maps.reshape(-1, *episode.maps.shape[2:])

    def loss_fn(weights):
        (_, logits), stats = networks.apply_training(
            training.module, weights, state.batch_stats[POLICY], flat
        )
        logs = jax.nn.log_softmax(logits).reshape(*mask.shape, 3)
        chosen = jnp.take_along_axis(logs, episode.actions[..., None], axis=-1)[..., 0]
        count = jnp.maximum(jnp.sum(mask), 1)
        right = jnp.sum((jnp.argmax(logs, axis=-1) == episode.actions) * mask) / count
        return -jnp.sum(chosen * mask) / count, (stats, right)

    after, values, right = _descended(training.optimizer, POLICY, state, loss_fn)
    return after, parallel.mean({**values, "accuracy": right})


def _phased_step(training: Training, state: State, batch, key: Key):
    """One update of the phased policy: one lattice, after those before it, with fresh noise; an
    agent is rewarded with what is better than without any action.
    """
    numbers, begun = training.numbers, _begun(training, state, batch, key)
    scheme_ = _scheme(training.base, state, numbers)
    done = jax.vmap(
        lambda key, cover: embed.simulate_visits(key, cover, begun.bits, scheme=scheme_)
    )(begun.keys, begun.covers)
    number = jax.random.randint(networks.split_keys(key, "lattice")["lattice"], (), 1, _LATTICES)
    before = jnp.stack(done.before)[number]
    mask = done.lattices == number
    maps = _maps(begun.covers, before, jnp.full(before.shape, models.NOTHING))
    _, logits = models.SixNumbers().apply({"params": state.params[PHASED]}, maps, train=True)
    action_keys, noise_keys = jax.vmap(jax.random.split, out_axes=1)(
        jax.vmap(lambda k: jax.random.fold_in(k, 2))(begun.keys)
    )
    actions = jax.vmap(jax.random.categorical)(action_keys, logits)
    actions = jnp.where(mask, actions, models.NOTHING)

    def after(costs):
        inside = Costs(*(jnp.where(mask, rho, WET_COST) for rho in costs))
        bits = begun.bits * jnp.mean(mask, axis=(1, 2))
        return before + _drawn(noise_keys, inside, bits)

    plain = after(begun.costs)
    adjusted = after(acted(begun.costs, actions, factor=numbers.phased_factor))
    gained = rewards(plain, adjusted)
    return _update(
        models.SixNumbers(),
        training.phased_optimizer,
        PHASED,
        state,
        maps[None],
        actions[None],
        gained[None],
        mask[None],
        numbers.entropy,
        {"mean_return": jnp.sum(gained * mask) / jnp.maximum(jnp.sum(mask), 1)},
    )


class _Phased(NamedTuple):
    """The rule of a lattice's visit."""

    factor: float

    def __call__(self, params: Params, cost, cover: Array, modifications: Array):
        shape = cover.shape
        covers, before = (each.reshape(-1, *shape[-2:]) for each in (cover, modifications))
        maps = _maps(covers, before, jnp.full(covers.shape, models.NOTHING))
        _, logits = models.SixNumbers().apply({"params": params}, maps, train=False)
        actions = jnp.argmax(logits, axis=-1).reshape(shape)
        # Where nothing is changed around, both directions are alike, and none is preferred.
        actions = jnp.where(
            logits[..., models.RAISE].reshape(shape) == logits[..., models.LOWER].reshape(shape),
            models.NOTHING,
            actions,
        )
        return acted(cost(cover), actions, factor=self.factor)


def _scheme(base: trained.Frozen, state: State, numbers: Numbers) -> embed.Scheme:
    attached = base.attach(state.params.get(steganalyzer.FROZEN, []))
    rule = Partial(_Phased(numbers.phased_factor), state.params[PHASED])
    visits = tuple(
        recipes.Visit(lattice, rule if lattice else recipes.no_adjustment)
        for lattice in range(_LATTICES)
    )
    # CMD's lattices, by which the header knows them.
    return attached._replace(recipe=embed.RECIPES["cmd"]._replace(visits=visits))


def _init(training: Training, key: Key, batch) -> State:
    covers = batch["cover"][..., 0]
    maps = _maps(covers, jnp.zeros_like(covers), jnp.zeros_like(covers))
    keys = networks.split_keys(key, POLICY, PHASED)
    policy, stats = networks.initialise(keys[POLICY], training.module, maps)
    phased, _ = networks.initialise(keys[PHASED], models.SixNumbers(), maps)
    arrays = training.base.arrays
    return State(
        jnp.int32(0),
        {POLICY: policy, PHASED: phased, **({steganalyzer.FROZEN: arrays} if arrays else {})},
        {POLICY: stats, PHASED: {}},
        {POLICY: training.optimizer.init(policy), PHASED: training.phased_optimizer.init(phased)},
    )


def _adapted(training: Training, state: State, begun: _Begun) -> tuple[Costs, Array, Array]:
    """What greedy agents make of covers with one noise: costs and modifications of the last step
    before the distance first rises, and the modifications at the start.
    """
    weights, stats = state.params[POLICY], state.batch_stats[POLICY]

    def step(carry, _):
        costs, changes, last, alive = carry
        maps = _maps(begun.covers, changes, last)
        _, logits = networks.apply(training.module, weights, stats, maps)
        actions = jnp.where(begun.mask, jnp.argmax(logits, axis=-1), models.NOTHING)
        tried = acted(costs, actions, factor=training.numbers.amplitude)
        after = _drawn(begun.keys, tried, begun.bits)
        alive = alive & (distance(after) < distance(changes))
        keep = alive[:, None, None]
        kept = Costs(*(jnp.where(keep, new, old) for new, old in zip(tried, costs, strict=True)))
        return (kept, jnp.where(keep, after, changes), actions, alive), None

    initial = _drawn(begun.keys, begun.costs, begun.bits)
    start = (
        begun.costs,
        initial,
        jnp.full(initial.shape, models.NOTHING),
        jnp.ones(initial.shape[0], bool),
    )
    (costs, changes, _, _), _ = jax.lax.scan(step, start, length=training.numbers.tested)
    return costs, changes, initial


def _predict(training: Training, state: State, batch, key: Key) -> dict[str, Array]:
    begun = _begun(training, state, batch, key)
    costs, changes, initial = _adapted(training, state, begun)
    other = jax.vmap(lambda k: jax.random.fold_in(k, 3))(begun.keys)
    first = distance(initial)
    plain = distance(_drawn(other, begun.costs, begun.bits))
    phased_scheme = _scheme(training.base, state, training.numbers)

    def phased(recipe):
        scheme_ = phased_scheme._replace(recipe=recipe)
        return jax.vmap(
            lambda key, cover: embed.simulate_visits(key, cover, begun.bits, scheme=scheme_)
        )(other, begun.covers).modifications

    written, clustered = phased(phased_scheme.recipe), phased(embed.RECIPES["cmd"])
    return {
        "stego": batch["cover"] + written[..., None],
        "changes": 127.5 * (1 + written[..., None]),
        "distance_ratio": distance(changes) / jnp.maximum(first, 1e-6),
        "distance_ratio_other_noise": distance(_drawn(other, costs, begun.bits))
        / jnp.maximum(plain, 1e-6),
        "distance_ratio_phased": distance(written) / jnp.maximum(plain, 1e-6),
        "distance_ratio_cmd": distance(clustered) / jnp.maximum(plain, 1e-6),
    }


def _measure(batch, outputs) -> dict[str, Array]:
    changed = jnp.mean(jnp.abs(outputs["stego"] - batch["cover"]), axis=(1, 2, 3))
    return {"change_rate": changed, **{name: outputs[name] for name in FIGURES}}


def _numbers(fields: Fields) -> Numbers:
    return Numbers(*(getattr(fields, name) for name in Numbers._fields))
