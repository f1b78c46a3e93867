"""What a method takes over from other runs: networks to begin from, and schemes to stand on.

Only the edge knows where another run lies (a work directory, or a name): a `from_config` is handed
a function that loads it, `Load`. The arrays of a scheme that another run has learned are kept in
the state of the run that uses it, which so stays as it is when the other is trained further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from stegojax import embed
from stegojax.domains import PIXELS
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.types import Array, Domain, Key, Params, State

RUN = "run:"
"""Before the place of a run whose scheme is meant: "run:runs/asymmetric"."""

Network = tuple[Params, Params]
"""Parameters and BatchNorm statistics of one network."""


class Trained(NamedTuple):
    """Another run, as far as a method can use it.

    section: its config's `method` section, with "name".
    state:   its trained state.
    scheme:  what it embeds with; None where it does not embed by costs.
    """

    section: Mapping[str, Any]
    state: State
    scheme: embed.Scheme | None = None


Load = Callable[[str], Trained]
"""`place -> Trained`, where a place is a work directory or whatever else the edge can resolve."""


class Frozen(NamedTuple):
    """A scheme and the arrays that it holds, apart.

    arrays: of its cost and its rules, leaves in order; empty where it has none.
    attach: `arrays -> Scheme`, the scheme with these arrays in it, traced ones too.
    """

    arrays: list[Array]
    attach: Callable[[list[Array]], embed.Scheme]


def freeze(scheme: embed.Scheme) -> Frozen:
    """Takes the arrays out of a scheme, so that a state can hold them.

    Args:
      scheme: its cost and its rules are functions, or `jax.tree_util.Partial`s that hold arrays.

    Returns:
      The arrays and what puts them back; a scheme without arrays comes back itself.
    """
    whole = (scheme.recipe, *scheme.alternatives)
    functions = (
        scheme.cost,
        scheme.accepts,
        *(visit.adjust for recipe in whole for visit in recipe.visits),
    )
    held = [each if isinstance(each, Partial) else () for each in functions]
    arrays, tree = jax.tree.flatten(held)

    def attach(arrays):
        if not arrays:
            return scheme
        cost, accepts, *rules = (
            own if isinstance(own, Partial) else function
            for own, function in zip(tree.unflatten(arrays), functions, strict=True)
        )
        rule = iter(rules)
        first, *others = (
            each._replace(visits=tuple(visit._replace(adjust=next(rule)) for visit in each.visits))
            for each in whole
        )
        return scheme._replace(cost=cost, recipe=first, alternatives=tuple(others), accepts=accepts)

    return Frozen([jnp.asarray(array) for array in arrays], attach)


def scheme(text: str, load: Load | None = None, *, domain: Domain = PIXELS) -> embed.Scheme:
    """The scheme that a config names.

    Args:
      text: "COST" or "COST-RECIPE"; "run:PLACE" for what another run embeds with; or
        "RECIPE:run:PLACE" for a recipe on the costs that another run has learned, such as
        "cmd:run:runs/learned".
      load: loads that run.
      domain: whose costs and recipes the names are, and in whose covers the run embeds.

    Returns:
      The scheme.

    Raises:
      InputError: the text names none, or the run embeds otherwise than by costs, or in others.
    """
    recipe, is_run, place = str(text).partition(RUN)
    if not is_run:
        return embed.parse_scheme(text, domain=domain)
    recipe = recipe.removesuffix(":")
    if recipe and recipe not in domain.recipes:
        raise InputError(
            f"scheme {text!r}: the recipe {recipe!r} is unknown; there are "
            f"{', '.join(domain.recipes)}"
        )
    if load is None:
        raise InputError(f"scheme {text!r} stands on another run, and none can be loaded here")
    learned = load(place).scheme
    if learned is None:
        raise InputError(f"scheme {text!r}: the run does not embed by costs; name one that does")
    if learned.domain is not domain:
        raise InputError(
            f"scheme {text!r}: the run embeds into {learned.domain.words.elements}, and "
            f"{domain.words.elements} are embedded into here; see method.jpeg_quality"
        )
    if not recipe:
        return learned
    base = in_one_phase(learned, f"the recipe {recipe!r}")
    return base._replace(name=text, recipe=domain.recipes[recipe])


def in_one_phase(scheme: embed.Scheme, what: str) -> embed.Scheme:
    """The scheme itself, where it embeds into all of the cover at once and adjusts nothing.

    Args:
      scheme: any.
      what: who asks, for the message.

    Returns:
      The scheme.

    Raises:
      InputError: it has several phases.
    """
    if scheme.alternatives:
        raise InputError(
            f"{what} starts from costs alone; {scheme.name!r} tries several recipes for every "
            "cover: name what it stands on"
        )
    if len(scheme.recipe.visits) > 1:
        raise InputError(
            f"{what} starts from a scheme of one phase; {scheme.name!r} has "
            f"{len(scheme.recipe.visits)}: name its costs alone"
        )
    return scheme


def network(load: Load | None, place: str, *names: str) -> Network | None:
    """A network of another run.

    Args:
      load: loads the run; None where the state comes from a checkpoint, and nothing is begun.
      place: of the run; "" for none.
      *names: which network, by its names in the states of runs: the first that is there.

    Returns:
      The network; None where there is none to begin from.

    Raises:
      InputError: the run has no network of these names.
    """
    if not place or load is None:
        return None
    state = load(place).state
    for name in names:
        if name in state.params:
            return state.params[name], state.batch_stats.get(name, {})
    raise InputError(
        f"the run {place} has no network {' or '.join(map(repr, names))} to begin from; it has "
        f"{', '.join(sorted(state.params))}"
    )


def check_same_scheme(load: Load | None, place: str, scheme_text: str) -> None:
    """Refuses a steganalyzer to be deceived that was trained on other stegos.

    Args:
      load: loads the run; None where nothing is begun.
      place: of the steganalyzer's run; "" for none.
      scheme_text: of the stegos that it should tell.

    Raises:
      InputError: it was trained on those of another scheme.
    """
    if not place or load is None:
        return
    other = str(load(place).section.get("scheme", "")).partition("#")[0]
    if other != str(scheme_text).partition("#")[0]:
        raise InputError(
            f"the steganalyzer of {place} was trained on {other or 'no scheme'}, and method.scheme "
            f"is {scheme_text}; name one that was trained on that, or none"
        )


def without_beginnings(section: Mapping[str, Any]) -> dict[str, Any]:
    """A config's section where the state comes from a checkpoint, and no network begins.

    Args:
      section: fields that end in "_from" name the runs from which networks begin.

    Returns:
      The section with these fields empty.
    """
    return {name: "" if name.endswith("_from") else value for name, value in section.items()}


def begin(
    key: Key, module: nn.Module, *inputs: Array, given: Network | None = None, what: str = ""
) -> Network:
    """A network at the start of a training: as its module initialises it, or another run's.

    Args:
      key: PRNG key.
      module: the network.
      *inputs: what it takes; only shapes and dtypes matter.
      given: the other run's, or None.
      what: the network's name, for the message.

    Returns:
      Parameters and BatchNorm statistics.

    Raises:
      InputError: what is given does not belong to this module.
    """
    if given is None:
        return networks.initialise(key, module, *inputs)
    here = _shapes(jax.eval_shape(lambda *x: networks.initialise(key, module, *x), *inputs))
    there = _shapes(given)
    for name in sorted({*here, *there}):
        if here.get(name) != there.get(name):
            raise InputError(
                f"{what} cannot begin from that run: {name} is {there.get(name, 'absent')} there "
                f"and {here.get(name, 'absent')} here; it must be of the same network, width and "
                "size of pictures"
            )
    return jax.tree.map(jnp.asarray, tuple(given))


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    leaves, _ = jax.tree.flatten_with_path(tuple(network))
    # The first part of a path says whether it is a parameter or a statistic.
    return {
        jax.tree_util.keystr(path[1:], simple=True, separator="/"): jnp.shape(leaf)
        for path, leaf in leaves
    }
