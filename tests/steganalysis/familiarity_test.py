"""How unlike pictures are, against what Gaussian clouds must give."""

import numpy as np
import pytest

from stegojax.errors import InputError
from stegojax.steganalysis import familiarity


def cloud(seed, count, *, shift=0.0, scale=1.0):
    """Squares of points that vary in two directions of ten, and a little in all."""
    generator = np.random.default_rng(seed)
    wide = generator.normal(0, scale, (count, 2)) @ np.eye(2, 10)
    return (10 + shift + wide + generator.normal(0, 0.01, (count, 10))) ** 2


def test_pictures_like_the_training_are_at_about_one():
    familiar = familiarity.fit(cloud(0, 500), directions=2)
    np.testing.assert_allclose(familiar.spread, 1, rtol=0.1)
    distances = familiarity.distance(familiar, cloud(1, 500))
    assert 0.8 < distances.mean() < 2


@pytest.mark.parametrize("change", [dict(scale=10.0), dict(shift=0.1)])
def test_others_are_further(change):
    """Further out in the directions that vary, or off in those that do not."""
    familiar = familiarity.fit(cloud(0, 500), directions=2)
    limit = np.quantile(familiarity.distance(familiar, cloud(1, 500)), 0.95)
    assert (familiarity.distance(familiar, cloud(2, 500, **change)) > limit).mean() > 0.8


@pytest.mark.parametrize("directions", [0, 11, 20])
def test_directions_that_there_are_not(directions):
    with pytest.raises(InputError, match="span no"):
        familiarity.fit(cloud(0, 20), directions=directions)
