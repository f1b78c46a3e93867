"""Trains, calibrates and measures the panel of `stegojax detect`, and writes it as a model.

python benchmarks/verdicts.py --covers DIR --other DIR [DIR ...] -o stegojax/zoo/verdicts@1

Covers are photographs, grey or one of their channels, shrunk by 1.5 and cut to the window in the
middle. The ensemble learns from pairs of one part of them, and of the same photographs processed
otherwise; another ensemble learns to tell these apart. Thresholds are set on the held-out part,
and false alarms are measured on halves of that part by thresholds of the other half. The other
folders are sources that nobody was trained on: not shrunk, and shrunk by 1.2 and by 1.5.
"""

import argparse
import json
import pathlib

import jax
import numpy as np
from PIL import Image, ImageFilter

from stegojax import batches, embed, export, files, images, run, verdicts
from stegojax.data import preprocess
from stegojax.data.folder import Folder
from stegojax.security import FEATURES
from stegojax.steganalysis import ensemble, familiarity
from stegojax.tables import markdown
from stegojax.zoo import shelves, weights

SCHEMES, PAYLOAD = ("hill", "hill-cmd", "suniward"), 0.4
BATCH = 8


class Measured:
    """Features and scores of planes, kept in a folder, so that a second call makes none anew."""

    def __init__(self, folder, names):
        self.folder, self.names = folder, names
        folder.mkdir(parents=True, exist_ok=True)
        self.compiled = {name: jax.jit(FEATURES[name].compute) for name in names}

    def of(self, label, make):
        """Features by name of the planes that `make` gives, float32 `[N, S, S]`."""
        path = self.folder / f"{label}.npz"
        if not path.exists():
            planes = make()
            found = {"planes": planes.astype(np.uint8)}
            for name, compute in self.compiled.items():
                found[name] = batches.apply(compute, planes, size=BATCH)
            np.savez(path, **found)
            print(f"{label}: {len(planes)} planes", flush=True)
        with np.load(path) as saved:
            return dict(saved)


def photographs(folder, split, window, shrink, *, share=0.85, limit=0):
    """Grey windows `[N, S, S]` and colour ones `[N, S, S, 3]`."""
    steps = preprocess.parse((f"shrink:{shrink:g}",) if shrink > 1 else ())
    source, grey, colour = Folder(folder, split, train_share=share), [], []
    for index in range(len(source)):
        made = preprocess.apply(np.random.default_rng(0), source[index], steps)
        if min(made.shape[:2]) < window or (limit and len(grey) == limit):
            continue
        own = preprocess.apply(np.random.default_rng(0), preprocess.to_grey(source[index]), steps)
        grey.append(preprocess.centre_crop(own, (window, window))[..., 0])
        cut = preprocess.centre_crop(made, (window, window))
        colour.append(np.broadcast_to(cut, (window, window, 3)))
    shape = (-1, window, window)
    return np.array(grey, np.float32).reshape(shape), np.array(colour, np.float32).reshape(
        (*shape, 3)
    )


def stegos(planes, scheme, seed):
    """What an optimal sender makes of planes."""
    chosen, bits = embed.parse_scheme(scheme), PAYLOAD * planes[0].size

    def one(number, cover):
        key = jax.random.fold_in(jax.random.key(seed), number)
        return cover + embed.simulate(key, cover, bits, scheme=chosen)

    many = jax.jit(jax.vmap(one))
    rows = {"number": np.arange(len(planes)), "cover": planes}
    return batches.apply(lambda rows: many(rows["number"], rows["cover"]), rows, size=BATCH)


def training_covers(folder, window, limit):
    """A plane of each photograph for training: half of them grey, half of them channels."""
    grey, colour = photographs(folder, "train", window, 1.5, limit=limit)
    kind = np.random.default_rng(0).integers(0, 6, len(grey))
    channel = colour[np.arange(len(colour)), ..., np.maximum(kind - 3, 0)]
    return np.where((kind < 3)[:, None, None], grey, channel)


def training_stegos(planes):
    """A stego of each plane, by turns of the schemes."""
    made = np.zeros_like(planes)
    for number, scheme in enumerate(SCHEMES):
        made[number :: len(SCHEMES)] = stegos(planes[number :: len(SCHEMES)], scheme, number)
    return made


def varied(folder, window, limit):
    """The same photographs as for training, processed otherwise: shrunk by another factor, noisier,
    sharper, softer, of another contrast, or compressed again, each or several at once.
    """
    grey, source = [], Folder(folder, "train", train_share=0.85)
    for index in range(len(source)):
        picture = preprocess.to_grey(source[index])
        if min(picture.shape[:2]) < 1.5 * window or len(grey) == limit:
            continue
        grey.append(preprocess.centre_crop(_changed(picture, len(grey)), (window, window))[..., 0])
    return np.array(grey, np.float32)


def _changed(picture, seed):
    """A grey photograph `[H, W, 1]`, processed in another way."""
    generator = np.random.default_rng(seed)
    shrink = 1.5 if generator.random() < 0.5 else round(generator.uniform(1, 1.45), 2)
    before = picture
    if generator.random() < 0.3:
        mask = ImageFilter.UnsharpMask(1, int(generator.integers(40, 200)), 0)
        before = np.asarray(Image.fromarray(picture[..., 0]).filter(mask))[..., None]
    steps = preprocess.parse((f"shrink:{shrink:g}",) if shrink > 1.02 else ())
    made = preprocess.apply(generator, before, steps)
    ways = generator.permutation(5)[: int(generator.integers(1, 3))]
    for way in ways if shrink == 1.5 and before is picture else ways[:-1]:
        image = Image.fromarray(made[..., 0])
        if way == 0:
            noise = generator.normal(0, generator.uniform(0.7, 4), made.shape)
            made = np.clip(np.round(made + noise), 0, 255).astype(np.uint8)
        elif way == 1:
            mask = ImageFilter.UnsharpMask(1, int(generator.integers(30, 200)), 0)
            made = np.asarray(image.filter(mask))[..., None]
        elif way == 2:
            blur = ImageFilter.GaussianBlur(generator.uniform(0.35, 1))
            made = np.asarray(image.filter(blur))[..., None]
        elif way == 3:
            made = images.jpeg_recompress(made, int(generator.integers(70, 99)))
        else:
            contrast = generator.choice([generator.uniform(0.6, 0.85), generator.uniform(1.2, 2)])
            mean = float(made.mean())
            stretched = np.round((made - mean) * contrast + mean)
            made = np.clip(stretched, 0, 255).astype(np.uint8)
    return made


def flat(colour):
    """Colour windows as planes, the three of a picture one after another."""
    return np.moveaxis(colour, -1, 1).reshape(-1, *colour.shape[1:3])


def everything(measured, options):
    """Features of all planes, by label; what is in the folder already is not made again."""
    size, found = options.window, {}
    found["train"] = measured.of(
        "train", lambda: training_covers(options.covers, size, options.limit)
    )
    found["train stego"] = measured.of(
        "train stego", lambda: training_stegos(found["train"]["planes"].astype(np.float32))
    )
    found["varied"] = measured.of("varied", lambda: varied(options.covers, size, options.limit))
    found["varied stego"] = measured.of(
        "varied stego", lambda: training_stegos(found["varied"]["planes"].astype(np.float32))
    )
    held = {}

    def held_out():
        if not held:
            grey, colour = photographs(options.covers, "held_out", size, 1.5)
            held.update(grey=grey, colour=flat(colour[: options.colour]))
        return held

    for kind in verdicts.KINDS:
        found[kind] = measured.of(kind, lambda kind=kind: held_out()[kind])
        for scheme in ("hill", "hill-cmd") if kind == "grey" else ("hill",):
            found[f"{kind} {scheme}"] = measured.of(
                f"{kind} {scheme}",
                lambda kind=kind, scheme=scheme: stegos(held_out()[kind], scheme, 7),
            )
    for folder in options.other:
        for shrink in (1.0, 1.2, 1.5):
            label = f"{pathlib.Path(folder).name} shrunk by {shrink:g}"
            made = photographs(folder, "all", size, shrink, limit=150)[0]
            if len(made):
                found[label] = measured.of(label, lambda made=made: made)
    return found


def fitted(found, options):
    """The ensemble for stegos, the one for other processing, and what the covers are like."""
    sizes = dict(learners=options.learners)
    own, made = found["train"]["srmq1"], found["train stego"]["srmq1"]
    stego = ensemble.fit(
        jax.random.key(0),
        np.concatenate([own, found["varied"]["srmq1"]]),
        np.concatenate([made, found["varied stego"]["srmq1"]]),
        subspace=400,
        **sizes,
    )
    alternating = np.where((np.arange(len(own)) % 2 == 0)[:, None], made, own)
    foreign = ensemble.fit(
        jax.random.key(5), alternating, found["varied"]["srmq1"], subspace=300, **sizes
    )
    familiar = familiarity.fit(np.concatenate([own, made]), directions=options.directions)
    # As it is stored.
    return stego, foreign, familiar._replace(basis=familiar.basis.astype(np.float16))


def measured_of(found, stego, foreign, familiar, network):
    """Scores `[N, 2]` and what is unlike `[N, 2]` of all pictures, by label."""
    net = verdicts.margins(network)
    scores, unlike = {}, {}
    for label, rows in found.items():
        if label.startswith(("train", "varied")):
            continue
        planes = rows["planes"].astype(np.float32)
        own = [
            ensemble.votes(stego, rows["srmq1"]),
            np.asarray(batches.apply(net, planes, size=BATCH), np.float64),
        ]
        far = [
            familiarity.distance(familiar, rows["srmq1"]),
            ensemble.votes(foreign, rows["srmq1"]),
        ]
        own, far = np.stack(own, axis=1), np.stack(far, axis=1)
        if label.startswith("colour"):
            own, far = own.reshape(-1, 3, 2).mean(axis=1), far.reshape(-1, 3, 2).max(axis=1)
        scores[label], unlike[label] = own, far
    return scores, unlike


def together(calibration, scores):
    """The lowest standardised scores `[N]`."""
    return verdicts.standardised(calibration, scores).min(axis=1)


def measured_rates(covers, rate):
    """False alarms on halves of covers by thresholds of the other half."""
    halves = covers[::2], covers[1::2]
    passed = []
    for set_on, tested in (halves, halves[::-1]):
        calibration = verdicts.calibrate(set_on, rates=(rate,))
        passed.append(together(calibration, tested) > calibration.thresholds[rate])
    return float(np.mean(np.concatenate(passed)))


def table(scores, judged, calibrations):
    """Rows: what, how many, the share declined, and of those judged the share over thresholds."""
    rows = []
    for label, own in scores.items():
        kind = "colour" if label.startswith("colour") else "grey"
        whole = together(calibrations[kind], own[judged[label]])
        shares = [
            float(np.mean(whole > least)) if len(whole) else float("nan")
            for least in calibrations[kind].thresholds.values()
        ]
        rows.append([label, len(own), 1 - float(judged[label].mean()), *shares])
    return rows


def said(rows, covers, header):
    """What the card says: the figures of the tables, and what they are for."""
    command = "python benchmarks/verdicts.py --covers covers --other photos alaska --folder F"
    figures = [
        {
            "what": f"{kind}: false alarms at the threshold of {rate:.0%}, set on one half of the "
            f"{len(own)} held-out covers that are judged, measured on the other half, in percent",
            "value": round(100 * measured_rates(own, rate), 1),
            "command": command,
        }
        for kind, own in covers.items()
        for rate in verdicts.RATES
    ]
    for label, count, declined, *shares in rows:
        named = ", ".join(f"{title} {100 * x:.1f}" for title, x in zip(header[3:], shares))
        named = "none is judged" if declined == 1 else f"of those judged: {named}"
        figures.append(
            {
                "what": f"{label}, {count} pictures: declined (%); {named}",
                "value": round(100 * declined, 1),
                "command": command,
            }
        )
    return {
        "line": "what `stegojax detect` judges by: SRMQ1 with an ensemble, Xu-Net, thresholds at "
        "1 and 5 % false alarms, and when it cannot tell",
        "command": command + " -o stegojax/zoo/verdicts@1",
        "data": "photographs of the clothing-dataset (JPEG, 400x533 mostly), shrunk by 1.5, grey "
        "or one of their channels, 256x256 in the middle",
        "licence": "CC0; the weights are under the package's Apache-2.0",
        "figures": figures,
        "not for": "accusing anybody: most pictures in the world are no stegos, and of every "
        "hundred covers that it judges it calls one or five stegos, by the threshold",
    }


def config_of(options, limits, calibrations, network, features):
    """The model's config."""
    section = network.config.method
    return {
        "experiment": "verdicts",
        "sources": [
            f"srmq1, {options.learners} linear discriminants on {', '.join(SCHEMES)} at "
            f"{PAYLOAD:g} bpp",
            f"{network.title}, {section.network} on {section.scheme} at {section.payload:g} bpp",
        ],
        "features": "srmq1",
        "feature count": features,
        "network": network.model.pinned if network.model else str(network.workdir),
        "window": options.window,
        "limits": limits.tolist(),
        "calibrations": {
            kind: {
                "means": own.means,
                "spreads": own.spreads,
                "thresholds": {str(rate): value for rate, value in own.thresholds.items()},
            }
            for kind, own in calibrations.items()
        },
    }


def write(folder, config, arrays, words, network):
    """The model's folder, entered in its shelf's manifest."""
    content = json.dumps(config, indent=2).encode()
    notes = {"format": weights.FORMAT, "config": shelves.sha256(content)}
    whole = weights.pack(
        {name: np.ascontiguousarray(value) for name, value in arrays.items()}, notes
    )
    files.make_folder(folder)
    files.write_bytes(folder / shelves.CONFIG_NAME, content)
    files.write_bytes(folder / shelves.WEIGHTS_NAME, whole)
    name, version = shelves.split(folder.name)
    card = {
        "name": name,
        "version": int(version),
        **dict.fromkeys(export.SAID, ""),
        **words,
        "method": "verdicts",
        "step": 0,
        "networks": ["stego", "foreign", network.title],
        "precision": "float64",
        export.CHECKED: verdicts.embedded_figures(verdicts.load(folder)),
        "versions": None,
        "sha256": shelves.sha256(whole),
        "bytes": len(whole),
        "config": shelves.sha256(content),
    }
    files.write_bytes(folder / export.CARD_NAME, (json.dumps(card, indent=2) + "\n").encode())
    files.write_bytes(folder / export.TEXT_NAME, export.as_text(card).encode())
    export.enter(folder, card)


def main():
    """Prints the tables and writes the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covers", required=True)
    parser.add_argument("--other", nargs="*", default=[])
    parser.add_argument("--network", default="xunet-hill")
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--limit", type=int, default=1000, help="photographs for training")
    parser.add_argument("--colour", type=int, default=150, help="held-out colour photographs")
    parser.add_argument("--learners", type=int, default=101)
    parser.add_argument("--directions", type=int, default=100)
    parser.add_argument("--quantile", type=float, default=0.8, help="within either limit")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="keeps the features")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="the model's folder")
    options = parser.parse_args()

    found = everything(Measured(options.folder, ("srmq1",)), options)
    network = run.load(options.network)
    stego, foreign, familiar = fitted(found, options)
    scores, unlike = measured_of(found, stego, foreign, familiar, network)
    # Covers and stegos of the training's kind are to be judged alike.
    like = np.concatenate([unlike[label] for label in ("grey", "grey hill", "grey hill-cmd")])
    limits = np.quantile(like, options.quantile, axis=0)
    judged = {label: (values <= limits).all(axis=1) for label, values in unlike.items()}
    covers = {kind: scores[kind][judged[kind]] for kind in verdicts.KINDS}
    calibrations = {kind: verdicts.calibrate(own) for kind, own in covers.items()}
    rows = table(scores, judged, calibrations)
    header = ["pictures", "how many", "declined (%)"]
    header += [f"stego at {rate:.0%} (%)" for rate in verdicts.RATES]
    print(f"out-of-bag error {100 * stego.oob_errors[-1]:.2f} %; limits {limits}")
    cells = [[row[0], str(row[1]), *(f"{100 * x:.1f}" for x in row[2:])] for row in rows]
    print(markdown(header, cells))
    for kind, own in covers.items():
        for rate in verdicts.RATES:
            share = 100 * measured_rates(own, rate)
            print(f"{kind}, {rate:.0%} set on one half, measured on the other: {share:.1f} %")
    if options.output:
        arrays = {f"familiar/{name}": value for name, value in familiar._asdict().items()}
        for name, each in {"stego": stego, "foreign": foreign}.items():
            for part in verdicts.ENSEMBLE_ARRAYS:
                arrays[f"{name}/{part}"] = np.asarray(getattr(each, part))
            arrays[f"{name}/subspaces"] = arrays[f"{name}/subspaces"].astype(np.int32)
        config = config_of(options, limits, calibrations, network, stego.features)
        write(options.output, config, arrays, said(rows, covers, header), network)


if __name__ == "__main__":
    main()
