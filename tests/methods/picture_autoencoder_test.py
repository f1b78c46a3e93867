"""Baluja's system with colour secrets, as in its own paper, and what does not go together."""

import io

import jax
import numpy as np
import pytest
from PIL import Image
from support.configs import load
from support.photographs import cover, photograph

from stegojax import run
from stegojax.errors import InputError
from stegojax.hiders import pictures
from stegojax.hiders.contract import Options, pixels_of
from stegojax.methods import picture_autoencoder

SECTION = dict(optimizer=dict(name="adam", learning_rate=1e-3), width=0.04)


def made(networks=picture_autoencoder.baluja_networks, **options):
    return picture_autoencoder.from_config(networks, {**SECTION, **options}, steps_per_epoch=1)


def batch(channels):
    cover, secret = (photograph((16, 16, c), seed=c).pixels[None] for c in (3, channels))
    return {"cover": cover.astype(np.float32), "secret": secret.astype(np.float32)}


@pytest.mark.parametrize("colour", [False, True])
def test_what_is_revealed_has_the_secrets_colours(colour):
    method, given = made(secret_colour=colour), batch(3 if colour else 1)
    state = jax.eval_shape(method.init, jax.random.key(0), given)
    outputs = jax.eval_shape(method.predict, state, given, jax.random.key(0))
    assert outputs["revealed"].shape == given["secret"].shape
    assert outputs["stego"].shape == given["cover"].shape


def test_data_and_networks_must_agree():
    for colour, channels in ((False, 3), (True, 1)):
        with pytest.raises(InputError, match="set data.secret_colour and method.secret_colour"):
            jax.eval_shape(made(secret_colour=colour).init, jax.random.key(0), batch(channels))
    with pytest.raises(InputError, match="Atique's hide grey"):
        made(picture_autoencoder.atique_networks, secret_colour=True)


def test_a_colour_picture_is_hidden_and_comes_back_in_colour():
    config = load("baluja").get_config("colour")
    config.method.width = 0.04
    assert config.method.secret_colour and load("baluja").get_config("paper").data.secret_colour
    method = run.method(config)
    state = jax.tree.map(np.asarray, method.init(jax.random.key(0), run.example(config)))
    hider = pictures.hider(run.Loaded(config, method, state, 1), Options())
    file = io.BytesIO()
    Image.fromarray(photograph((20, 24, 3), seed=5).pixels).save(file, "PNG")
    hidden = hider.hide(None, cover((32, 40, 3)), file.getvalue())
    assert pixels_of(hider.reveal(None, hidden.elements)).shape == (32, 40, 3)
    assert "colour picture of 40x32" in hider.capacity(cover((32, 40, 3))).said[0]
