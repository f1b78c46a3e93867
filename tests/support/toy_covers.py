"""A game of networks with one number each, whose steps can be worked out by hand, and a run of
it.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from stegojax import methods
from stegojax.methods import generation

SIZE = 16


class Generator(nn.Module):
    """Every pixel is 127.5 + gain x (the mean of its third of the noise) x 40."""

    size: int = SIZE

    @nn.compact
    def __call__(self, noise, *, train):
        gain = self.param("gain", nn.initializers.constant(1.0), ())
        colour = noise[:, :99].reshape(-1, 3, 33).mean(axis=-1)
        return jnp.broadcast_to(
            (127.5 + 40.0 * gain * colour)[:, None, None], (len(noise), self.size, self.size, 3)
        )


class Textured(nn.Module):
    """Every pixel is a fixed mixture of the noise, from 7 to 247."""

    size: int = 32

    @nn.compact
    def __call__(self, noise, *, train):
        mixture = jnp.asarray(
            np.random.default_rng(0).standard_normal((100, self.size**2 * 3)), jnp.float32
        )
        gain = self.param("gain", nn.initializers.constant(0.3), ())
        return 127.5 + 120.0 * jnp.sin(gain * (noise @ mixture)).reshape(
            -1, self.size, self.size, 3
        )


class Discriminator(nn.Module):
    """gain x mean / 255."""

    @nn.compact
    def __call__(self, pictures, *, train):
        return (
            self.param("gain", nn.initializers.constant(0.2), ())
            * pictures.mean(axis=(1, 2, 3))
            / 255.0
        )


class Steganalyzer(nn.Module):
    """Logits 0 and gain x (mean - 120)."""

    @nn.compact
    def __call__(self, pictures, *, train):
        logit = self.param("gain", nn.initializers.constant(0.1), ()) * (
            pictures.mean(axis=(1, 2, 3)) - 120.0
        )
        return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Parity(nn.Module):
    """Logits 0 and gain x (the share of odd samples - .1): sees every change of even covers."""

    start: float = 0.0

    @nn.compact
    def __call__(self, pictures, *, train):
        gain = self.param("gain", nn.initializers.constant(self.start), ())
        logit = gain * (jnp.mod(pictures, 2.0).mean(axis=(1, 2, 3)) - 0.1)
        return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


NETWORKS = generation.Networks(Generator(), Discriminator(), Steganalyzer())


def game(
    networks=NETWORKS,
    *,
    contest=generation.WASSERSTEIN,
    rates=(0.5, 0.5, 0.002),
    alpha=0.75,
    hide=generation.simulator("lsb-matching", payload=0.4),
    noise=generation.noise,
    **rules,
):
    """The game with these networks by gradient descent at these rates."""
    optimizers = generation.Optimizers(*map(optax.sgd, rates))
    return generation.game(
        networks, contest, optimizers, generation.Rules(alpha, **rules), hide, noise=noise
    )


def from_config(networks, section, *, steps_per_epoch, load=None):
    """The game with these networks, of a section of SSGAN's config with gradient descent."""
    del steps_per_epoch, load
    rate, slow = (
        section[name]["learning_rate"] for name in ("optimizer", "steganalyzer_optimizer")
    )
    return game(networks, rates=(rate, rate, slow), alpha=section["alpha"], clip=section["clip"])


def entry(networks=NETWORKS):
    """The game with these networks as a method that a config can name."""
    return methods.Entry(
        functools.partial(from_config, networks),
        use="covers",
        steganalyzer=lambda section: Parity(1.0),
        reports=("quality", "covers"),
    )


def pictures(count, *, seed=0):
    """Pictures of one colour each, `[count, 16, 16, 3]`."""
    colours = jax.random.uniform(jax.random.key(seed), (count, 1, 1, 3), minval=60.0, maxval=200.0)
    return jnp.broadcast_to(jnp.round(colours), (count, SIZE, SIZE, 3))
