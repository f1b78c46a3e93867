"""ISGAN with few layers: the wiring of the real one, compiled in a fraction of the time."""

import pytest
from ml_collections import ConfigDict
from support.configs import load

from stegojax.models import isgan as models


@pytest.fixture(autouse=True, scope="module")
def shallow():
    """Puts few layers in place of the tables' for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "INCEPTION_WIDTHS", (32, 32))
        patch.setattr(models, "DECODER_WIDTHS", (32,))
        yield


def config(**changes) -> ConfigDict:
    """ISGAN's tiny preset, with fields set as `section__field=value`."""
    c = load("isgan").get_config("tiny")
    for name, value in changes.items():
        section, _, field = name.rpartition("__")
        (c[section] if section else c)[field] = value
    return c
