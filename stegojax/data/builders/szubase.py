"""SZUBase (Shenzhen University; Zeng et al., IEEE TIFS 2018): 40,000 grey photographs, 512x512."""

import tensorflow_datasets as tfds

from stegojax.data.builders.grey_photographs import GreyPhotographs


class Szubase(GreyPhotographs):
    """SZUBase, from `SZUBase.zip`, `SZUBase.tgz`, `SZUBase.tar.gz` or the unpacked folder
    `SZUBase`.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put SZUBase.zip or SZUBase.tgz, or the folder SZUBase, into the manual directory."
    )
    name = "szubase"
    archives = ("SZUBase.zip", "SZUBase.tgz", "SZUBase.tar.gz")
    folder = "SZUBase"
    photographs = 40_000
    home = "https://doi.org/10.1109/TIFS.2017.2779446"
    description = (
        "SZUBase: 40,000 grey photographs of 512x512 pixels, from raw files, without compression."
    )
    citation = """@article{zeng2018large,
  title={Large-scale {JPEG} image steganalysis using hybrid deep-learning framework},
  author={Zeng, Jishen and Tan, Shunquan and Li, Bin and Huang, Jiwu},
  journal={IEEE Transactions on Information Forensics and Security},
  volume={13},
  number={5},
  pages={1200--1214},
  year={2018}
}"""
