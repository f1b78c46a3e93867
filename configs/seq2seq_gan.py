"""x"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 64
    c.epochs = 0.0
    c.steps = 1000
    c.log_every = 10

    c.method = ConfigDict()
    c.method.name = "seq2seq_gan"
    c.method.keyed = "scramble"
    c.method.vocabulary = 200
    c.method.length = 8
    c.method.token_weight = 10.0
    c.method.state_weight = 10.0
    c.method.adversarial_weight = 0.1
    c.method.negative_weight = 1.0
    c.method.noise = 0.1
    c.method.width = 0.25
    c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=2e-3, b1=0.5, clip_norm=1.0))
    c.method.sentence_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-3, b1=0.9, clip_norm=1.0))
    c.method.discriminator_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4, b1=0.5))

    c.data = ConfigDict()
    c.data.kind = "sentences"
    c.data.source = "embedded:200000"
    c.data.vocabulary = 200
    c.data.length = 8
    c.data.shortest = 3
    c.data.unknown = "leave_out"
    c.data.photographs = "embedded:colour"
    c.data.preprocess = ("resize:96",)
    c.data.data_dir = ""
    c.data.crop = 64

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 200
    c.evaluation.crop = 0
    c.evaluation.batches = 4
    c.evaluation.final_batches = 8

    c.checkpoint = ConfigDict(dict(every=200, keep=2, milestones=0))
    return c
