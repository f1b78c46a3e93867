"""What a run that sends sentences as pictures is worth: every figure from 8-bit PNG files that were
written and read back.

    words      BLEU, word error rate and share of exact sentences, by greedy decoding and by beam
               search, over their length
    key        how much pictures of one sentence differ from key to key, against those of two
               sentences under one key; what a wrong key reads; how near the picture of what a wrong
               key reads comes to the picture at hand
    sending    the share of sentences that some picture says exactly, and the tries until it is
               found
    pictures   their distance, as a set, from photographs

Keys are those of key files that the config's seed stands for. Sentences are of the held-out side,
in normal form; a wrong key is another sentence's.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np

from stegojax import files, images, metrics, parallel, plots, run, secret
from stegojax.data import kinds, tokenizer
from stegojax.errors import InputError
from stegojax.hiders import sentences
from stegojax.methods import seq2seq_gan
from stegojax.models import seq2seq_gan as models
from stegojax.protocols.distance import distance
from stegojax.tables import markdown

CURVES_NAME = "sentences.png"

_FOREIGN = "\0"


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """Measures a run of sentences; writes `WORKDIR/sentences.png`.

    Args:
      config: of the run; of `report.sentences` the fields `count` (how many are measured), `beside`
        (work directories of runs whose figures by length are set beside this one's),
        `searched` (for how many of them a picture is searched), `beams` and `weights` (for the
        FID a file of them, see `distance.distance`; "" for the distance that needs none).
      workdir: of the run.
      loaded: the run.

    Returns:
      The tables, and the same as plain numbers.

    Raises:
      InputError: there are no held-out sentences, or a field is out of range.
    """
    options = config.report.sentences
    if (
        options.count < 2
        or options.searched < 0
        or not 1 <= options.beams <= config.method.vocabulary
    ):
        raise InputError(
            "report.sentences: count must be at least 2, searched not negative, and beams 1 to the "
            "size of the "
            f"vocabulary; {options.count}, {options.searched} and {options.beams} given"
        )
    vocabulary = tokenizer.load(workdir / kinds.VOCABULARY_NAME)
    ids, photographs, available = held_out(config)
    keys = [test_key(config, number) for number in range(len(ids))]
    made = pictures(loaded, ids, keys, range(len(ids)))
    files_read = through_files(made)
    hidden = [wanted(vocabulary, row) for row in ids]
    foreign = float(np.mean((ids == tokenizer.UNKNOWN).any(axis=1)))
    read = {
        name: [tokens(vocabulary, row) for row in rows]
        for name, rows in readings(loaded, files_read, keys, beams=options.beams).items()
    }
    results = {
        "words": {name: figures(hidden, found) for name, found in read.items()},
        "by_length": {name: by_length(hidden, read[name]) for name in ("greedy", "beam")},
    }
    results["with_unknown_words"] = foreign
    text = (
        f"{len(ids)} of {available} held-out sentences as 8-bit PNG files, step {loaded.step}; "
        f"{100 * foreign:.1f} % of them have a word that the vocabulary lacks, which counts as an "
        "error:\n\n"
    )
    text += markdown(
        ["Reading", "BLEU", "WER", "Exact"],
        [
            [name, *(f"{value:.4f}" for value in found.values())]
            for name, found in results["words"].items()
        ],
    )
    added, lines = _lengths(config, results)
    text += added
    results["key"] = differences(loaded, ids, keys, files_read)
    text += "\n\nThe key (differences are means of |a - b| in levels):\n\n" + markdown(
        list(results["key"]), [[f"{value:.4g}" for value in results["key"].values()]]
    )
    if options.searched:
        # A word that has no number cannot be sent.
        known = np.flatnonzero((ids != tokenizer.UNKNOWN).all(axis=1))[: options.searched]
        results["sending"] = sending(loaded, ids[known], [keys[place] for place in known])
        text += (
            f"\n\nSending exactly, at most {sentences.NOISES if config.method.noise else 1} "
            "tries:\n\n"
            + markdown(
                list(results["sending"]),
                [[f"{value:.4g}" for value in results["sending"].values()]],
            )
        )
    label, value = distance(photographs, files_read.astype(np.float32), weights=options.weights)
    results["pictures"] = {label: value}
    text += f"\n\nPictures against photographs, {label}: {value:.4g}"
    if parallel.is_writer():
        files.write_bytes(
            workdir / CURVES_NAME, plots.lines(_series(lines), across="words and marks", lowest=0.0)
        )
    return text, results


def test_key_file(config: ml_collections.ConfigDict, number: int) -> bytes:
    """The key file that a config's seed and a number stand for.

    Args:
      config: of the run.
      number: of a held-out sentence, or of a user.

    Returns:
      Its content.
    """
    return hashlib.sha256(b"stegojax test key %d %d" % (config.seed, number)).digest()


def test_key(config: ml_collections.ConfigDict, number: int) -> sentences.Material:
    """The key of a held-out sentence, that of `test_key_file`.

    Args:
      config: of the run.
      number: of the sentence.

    Returns:
      The key's material.
    """
    keyed = config.method.keyed
    shared = None if keyed == "none" else secret.key_file(test_key_file(config, number))
    return sentences.material(shared, keyed, state=config.method.state)


def figures(wanted: Sequence[Sequence[str]], read: Sequence[Sequence[str]]) -> dict[str, float]:
    """BLEU, word error rate and share of exact sentences of a set.

    Args:
      wanted: the sentences' words.
      read: what was read in their place.

    Returns:
      "bleu", "wer" and "exact".
    """
    return {
        "bleu": metrics.bleu(wanted, read),
        "wer": metrics.wer(wanted, read),
        "exact": metrics.exact_match(wanted, read),
    }


def by_length(
    wanted: Sequence[Sequence[str]], read: Sequence[Sequence[str]]
) -> dict[int, dict[str, float]]:
    """The figures of the sentences of each length.

    Args:
      wanted, read: as for `figures`.

    Returns:
      Words and marks -> the figures and "count", how many sentences have so many; in order of the
      length.
    """
    found = {}
    for length in sorted({len(words) for words in wanted}):
        places = [place for place, words in enumerate(wanted) if len(words) == length]
        found[length] = {
            "count": len(places),
            **figures([wanted[i] for i in places], [read[i] for i in places]),
        }
    return found


def title_of(config: ml_collections.ConfigDict) -> str:
    """What a run is called beside others: by its sizes.

    Args:
      config: of the run.

    Returns:
      The title.
    """
    method = config.method
    return f"2 x {method.state} numbers in {method.size}x{method.size}"


def lengths_table(runs: Mapping[str, Mapping[int, Mapping[str, float]]]) -> str:
    """BLEU and exact rate against the sentences' length, runs beside each other.

    Args:
      runs: title -> what `by_length` gives.

    Returns:
      A row for every length, in Markdown.
    """
    header, rows = ["Words and marks"], []
    for title in runs:
        header += [f"BLEU, {title}", f"Exact, {title}"]
    for length in sorted({length for found in runs.values() for length in found}):
        cells = [
            f"{found[length][name]:.4f}" if length in found else ""
            for found in runs.values()
            for name in ("bleu", "exact")
        ]
        rows.append([str(length), *cells])
    return markdown(header, rows)


def readings(
    loaded: run.Loaded, pixels: np.ndarray, keys: Sequence[sentences.Material], *, beams: int
) -> dict[str, np.ndarray]:
    """What pictures say by greedy decoding, by beam search, and, greedily, under the next picture's
    key.

    Args:
      loaded: the run.
      pixels: uint8 `[n, H, H, 3]`.
      keys: `n` of them.
      beams: of the search.

    Returns:
      "greedy", "beam" and, where the receiver needs a key, "wrong key" -> `[n, T]`, int32.
    """
    shown = pixels.astype(np.float32)
    received = seq2seq_gan.KEYINGS[loaded.config.method.keyed].received
    right = sentences.predict(loaded, {"stego": shown, **(_arrays(keys) if received else {})})
    found = {
        "greedy": right["read_ids"],
        "beam": _beams(loaded, beams)(loaded.state.params["sentence_decoder"], right["states"]),
    }
    if received:
        found["wrong key"] = sentences.predict(
            loaded, {"stego": shown, **_arrays([*keys[1:], keys[0]])}
        )["read_ids"]
    return {name: np.asarray(rows) for name, rows in found.items()}


def differences(
    loaded: run.Loaded, ids: np.ndarray, keys: Sequence[sentences.Material], pixels: np.ndarray
) -> dict[str, float]:
    """How pictures differ from key to key and from sentence to sentence.

    Args:
      loaded: the run.
      ids: `[n, T]`.
      keys: `n` of them.
      pixels: the pictures, uint8 `[n, H, H, 3]`, of sentence i under key i with noise i.

    Returns:
      "between sentences": mean L1 distance, in levels, of two sentences' pictures under one key
      with one noise; "between noises": of one sentence's under one key; with keys "between keys":
      of one sentence's under two keys with one noise, and its ratio to the first; "nearest under a
      wrong key": the least distance of a picture from one of what a wrong key reads in it, of which
        the share "taken under a wrong key" is near enough to be taken for a message.
    """
    count, noises = len(ids), np.arange(len(ids))

    def mean(other):
        return float(np.abs(other.astype(np.float64) - pixels).mean())

    found = {
        "between sentences": mean(pictures(loaded, np.roll(ids, 1, axis=0), keys, noises)),
        "between noises": mean(pictures(loaded, ids, keys, noises + 1)),
    }
    if loaded.config.method.keyed != "none":
        others = [
            key._replace(noise=own.noise)
            for key, own in zip([*keys[1:], keys[0]], keys, strict=True)
        ]
        found["between keys"] = mean(pictures(loaded, ids, others, noises))
        found["keys / sentences"] = found["between keys"] / max(found["between sentences"], 1e-9)
        checked = min(count, sentences.BATCH)
        nearest = []
        for place in range(checked):
            wrong = keys[(place + 1) % count]
            said = sentences.read_ids(loaded, pixels[place : place + 1], wrong)[0]
            nearest.append(sentences.distance(loaded, said, pixels[place], wrong))
        found["nearest under a wrong key"] = min(nearest)
        found["taken under a wrong key"] = float(
            np.mean(np.asarray(nearest) <= sentences.TOLERANCE)
        )
    return found


def sending(
    loaded: run.Loaded, ids: np.ndarray, keys: Sequence[sentences.Material]
) -> dict[str, float]:
    """How many sentences can be sent exactly, and how hard it is.

    Args:
      loaded: the run.
      ids: `[n, T]`.
      keys: at least `n`.

    Returns:
      "sentences", how many were tried; "at once" and "exactly", the shares that the first and that
      any picture says; "mean tries" and "most tries" of those that can be sent, 0 where none can.
    """
    order = np.arange(sentences.NOISES if loaded.config.method.noise else 1)
    found = [sentences.search(loaded, row, key, order=order) for row, key in zip(ids, keys)]
    tries = [one.tries for one in found if one is not None]
    return {
        "sentences": len(found),
        "at once": sum(one == 1 for one in tries) / len(found),
        "exactly": len(tries) / len(found),
        "mean tries": float(np.mean(tries or [0.0])),
        "most tries": max(tries, default=0),
    }


def held_out(config: ml_collections.ConfigDict) -> tuple[np.ndarray, np.ndarray, int]:
    """Held-out sentences, drawn by the config's seed.

    Args:
      config: of the run; `report.sentences.count` says how many at most.

    Returns:
      The sentences `[n, T]`, the photographs beside them, and how many there are to draw from.

    Raises:
      InputError: there are fewer than two.
    """
    kind, fields = kinds.kind_of(config.data.to_dict())
    # Every host measures all of them.
    examples = kind.examples(split="held_out", seed=config.seed, **fields)
    count = min(config.report.sentences.count, examples.per_epoch)
    if count < 2:
        raise InputError(
            "fewer than two held-out sentences are left; lower data.train_share or give more"
        )
    rng = np.random.default_rng([config.seed, 7])
    places = np.sort(rng.choice(examples.per_epoch, count, replace=False))
    drawn = [examples.make(rng, int(place)) for place in places]
    ids, photographs = (
        np.stack([example[name] for example in drawn]) for name in ("ids", "photograph")
    )
    return ids, photographs.astype(np.float32), examples.per_epoch


def wanted(vocabulary: tokenizer.Vocabulary, ids: np.ndarray) -> list[str]:
    """The words that a sentence should be read as; where one is not in the vocabulary, what nothing
    that is read can equal.

    Args:
      vocabulary: the words.
      ids: `[T]`.

    Returns:
      The words.
    """
    words = vocabulary.tokens_of(ids)
    return [_FOREIGN if word == tokenizer.SPECIAL[tokenizer.UNKNOWN] else word for word in words]


def _lengths(config, results) -> tuple[str, dict[str, dict[int, dict[str, float]]]]:
    """The table by length, with that of runs beside this one, which are entered in the results; and
    the lines of the plot.
    """
    lines = dict(results["by_length"])
    text = "\n\nBy length (greedy):\n\n" + markdown(
        ["Words and marks", "Sentences", "BLEU", "WER", "Exact"],
        [
            [
                str(length),
                str(found["count"]),
                *(f"{found[name]:.4f}" for name in ("bleu", "wer", "exact")),
            ]
            for length, found in lines["greedy"].items()
        ],
    )
    places = config.report.sentences.get("beside", ())
    if places:
        others = dict(_beside(config, place) for place in places)
        lines = results["beside"] = {title_of(config): lines["greedy"], **others}
        text += "\n\nBy length (greedy), runs beside each other:\n\n" + lengths_table(lines)
    return text, lines


def _beside(
    config: ml_collections.ConfigDict, place: str
) -> tuple[str, dict[int, dict[str, float]]]:
    """Another run's title and its figures by length, over as many of its held-out sentences."""
    other = run.load(place)
    theirs = run.changed(other.config, {"report.sentences": config.report.sentences})
    vocabulary = tokenizer.load(other.workdir / kinds.VOCABULARY_NAME)
    ids, _, _ = held_out(theirs)
    keys = [test_key(theirs, number) for number in range(len(ids))]
    pixels = through_files(pictures(other, ids, keys, range(len(ids))))
    needed = seq2seq_gan.KEYINGS[theirs.method.keyed].received
    rows = read(other, pixels, keys if needed else [])
    hidden = [wanted(vocabulary, row) for row in ids]
    return title_of(theirs), by_length(hidden, [tokens(vocabulary, row) for row in rows])


def _arrays(keys: Sequence[sentences.Material]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([key.arrays[name] for key in keys]) for name in keys[0].arrays}


def pictures(
    loaded: run.Loaded,
    ids: np.ndarray,
    keys: Sequence[sentences.Material],
    noises: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """Pictures of sentences under keys.

    Args:
      loaded: the run.
      ids: `[n, T]`.
      keys: one for each.
      noises: the numbers of the keys' noises, likewise.

    Returns:
      uint8 `[n, H, W, 3]`.
    """
    noise = np.stack(
        [key.noise[number % sentences.NOISES] for key, number in zip(keys, noises, strict=True)]
    )
    made = sentences.predict(loaded, {"ids": ids, "noise": noise, **_arrays(keys)})["stego"]
    return made.astype(np.uint8)


def read(loaded: run.Loaded, pixels: np.ndarray, keys: Sequence[sentences.Material]) -> np.ndarray:
    """What pictures say, by greedy decoding.

    Args:
      loaded: the run.
      pixels: uint8 `[n, H, W, 3]`.
      keys: one for each, or none where the receiver does without.

    Returns:
      `[n, T]`, int32.
    """
    arrays = _arrays(keys) if keys else {}
    found = sentences.predict(loaded, {"stego": pixels.astype(np.float32), **arrays})
    return np.asarray(found["read_ids"])


def through_files(everything: np.ndarray) -> np.ndarray:
    """Pictures after they were written as PNG files and read.

    Args:
      everything: uint8 `[n, H, W, 3]`.

    Returns:
      The same shape.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / f"{number}.png" for number in range(len(everything))]
        for path, pixels in zip(paths, everything, strict=True):
            images.write(path, pixels)
        return np.stack([images.read(path).pixels for path in paths])


def tokens(vocabulary: tokenizer.Vocabulary, ids: np.ndarray) -> list[str]:
    """Words of a row that a network wrote: one of the numbers that the vocabulary left free counts
    as unknown.

    Args:
      vocabulary: the words.
      ids: `[T]`.

    Returns:
      The words.
    """
    return vocabulary.tokens_of(np.where(ids < len(vocabulary), ids, tokenizer.UNKNOWN))


def _beams(loaded: run.Loaded, beams: int):
    return _compiled_beams(loaded.config.method.vocabulary, loaded.config.method.length, beams)


@functools.lru_cache(maxsize=4)
def _compiled_beams(vocabulary: int, length: int, beams: int):
    decoder = models.SentenceDecoder(vocabulary)
    return jax.jit(
        lambda params, states: models.beam_sentences(
            decoder, {"params": params}, states, length=length, beams=beams
        )[0]
    )


def _series(
    lengths: Mapping[str, Mapping[int, Mapping[str, float]]],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    titles = {"bleu": "BLEU", "wer": "word error rate", "exact": "exact sentences"}
    return {
        title: {
            how: [(length, found[name]) for length, found in lines.items()]
            for how, lines in lengths.items()
        }
        for name, title in titles.items()
    }
