"""Seq2Seq-GAN (25th Meeting on Image Recognition and Understanding): a sentence becomes a picture,
and the picture the sentence.

    python main.py --config=configs/seq2seq_gan.py      trains on sentences of the synthetic grammar
    that ships with the package python main.py --config=configs/seq2seq_gan.py --mode=evaluate
    stegojax hide --run runs/seq2seq_gan SENTENCE.txt -o PICTURE.png --key-file KEY
    stegojax reveal --run runs/seq2seq_gan PICTURE.png --key-file KEY

Presets, after a colon:

    (none)      sentences of four to six words and marks, 200 words, a quarter of the channels, the
                key as a scramble of the state; the LSTMs alone for 1600 steps, then everything for
                800
    tiny        a sixteenth of the channels, a few steps: under a minute, for tests
    plane       the default with the paper's Section 5: the key is a plane beside the state, and
    changes next to nothing modulation  the default with a key that scales and shifts every channel,
    at both ends no_key      the default without a key
    paper       CelebA and 100,000 English sentences of Tatoeba, 10,000 words, 64x64, 50 epochs, no
    key (BLEU .59, WER .26) paper_plane, paper_modulation, paper_scramble  the same with a key

Measured with the default, 128 held-out sentences as PNG files: BLEU .825, WER .089, exact .742
  (beam of four: .836, .083, .758);
under a wrong key BLEU 0. Pictures of one sentence under two keys differ 1.06 times as much as those
of two sentences. Of 32 sentences .78 can be sent exactly, all at the first try. The pictures are a
coloured texture and resemble no photograph. Training took 12.5 minutes on a machine with twice as
much other work as cores, the evaluation 14 seconds. The plane preset, in 5.5
minutes on two quiet cores: BLEU .804, WER .104, exact .703; two keys differ .027 times as much as
  two sentences.

The paper's presets read sentences.csv, the export of tatoeba.org with number, language and text,
from the current folder (--config.data.source=tatoeba:PATH@eng), and the TFDS data set celeb_a
(--config.data.data_dir=DIR). A text of one's own, a sentence
a line: --config.data.source=lines:PATH.
"""

from ml_collections import ConfigDict

WORDS = 200
"""Entries of the default's vocabulary."""

ROW = 8
"""Length of the default's rows: six words and marks, beginning and end."""

KEYED = {"no_key": "none", "plane": "plane", "modulation": "modulation"}
"""The default with the key elsewhere."""

PAPER = {
    "paper": "none",
    "paper_plane": "plane",
    "paper_modulation": "modulation",
    "paper_scramble": "scramble",
}
"""The paper's scale: Section 4, Section 5, and its mending in two ways."""


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 64
    c.epochs = 0.0
    c.steps = 2400
    c.log_every = 10

    c.method = ConfigDict()
    c.method.name = "seq2seq_gan"
    c.method.keyed = "scramble"
    c.method.vocabulary = WORDS
    c.method.length = ROW
    c.method.token_weight = 10.0
    c.method.state_weight = 10.0
    c.method.adversarial_weight = 0.1
    c.method.negative_weight = 1.0
    c.method.noise = 0.1
    c.method.width = 0.25
    # The LSTMs alone, then everything: both learn, and in minutes.
    c.method.stage_steps = (1600, 800)
    c.method.channel_noise = 0.3
    drops = dict(factor=0.5, every=150.0, after=1950.0, unit="steps")
    c.method.optimizer = ConfigDict(
        dict(name="adam", learning_rate=2e-3, b1=0.5, clip_norm=1.0, **drops)
    )
    c.method.sentence_optimizer = ConfigDict(
        dict(name="adam", learning_rate=2e-3, clip_norm=1.0, **drops)
    )
    c.method.discriminator_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4, b1=0.5))

    c.data = ConfigDict()
    c.data.kind = "sentences"
    c.data.source = "embedded:100000"
    c.data.vocabulary = WORDS
    c.data.length = ROW
    c.data.shortest = 4
    c.data.limit = 0
    c.data.train_share = 0.9
    c.data.unknown = "leave_out"
    c.data.photographs = "embedded:colour"
    c.data.preprocess = ()
    c.data.crop = 64
    c.data.data_dir = ""

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 400
    c.evaluation.crop = 0
    c.evaluation.batches = 2
    c.evaluation.final_batches = 4
    c.evaluation.sentences = 128
    c.evaluation.searched = 32
    c.evaluation.beams = 4
    c.evaluation.weights = ""

    c.checkpoint = ConfigDict(dict(every=200, keep=2, milestones=0))

    if preset == "tiny":
        c.method.update(vocabulary=400, width=1 / 16, stage_steps=(4, 4))
        c.data.update(source="embedded:4000", vocabulary=400)
        c.batch_size, c.steps = 8, 8
        c.evaluation.update(every=4, batches=1, final_batches=1, sentences=6, searched=2, beams=2)
        c.checkpoint.every = 4
    elif preset in KEYED:
        c.method.keyed = KEYED[preset]
        c.method.negative_weight = 1.0 if preset == "modulation" else 0.0
    elif preset in PAPER:
        c.steps, c.epochs = -1, 50.0
        c.method.update(
            vocabulary=10_000,
            length=32,
            state_weight=0.0,
            adversarial_weight=1.0,
            width=1.0,
            stage_steps=(),
            keyed=PAPER[preset],
            negative_weight=1.0 if PAPER[preset] in ("modulation", "scramble") else 0.0,
        )
        c.method.optimizer.update(learning_rate=2e-4, clip_norm=0.0, factor=1.0)
        c.method.sentence_optimizer.update(learning_rate=2e-4, b1=0.5, factor=1.0)
        c.data.update(
            source="tatoeba:sentences.csv@eng",
            vocabulary=10_000,
            length=32,
            shortest=1,
            limit=100_000,
            unknown="mark",
            photographs="tfds:celeb_a",
            preprocess=("centre_crop:178", "resize:64"),
            train_share=5 / 6,
        )
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.log_every = 50
        c.evaluation.update(every=1563, batches=8, final_batches=64, sentences=4000, searched=200)
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    return c
