"""The security protocol: how well steganalyzers tell the stegos of embedding schemes from their
covers.

Covers come from one source, cut to one size. Every scheme makes a stego of every cover at every
payload, by an optimal sender's simulator or by a real code. Photographs are split by chance into
training, validation and test pictures, several times; a photograph, all its tiles, and every stego
of them are on one side. Each detector is trained on each scheme's pairs and tested on pairs that it
has not seen. Reported are P_E = (false alarms + missed stegos) / 2 of its decisions, the area under
the ROC curve, and the stegos missed at 5 % false alarms, each with the standard deviation over the
splits.

    WORKDIR/covers.npy, covers.json      uint8 [N, H, W]; names and photographs
    WORKDIR/splits/K.json                {"train": [...], "validation": [...], "test": [...]},
    numbers of pictures WORKDIR/stegos/SCHEME@PAYLOAD.npy    uint8 [N, H, W], with how it was made
    in the .json beside it WORKDIR/features/...                 float32 [n, D] in parts
    WORKDIR/results/...                  scores and decisions on the test pictures, one file per
    scheme, detector and split WORKDIR/detectors/...                the trained detectors, for
    `stegojax detect` WORKDIR/security.md, security.csv, roc.png, payloads.png

Whatever is there already is used and not made again, so a run that was killed goes on, and schemes,
payloads, detectors and splits can be added later.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pathlib
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import tqdm

from stegojax import (
    embed,
    envelope,
    files,
    images,
    metrics,
    parallel,
    plots,
    probabilities,
    run,
    train,
)
from stegojax.coding import lsbm, ternary
from stegojax.costs import COSTS
from stegojax.data import preprocess
from stegojax.data.cover_stego import match
from stegojax.data.sources import open_source
from stegojax.domains import PIXELS
from stegojax.error_rates import figures, series, table
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr
from stegojax.steganalysis import ensemble, spam, srm
from stegojax.steganalysis.planes import feature_batches
from stegojax.types import Array, Cover

FEATURES: dict[str, Callable[[Array], Array]] = {
    "spam": spam.features,
    "srm": srm.features,
    "srmq1": srm.features_q1,
}
"""Detectors that are an ensemble on features: name -> planes `[B, H, W]` -> `[B, D]`."""

EXTENDABLE = (
    "schemes",
    "payloads",
    "detectors",
    "networks",
    "splits.count",
    "splits.networks",
    "loader",
)
"""Config fields that may change between two starts: what they ask for is added to what is there."""

_PART = 16
_PATTERN = re.compile(
    r"(?:(?P<base>[\w.-]+)/(?P<row>[\w. -]+)=)?(?P<kind>run|folder|covers|lsb-matching|[a-z]+)"
    r"(?::(?P<place>.+?)|-(?P<recipe>[a-z]+))?(?:\+(?P<code>stc(?:7|8|9|10|11|12)?|polar))?"
    r"(?:@(?P<payload>[0-9.]+))?"
)


class Scheme(NamedTuple):
    """A way to make stegos.

    text:    as it was written.
    base:    what it builds on, the column of the table.
    row:     what it adds to that, the row of the table; "Baseline" for nothing.
    kind:    a name in `COSTS`, "lsb-matching", "run", "folder" or "covers".
    recipe:  a name in `embed.RECIPES`, of costs.
    code:    "simulator", "stc7" to "stc12" or "polar", of costs and of runs that embed by costs.
    place:   a folder, of runs and folders.
    payload: bits per pixel that a run or folder has by itself, as far as it was said.
    """

    text: str
    base: str
    row: str
    kind: str
    recipe: str
    code: str
    place: str
    payload: float | None

    @property
    def own_payload(self) -> bool:
        """Whether the payload is not the protocol's to choose."""
        return self.kind in ("run", "folder", "covers")


class Case(NamedTuple):
    """One scheme at one payload: `payload` is None where the scheme has its own and did not say
    it.
    """

    scheme: Scheme
    payload: float | None

    @property
    def label(self) -> str:
        """A file name."""
        text = re.sub(r"[^\w.+-]+", "_", self.scheme.text)
        if text != self.scheme.text:
            text += "-" + hashlib.sha256(self.scheme.text.encode()).hexdigest()[:8]
        return (
            text if self.payload is None or self.scheme.own_payload else f"{text}@{self.payload:g}"
        )


def parse(text: str) -> Scheme:
    """Reads a scheme as configs write it.

    Args:
      text: "COST" or "COST-RECIPE", either with "+stc" (or "+stc7" to "+stc12", "+polar") for real
        coding in place of the simulator; "lsb-matching" (without a code: message bits in the lowest
        bits); "run:WORKDIR", and "run:WORKDIR+stc@0.4" for real coding with a run that embeds by
        costs; "folder:PATH" with a stego of every cover's name; or "covers" (other covers
        in place of stegos: nothing to detect). "@0.4" after a run or folder says its payload.
          "BASE/ROW=" before it names the
        column and the row of the table.

    Raises:
      InputError: the text is none of these.
    """
    found = _PATTERN.fullmatch(text)
    if found:
        given = found.groupdict()
        kind, place, recipe, code = given["kind"], given["place"], given["recipe"], given["code"]
        placed = kind in ("run", "folder")
        if (
            placed == bool(place)
            and (kind in COSTS or not recipe)
            and (kind in COSTS or kind == "run" or not code)
            and (recipe or "plain") in embed.RECIPES
            and (placed or kind in ("covers", "lsb-matching", *COSTS))
            and (placed or not given["payload"])
            and not (kind == "run" and code and not given["payload"])
        ):
            code = {"stc": "stc10", None: "simulator"}.get(code, code)
            own = ([recipe.upper()] if recipe and recipe != "plain" else []) + (
                [code] if code != "simulator" else []
            )
            base = given["base"] or (f"{kind}:{pathlib.Path(place).name}" if placed else kind)
            return Scheme(
                text,
                base,
                given["row"] or " ".join(own) or "Baseline",
                kind,
                recipe or "plain",
                code,
                place or "",
                float(given["payload"]) if given["payload"] else None,
            )
    raise InputError(
        f"scheme {text!r} is not understood; write COST or COST-RECIPE (costs {', '.join(COSTS)}; "
        "recipes "
        f"{', '.join(embed.RECIPES)}), with +stc or +polar for real coding, lsb-matching, "
        "run:WORKDIR, folder:PATH "
        "or covers; BASE/ROW= before it and, for runs and folders, @BPP after it"
    )


def evaluate(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> str:
    """Runs the protocol that a config describes, and saves tables and plots.

    Args:
      config: see `configs/security.py`.
      workdir: where everything is kept.

    Returns:
      The tables, in Markdown.

    Raises:
      InputError: the config cannot be used, the folder belongs to another one, or data are missing.
    """
    workdir = pathlib.Path(workdir)
    protocol = _Protocol(config, workdir)
    run.open_workdir(config, workdir, run.UNKNOWN, free=EXTENDABLE)
    with run.only_one(workdir):
        return protocol.go()


class _Protocol:
    """One call of `evaluate`."""

    def __init__(self, config: ml_collections.ConfigDict, workdir: pathlib.Path):
        self.config, self.workdir = config, workdir
        self._kept: dict[tuple[str, str], np.ndarray] = {}
        schemes = [parse(text) for text in config.schemes]
        if (
            len({scheme.text for scheme in schemes}) < len(schemes)
            or not schemes
            or not config.payloads
        ):
            raise InputError("schemes and payloads must be listed, each once")
        for payload in config.payloads:
            if not 0 < payload <= 1.58:
                raise InputError(
                    f"payloads are above 0 and at most log2 3 bits per pixel; got {payload}"
                )
        # From the highest payload down, so that networks can start from the next higher one's.
        payloads = sorted(map(float, config.payloads), reverse=True)
        self.cases = [
            Case(scheme, scheme.payload if scheme.own_payload else payload)
            for scheme in schemes
            for payload in (payloads[:1] if scheme.own_payload else payloads)
        ]
        for name in config.detectors:
            if name not in FEATURES and name not in config.networks:
                raise InputError(
                    f"detector {name!r} is unknown; there are "
                    f"{', '.join((*FEATURES, *config.networks))}"
                )
        shares = [config.splits[name] for name in ("train", "validation", "test")]
        if (
            min(shares) < 0
            or not shares[0]
            or not shares[2]
            or sum(shares) > 1 + 1e-6
            or config.splits.count < 1
        ):
            raise InputError(
                "splits.train, .validation and .test are shares that add up to at most 1, the "
                "first and last above "
                f"0, and splits.count is at least 1; got {shares} and {config.splits.count}"
            )
        if not shares[1] and any(name not in FEATURES for name in config.detectors):
            raise InputError(
                "networks are chosen by validation pictures; set splits.validation above 0"
            )

    def go(self) -> str:
        self.covers, names, groups = self._prepare_covers()
        self.names = names
        self.splits = [self._split(number, groups) for number in range(self.config.splits.count)]
        results = []
        for case in self.cases:
            self._stegos(case)
            for detector in self.config.detectors:
                count = (
                    self.config.splits.count
                    if detector in FEATURES
                    else self.config.splits.networks
                )
                for number in range(min(count, self.config.splits.count)):
                    results.append((case, detector, number, self._result(case, detector, number)))
        return self._report(results)

    def _prepare_covers(self) -> tuple[np.ndarray, list[str], list[int]]:
        """The covers, their names, and the number of the photograph that each was cut from."""
        path, notes = self.workdir / "covers.npy", self.workdir / "covers.json"
        if not notes.exists():
            section = self.config.covers
            tiles, names, groups = [], [], []
            size = (int(section.crop),) * 2
            photographs = _photographs(section)
            for number, (name, picture) in enumerate(
                tqdm.tqdm(photographs, "covers", file=sys.stderr, leave=False)
            ):
                for place, tile in _tiles(picture, size, section.tiles, name):
                    tiles.append(tile)
                    names.append(f"{name}{place}")
                    groups.append(number)
            if len(set(groups)) < 4:
                raise InputError(
                    f"covers.source {section.source!r} has {len(set(groups))} photographs; at "
                    "least 4 are needed to "
                    "train and test on different ones"
                )
            _save(path, np.stack(tiles))
            files.write_bytes(notes, json.dumps({"names": names, "photographs": groups}).encode())
        known = json.loads(notes.read_text())
        covers = np.load(path, mmap_mode="r")
        _say(
            f"{len(covers)} covers of {covers.shape[2]}x{covers.shape[1]} from "
            f"{len(set(known['photographs']))} photographs"
        )
        return covers, known["names"], known["photographs"]

    def _split(self, number: int, groups: Sequence[int]) -> dict[str, list[int]]:
        """Split number `number`: numbers of pictures by part, photographs kept together; made once
        and kept on disk.
        """
        path = self.workdir / "splits" / f"{number}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            split = split_photographs(
                groups,
                [self.config.splits[part] for part in ("train", "validation", "test")],
                seed=[self.config.seed, number],
            )
            files.write_bytes(
                path, json.dumps(dict(zip(("train", "validation", "test"), split))).encode()
            )
        return json.loads(path.read_text())

    def _stegos(self, case: Case) -> np.ndarray:
        path, notes = (
            self.workdir / "stegos" / f"{case.label}{ending}" for ending in (".npy", ".json")
        )
        if case.scheme.kind == "covers":
            return self.covers
        if not notes.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make, how = self._maker(case)
            parts = list(self._parts(path.with_suffix(""), f"stegos of {case.label}", make))
            stegos = np.concatenate(parts)
            if stegos.shape != self.covers.shape:
                raise InputError(
                    f"{case.scheme.text} gives stegos {stegos.shape} of covers "
                    f"{self.covers.shape}; they must be of "
                    "one size"
                )
            changed = stegos != self.covers
            _save(path, stegos)
            files.write_bytes(
                notes,
                json.dumps(
                    {
                        "scheme": case.scheme.text,
                        "payload": case.payload,
                        "made by": how,
                        "change rate": float(changed.mean()),
                    }
                ).encode(),
            )
            _remove_parts(path.with_suffix(""))
        return np.load(path, mmap_mode="r")

    def _parts(
        self, folder: pathlib.Path, what: str, make: Callable[[np.ndarray], np.ndarray]
    ) -> Iterable[np.ndarray]:
        """Makes something of all covers in parts that are saved as they are finished; `make` takes
        the pictures' numbers.
        """
        folder.mkdir(parents=True, exist_ok=True)
        starts = range(0, len(self.covers), _PART)
        bar = tqdm.tqdm(starts, what, unit=f"x{_PART}", file=sys.stderr, leave=False)
        for start in bar:
            path = folder / f"{start:07d}.npy"
            if not path.exists():
                _save(path, make(np.arange(start, min(start + _PART, len(self.covers)))))
            yield np.load(path)

    def _maker(self, case: Case) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
        """What makes the stegos of some covers, and how that is to be called."""
        scheme, seed = case.scheme, self.config.seed
        words = [seed, *hashlib.sha256(case.label.encode()).digest()[:8]]
        base = jax.random.key(
            int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:4], "big")
        )
        bits = int((case.payload or 0) * self.covers[0].size)
        if scheme.kind == "folder":
            return self._from_folder(scheme), "ready-made"
        if scheme.kind == "run" and scheme.code == "simulator":
            return self._from_run(scheme, base), "a trained run's predict, rounded"
        if scheme.kind == "lsb-matching":
            return self._lsb_matching(words, base, bits), "LSB matching of random bits, no code"
        if scheme.kind == "run":
            used = run.load_scheme(scheme.place)
        else:
            used = embed.Scheme(scheme.kind, COSTS[scheme.kind], embed.RECIPES[scheme.recipe])
        allowed = jax.jit(embed.bounded(used.cost))

        def check(numbers, covers):
            room = np.asarray(probabilities.capacity(allowed(covers)))
            if (room < bits).any():
                worst = int(room.argmin())
                raise InputError(
                    f"{self.names[numbers[worst]]} carries at most "
                    f"{room[worst] / self.covers[0].size:.3f} bpp with "
                    f"{scheme.kind}; take it out, or lower the payload of {case.payload:g} bpp"
                )

        if scheme.code == "simulator":

            def one(number, cover):
                return cover + embed.simulate(
                    jax.random.fold_in(base, number), cover, bits, scheme=used
                )

            many = jax.jit(jax.vmap(one))

            def make(numbers):
                covers = self._float(numbers)
                check(numbers, covers)
                return np.asarray(many(numbers, covers)).astype(np.uint8)

            return make, "simulator of optimal coding"
        code = (
            ternary.polar_code(list_size=8)
            if scheme.code == "polar"
            else ternary.stc_code(constraint_height=int(scheme.code[3:]))
        )

        def make(numbers):
            covers = self._float(numbers)
            check(numbers, covers)
            generators = [np.random.default_rng([*words, number]) for number in numbers]
            carriers = [
                embed.carriers(
                    generator.permutation(covers[0].size),
                    [covers[0].shape],
                    recipe=used.recipe,
                    grain=envelope.GRAIN,
                )
                for generator in generators
            ]
            messages = np.stack(
                [generator.integers(0, 2, bits, dtype=np.uint8) for generator in generators]
            )
            changes, _ = embed.embed_many(
                carriers, [Cover((cover,)) for cover in covers], messages, scheme=used, code=code
            )
            return (covers + changes.reshape(covers.shape)).astype(np.uint8)

        return make, f"real coding, {scheme.code}"

    def _lsb_matching(self, words, base, bits):
        if bits > self.covers[0].size:
            raise InputError(
                f"LSB matching carries at most 1 bit per pixel; {bits / self.covers[0].size:g} "
                "asked for"
            )

        def one(number, order, message, cover):
            flat = cover.ravel()[order]
            ends = {"lowest": PIXELS.lowest, "highest": PIXELS.highest}
            stego = lsbm.embed(jax.random.fold_in(base, number), flat, message, **ends)
            return jnp.zeros_like(flat).at[order].set(stego).reshape(cover.shape)

        many = jax.jit(jax.vmap(one))

        def make(numbers):
            generators = [np.random.default_rng([*words, number]) for number in numbers]
            orders = np.stack(
                [generator.permutation(self.covers[0].size) for generator in generators]
            )
            messages = np.stack(
                [generator.integers(0, 2, bits, dtype=np.uint8) for generator in generators]
            )
            return np.asarray(many(numbers, orders, messages, self._float(numbers))).astype(
                np.uint8
            )

        return make

    def _from_run(self, scheme: Scheme, base):
        loaded = run.load(pathlib.Path(scheme.place))
        example = run.example(loaded.config)
        named, section = run.entry(loaded.config)
        if not named.use:
            raise InputError(
                f"{scheme.place} is a run of a {loaded.config.method.name}, which makes no stegos; "
                "name a run that hides"
            )
        multiple = loaded.method.size_multiple
        if any(side % multiple for side in self.covers.shape[1:]):
            raise InputError(
                f"{scheme.place} needs pictures whose sides are multiples of {multiple}; set "
                "covers.crop to one"
            )
        channels = example["cover"].shape[-1]
        shape = named.message(section) if named.message else None
        if (
            shape is not None
            and not shape.depth
            and self.covers.shape[1:] != example["cover"].shape[1:3]
        ):
            raise InputError(
                f"{scheme.place} hides in pictures of "
                f"{example['cover'].shape[1]}x{example['cover'].shape[2]}; set "
                "covers.crop to that"
            )

        @jax.jit
        def predict(key, covers, others):
            batch = {"cover": jnp.repeat(covers[..., None], channels, axis=-1)}
            if "secret" in example:
                batch["secret"] = jnp.repeat(
                    others[..., None], example["secret"].shape[-1], axis=-1
                )
            stego = loaded.method.predict(loaded.state, batch, key)["stego"]
            # Detectors look at one plane: of colour stegos (whose covers here are grey) the luma.
            plane = stego if channels == 1 else rgb_to_ycbcr(stego)[..., :1]
            return jnp.clip(jnp.round(plane[..., 0]), 0, 255)

        def make(numbers):
            others = self._float(
                (numbers + 1) % len(self.covers)
            )  # the secret picture, where the run hides one
            return np.asarray(
                predict(jax.random.fold_in(base, int(numbers[0])), self._float(numbers), others)
            ).astype(np.uint8)

        return make

    def _from_folder(self, scheme: Scheme):
        section = self.config.covers
        kind, _, source = section.source.partition(":")
        if kind != "folder" or section.tiles != 1:
            raise InputError(
                "a folder of stegos goes with covers from a folder, whole: set "
                "covers.source=folder:PATH and "
                "covers.tiles=1"
            )
        if list(section.preprocess):
            raise InputError(
                "ready-made stegos belong to covers as they are; leave covers.preprocess empty"
            )
        _, stegos = match(source, scheme.place)
        size = (int(section.crop),) * 2

        def make(numbers):
            found = []
            for number in numbers:
                path = stegos[pathlib.PurePosixPath(self.names[number]).with_suffix("").as_posix()]
                grey = preprocess.to_grey(images.read(path).pixels)
                found.append(next(_tiles(grey, size, 1, str(path)))[1])
            return np.stack(found)

        return make

    def _float(self, numbers: np.ndarray) -> np.ndarray:
        return np.asarray(self.covers[numbers], np.float32)

    def _features(self, planes: np.ndarray, label: str, name: str) -> np.ndarray:
        """Features of all pictures; the covers' and the last stegos' are kept for the next split,
        others read again.
        """
        if (label, name) not in self._kept:
            self._kept = {
                key: value for key, value in self._kept.items() if key == ("covers", name)
            }
            self._kept[label, name] = self._read_features(planes, label, name)
        return self._kept[label, name]

    def _read_features(self, planes: np.ndarray, label: str, name: str) -> np.ndarray:
        compute = FEATURES[name]
        if min(planes.shape[1:]) < (srm if name != "spam" else spam).SMALLEST:
            raise InputError(
                f"{name} needs larger pictures than {planes.shape[2]}x{planes.shape[1]}; raise "
                "covers.crop"
            )

        def make(numbers):
            return next(
                feature_batches(compute, planes[numbers], batch_size=min(_PART, len(planes)))
            )

        found = np.concatenate(
            list(self._parts(self.workdir / "features" / label / name, f"{name} of {label}", make))
        )
        if not np.isfinite(found).all():
            folder = self.workdir / "features" / label / name
            raise InputError(
                f"{name} of {label}: a feature is not finite; remove {folder} and run the command "
                "again"
            )
        return found

    def _pairs(self, case: Case, number: int) -> dict[str, tuple[list[int], list[int]]]:
        """Numbers of covers and of what stands for their stegos, by part."""
        split = self.splits[number]
        if case.scheme.kind != "covers":
            return {part: (places, places) for part, places in split.items()}
        # Nothing to detect: half of a part's pictures against the other half.
        return {
            part: (places[: len(places) // 2], places[len(places) // 2 : len(places) // 2 * 2])
            for part, places in split.items()
        }

    def _result(self, case: Case, detector: str, number: int) -> dict[str, np.ndarray]:
        path = self.workdir / "results" / case.label / detector / f"{number}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            trained = self._ensemble if detector in FEATURES else self._network
            cover, stego, decided_cover, decided_stego = trained(case, detector, number)
            buffer = io.BytesIO()
            np.savez(
                buffer,
                cover_score=cover,
                stego_score=stego,
                cover_decision=decided_cover,
                stego_decision=decided_stego,
            )
            files.write_bytes(path, buffer.getvalue())
        with np.load(path) as saved:
            result = dict(saved)
        error = (result["cover_decision"].mean() + 1 - result["stego_decision"].mean()) / 2
        _say(f"{case.label}, {detector}, split {number}: P_E {100 * error:.2f} %")
        return result

    def _ensemble(self, case: Case, name: str, number: int):
        pairs, section = self._pairs(case, number), self.config.ensemble
        cover = self._features(self.covers, "covers", name)
        stego = (
            cover
            if case.scheme.kind == "covers"
            else self._features(self._stegos(case), case.label, name)
        )
        key = jax.random.key(self.config.seed * 1009 + number)
        trained = ensemble.fit(
            key,
            cover[pairs["train"][0]],
            stego[pairs["train"][1]],
            subspace=section.subspace or None,
            learners=section.learners or None,
        )
        folder = self.workdir / "detectors" / case.label / name / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        save_ensemble(folder, trained, features=name, trained_on=case.label)
        sides = [features[places] for features, places in zip((cover, stego), pairs["test"])]
        coins = [jax.random.fold_in(key, side) for side in (1, 2)]
        return (
            *(ensemble.votes(trained, side) for side in sides),
            *(ensemble.predict(coin, trained, side) for coin, side in zip(coins, sides)),
        )

    def _network(self, case: Case, name: str, number: int):
        folder = self.workdir / "detectors" / case.label / name / str(number)
        pairs = self._pairs(case, number)
        section = self.config.networks[name]
        stegos = self._stegos(case)
        covers_path, stegos_path = (
            self.workdir / "covers.npy",
            self.workdir / "stegos" / f"{case.label}.npy",
        )
        parts = self.workdir / "splits" / f"{number}.json"
        if case.scheme.kind == "covers":
            folder.mkdir(parents=True, exist_ok=True)
            covers_path, stegos_path, parts = (
                folder / name for name in ("half.npy", "other_half.npy", "parts.json")
            )
            for path, side in ((covers_path, 0), (stegos_path, 1)):
                _save(
                    path,
                    np.asarray(
                        self.covers[[place for part in pairs.values() for place in part[side]]]
                    ),
                )
            ends = np.cumsum([0, *(len(part[0]) for part in pairs.values())]).tolist()
            files.write_bytes(
                parts,
                json.dumps(
                    {part: list(range(*ends[i : i + 2])) for i, part in enumerate(pairs)}
                ).encode(),
            )
        config = run.changed(
            section,
            {
                "seed": self.config.seed + number,
                "data": ml_collections.ConfigDict(
                    dict(
                        kind="cover_stego",
                        covers=str(covers_path),
                        stegos=str(stegos_path),
                        parts=str(parts),
                        crop=self.covers.shape[1],
                        augment=("random_rot90", "random_flip"),
                    )
                ),
                "loader": self.config.loader,
            },
        )
        # The whole of the validation pictures decides which state is the best.
        config.evaluation.batches = config.report.batches = -(
            -len(pairs["validation"][0]) // section.batch_size
        )
        made = run.method(config, run.lengths(config))
        start = self._higher(case, name, number)
        if start is not None:
            fresh = made.init
            made = made._replace(
                init=lambda key, batch: fresh(key, batch)._replace(
                    params=start.params, batch_stats=start.batch_stats
                )
            )
        _say(
            f"{name} on {case.label}, split {number}"
            + (", from the next higher payload's" if start is not None else "")
        )
        if not train.train(config, folder, made=made).finished:
            raise InputError("the protocol was interrupted; the same command goes on from there")
        loaded = run.load(folder)
        score = parallel.over_devices(
            lambda state, batch, key: loaded.method.predict(state, batch, key)
        )
        state = parallel.replicate(loaded.state)
        batch_size = section.batch_size
        scores = {"cover_score": [], "stego_score": []}
        test = list(zip(*pairs["test"]))
        for begin in range(0, len(test), batch_size):
            chosen = test[begin : begin + batch_size]
            padded = chosen + chosen[:1] * (batch_size - len(chosen))
            batch = {
                "cover": np.asarray(self.covers[[cover for cover, _ in padded]], np.float32)[
                    ..., None
                ],
                "stego": np.asarray(stegos[[stego for _, stego in padded]], np.float32)[..., None],
            }
            outputs = parallel.gather(score(state, parallel.shard(batch), jax.random.key(0)))
            for side, values in scores.items():
                values.append(outputs[side][: len(chosen)])
        cover, stego = (np.concatenate(values) for values in scores.values())
        return cover, stego, cover >= 0.5, stego >= 0.5

    def _higher(self, case: Case, name: str, number: int):
        """The state of the same network on the same scheme at the next higher payload, where the
        config asks to start from it.
        """
        if not self.config.splits.curriculum or case.scheme.own_payload:
            return None
        higher = [
            other.payload
            for other in self.cases
            if other.scheme == case.scheme and other.payload > case.payload
        ]
        if not higher:
            return None
        label = Case(case.scheme, min(higher)).label
        return run.load(self.workdir / "detectors" / label / name / str(number)).state

    def _report(self, results) -> str:
        rows, curves = [], {}
        for case, detector, number, result in results:
            sides = result["cover_score"], result["stego_score"]
            rows.append(
                {
                    "detector": detector,
                    "scheme": case.scheme.text,
                    "base": case.scheme.base,
                    "row": case.scheme.row,
                    "payload": "" if case.payload is None else case.payload,
                    "split": number,
                    **figures(*sides, result["cover_decision"], result["stego_decision"]),
                    "test pairs": len(sides[0]),
                    "made by": self._how(case),
                }
            )
            curve = metrics.roc_curve(
                np.concatenate(sides), np.repeat([0, 1], [len(side) for side in sides])
            )
            title = detector if case.payload is None else f"{detector}, {case.payload:g} bpp"
            curves.setdefault(title, {}).setdefault(case.scheme.text, []).append(curve)
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        files.write_bytes(self.workdir / "security.csv", buffer.getvalue().encode())
        text = self._tables(rows)
        files.write_bytes(self.workdir / "security.md", (text + "\n").encode())
        files.write_bytes(self.workdir / "roc.png", plots.roc(curves))
        files.write_bytes(self.workdir / "payloads.png", plots.error_against_payload(series(rows)))
        return text

    def _how(self, case: Case) -> str:
        if case.scheme.kind == "covers":
            return "other covers"
        return json.loads((self.workdir / "stegos" / f"{case.label}.json").read_text())["made by"]

    def _tables(self, rows: list[dict[str, Any]]) -> str:
        split = self.splits[0]
        lines = [
            f"{len(self.covers)} covers of {self.covers.shape[2]}x{self.covers.shape[1]} "
            f"({self.config.covers.source}); {len(split['train'])} pairs for training, "
            f"{len(split['validation'])} for "
            f"validation, {len(split['test'])} for testing; mean (standard deviation) over the "
            "splits."
        ]
        lines += [
            "Stegos: "
            + "; ".join(sorted({f"{row['scheme']}: {row['made by']}" for row in rows}))
            + "."
        ]
        for figure, title in (
            ("P_E", "Detection error rate P_E (%)"),
            ("AUC", "Area under the ROC curve (%)"),
            ("P_MD at 5 % P_FA", "Missed stegos at 5 % false alarms (%)"),
        ):
            lines += [
                "",
                f"{title}; in brackets the gain on the baseline." if figure == "P_E" else title,
                "",
                table(rows, figure),
            ]
        return "\n".join(lines)


def split_photographs(
    groups: Sequence[int], shares: Sequence[float], *, seed: Sequence[int]
) -> list[list[int]]:
    """Splits pictures by chance so that those of one photograph stay together.

    Args:
      groups: of every picture, the number of its photograph.
      shares: of the photographs for each part, adding up to at most 1.
      seed: whole numbers.

    Returns:
      The pictures' numbers for each part.

    Raises:
      InputError: a part with a share gets no photograph.
    """
    photographs = np.random.default_rng(list(seed)).permutation(np.unique(groups))
    ends = np.round(np.cumsum([0, *shares]) * len(photographs)).astype(int)
    parts = []
    for share, begin, end in zip(shares, ends, ends[1:]):
        if share and begin == end:
            raise InputError(
                f"{len(photographs)} photographs are too few for shares of {list(shares)}; add "
                "photographs"
            )
        parts.append(np.flatnonzero(np.isin(groups, photographs[begin:end])).tolist())
    return parts


def save_ensemble(
    folder: pathlib.Path, trained: ensemble.Ensemble, *, features: str, trained_on: str
) -> None:
    """Saves an ensemble as `ensemble.npz` and what it is for as `detector.json`.

    Args:
      folder: an existing folder.
      trained: from `ensemble.fit`.
      features: a name in `FEATURES`.
      trained_on: what it learned to detect, for people.
    """
    buffer = io.BytesIO()
    np.savez(
        buffer,
        **{name: value for name, value in trained._asdict().items() if name != "trials"},
        trials=np.asarray(trained.trials, np.float64).reshape(-1, 3),
    )
    files.write_bytes(folder / "ensemble.npz", buffer.getvalue())
    files.write_bytes(
        folder / "detector.json",
        json.dumps({"features": features, "trained on": trained_on}).encode(),
    )


def load_ensemble(folder: pathlib.Path) -> tuple[ensemble.Ensemble, str, str]:
    """What `save_ensemble` saved: the ensemble, the name of its features, and what it was trained
    on.

    Raises:
      InputError: the folder does not hold it, or it is damaged.
    """
    try:
        notes = json.loads((folder / "detector.json").read_text())
        with np.load(folder / "ensemble.npz") as saved:
            values = dict(saved)
        trials = tuple(
            ensemble.Trial(int(size), int(count), float(error))
            for size, count, error in values.pop("trials")
        )
        trained = ensemble.Ensemble(
            **{**values, "features": int(values["features"])}, trials=trials
        )
        return trained, notes["features"], notes["trained on"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder} does not hold a whole trained ensemble ({error}); train it again"
        ) from error


def _photographs(section) -> list[tuple[str, np.ndarray]]:
    """Name and grey pixels `[H, W, 1]` of every photograph of a source, both of its splits, after
    the preprocessing.
    """
    steps = preprocess.parse(section.preprocess)
    if any("random" in text for text in section.preprocess):
        raise InputError(
            "covers.preprocess must not be random: a cover is one picture in all splits"
        )
    found: dict[str, np.ndarray] = {}
    for split in ("train", "held_out"):
        source = open_source(section.source, split, data_dir=section.data_dir)
        for name, index in zip(source.names, range(len(source))):
            if section.limit and len(found) == section.limit:
                break
            grey = preprocess.to_grey(source[index])
            found.setdefault(name, preprocess.apply(np.random.default_rng(0), grey, steps))
    return list(found.items())


def _tiles(
    picture: np.ndarray, size: tuple[int, int], most: int, name: str
) -> Iterable[tuple[str, np.ndarray]]:
    """Up to `most` windows that do not overlap, from the middle of the picture outwards, with names
    for their places.
    """
    size = size if min(size) else picture.shape[:2]
    if picture.shape[0] < size[0] or picture.shape[1] < size[1]:
        raise InputError(
            f"{name} is {picture.shape[0]}x{picture.shape[1]}, smaller than "
            f"covers.crop={size[0]}; lower it, begin "
            "covers.preprocess with a resize, or leave the picture out"
        )
    if most == 1:
        yield "", preprocess.centre_crop(picture, size)[..., 0]
        return
    down, across = (whole // side for whole, side in zip(picture.shape, size))
    top, left = (
        (whole - count * side) // 2
        for whole, count, side in zip(picture.shape, (down, across), size)
    )
    places = sorted(
        ((i, j) for i in range(down) for j in range(across)),
        key=lambda place: (place[0] - (down - 1) / 2) ** 2 + (place[1] - (across - 1) / 2) ** 2,
    )
    for i, j in places[: most or None]:
        y, x = top + i * size[0], left + j * size[1]
        yield f"[{i},{j}]", picture[y : y + size[0], x : x + size[1], 0]


def _save(path: pathlib.Path, array: np.ndarray) -> None:
    files.write(path, lambda file: np.save(file, array), overwrite=True)


def _remove_parts(folder: pathlib.Path) -> None:
    for path in folder.glob("*.npy"):
        path.unlink()
    folder.rmdir()


def _say(line: str) -> None:
    tqdm.tqdm.write(line, file=sys.stderr)
