"""The trainable systems that a config can name: `METHODS[name](**section, steps_per_epoch=...) ->
Method`.
"""

from functools import partial

from stegojax.methods import (
    abdh,
    asymmetric,
    chatgan,
    hayesgan,
    hidden,
    isgan,
    picture_autoencoder,
    seq2seq_gan,
    sftn,
    sgan,
    ssgan,
    steganalyzer,
    steganogan,
    ugs,
)

METHODS = {
    "isgan": isgan.make,
    "baluja": partial(picture_autoencoder.make, picture_autoencoder.baluja_networks),
    "atique": partial(picture_autoencoder.make, picture_autoencoder.atique_networks),
    "steganalyzer": steganalyzer.make,
    "asymmetric": asymmetric.make,
    "ugs": ugs.make,
    "ssgan": ssgan.make,
    "sgan": sgan.make,
    "seq2seq_gan": seq2seq_gan.make,
    "sftn": sftn.make,
    "chatgan": chatgan.make,
    "abdh": abdh.make,
    "steganogan": steganogan.make,
    "hayesgan": hayesgan.make,
    "hidden": hidden.make,
}

SCHEMES = {"asymmetric": asymmetric.trained_scheme, "ugs": ugs.trained_scheme}
"""Of the methods whose runs embed by costs: `SCHEMES[name](state, **section) -> embed.Scheme`."""

MESSAGES = {
    "sftn": sftn.message,
    "chatgan": chatgan.message,
    "abdh": abdh.message,
    "steganogan": steganogan.message,
    "hayesgan": hayesgan.message,
    "hidden": hidden.message,
}
"""Of the methods that hide bits: `MESSAGES[name](**section) -> bit_hiding.MessageShape`."""

JUDGES = {"ssgan": ssgan.independent_steganalyzer, "sgan": sgan.independent_steganalyzer}
"""Of the methods that make covers: `JUDGES[name](**section) -> module`, the steganalyzer that is
trained afterwards.
"""

USES = {
    "isgan": "pictures",
    "baluja": "pictures",
    "atique": "pictures",
    "asymmetric": "costs",
    "ugs": "costs",
    "seq2seq_gan": "sentences",
    "ssgan": "covers",
    "sgan": "covers",
    "sftn": "bits",
    "chatgan": "bits",
    "abdh": "bits",
    "steganogan": "bits",
    "hayesgan": "bits",
    "hidden": "bits",
}
"""What a run of a method is for, where files can be hidden with it: "pictures" in pictures; any
file by the "costs" it has learned;
any file as "bits" that networks write and read; any file in "covers" that it makes; "sentences"
that become pictures.
"""
