"""The trainable systems that a config can name: `METHODS[name](**section, steps_per_epoch=...) -> Method`."""

from functools import partial

from stegojax.methods import asymmetric, isgan, picture_autoencoder, steganalyzer

METHODS = {
    "isgan": isgan.make,
    "baluja": partial(picture_autoencoder.make, picture_autoencoder.baluja_networks),
    "atique": partial(picture_autoencoder.make, picture_autoencoder.atique_networks),
    "steganalyzer": steganalyzer.make,
    "asymmetric": asymmetric.make,
}

SCHEMES = {"asymmetric": asymmetric.trained_scheme}
"""Of the methods whose runs embed by costs: `SCHEMES[name](state, **section) -> embed.Scheme`."""

MESSAGES = {}
"""Of the methods that hide bits: `MESSAGES[name](**section) -> bit_hiding.MessageShape`."""

USES = {"isgan": "pictures", "baluja": "pictures", "atique": "pictures", "asymmetric": "costs"}
"""What a run of a method is for, where files can be hidden with it: "pictures" in pictures; any file by the "costs" it has learned;
any file as "bits" that networks write and read; any file in "covers" that it makes; "sentences" that become pictures."""
