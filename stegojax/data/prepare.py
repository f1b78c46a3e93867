"""Prepares a TFDS data set as ArrayRecord files, without TensorFlow.

    python -m stegojax.data.prepare bossbase --manual_dir FOLDER_WITH_THE_ARCHIVE --data_dir
    DATA_SETS

Names are those of `builders.BUILDERS` (bossbase, bows2, szubase: from an archive or folder in
  `--manual_dir`) and those of
TensorFlow Datasets itself, as far as its builders work without TensorFlow.
"""

from __future__ import annotations

import os
import sys

from absl import app, flags, logging

from stegojax.errors import InputError

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir",
    "",
    "Folder with the archive, or the unpacked files, of a set that must be fetched by hand.",
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "Folder of TFDS data sets; by default TFDS_DATA_DIR or ~/tensorflow_datasets."
)


def prepare(name: str, *, manual_dir: str = "", data_dir: str = "") -> str:
    """Writes a data set as ArrayRecord files, unless it is there already.

    Args:
      name: a key of `builders.BUILDERS`, or a TFDS name such as `lfw` or `voc/2012`.
      manual_dir: where the files are that TFDS does not download.
      data_dir: where data sets go; "" for TFDS' own default.

    Returns:
      The directory of the data set.

    Raises:
      InputError: the name is unknown, files are missing or broken, or the TFDS builder needs
        TensorFlow.
    """
    import requests
    import tensorflow_datasets as tfds  # takes seconds

    from stegojax.data.builders import BUILDERS

    if manual_dir and not os.path.isdir(os.path.expanduser(manual_dir)):
        raise InputError(
            f"{manual_dir}: no such folder; --manual_dir names the folder with the archive"
        )
    if name in BUILDERS and not manual_dir:
        raise InputError(
            f"{name} is fetched by hand; name the folder with the archive: --manual_dir FOLDER. "
            f"{BUILDERS[name].MANUAL_DOWNLOAD_INSTRUCTIONS}"
        )
    options = {"data_dir": os.path.expanduser(data_dir) or None, "file_format": "array_record"}
    try:
        builder = (
            BUILDERS[name](**options)
            if name in BUILDERS
            else tfds.builder(name, try_gcs=False, **options)
        )
        config = tfds.download.DownloadConfig(
            manual_dir=os.path.expanduser(manual_dir) or None, try_download_gcs=False
        )
        builder.download_and_prepare(download_config=config)
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(
            f"{name} is no data set of TFDS or of {', '.join(BUILDERS)}; check the name"
        ) from error
    except ImportError as error:
        if "tensorflow" not in str(error).lower():
            raise InputError(
                f"the TFDS builder of {name} lacks a package ({_one_line(error)}); install it "
                "with pip"
            ) from error
        raise InputError(
            f"the TFDS builder of {name} needs TensorFlow; prepare it as array_record where "
            "TensorFlow is "
            "installed and copy the directory, or unpack the pictures and use folder:PATH"
        ) from error
    except (tfds.download.DownloadError, requests.exceptions.RequestException) as error:
        raise InputError(
            f"{name} cannot be downloaded ({_one_line(error)}); fetch it elsewhere, or unpack the "
            "pictures and "
            "use folder:PATH"
        ) from error
    except AssertionError as error:
        raise InputError(f"{name}: {_one_line(error)}") from error
    return str(builder.data_path)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def main(arguments: list[str]) -> None:
    """Prepares the data set that the command line names.

    Args:
      arguments: the program's name and the data set's.
    """
    if len(arguments) != 2:
        raise app.UsageError("give the name of one data set")
    try:
        directory = prepare(arguments[1], manual_dir=_MANUAL_DIR.value, data_dir=_DATA_DIR.value)
    except InputError as error:
        logging.error("%s", error)
        sys.exit(1)
    print(f"{arguments[1]} is in {directory}")


if __name__ == "__main__":
    app.run(main)
