"""Models: runs made ready for others, which `--run` and `stegojax.load` take by name.

A model is a folder that `stegojax export` writes, in which nothing is executed:

FOLDER/config.json           the config, resolved
FOLDER/weights.safetensors   parameters and statistics of what is used, see `weights`
FOLDER/vocabulary.json       of a run of sentences
FOLDER/card.json, card.md    what it is, what it was trained on, its figures, what it is not for

A shelf is a folder of models called NAME@VERSION, with a MANIFEST.json that holds their SHA-256.
This folder is the shelf that is installed with the package.
"""
