"""Baluja ("Hiding images in plain sight: deep steganography", 2017), one of the two that ISGAN is
compared with. The secret is grey, as in that comparison, but in `paper` and `colour`: its own paper
hides colour pictures.

    python main.py --config=configs/baluja.py           trains on bundled photographs, minutes
    python main.py --config=configs/baluja.py --mode=evaluate
    python main.py --config=configs/baluja.py:help      lists the presets

`tiny` takes under a minute. The others need TFDS directories, by default in ~/tensorflow_datasets:
--config.data.data_dir=DIR. `paper` is at the 64x64 of the public implementations; the paper's own
pictures are 200x200.
"""

from ml_collections import ConfigDict

from configs import presets, sections

COLOUR = {"data.secret_colour": True}

PRESETS = {
    "": ("32x32 crops of the bundled photographs, 300 steps", {}),
    "tiny": ("an eighth of the channels, a few steps, for tests", sections.PICTURES_TINY),
    "colour": ("the default with colour secrets", COLOUR),
    "lfw": (
        "Labeled Faces in the Wild at ISGAN's 256x256, 50 epochs",
        sections.pictures_paper(sections.LFW, epochs=50.0),
    ),
    "voc": (
        "Pascal VOC 2012 at ISGAN's 256x256, 50 epochs",
        sections.pictures_paper(sections.VOC, epochs=50.0),
    ),
    "imagenet": (
        "ImageNet at ISGAN's 256x256, 50 epochs",
        sections.pictures_paper(sections.IMAGENET, epochs=50.0),
    ),
    "paper": (
        "colour in colour, ImageNet at 64x64, 50 epochs",
        {**sections.pictures_paper(sections.IMAGENET, epochs=50.0, side=64), **COLOUR},
    ),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.head(batch_size=4, steps=300)
    c.data = sections.pairs(32)
    c.data.secret_colour = False
    c.method = dict(
        name="baluja",
        cover_weight=1.0,
        secret_weight=0.75,
        noise=2.0,
        width=1.0,
        secret_colour=c.data.get_oneway_ref("secret_colour"),
        optimizer=dict(name="adam", learning_rate=1e-3, weight_decay=0.0),
    )
    c.evaluation = sections.evaluation(100, batches=8, crop=128)
    c.report = sections.report(16)
    c.checkpoint = sections.checkpoint(50)
    return presets.choose(c, PRESETS, preset)
