"""TensorFlow Datasets on disk, read without TensorFlow: any prepared data set with an image
feature, in ArrayRecord files.

The directory is found by the data set's name (`lfw`, `voc/2012`, `bossbase`, ...) and read through
its metadata alone, so the
code that once prepared it is not needed. Pictures are decoded by `images.read`, whatever image
  libraries are installed: uint8
`[H, W, C]`, C = 1 or 3.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from stegojax import images
from stegojax.errors import InputError


class TfdsSource:
    """The pictures of one split of a prepared TFDS data set, as a random-access sequence.

    Training takes the split `train`; held out is `validation`, else `test`, else the last tenth (`1
    - train_share`) of `train`, which then is missing from the training split.

    Args:
      name: the data set's name, with its configuration and version where it has any: `lfw`,
        `voc/2012`, `celeb_a:2.1.0`; behind an `@` the TFDS splits for training and holding out may
        be named: `imagenet2012@validation,test`.
      split: "train" or "held_out".
      data_dir: the folder of TFDS data sets; "" for TFDS' own default (TFDS_DATA_DIR or
        ~/tensorflow_datasets).
      train_share: the share of `train` to train on, where that is the only split.

    Raises:
      InputError: the data set is not there, is in another file format, has no such split or no
        image.
    """

    def __init__(self, name: str, split: str, *, data_dir: str = "", train_share: float = 0.9):
        name, _, chosen = name.partition("@")
        builder = _find(name, data_dir)
        self.directory, self.image_key = (
            str(builder.data_path),
            _image_key(builder.info.features, name),
        )
        self.split = _tfds_split(
            builder.info.splits, split, chosen, train_share=train_share, name=name
        )
        self._shape = builder.info.features[self.image_key].shape
        self._length = int(builder.info.splits[self.split].num_examples)
        self.ranges = [
            (
                str(part.filename),
                part.skip,
                part.examples_in_shard if part.take < 0 else part.skip + part.take,
            )
            for part in builder.info.splits[self.split].file_instructions
        ]
        if self._length <= 0:
            raise InputError(
                f"TFDS data set {name}: split {self.split} is empty; choose others: "
                f"tfds:{name}@TRAIN,HELD_OUT"
            )
        self.names = _Names(f"{name}[{self.split}]", self._length)
        self._reader, self._lock = None, threading.Lock()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> np.ndarray:
        return images.read(self._records()[index][self.image_key], name=self.names[index]).pixels

    def __repr__(self) -> str:
        return f"TfdsSource({self.directory}, {self.split}, {len(self)} pictures)"

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_reader": None, "_lock": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of every picture where the data set says that all are alike; otherwise
        None.
        """
        height, width = self._shape[:2]
        return None if height is None or width is None else [(height, width)] * len(self)

    def _records(self):
        with self._lock:
            if self._reader is None:
                import tensorflow_datasets as tfds  # takes seconds, and only these sources need it

                builder = tfds.builder_from_directory(self.directory)
                self._reader = builder.as_data_source(
                    split=self.split, decoders={self.image_key: tfds.decode.SkipDecoding()}
                )
            return self._reader


class _Names(Sequence):
    """`name[split] picture i`, made when asked for."""

    def __init__(self, prefix: str, length: int):
        self._prefix, self._length = prefix, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return f"{self._prefix} picture {index}"


def _find(name: str, data_dir: str):
    """The read-only builder of a prepared data set."""
    import tensorflow_datasets as tfds

    where = data_dir or "the default TFDS folder"
    prepare = f"python -m stegojax.data.prepare {name}" + (
        f" --data_dir {data_dir}" if data_dir else ""
    )
    try:
        builder = tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir or None)
    except (tfds.core.DatasetNotFoundError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"TFDS data set {name} is not in {where}; set data.data_dir or prepare it: `{prepare}`"
        ) from error
    if builder.info.file_format is None or builder.info.file_format.value != "array_record":
        found = builder.info.file_format.value if builder.info.file_format else "an unknown format"
        raise InputError(
            f"TFDS data set {name} in {builder.data_path} is stored as {found}; prepare it again "
            "as array_record "
            f"with `{prepare}`"
        )
    return builder


def _image_key(features, name: str) -> str:
    if "image" in features:
        return "image"
    raise InputError(
        f'TFDS data set {name} has no feature "image" but {", ".join(sorted(features))}; choose '
        "an image data set"
    )


def _tfds_split(splits, split: str, chosen: str, *, train_share: float, name: str) -> str:
    """The TFDS name of the split "train" or "held_out"."""
    known = ", ".join(splits)
    if chosen:
        parts = chosen.split(",")
        if len(parts) != 2:
            raise InputError(
                f"tfds:{name}@{chosen}: name two splits, for training and held out, as in "
                f"{name}@train,test"
            )
        wanted = parts[split != "train"]
    elif "train" not in splits:
        raise InputError(
            f"TFDS data set {name} has no split train but {known}; choose two with "
            f"tfds:{name}@TRAIN,HELD_OUT"
        )
    elif set(splits) & {"validation", "test"}:
        wanted = "train" if split == "train" else "validation" if "validation" in splits else "test"
    else:
        if not 0 <= train_share <= 1:
            raise InputError(f"data.train_share must lie between 0 and 1, got {train_share}")
        border = round(train_share * splits["train"].num_examples)
        wanted = f"train[:{border}]" if split == "train" else f"train[{border}:]"
    try:
        splits[wanted]
    except (KeyError, ValueError, AssertionError) as error:
        raise InputError(
            f"TFDS data set {name} has no split {wanted} but {known}; choose two with "
            f"tfds:{name}@TRAIN,HELD_OUT"
        ) from error
    return wanted
