"""The asymmetric-cost GAN in JPEG files: symmetric costs of coefficients become asymmetric ones.

    python main.py --config=configs/asymmetric_jpeg.py       minutes on two cores
    python main.py --config=configs/asymmetric_jpeg.py --mode=evaluate    Table 2 for this run
    python main.py --config=configs/asymmetric_jpeg.py --mode=security    Table 1, DCTR and JRM
    python main.py --config=configs/asymmetric_jpeg.py:help  lists the presets
    stegojax hide --run runs/asymmetric_jpeg COVER.jpg MESSAGE -o STEGO.jpg

What configs/asymmetric.py is in pixels, carried over as its paper wishes; nobody has published it.
Pictures are compressed to quality 75 inside of the training, payloads are in bits per non-zero AC
coefficient, steganalyzers see the decompressed picture, unrounded, and their gradients reach the
coefficients by the inverse DCT. The generator sees the picture, the changes so far in the
transform's units, and the initial scheme's probabilities; a scale and a shift tell the 64 modes
apart. `reveal` needs the key alone.

In the default's log payload_error stays under .02; `tiny` takes under a minute. `laptop`, `paper`
and `paper_uerd` read a folder of photographs (--config.data.source=folder:DIR); nobody has trained
these yet.
"""

from ml_collections import ConfigDict

from configs import asymmetric, presets, sections

SECURITY_PAPER = {
    "report.security.covers.source": "folder:bossbase-bows2",
    "report.security.covers.crop": 256,
    "report.security.covers.tiles": 1,
    "report.security.covers.preprocess": ("resize:256",),
    "report.security.covers.limit": 10_000,
    "report.security.steganalyzers": ("dctr", "jrm", "gfr", "srnet"),
    "report.security.splits.count": 1,
    "report.security.splits.validation": 0.1,
    "report.security.splits.test": 0.4,
    "report.security.networks": {"srnet": sections.ATTACKERS_PAPER["srnet"]},
    "report.security.coded": True,
}

PAPER = {
    **{
        name: value
        for name, value in asymmetric.PAPER.items()
        if not name.startswith("report.security") and name != "method.start"
    },
    **SECURITY_PAPER,
    "method.network": "srnet",
    # The squared error in bits, of which a file has fewer than pixels, a fourth or so.
    "method.entropy_weight": 1e-5,
}
"""The pixels' training, with the steganalyzer that finds most in JPEG files."""

LAPTOP = {
    "steps": 0,
    "log_every": 10,
    "method.shares": (1, 1, 1, 1),
    "method.start": "bbc",
    # For every generator: steps of imitation, and steps against the steganalyzers.
    "method.stage_lengths": (400, 300) * 3,
    "method.steganalyzer_width": 1.0,
    "method.formula": "exact",
    "method.reward": "centred",
    "method.entropy_weight": 3.2e-4,
    "method.generator_optimizer.factor": 0.5,
    "method.generator_optimizer.every": 350.0,
    "method.d2_optimizer.learning_rate": 1e-4,
    "data.source": "folder:photographs",
    "data.crop": 128,
    "data.preprocess": ("grey", "shrink:1.5"),
    "data.train_share": 0.85,
    "evaluation.every": 100,
    "evaluation.batches": 40,
    "report.batches": 40,
    "checkpoint.every": 100,
    "checkpoint.keep": 4,
}
"""J-UNIWARD at 0.4 on a folder of photographs shrunk by 1.5, from the rule of BBC."""

PRESETS = {
    "": ("J-UNIWARD at 0.4 bpnzac, two sub-images, Xu-Net as D1 and D2, 150 steps at 192x192", {}),
    "tiny": (
        "32x32 crops, hardly any channels, a few steps, for tests",
        {
            **sections.SECURITY_TINY,
            "report.security.steganalyzers": ("dctr",),
            "steps": 8,
            "method.width": 0.25,
            "method.depth": 3,
            "method.steganalyzer_width": 0.5,
            "data.crop": 32,
            "evaluation.every": 4,
            "evaluation.batches": 1,
            "report.batches": 2,
            "checkpoint.every": 4,
        },
    ),
    "uerd": ("the default on UERD", {"method.scheme": "uerd"}),
    "laptop": ("four sub-images that begin with BBC's rule; a folder of photographs", LAPTOP),
    "paper": ("256x256, batch 24, 72 epochs of 40,000 pictures, SRNet as D1 and D2", PAPER),
    "paper_uerd": ("paper, on UERD", {**PAPER, "method.scheme": "uerd"}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = asymmetric.get_config()
    c.method.jpeg_quality = 75
    c.method.scheme = "juniward"
    c.method.inputs = "decompressed"
    c.method.network = "xunet"
    c.method.steganalyzer_width = 0.5
    # Of few non-zero coefficients, a random half of them holds the more or the less than half of
    # what they can carry: the crops are larger than the pixels'.
    c.batch_size = 4
    c.data.crop = 192
    c.steps = 150
    c.evaluation.every = 50
    c.evaluation.batches = 8
    c.checkpoint.every = 50
    c.method.entropy_weight = 6.4e-5
    c.method.generator_optimizer.every = 50.0
    c.report.security.covers.domain = "jpeg"
    c.report.security.covers.quality = 75
    c.report.security.steganalyzers = ("dctr", "jrm")
    return presets.choose(c, PRESETS, preset)
