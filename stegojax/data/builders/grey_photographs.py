"""What the steganographic image sets have in common: thousands of grey PGM or PNG files in one
archive or folder.

They are stored losslessly as `{"image": uint8 [H, W, 1], "file_name": text}` in one split, `train`,
in the order that TFDS' hash of the file names gives (the sets' own order is by camera). Needs no
TensorFlow.
"""

from __future__ import annotations

import pathlib
import tarfile
import zipfile
from collections.abc import Iterator
from typing import ClassVar

import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

from stegojax import images
from stegojax.errors import InputError


class GreyPhotographs(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A data set of grey photographs, given in TFDS' manual directory.

    Subclasses set the class attributes.

    archives:    names of the published archive in the manual directory.
    folder:      name of its unpacked folder there.
    photographs: how many the published set has; another number is a warning.
    home:        where the set is described.
    description, citation: for TFDS' metadata.
    """

    archives: ClassVar[tuple[str, ...]]
    folder: ClassVar[str]
    photographs: ClassVar[int]
    home: ClassVar[str]
    description: ClassVar[str]
    citation: ClassVar[str]
    url_infos = None  # nothing is downloaded, so there are no checksums for TFDS to look for

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
                "file_name": tfds.features.Text(),
            }
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.description,
            features=features,
            homepage=self.home,
            citation=self.citation,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        given = pathlib.Path(dl_manager.manual_dir)
        for place in (*(given / name for name in self.archives), given / self.folder, given):
            if (
                place.is_file()
                or place.is_dir()
                and any(_is_picture(path.name) for path in place.rglob("*"))
            ):
                return {"train": self._generate_examples(place)}
        archives = " nor ".join(self.archives)
        raise InputError(
            f"{given} holds neither {archives} nor .pgm or .png files; get the set from {self.home}"
        )

    def _generate_examples(self, place: pathlib.Path) -> Iterator[tuple[str, dict]]:
        count = 0
        for name, data in pictures_in(place):
            picture = images.read(data, name=f"{place}: {name}")
            if picture.pixels.shape[2] != 1:
                raise InputError(
                    f"{place}: {name} is a colour picture, but {self.name} is a grey set; check "
                    "the file"
                )
            count += 1
            yield (
                name,
                {
                    "image": Image.fromarray(picture.pixels[..., 0]),
                    "file_name": pathlib.PurePosixPath(name).name,
                },
            )
        if not count:
            raise InputError(f"{place} holds no .pgm or .png file; get the set from {self.home}")
        if count != self.photographs:
            logging.warning(
                "%s: %d photographs, but the published %s has %d",
                place,
                count,
                self.name,
                self.photographs,
            )


def pictures_in(place: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """The PGM and PNG files of a zip archive, a tar archive or a folder.

    Args:
      place: the archive or folder.

    Yields:
      Name within the archive or folder, and the file's bytes; archives in their own order, folders
      sorted.

    Raises:
      InputError: the archive is broken or of another kind.
    """
    try:
        if place.is_dir():
            for path in sorted(path for path in place.rglob("*") if _is_picture(path.name)):
                yield path.relative_to(place).as_posix(), path.read_bytes()
        elif zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                for name in archive.namelist():
                    if _is_picture(name):
                        yield name, archive.read(name)
        else:
            with tarfile.open(place) as archive:
                for member in archive:
                    if member.isfile() and _is_picture(member.name):
                        yield member.name, archive.extractfile(member).read()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise InputError(
            f"{place}: cannot be unpacked ({' '.join(str(error).split())}); get it again"
        ) from error


def _is_picture(name: str) -> bool:
    path = pathlib.PurePosixPath(name)
    return path.suffix.lower() in (".pgm", ".png") and not path.name.startswith(".")
