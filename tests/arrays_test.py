"""What a Python caller gives is checked as what a person gives."""

import numpy as np
import pytest
from support.photographs import photograph

import stegojax
from stegojax import secret
from stegojax.errors import InputError

GREY, COLOUR = photograph((40, 40, 1)).pixels, photograph((40, 40, 3)).pixels

NO_PICTURES = {
    "alpha": np.dstack([COLOUR, COLOUR[..., :1]]),
    "two channels": COLOUR[..., :2],
    "floats": COLOUR.astype(np.float32),
    "wide": COLOUR.astype(np.uint16),
    "signs": COLOUR.astype(np.int8),
    "truth": COLOUR > 3,
    "flat": COLOUR.ravel(),
    "a batch": COLOUR[None],
    "none": COLOUR[:0],
    "no channel": COLOUR[..., :0],
    "text": "cover.png",
    "nothing": None,
    "a list": COLOUR.tolist(),
    "ragged": [[1, 2], [3]],
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_an_array_that_is_no_picture_is_refused(name):
    before = np.array(NO_PICTURES[name], dtype=object) if name != "ragged" else None
    for call in (
        lambda: stegojax.hide(NO_PICTURES[name], b"message", "password"),
        lambda: stegojax.reveal(NO_PICTURES[name], "password"),
        lambda: stegojax.capacity(NO_PICTURES[name]),
    ):
        with pytest.raises(InputError, match="pixels are uint8|pixels have 1 or 3 channels"):
            call()
    assert before is None or np.array_equal(before, np.array(NO_PICTURES[name], dtype=object))


@pytest.mark.parametrize("message", ["text", None, 7, [1, 2], np.zeros(3, np.uint8)])
def test_a_message_that_is_no_bytes_is_refused(message):
    with pytest.raises(InputError, match="the message is bytes"):
        stegojax.hide(GREY, message, "password")


@pytest.mark.parametrize("password", ["", b"", None, 7, ["a"], np.zeros(32, np.uint8)])
def test_a_password_that_is_none_is_refused(password):
    for call in (
        lambda: stegojax.hide(GREY, b"", password),
        lambda: stegojax.reveal(GREY, password),
    ):
        with pytest.raises(InputError, match="password"):
            call()


def test_a_password_may_be_bytes_or_a_secret():
    stego = stegojax.hide(GREY[..., 0], bytearray(b"message"), "d\u00e9j\u00e0")
    assert stego.shape == (40, 40)
    for password in ("d\u00e9j\u00e0".encode(), secret.password("de\u0301ja\u0300")):
        assert stegojax.reveal(stego, password) == b"message"
