"""Seq2Seq-GAN (25th Meeting on Image Recognition and Understanding): a sentence becomes a picture,
and the picture the sentence.

    python main.py --config=configs/seq2seq_gan.py      trains on sentences of a synthetic grammar
    python main.py --config=configs/seq2seq_gan.py --mode=evaluate
    python main.py --config=configs/seq2seq_gan.py:plane --mode=users   fine-tunes for two users
    python main.py --config=configs/seq2seq_gan.py:long_large --mode=evaluate \\
        --config.report.sentences.beside="('runs/seq2seq_gan-long',)"   two sizes, by length
    python main.py --config=configs/seq2seq_gan.py:help lists the presets
    stegojax hide --run runs/seq2seq_gan SENTENCE.txt -o PICTURE.png --key-file KEY
    stegojax reveal --run runs/seq2seq_gan PICTURE.png --key-file KEY

Measured with the default, 128 held-out sentences as PNG files: BLEU .825, WER .089, exact .742
(beam of four: .836, .083, .758); under a wrong key BLEU 0. Pictures of one sentence under two keys
differ 1.06 times as much as those of two sentences. Of 32 sentences .78 can be sent exactly, all at
the first try. The pictures are a coloured texture and resemble no photograph. Training took 12.5
minutes on a machine with twice as much other work as cores, the evaluation 14 seconds. `plane`, in
5.5 minutes on two quiet cores: BLEU .804, WER .104, exact .703; two keys differ .027 times as much
as two sentences. `tiny` takes under a minute. The paper reports, without a key, BLEU .59 and WER
.26.

The paper's presets read sentences.csv, the export of tatoeba.org with number, language and text,
from the current folder (--config.data.source=tatoeba:PATH@eng), and the TFDS data set celeb_a
(--config.data.data_dir=DIR). A text of one's own, a sentence a line:
--config.data.source=lines:PATH.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.AT_SCALE,
    "steps": 0,
    "epochs": 50.0,
    "data.source": "tatoeba:sentences.csv@eng",
    "data.vocabulary": 10_000,
    "data.length": 32,
    "data.shortest": 1,
    "data.limit": 100_000,
    "data.unknown": "mark",
    "data.photographs": "tfds:celeb_a",
    "data.preprocess": ("centre_crop:178", "resize:64"),
    "data.train_share": 5 / 6,
    "method.state_weight": 0.0,
    "method.adversarial_weight": 1.0,
    "method.width": 1.0,
    "method.stage_steps": (),
    "method.optimizer.learning_rate": 2e-4,
    "method.optimizer.clip_norm": 0.0,
    "method.optimizer.factor": 1.0,
    "method.sentence_optimizer.learning_rate": 2e-4,
    "method.sentence_optimizer.b1": 0.5,
    "method.sentence_optimizer.factor": 1.0,
    "evaluation.every": 1563,
    "evaluation.batches": 8,
    "report.batches": 64,
    "report.sentences.count": 20_000,
    "report.sentences.searched": 200,
    "report.users.steps": 3126,
    "checkpoint.every": 1000,
}


def keyed(where: str) -> dict:
    """Changes for a key in a place; pairs under wrong keys are of use where it changes much."""
    return {
        "method.keyed": where,
        "method.negative_weight": 1.0 if where in ("modulation", "scramble") else 0.0,
    }


LONG = {"data.length": 14}
"""Twelve words and marks, with beginning and end."""

PRESETS = {
    "": ("short sentences, 200 words, a quarter of the channels, the key scrambles the state", {}),
    "tiny": (
        "a sixteenth of the channels, a few steps, for tests",
        {
            "batch_size": 8,
            "method.width": 1 / 16,
            "method.stage_steps": (4, 4),
            "data.source": "embedded:4000",
            "data.vocabulary": 400,
            "evaluation.every": 4,
            "evaluation.batches": 1,
            "report.batches": 1,
            "report.sentences.count": 6,
            "report.sentences.searched": 2,
            "report.sentences.beams": 2,
            "report.users.steps": 4,
            "checkpoint.every": 4,
        },
    ),
    "plane": (
        "the default with the paper's Section 5: the key is a plane, and changes next to nothing",
        keyed("plane"),
    ),
    "modulation": (
        "the default with a key that scales and shifts every channel, at both ends",
        keyed("modulation"),
    ),
    "no_key": ("the default without a key", keyed("none")),
    "long": ("the default with up to twelve words and marks", LONG),
    "long_large": (
        "the same, a state twice as large in pictures of 128x128",
        {**LONG, "method.state": 512, "data.crop": 128},
    ),
    "paper": (
        "CelebA and 100,000 sentences of Tatoeba, 10,000 words, 64x64, 50 epochs, no key",
        {**PAPER, **keyed("none")},
    ),
    "paper_plane": ("the same, the key a plane beside the state", {**PAPER, **keyed("plane")}),
    "paper_modulation": (
        "the same, the key scales and shifts every channel",
        {**PAPER, **keyed("modulation")},
    ),
    "paper_scramble": ("the same, the key scrambles the state", {**PAPER, **keyed("scramble")}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.head(batch_size=64, log_every=10)
    c.data = dict(
        kind="sentences",
        source="embedded:100000",
        vocabulary=200,
        # Rows of six words and marks, with beginning and end.
        length=8,
        shortest=4,
        limit=0,
        train_share=0.9,
        unknown="leave_out",
        photographs="embedded:colour",
        preprocess=(),
        crop=64,
        data_dir="",
    )
    drops = dict(factor=0.5, every=150.0, after=1950.0, unit="steps")
    c.method = dict(
        name="seq2seq_gan",
        keyed="scramble",
        vocabulary=c.data.get_oneway_ref("vocabulary"),
        length=c.data.get_oneway_ref("length"),
        token_weight=10.0,
        state_weight=10.0,
        adversarial_weight=0.1,
        negative_weight=1.0,
        noise=0.1,
        width=0.25,
        # Numbers in each of the state's two vectors; height and width of the pictures.
        state=256,
        size=c.data.get_oneway_ref("crop"),
        # The LSTMs alone, then everything: both learn, and in minutes.
        stage_steps=(1600, 800),
        channel_noise=0.3,
        optimizer=dict(name="adam", learning_rate=2e-3, b1=0.5, clip_norm=1.0, **drops),
        sentence_optimizer=dict(name="adam", learning_rate=2e-3, b1=0.9, clip_norm=1.0, **drops),
        discriminator_optimizer=dict(name="adam", learning_rate=2e-4, b1=0.5),
    )
    c.evaluation = sections.evaluation(400, batches=2)
    # How many held-out sentences are measured, for how many a picture is searched, and the file
    # of an Inception network for FID.
    # And for how many steps the networks of each of two users are trained further.
    measured = dict(count=128, searched=32, beams=4, weights="", beside=())
    c.report = sections.report(4, sentences=measured, users=dict(steps=300))
    c.checkpoint = sections.checkpoint(200)
    return presets.choose(c, PRESETS, preset)
