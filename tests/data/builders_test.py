"""BOSSBase, BOWS2 and SZUBase are built from archives and folders laid out as the published ones,
and read back bit by bit.
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from stegojax.data import embedded, pipeline, prepare
from stegojax.data.builders import BUILDERS
from stegojax.data.sources import open_source
from stegojax.errors import InputError

COUNT = 12


def _photo(number):
    """A 512x512 grey photograph as the sets have them, different for every number (real pixels,
    shifted in brightness).
    """
    return (embedded.Embedded("train", kind="grey")[number % 5][..., 0] // 2 + number).astype(
        np.uint8
    )


def _file(number, kind="PPM"):
    buffer = io.BytesIO()
    Image.fromarray(_photo(number)).save(buffer, kind)
    return buffer.getvalue()


def _zip(path, *, folder):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}/", "")
        for number in range(1, COUNT + 1):
            archive.writestr(f"{folder}/{number}.pgm", _file(number))
        archive.writestr(f"__MACOSX/{folder}/._1.pgm", b"nonsense")
        archive.writestr(f"{folder}/readme.txt", "about the set")


def _tgz(path, *, folder):
    with tarfile.open(path, "w:gz") as archive:
        for number in range(1, COUNT + 1):
            member = tarfile.TarInfo(f"{folder}/{number}.pgm")
            member.size = len(_file(number))
            archive.addfile(member, io.BytesIO(_file(number)))


def _unpacked(path, *, ending="pgm", kind="PPM"):
    path.mkdir(parents=True, exist_ok=True)
    for number in range(1, COUNT + 1):
        (path / f"{number}.{ending}").write_bytes(_file(number, kind))


LAYOUTS = {
    "bossbase, zip": (
        "bossbase",
        lambda manual: _zip(manual / "BOSSbase_1.01.zip", folder="BOSSbase_1.01"),
    ),
    "bossbase, folder": ("bossbase", lambda manual: _unpacked(manual / "BOSSbase_1.01")),
    "bossbase, files": ("bossbase", _unpacked),
    "bows2, tgz": (
        "bows2",
        lambda manual: _tgz(manual / "BOWS2OrigEp3.tgz", folder="BOWS2OrigEp3"),
    ),
    "bows2, folder": ("bows2", lambda manual: _unpacked(manual / "BOWS2OrigEp3")),
    "szubase, zip": ("szubase", lambda manual: _zip(manual / "SZUBase.zip", folder="SZUBase")),
    "szubase, png": (
        "szubase",
        lambda manual: _unpacked(manual / "SZUBase" / "part1", ending="png", kind="PNG"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sets_are_built_and_read_back(tmp_path, layout, caplog):
    name, lay_out = LAYOUTS[layout]
    (tmp_path / "manual").mkdir()
    lay_out(tmp_path / "manual")
    directory = prepare.prepare(
        name, manual_dir=str(tmp_path / "manual"), data_dir=str(tmp_path / "sets")
    )
    assert pathlib.Path(directory).parts[-2:] == (name, str(BUILDERS[name].VERSION))
    assert (
        f"{COUNT} photographs, but the published {name} has {BUILDERS[name].photographs}"
        in caplog.text
    )
    found = []
    for split, count in (("train", 11), ("held_out", 1)):
        source = open_source(f"tfds:{name}", split, data_dir=str(tmp_path / "sets"))
        assert len(source) == count
        found += [source[index] for index in range(count)]
    assert all(picture.shape == (512, 512, 1) for picture in found)
    assert {picture.tobytes() for picture in found} == {
        _photo(number).tobytes() for number in range(1, COUNT + 1)
    }
    assert not [module for module in sys.modules if module.split(".")[0] == "tensorflow"]


def test_a_built_set_trains(tmp_path):
    _unpacked(tmp_path / "manual")
    prepare.prepare(
        "bossbase", manual_dir=str(tmp_path / "manual"), data_dir=str(tmp_path / "sets")
    )
    prepare.prepare(
        "bossbase", manual_dir=str(tmp_path / "manual"), data_dir=str(tmp_path / "sets")
    )
    section = {
        "kind": "pictures",
        "source": "tfds:bossbase",
        "data_dir": str(tmp_path / "sets"),
        "crop": 0,
        "preprocess": ("resize:256", "jpeg:75"),
        "train_share": 0.75,
    }
    batches = list(pipeline.make(section, split="held_out", batch_size=3, seed=0))
    assert [batch["cover"].shape for batch in batches] == [(3, 256, 256, 1)]


def test_what_is_missing_or_broken_is_a_one_line_error(tmp_path):
    manual, sets = tmp_path / "manual", str(tmp_path / "sets")
    manual.mkdir()

    def error(name, **rest):
        with pytest.raises(InputError) as caught:
            prepare.prepare(name, data_dir=sets, **rest)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no data set of TFDS or of bossbase, bows2, szubase" in error("no_such_set")
    assert "--manual_dir FOLDER. Put BOSSbase_1.01.zip" in error("bossbase")
    assert "nowhere: no such folder" in error("bossbase", manual_dir=str(tmp_path / "nowhere"))
    assert "does not exist or is empty" in error("bossbase", manual_dir=str(manual))
    (manual / "readme.txt").write_text("about the set")
    message = error("bossbase", manual_dir=str(manual))
    assert (
        "holds neither BOSSbase_1.01.zip nor .pgm or .png files; get the set from http" in message
    )
    (manual / "BOSSbase_1.01.zip").write_bytes(b"PK\3\4 cut off")
    assert "BOSSbase_1.01.zip: cannot be unpacked" in error("bossbase", manual_dir=str(manual))
    with zipfile.ZipFile(manual / "SZUBase.zip", "w") as archive:
        archive.writestr("SZUBase/1.pgm", _file(1)[:1000])
    assert "SZUBase/1.pgm: broken" in error("szubase", manual_dir=str(manual))
    Image.fromarray(embedded.Embedded("train", kind="colour")[0]).save(manual / "1.png")
    assert "1.png is a colour picture, but bows2 is a grey set" in error(
        "bows2", manual_dir=str(manual)
    )
    (manual / "1.png").unlink()
    with zipfile.ZipFile(manual / "BOSSbase_1.01.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing else")
    assert "holds no .pgm or .png file" in error("bossbase", manual_dir=str(manual))


def test_builders_that_need_tensorflow_say_so(tmp_path, monkeypatch):
    class Needy(BUILDERS["bossbase"], skip_registration=True):
        def _split_generators(self, dl_manager):
            from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow

            return tensorflow.io

    monkeypatch.setitem(BUILDERS, "bossbase", Needy)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(
        InputError,
        match="needs TensorFlow; prepare it as array_record where TensorFlow is installed and copy",
    ):
        prepare.prepare("bossbase", manual_dir=str(tmp_path), data_dir=str(tmp_path / "sets"))


def test_the_command_line(tmp_path):
    _unpacked(tmp_path / "manual" / "BOWS2OrigEp3")
    root = pathlib.Path(pipeline.__file__).parents[2]

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "stegojax.data.prepare", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = run(
        "bows2", "--manual_dir", str(tmp_path / "manual"), "--data_dir", str(tmp_path / "sets")
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"bows2 is in {tmp_path}/sets/bows2/1.0.0"
    failed = run(
        "bossbase", "--manual_dir", str(tmp_path / "nowhere"), "--data_dir", str(tmp_path / "sets")
    )
    assert (
        failed.returncode == 1
        and "no such folder" in failed.stderr
        and "Traceback" not in failed.stderr
    )
