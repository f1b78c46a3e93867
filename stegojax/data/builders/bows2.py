"""BOWS2 (second Break Our Watermarking System contest, 2008): 10,000 grey photographs, 512x512."""

import tensorflow_datasets as tfds

from stegojax.data.builders.grey_photographs import GreyPhotographs


class Bows2(GreyPhotographs):
    """The original images of BOWS2, from `BOWS2OrigEp3.tgz` or its unpacked folder."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put BOWS2OrigEp3.tgz, or the folder unpacked from it, into the manual directory."
    )
    name = "bows2"
    archives = ("BOWS2OrigEp3.tgz",)
    folder = "BOWS2OrigEp3"
    photographs = 10_000
    home = "http://bows2.ec-lille.fr/"
    description = (
        "The original images of BOWS2, episode 3: 10,000 grey photographs of 512x512 pixels."
    )
    citation = """@misc{bas2008bows2,
  title={{BOWS-2}},
  author={Bas, Patrick and Furon, Teddy},
  howpublished={http://bows2.ec-lille.fr},
  year={2008}
}"""
