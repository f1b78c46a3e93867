"""Builders of the steganographic image sets that TFDS lacks; `python -m stegojax.data.prepare NAME`
runs them.
"""

from stegojax.data.builders.bossbase import Bossbase
from stegojax.data.builders.bows2 import Bows2
from stegojax.data.builders.szubase import Szubase

BUILDERS = {"bossbase": Bossbase, "bows2": Bows2, "szubase": Szubase}
"""Every builder, by the name it has behind `tfds:` in a config."""
