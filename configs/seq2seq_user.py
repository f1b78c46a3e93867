"""Seq2Seq-GAN for one user (Section 5 of the paper): of a trained run of configs/seq2seq_gan.py the
generator and the receiver's LSTM, trained further under one key.

    python main.py --config=configs/seq2seq_user.py --config.method.key_from=KEY \\
        --config.method.base_from=runs/seq2seq_gan-plane
    python main.py --config=configs/seq2seq_user.py:help lists the presets

KEY is a file of 32 random bytes (`head -c 32 /dev/urandom > KEY`), as for `stegojax hide`. What the
run's config says of data and method must be said here, too: the default is seq2seq_gan.py:plane's.
300 steps take two minutes on two cores, `tiny` under a minute.
`--config=configs/seq2seq_gan.py:plane --mode=users` trains for two users and shows what it brings.
"""

from ml_collections import ConfigDict

from configs import presets, seq2seq_gan

USER = {
    "method.name": "seq2seq_user",
    "method.stage_steps": (),
    "evaluation.every": 100,
    "checkpoint.every": 100,
}

PRESETS = {
    "": ("a run of seq2seq_gan.py:plane, 300 steps", {**seq2seq_gan.keyed("plane"), "steps": 300}),
    "tiny": (
        "a run of seq2seq_gan.py:tiny, a few steps, for tests",
        {**seq2seq_gan.PRESETS["tiny"][1], **USER, "steps": 4, "evaluation.every": 4},
    ),
    "paper": (
        "a run of seq2seq_gan.py:paper_plane, two epochs",
        {
            **seq2seq_gan.PAPER,
            **seq2seq_gan.keyed("plane"),
            "epochs": 2.0,
            "evaluation.every": 1563,
            "checkpoint.every": 1000,
        },
    ),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = seq2seq_gan.get_config()
    presets.change(c, USER)
    del c.report.users
    # The run that it begins from, and a key file; "" where the run uses no key.
    c.method.base_from, c.method.key_from = "", ""
    changes = {
        name: (line, {field: value for field, value in given.items() if "users" not in field})
        for name, (line, given) in PRESETS.items()
    }
    return presets.choose(c, changes, preset)
