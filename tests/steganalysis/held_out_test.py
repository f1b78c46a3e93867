"""The detection error that a training is judged by while it goes on."""

import numpy as np
import pytest
from support.photographs import photograph

from stegojax.errors import InputError
from stegojax.steganalysis import held_out


@pytest.fixture(scope="module")
def covers():
    return np.stack([photograph((32, 32, 1), seed).pixels[..., 0] for seed in range(40)])


def test_what_changes_much_is_found_and_what_changes_nothing_is_not(covers):
    stegos = covers + np.random.default_rng(0).choice([-7, 7], covers.shape)
    found = held_out.detection_error(covers, np.clip(stegos, 0, 255), features="spam")
    assert found < 0.2
    assert held_out.detection_error(covers, covers, features="spam") == 0.5
    assert held_out.detection_error(covers, np.clip(stegos, 0, 255), features="spam") == found


@pytest.mark.parametrize(
    "count, features, words",
    [(40, "sram", "'sram' is unknown; choose of spam"), (19, "spam", "there are 19 of 32x32")],
)
def test_what_cannot_be_measured_is_refused(covers, count, features, words):
    with pytest.raises(InputError, match=words):
        held_out.detection_error(covers[:count], covers[:count], features=features)
