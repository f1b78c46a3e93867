"""The asymmetric-cost GAN ("GAN-based symmetric embedding costs adjustment", 2024): symmetric costs
become asymmetric ones.

    python main.py --config=configs/asymmetric.py       minutes on two cores
    python main.py --config=configs/asymmetric.py --mode=evaluate    Table 2 for this run
    python main.py --config=configs/asymmetric.py --mode=security    Table 1
    python main.py --config=configs/asymmetric.py:help  lists the presets
    stegojax hide --run runs/asymmetric COVER MESSAGE -o STEGO

In the default's log payload_error falls under .02; `tiny` takes under a minute. The others are the
paper's experiments, on the pictures of the folder szubase (--config.data.source=folder:DIR): 13.9 h
on four TITAN X; detection error against Deng-Net 18.65 % for HILL and 25.48 % with adjusted costs.
`small_` before the name of an experiment (small_subimages3) is the same at the default's scale. The
learned initial scheme is trained in a first stage against three steganalyzers, in place of
Steg-GMAN. Otherwise than in the paper, or where it is silent: pictures are turned by quarters and
flipped in training, and the second strategy of Table 4 lets D1 guide from half-way on, epoch 36 of
72, where the paper says "30 epochs".
"""

from ml_collections import ConfigDict

from configs import presets, sections

NETWORKS = {
    "xunet": "Xu-Net",
    "yedroudjnet": "Yedroudj-Net",
    "srnet": "SRNet",
    "dengnet": "Deng-Net",
}
ROLES = {"d1": "D1 alone", "d2": "D2 alone", "both": "D1 and D2"}
SCHEMES = {"hill": "HILL", "wow": "WOW", "suniward": "S-UNIWARD", "learned": "a learned scheme"}

PAPER = {
    **sections.AT_SCALE,
    **sections.COST_SECURITY_PAPER,
    "batch_size": 24,
    "steps": 0,
    "epochs": 72.0,
    "method.entropy_weight": 1e-6,
    "method.reward_scale": 1e7,
    "method.start": "uniform",
    "method.width": 1.0,
    "method.depth": 8,
    "method.steganalyzer_width": 1.0,
    "method.stage_unit": "epochs",
    "method.generator_optimizer.learning_rate": 1e-4,
    "method.generator_optimizer.every": 20.0,
    "method.d1_optimizer.learning_rate": 1e-5,
    "method.d1_optimizer.factor": 0.4,
    "method.d2_optimizer.learning_rate": 1e-4,
    "method.d2_optimizer.factor": 0.4,
    # All but 400 of its 40,000, which are held out; training and test covers are of one scale.
    "data.source": "folder:szubase",
    "data.train_share": 0.99,
    "data.preprocess": ("resize:256",),
    "data.crop": 256,
    "evaluation.every": 5000,
    "evaluation.batches": 20,
    "report.batches": 100,
    "checkpoint.every": 1000,
    "checkpoint.milestones": 4,
}

LAPTOP = {
    "steps": 0,
    "log_every": 10,
    "method.shares": (1, 1, 1, 1),
    "method.start": "cmd",
    # For every generator: steps of imitation, and steps against the steganalyzers.
    "method.stage_lengths": (400, 300) * 3,
    "method.network": "xunet",
    "method.steganalyzer_width": 1.0,
    "method.formula": "exact",
    "method.reward": "centred",
    "method.reward_scale": 2e3,
    # 16 times the paper's 1e-6, for a fourth of its pixels in each direction, and 20 times that:
    # less, and the payload drifts away.
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
    "evaluation.steganalysis": "srmq1",
    "report.batches": 40,
    "checkpoint.every": 100,
    "checkpoint.keep": 4,
    "checkpoint.best": "srmq1_error",
}
"""HILL at 0.4 bits per pixel on a folder of photographs shrunk by 1.5, from the steganalyzer that
`configs/xunet.py:laptop` trains on it.
"""


def stages(number: int, length: float) -> dict:
    """Changes for a training in several stages of one length."""
    return {"steps": 0, "epochs": 0.0, "method.stage_lengths": (length,) * number}


def equal(rate: float) -> dict:
    """Changes that give D1 the rate of D2, and their gradients the same weight."""
    return {"method.eta": 1.0, "method.d1_optimizer.learning_rate": rate}


def experiments(length: float, rate: float) -> dict:
    """The paper's experiments at one scale, each with its line and its changes alone.

    Args:
      length: of a stage; epochs at the paper's scale, and at the default's steps, where with ten
        photographs and batches of eight an epoch is one step.
      rate: D2's learning rate.
    """
    initial = {}
    for scheme, title in SCHEMES.items():
        learned = stages(2, length) if scheme == "learned" else {}
        for name, payload in ((scheme, 0.4), (f"{scheme}_02", 0.2)):
            line = f"Table 1: {title} as initial scheme, {payload} bpp"
            changes = {"method.scheme": scheme, "method.payload": payload, **learned}
            initial[name] = (line, changes)
    del initial["hill"]  # It is the paper preset, and the default.
    roles = {
        f"{role}_{network}": (
            f"Table 3: {titles}, {title}",
            {"method.steganalyzers": role, "method.network": network},
        )
        for role, titles in ROLES.items()
        for network, title in NETWORKS.items()
    }
    shares = {
        f"share_{percent}": (
            f"Table 6: {percent} % of pixels and message in the first sub-image",
            {"method.shares": pair},
        )
        for percent, pair in ((30, (3, 7)), (40, (2, 3)), (60, (3, 2)), (70, (7, 3)))
    }
    more = {
        f"subimages{number}": (
            f"Table 7: {number} sub-images",
            {"method.shares": (1,) * number, **stages(number - 1, length)},
        )
        for number in (3, 4)
    }
    return {
        **initial,
        **roles,
        "strategy1": ("Table 4: equal rates and weights", equal(rate)),
        "strategy2": (
            "Table 4: besides, D1's gradient from half-way on",
            {**equal(rate), "method.d1_after_epochs": length / 2},
        ),
        "strategy3": (
            "Table 4: equal, and D1 trained in one epoch of five",
            {**equal(rate), "method.d1_every_epochs": 5},
        ),
        "strategy4": (
            "Table 4: equal, and one network as D1 and D2",
            {**equal(rate), "method.steganalyzers": "shared"},
        ),
        "eta_05": ("Table 4: D1's gradient weighs .5", {"method.eta": 0.5}),
        "eta_1": ("Table 4: D1's gradient weighs 1", {"method.eta": 1.0}),
        "eta_learned": ("Table 4: the weight is learned", {"method.learn_eta": True}),
        "input1": ("Table 5: P alone", {"method.inputs": "probabilities"}),
        "input2": ("Table 5: P and the neighbours' sum of M", {"method.inputs": "filtered"}),
        "input3": ("Table 5: an encoder for each", {"method.inputs": "two_encoders"}),
        **shares,
        "subimages1": (
            "Table 7: one, the initial scheme; D1 alone learns to detect it",
            {"method.shares": (1,)},
        ),
        **more,
        "attention": (
            "not the paper's: gates of attention on the generator's skips",
            {"method.generator": "attention"},
        ),
        "input_noise": (
            "not the paper's: noise on the steganalyzers' input while they are ahead",
            {"method.input_noise": 2.0},
        ),
        "no_reconstruction": (
            "without the reconstruction loss: over 1 % less error against Yedroudj-Net",
            {"method.reconstruction_weight": 0.0},
        ),
    }


PRESETS = {
    "": ("HILL at 0.4 bpp, two sub-images, Deng-Net as D1 and D2, thin, 300 steps at 64x64", {}),
    "tiny": (
        "32x32 crops, hardly any channels, a few steps, for tests",
        {
            **sections.SECURITY_TINY,
            "steps": 8,
            "method.width": 0.25,
            "method.depth": 3,
            "method.steganalyzer_width": 0.125,
            "method.entropy_weight": 4096e-6,
            "data.crop": 32,
            "evaluation.every": 4,
            "evaluation.batches": 1,
            "report.batches": 2,
            "checkpoint.every": 4,
        },
    ),
    "laptop": (
        "four sub-images that begin with CMD's rule, judged by SRMQ1; a folder, a trained Xu-Net",
        LAPTOP,
    ),
    "paper": ("the paper's scale: 256x256, batch 24, 72 epochs of 40,000 pictures", PAPER),
    **presets.at_scale(experiments(72.0, 1e-4), PAPER),
    **presets.small(experiments(300.0, 1e-3)),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.head(batch_size=8, steps=300)
    adam = dict(name="adam", b1=0.5, b2=0.999, factor=1.0, every=20.0)
    c.method = dict(
        name="asymmetric",
        scheme="hill",
        payload=0.4,
        shares=(1, 1),
        inputs="concatenated",
        start="initial",
        network="dengnet",
        steganalyzers="both",
        eta=5.0,
        learn_eta=False,
        d1_after_epochs=0.0,
        d1_every_epochs=1,
        adversarial_weight=1.0,
        # The paper's 1e-6 belongs to 256x256 pixels; the squared error in bits is 256 times smaller
        # on a sixteenth of them.
        entropy_weight=256e-6,
        reconstruction_weight=10.0,
        reward="raw",
        reward_scale=1e4,
        unit_texture=False,
        formula="symmetric",
        generator="plain",
        # Of the noise on the steganalyzers' input, the greatest standard deviation in grey levels.
        input_noise=0.0,
        width=0.5,
        depth=4,
        steganalyzer_width=0.25,
        initial_networks=("xunet", "yedroudjnet", "dengnet"),
        # Where there are several stages; their lengths are then the run's.
        stage_lengths=(),
        stage_unit="steps",
        # Runs whose networks these begin from.
        d1_from="",
        d2_from="",
        initial_from="",
        # Of the JPEG files that the pictures become, 1 to 100; 0 for pixels.
        jpeg_quality=0,
        generator_optimizer=dict(adam, learning_rate=1e-3, factor=0.4, every=200.0),
        d1_optimizer=dict(adam, learning_rate=1e-4),
        d2_optimizer=dict(adam, learning_rate=1e-3),
    )
    c.data = sections.pictures(64)
    # "srmq1" or "spam": the error of these features with an ensemble, at every evaluation.
    c.evaluation = sections.evaluation(100, batches=4, steganalysis="")
    c.report = sections.report(16, security=sections.cost_security())
    c.checkpoint = sections.checkpoint(100, best="")
    return presets.choose(c, PRESETS, preset)
