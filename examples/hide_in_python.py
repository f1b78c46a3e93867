"""Hides a text in a photograph, counts the changes, and gets it back.

python examples/hide_in_python.py
"""

import numpy as np
from skimage import data

import stegojax


def main():
    """Prints what was hidden, at what price, and what came back."""
    cover = data.camera()[:256, :256]
    message = b"The eagle has landed."

    stego = stegojax.hide(cover, message, "correct horse battery staple", scheme="hill-cmd")
    changed = int((stego != cover).sum())
    print(f"{len(message)} of up to {stegojax.capacity(cover)} bytes hidden with {changed} changes")

    revealed = stegojax.reveal(stego, "correct horse battery staple")
    assert np.abs(stego.astype(int) - cover).max() <= 1 and revealed == message
    print(revealed.decode())


if __name__ == "__main__":
    main()
