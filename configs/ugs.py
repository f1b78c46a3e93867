"""UGS (Liu et al., "Adversarial steganography embedding via stego generation and selection", 2023):
costs doubled against a steganalyzer's gradient. A peer of the asymmetric-cost GAN (its Table 1).

    python main.py --config=configs/ugs.py              trains the steganalyzer to be deceived
    python main.py --config=configs/ugs.py --mode=evaluate   its accuracy; Table 2 for UGS
    python main.py --config=configs/ugs.py --mode=security   Table 1
    python main.py --config=configs/ugs.py:help         lists the presets
    stegojax hide --run runs/ugs COVER MESSAGE -o STEGO      revealed with the key alone

The default takes a minute or two, `tiny` under a minute. `paper` reads the folder bossbase of
512x512 pictures (--config.data.source=folder:DIR) and resizes them.

The asymmetric-cost paper reports, for HILL at 0.4 bpp, P_E 33.68 % against SRM (HILL itself 30.10
%), 22.02 % against Deng-Net (18.65 %), 9.78 h of training and 2.04 s a stego.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.AT_SCALE,
    **sections.COST_SECURITY_PAPER,
    "steps": 0,
    "epochs": 200.0,
    "method.network": "dengnet",
    "method.optimizer": sections.DENGNET_PAPER,
    "data.source": "folder:bossbase",
    "data.crop": 256,
    "data.preprocess": ("resize:256",),
    "evaluation.every": 1000,
    "evaluation.batches": 50,
    "evaluation.refresh_batches": 313,
    "report.batches": 312,
    "checkpoint.every": 1000,
}

PRESETS = {
    "": ("Xu-Net against HILL at 0.4 bpp, 64x64 crops of the bundled photographs", {}),
    "tiny": (
        "a thin network, a few steps, for tests",
        {
            **sections.STEGANALYZER_TINY,
            **sections.SECURITY_TINY,
            "method.width": 0.25,
            "method.candidates": 3,
        },
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 128x128, the Xu-Net that ships: minutes",
        sections.DECEIVED_LAPTOP,
    ),
    "paper": ("Deng-Net against HILL at 0.4 bpp, 256x256, 200 epochs of 16 pairs", PAPER),
    **sections.on_bases(PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    # As many stegos come with the covers.
    c = sections.head(batch_size=16, steps=1200)
    c.method = dict(
        name="ugs",
        scheme="hill",
        payload=0.4,
        candidates=100,
        factor=2.0,
        network="xunet",
        network_from="",
        curriculum=(),
        width=1.0,
        optimizer=dict(name="sgd", learning_rate=1e-3, momentum=0.9),
    )
    c.data = sections.pictures(64, train_share=0.5)
    c.evaluation = sections.evaluation(300, batches=8, refresh=20)
    c.report = sections.report(32, security=sections.cost_security())
    c.checkpoint = sections.checkpoint(300, best="accuracy")
    return presets.choose(c, PRESETS, preset)
