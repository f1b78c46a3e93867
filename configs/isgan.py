"""ISGAN (Dong, Zhang, Liu, "Invisible steganography via generative adversarial networks", 2018): a
grey picture in colour.

    python main.py --config=configs/isgan.py            trains on the photographs bundled with
    scikit-image and scikit-learn python main.py --config=configs/isgan.py --mode=evaluate

Presets, after a colon:

    (none)      48x48 crops of the bundled photographs, the paper's networks, 1200 steps: five to
                ten minutes on two cores
    tiny        32x32 crops, an eighth of the channels, a few steps: under a minute, for tests
    lfw, paper  Labeled Faces in the Wild, 256x256, batch 4 (paper: stego 34.63 dB and .9573,
      revealed 33.63 dB and .9429)
    voc         Pascal VOC 2012 (34.49 dB and .9661, 33.31 dB and .9467)
    imagenet    ImageNet's validation set (34.89 dB and .9681, 33.42 dB and .9474)
    voc_lfw, imagenet_voc  covers of the one, secrets of the other (34.45/37.59 dB; 34.57/36.58 dB)
    basic       the default without the steganalyzer; append `_basic` to a data preset (lfw_basic,
                voc_basic, imagenet_basic)
    mse, ssim, mse_ssim, mse_ms_ssim, mse_ssim_ms_ssim  Table 4: the basic model on LFW for 50
      epochs under each loss

The data presets need TFDS directories, by default in ~/tensorflow_datasets:
--config.data.data_dir=DIR.
"""

from ml_collections import ConfigDict

LOSSES = {
    "mse": (0.0, 0.0, 1.0),
    "ssim": (1.0, 0.0, 0.0),
    "mse_ssim": (0.5, 0.0, 0.3),
    "mse_ms_ssim": (0.0, 0.5, 0.3),
    "mse_ssim_ms_ssim": (0.5, 0.5, 0.3),
}
"""Table 4: weights of SSIM, MS-SSIM and MSE."""

SOURCES = {
    "lfw": ("tfds:lfw", ""),
    "voc": ("tfds:voc/2012", ""),
    "imagenet": ("tfds:imagenet2012", ""),
    "voc_lfw": ("tfds:voc/2012", "tfds:lfw"),
    "imagenet_voc": ("tfds:imagenet2012", "tfds:voc/2012"),
}
"""Table 5: covers and secrets."""


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 4
    c.epochs = 0.0
    c.steps = 1200
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "isgan"
    c.method.adversarial = True
    c.method.ssim_weight = 0.5
    c.method.ms_ssim_weight = 0.5
    # The paper's .3 is on an unstated scale. On [0, 1] a short training with it ends in copying the
    # cover and hiding nothing, or the other way round; this much squared error makes it learn both.
    c.method.mse_weight = 100.0
    c.method.gamma = 0.85
    c.method.delta = 0.001
    c.method.flip = 0.05
    c.method.width = 1.0
    c.method.dtype = "float32"
    c.method.optimizer = ConfigDict(
        dict(
            name="adam", learning_rate=2e-3, weight_decay=1e-5, factor=0.5, every=100.0, after=800.0
        )
    )
    c.method.steganalyzer_optimizer = ConfigDict(
        dict(
            name="sgd",
            learning_rate=1e-3,
            momentum=0.9,
            weight_decay=1e-5,
            factor=1.0,
            every=1.0,
            after=20.0,
        )
    )

    c.data = ConfigDict()
    c.data.kind = "pairs"
    c.data.source = "embedded"
    c.data.secret_source = ""
    c.data.data_dir = ""
    c.data.preprocess = ()
    c.data.crop = 48

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 200
    c.evaluation.crop = 128
    c.evaluation.batches = 4
    c.evaluation.final_batches = 16
    c.evaluation.transfer_steps = 1500
    c.evaluation.transfer_optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3))

    c.checkpoint = ConfigDict(dict(every=50, keep=2, milestones=3))

    name, basic = preset.removesuffix("_basic"), preset.endswith("_basic") or preset == "basic"
    if preset == "tiny":
        c.data.crop = 32
        c.method.width = 0.125
        c.steps = 8
        c.evaluation.update(every=4, crop=0, batches=1, final_batches=2, transfer_steps=4)
        c.checkpoint.every = 4
    elif name in SOURCES or name == "paper" or name in LOSSES:
        c.data.source, c.data.secret_source = SOURCES.get(name, SOURCES["lfw"])
        c.data.crop = 256
        c.data.preprocess = ("resize:256", "centre_crop:256")
        c.steps, c.epochs = -1, 150.0
        c.method.mse_weight = 0.3
        c.log_every = 50
        c.method.optimizer.update(learning_rate=1e-4, factor=0.9, every=1.0, after=20.0)
        c.method.steganalyzer_optimizer.update(factor=0.9, every=1.0, after=20.0)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=5000, crop=0, batches=50, final_batches=500, transfer_steps=12500)
        c.checkpoint.update(every=1000)
    elif preset not in ("", "basic"):
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if name in LOSSES:
        c.epochs = 50.0
        c.method.ssim_weight, c.method.ms_ssim_weight, c.method.mse_weight = LOSSES[name]
        basic = True
    if basic:
        c.method.adversarial = False
        c.evaluation.transfer_steps = 0
    return c
