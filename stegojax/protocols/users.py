"""What fine-tuning for each user brings (Seq2Seq-GAN, Section 5): whether the keys of two users
then make two pictures of a sentence, whether each user reads their own, and what the other reads.

For each user a key file WORKDIR/users/NUMBER.key is made from the config's seed, and the run's
generator and LSTM decoder are trained further under it in WORKDIR/users/NUMBER, which is a run like
any other. What is there already is not trained again.
"""

from __future__ import annotations

import pathlib
from typing import Any

import ml_collections
import numpy as np

from stegojax import files, parallel, run, secret, train
from stegojax.data import kinds, tokenizer
from stegojax.methods import sentence_keys, seq2seq_gan
from stegojax.protocols import sentences
from stegojax.tables import markdown

COLUMNS = {
    "bleu": ("BLEU", "{:.4f}"),
    "wer": ("WER", "{:.4f}"),
    "exact": ("Exact", "{:.4f}"),
    "other_bleu": ("BLEU, read by the other user", "{:.4f}"),
    "between_users": ("Between users", "{:.3f}"),
    "between_sentences": ("Between sentences", "{:.3f}"),
    "ratio": ("Users / sentences", "{:.3f}"),
}
"""Figure -> title and format."""


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The table of two users before and after fine-tuning.

    Args:
      config: of the run; `report.users.steps` says how long each is trained, 0 for no report.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table; and "users", the figures "before" and "after".

    Raises:
      InputError: a training was interrupted.
    """
    planned = trains(config, workdir)
    if not planned:
        return "", {}
    tuned = [train.to_the_end(each.config, each.folder) for each in planned]
    vocabulary = tokenizer.load(workdir / kinds.VOCABULARY_NAME)
    ids = sentences.held_out(config)[0]
    keys = [_material(config, number) for number in range(len(planned))]
    found = {
        "before": figures(vocabulary, ids, [loaded] * len(planned), keys),
        "after": figures(vocabulary, ids, tuned, keys),
    }
    rows = [
        [title, *(form.format(found[name][figure]) for figure, (_, form) in COLUMNS.items())]
        for name, title in (
            ("before", "the run, under both keys"),
            ("after", f"fine-tuned for each, {config.report.users.steps} steps"),
        )
    ]
    text = (
        f"Two users and {len(ids)} held-out sentences as 8-bit PNG files (Section 5 of the paper); "
        "differences are means of |a - b| in levels, of one sentence's pictures with one noise:\n\n"
    )
    return text + markdown(["Networks", *(title for title, _ in COLUMNS.values())], rows), {
        "users": found
    }


def trains(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> list[train.Planned]:
    """The trainings for two users; their key files are written.

    Args:
      config: of the run.
      workdir: of the run.

    Returns:
      Both; none where the config asks for no report.
    """
    section = config.report.get("users", None)
    if not section or not section.steps:
        return []
    planned = []
    for number in range(2):
        folder, key_file = workdir / "users" / str(number), ""
        if config.method.keyed != "none":
            key_file = workdir / "users" / f"{number}.key"
            if parallel.is_writer():
                key_file.parent.mkdir(parents=True, exist_ok=True)
                files.write_bytes(key_file, sentences.test_key_file(config, number))
        changes = {
            "method.name": "seq2seq_user",
            "method.base_from": str(workdir),
            "method.key_from": str(key_file),
            "method.stage_steps": (),
            "steps": section.steps,
        }
        planned.append(
            train.Planned(f"networks of user {number}", run.changed(config, changes), folder)
        )
    return planned


def figures(
    vocabulary: tokenizer.Vocabulary,
    ids: np.ndarray,
    users: list[run.Loaded],
    keys: list[sentence_keys.Material],
) -> dict[str, float]:
    """What two users' networks are worth.

    Args:
      vocabulary: the words.
      ids: sentences `[n, T]`.
      users: the networks of each.
      keys: the key of each.

    Returns:
      The names of `COLUMNS` and their values, means over both users.
    """
    wanted = [sentences.wanted(vocabulary, row) for row in ids]
    numbers, made, found = range(len(ids)), [], {name: [] for name in COLUMNS}
    for user, key in zip(users, keys, strict=True):
        # One noise for both, so that they differ by key and networks alone.
        own = [key._replace(noise=keys[0].noise)] * len(ids)
        made.append(sentences.through_files(sentences.pictures(user, ids, own, numbers)))
        others = sentences.pictures(user, np.roll(ids, 1, axis=0), own, numbers)
        found["between_sentences"].append(_difference(made[-1], others))
    for place, pixels in enumerate(made):
        for reader in (place, 1 - place):
            rows = _read(users[reader], pixels, keys[reader])
            read = [sentences.tokens(vocabulary, row) for row in rows]
            measured = sentences.figures(wanted, read)
            if reader != place:
                found["other_bleu"].append(measured["bleu"])
                continue
            for name, value in measured.items():
                found[name].append(value)
    found["between_users"] = [_difference(*made)]
    means = {name: float(np.mean(values)) for name, values in found.items() if values}
    means["ratio"] = means["between_users"] / max(means["between_sentences"], 1e-9)
    return means


def _material(config: ml_collections.ConfigDict, number: int) -> sentence_keys.Material:
    keyed = config.method.keyed
    shared = None
    if keyed != "none":
        shared = secret.key_file(sentences.test_key_file(config, number))
    return sentence_keys.material(shared, keyed, state=config.method.state)


def _read(user: run.Loaded, pixels: np.ndarray, key: sentence_keys.Material) -> np.ndarray:
    received = seq2seq_gan.KEYINGS[user.config.method.keyed].received
    return sentences.read(user, pixels, [key] * len(pixels) if received else [])


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other).mean())
