"""SGAN (Volkhonskiy, Borisenko, Burnaev, "Generative adversarial networks for image steganography",
2016): SSGAN's baseline.

    python main.py --config=configs/sgan.py                  trains on bundled photographs
    python main.py --config=configs/sgan.py --mode=evaluate
    python main.py --config=configs/sgan.py --mode=covers    Tables 1 to 3; trains steganalyzers
    python main.py --config=configs/sgan.py:help             lists the presets
    stegojax generate --run runs/sgan -n 16 -o COVERS
    stegojax hide --run runs/sgan MESSAGE -o STEGO.png

`tiny` takes under a minute. The presets on CelebA need its TFDS directory, by default in
~/tensorflow_datasets: --config.data.data_dir=DIR.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.COVERS_PAPER,
    "method.alpha": 0.5,
    "method.optimizer.learning_rate": 2e-4,
    "report.covers.optimizer.learning_rate": 5e-6,
}

PRESETS = {
    "": ("32x32 pictures, a quarter of the channels, 300 steps of 16", {}),
    "tiny": ("16x16, an eighth of the channels, a few steps, for tests", sections.COVERS_TINY),
    "paper": ("CelebA at 64x64, the paper's networks, 7 epochs with batch 64", PAPER),
    "red_channel": (
        "paper, hiding as the released code does: 0.4 bits per sample of the red channel alone",
        {
            **PAPER,
            "method.scheme": "red-channel",
            "report.covers.schemes": ("red-channel", "lsb-matching"),
        },
    ),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.cover_maker(
        32, covers=dict(steps=200, optimizer=dict(name="adam", learning_rate=1e-4))
    )
    c.method = dict(
        name="sgan",
        size=c.data.get_oneway_ref("crop"),
        width=0.25,
        alpha=0.9,
        scheme="lsb-matching",
        payload=0.4,
        deceit="cover",
        discriminator_updates=1,
        generator_updates=2,
        optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5),
        steganalyzer_optimizer=dict(name="adam", learning_rate=2e-4, b1=0.5),
    )
    return presets.choose(c, PRESETS, preset)
