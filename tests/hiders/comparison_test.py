"""Figures of changes, and their picture, by hand."""

import numpy as np
import pytest

from stegojax import domains, images
from stegojax.errors import InputError
from stegojax.hiders import comparison


def cover_of(pixels):
    return domains.pixels.cover_of(images.Picture(pixels))


def test_figures_and_picture_of_changes_by_hand():
    cover = np.full((2, 2, 3), 100, np.uint8)
    changed = cover.copy()
    changed[0, 0, 0], changed[0, 1, 1], changed[1, 0] = 101, 98, (99, 101, 100)
    figures = comparison.compare(cover_of(cover), cover_of(changed))
    assert figures[:4] == (12, 2, 2, 2) and figures.changes == 4
    assert figures.psnr == pytest.approx(10 * np.log10(255**2 / ((1 + 4 + 1 + 1) / 12)), abs=1e-3)
    assert comparison.in_words(figures) == "4 changes in 12 samples (0.3333), 50.47 dB"
    shown = comparison.picture_of_changes(cover_of(cover), cover_of(changed))
    assert domains.pixels.picture_of(shown).pixels.tolist() == [
        [[255, 48, 32], [48, 96, 255]],
        [[255, 255, 255], [89, 89, 89]],
    ]


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(InputError, match=r"2x3 with 3 channels, 2x1 with 1 channel"):
        comparison.compare(
            cover_of(np.zeros((3, 2, 3), np.uint8)), cover_of(np.zeros((1, 2, 1), np.uint8))
        )
