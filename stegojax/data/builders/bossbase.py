"""BOSSBase 1.01 (Bas, Filler, Pevny, Information Hiding 2011): 10,000 grey photographs, 512x512."""

import tensorflow_datasets as tfds

from stegojax.data.builders.grey_photographs import GreyPhotographs


class Bossbase(GreyPhotographs):
    """BOSSBase 1.01, from `BOSSbase_1.01.zip` (1.pgm .. 10000.pgm) or its unpacked folder."""

    VERSION = tfds.core.Version("1.0.1")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put BOSSbase_1.01.zip, or the folder unpacked from it, into the manual directory."
    )
    name = "bossbase"
    archives = ("BOSSbase_1.01.zip",)
    folder = "BOSSbase_1.01"
    photographs = 10_000
    home = "http://dde.binghamton.edu/download/"
    description = (
        "BOSSBase 1.01: 10,000 grey photographs of 512x512 pixels, the standard cover set of "
        "steganalysis."
    )
    citation = """@inproceedings{bas2011break,
  title={"Break our steganographic system": the ins and outs of organizing {BOSS}},
  author={Bas, Patrick and Filler, Tom{\\'a}{\\v{s}} and Pevn{\\'y}, Tom{\\'a}{\\v{s}}},
  booktitle={Information Hiding},
  pages={59--70},
  year={2011}
}"""
