"""TFDS data sets are read by name, without TensorFlow, from ArrayRecord files with the published
builders' own metadata.
"""

import io
import json
import pathlib
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from stegojax.data import embedded, pipeline
from stegojax.data.sources import check_disjoint, open_source
from stegojax.data.tfds_source import TfdsSource
from stegojax.errors import InputError

SIZES = {"lfw": (250, 250), "voc": (60, 80), "imagenet2012": (90, 70), "celeb_a": (218, 178)}
SPLITS = {
    "lfw": {"train": 12},
    "voc": {"train": 6, "validation": 5, "test": 3},
    "imagenet2012": {"train": 6, "validation": 4},
    "celeb_a": {"train": 5, "validation": 3, "test": 2},
}


def _photo(name, split, number):
    """A piece of a real photograph, different for every example."""
    photo = embedded.Embedded("train")[1 + 2 * (number % 2)]
    top = 3 * number + 40 * len(split)
    return np.ascontiguousarray(
        photo[top % 100 :][: SIZES[name][0], 5 * number :][:, : SIZES[name][1]]
    )


def _value(feature, name):
    """Some value of a feature other than the picture."""
    if isinstance(feature, tfds.features.FeaturesDict):
        return {key: _value(part, key) for key, part in feature.items()}
    if isinstance(feature, tfds.features.Sequence):
        return [_value(feature.feature, name)] * 2
    if isinstance(feature, tfds.features.BBoxFeature):
        return tfds.features.BBox(0.1, 0.2, 0.3, 0.4)
    if isinstance(feature, tfds.features.Text):
        return name
    return 0


def _write(name, data_dir):
    """Writes a few examples with the published builder's name, version, configuration and features,
    without its download.
    """
    builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    short = builder.name

    def examples(split, count):
        for number in range(count):
            values = {
                key: _value(part, key)
                for key, part in builder.info.features.items()
                if key != "image"
            }
            yield (
                f"{split}{number}",
                values | {"image": Image.fromarray(_photo(short, split, number))},
            )

    builder._split_generators = lambda dl_manager: {
        split: examples(split, count) for split, count in SPLITS[short].items()
    }
    builder._make_download_manager = lambda **_: types.SimpleNamespace(
        manual_dir=None, downloaded_size=0, register_checksums=False, _recorded_url_infos={}
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder with small versions of the data sets of the papers."""
    folder = tmp_path_factory.mktemp("tensorflow_datasets")
    for name in ("lfw", "voc/2012", "imagenet2012", "celeb_a"):
        _write(name, str(folder))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "train", "held_out"),
    [
        ("lfw", "train[:11]", "train[11:]"),
        ("voc/2012", "train", "validation"),
        ("imagenet2012", "train", "validation"),
        ("celeb_a", "train", "validation"),
    ],
)
def test_published_data_sets_are_read_by_name(data_dir, name, train, held_out):
    short = name.split("/")[0]
    for split, wanted in (("train", train), ("held_out", held_out)):
        source = open_source(f"tfds:{name}", split, data_dir=data_dir)
        assert source.split == wanted
        plain, _, part = wanted.partition("[")
        count = SPLITS[short][plain] if not part else {"[:11]": 11, "[11:]": 1}["[" + part]
        assert len(source) == len(source.names) == count
        pictures = [source[index] for index in range(count)]
        assert all(
            picture.dtype == np.uint8 and picture.shape == (*SIZES[short], 3)
            for picture in pictures
        )
        written = {_decoded(short, plain, number) for number in range(SPLITS[short][plain])}
        assert {picture.tobytes() for picture in pictures} <= written
    fixed = {"lfw": (250, 250), "celeb_a": (218, 178)}.get(name)
    assert source.sizes() == (None if fixed is None else [fixed] * count)


def _decoded(name, split, number):
    """The bytes of an example's pixels after the encoding that its data set uses."""
    buffer = io.BytesIO()
    formats = {"lfw": "png", "voc": "png", "imagenet2012": "jpeg", "celeb_a": "jpeg"}
    Image.fromarray(_photo(name, split, number)).save(buffer, formats[name])
    return np.array(Image.open(buffer)).tobytes()


def test_splits_may_be_chosen(data_dir):
    assert (
        len(open_source("tfds:imagenet2012@validation,train[:50%]", "train", data_dir=data_dir))
        == 4
    )
    assert (
        len(open_source("tfds:imagenet2012@validation,train[:50%]", "held_out", data_dir=data_dir))
        == 3
    )
    assert len(open_source("tfds:lfw", "train", data_dir=data_dir, train_share=0.5)) == 6


def test_batches_flow_from_tfds_alike_in_threads_and_processes(data_dir):
    section = {
        "source": "tfds:voc/2012",
        "secret_source": "tfds:lfw",
        "crop": 48,
        "data_dir": data_dir,
    }
    batches = []
    for workers in (0, 2):
        loader = pipeline.make(section | {"workers": workers}, split="train", batch_size=2, seed=3)
        with loader:
            batches.append([next(loader) for _ in range(4)])
    for one, other in zip(*batches, strict=True):
        np.testing.assert_array_equal(one["cover"], other["cover"])
        np.testing.assert_array_equal(one["secret"], other["secret"])
    assert batches[0][0]["cover"].shape == (2, 48, 48, 3)


def test_sources_travel_to_other_processes(data_dir):
    source = open_source("tfds:celeb_a", "train", data_dir=data_dir)
    before = source[1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[1], before)


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_smaller_than_the_crop_are_found_when_read(data_dir, workers):
    section = {"source": "tfds:voc/2012", "crop": 64, "data_dir": data_dir, "workers": workers}
    with pytest.raises(
        InputError, match=r"voc/2012\[train\] picture \d is 60x80, smaller than the crop 64x64"
    ):
        next(pipeline.make(section, split="train", batch_size=2, seed=0))
    with pytest.raises(
        InputError, match="lfw.train.* picture 0 is 250x250, smaller than the crop 256x256"
    ):
        pipeline.make(
            section | {"source": "tfds:lfw", "crop": 256}, split="train", batch_size=2, seed=0
        )


def test_overlapping_splits_are_found(data_dir):
    def source(name, split="train"):
        return open_source(f"tfds:{name}", split, data_dir=data_dir)

    check_disjoint(source("lfw"), source("lfw", "held_out"))
    check_disjoint(source("voc/2012"), source("lfw"))
    check_disjoint(source("lfw"), embedded.Embedded("train"))
    check_disjoint(source("lfw@train[:6],train"), source("lfw@train[6:],train"))
    for one, other in (
        ("lfw", "lfw"),
        ("lfw@train[:7],train", "lfw@train[6:],train"),
        ("lfw@train[3:4],train", "lfw"),
    ):
        with pytest.raises(
            InputError, match=r"share pictures: .*lfw-train.array_record-00000-of-00001 records"
        ):
            check_disjoint(source(one), source(other))


def test_what_is_missing_is_a_one_line_error_with_the_command(data_dir, tmp_path):
    for folder in (data_dir, str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(InputError) as caught:
            TfdsSource("bossbase", "train", data_dir=folder)
        assert str(caught.value) == (
            f"TFDS data set bossbase is not in {folder}; set data.data_dir or prepare it: "
            f"`python -m stegojax.data.prepare bossbase --data_dir {folder}`"
        )
    with pytest.raises(InputError, match="not in the default TFDS folder"):
        TfdsSource("no_such_set", "train")


def test_splits_that_are_not_there_are_one_line_errors(data_dir):
    for name, words in (
        ("lfw@train,test", "has no split test but train"),
        ("lfw@train", "name two splits"),
        ("lfw@train,train[5:2]", "is empty"),
        ("lfw@train,train[x]", "no split"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            TfdsSource(name, "held_out", data_dir=data_dir)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="is empty"):
        TfdsSource("lfw", "held_out", data_dir=data_dir, train_share=1.0)


def test_other_file_formats_and_data_sets_without_pictures(data_dir, tmp_path):
    directory = pathlib.Path(data_dir, "lfw")
    version = next(path.name for path in directory.iterdir())
    info = (directory / version / "dataset_info.json").read_text()
    (tmp_path / "lfw" / version).mkdir(parents=True)
    (tmp_path / "lfw" / version / "features.json").write_text(
        (directory / version / "features.json").read_text()
    )
    (tmp_path / "lfw" / version / "dataset_info.json").write_text(
        info.replace("array_record", "tfrecord")
    )
    with pytest.raises(InputError, match="stored as tfrecord; prepare it again as array_record"):
        TfdsSource("lfw", "train", data_dir=str(tmp_path))
    features = json.loads((directory / version / "features.json").read_text())
    features["featuresDict"]["features"]["sound"] = features["featuresDict"]["features"].pop(
        "image"
    )
    (tmp_path / "lfw" / version / "features.json").write_text(json.dumps(features))
    (tmp_path / "lfw" / version / "dataset_info.json").write_text(info)
    with pytest.raises(InputError, match='has no feature "image" but label, sound'):
        TfdsSource("lfw", "train", data_dir=str(tmp_path))


def test_tensorflow_is_never_imported(data_dir):
    program = (
        "import sys; from stegojax.data import pipeline; "
        f"section = dict(source='tfds:voc/2012', crop=32, data_dir={data_dir!r}); "
        "loader = pipeline.make(section, split='train', batch_size=2, seed=0); next(loader); "
        "loader.close(); "
        "print('tensorflow' in sys.modules, 'torch' in sys.modules)"
    )
    root = pathlib.Path(pipeline.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]


def test_parts_of_several_splits_train_together(data_dir):
    spec = "tfds:voc/2012@train+validation+test[:1],test[1:]"
    training, held_out = (
        open_source(spec, split, data_dir=data_dir) for split in ("train", "held_out")
    )
    pictures = [
        source[index].tobytes() for source in (training, held_out) for index in range(len(source))
    ]
    assert (len(training), len(held_out)) == (6 + 5 + 1, 2)
    written = [
        _decoded("voc", split, number)
        for split, count in SPLITS["voc"].items()
        for number in range(count)
    ]
    assert sorted(pictures) == sorted(written)
