"""The `stegojax` command: hides and reveals with files, using the same engine as the experiments.

Exit codes: 0 done, 1 not done with one line on standard error that says why, 2 the command line was
not understood, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import sys

import stegojax
from stegojax import edge, inputs, progress
from stegojax.errors import InputError

CAUTION = (
    "it is the steganalyzer's, not the truth about a picture. It is a probability only where "
    "pictures are like those the steganalyzer was trained on and half of them are stegos of the "
    "scheme and payload it was trained on. A steganalyzer trained on other cameras, sizes or "
    "schemes is often wrong with great confidence; most pictures in the world are no stegos; and a "
    "low score does not show that a picture is clean."
)
"""What a person must know before acting on a score of `detect`."""

_FILES = (
    *("COVER MESSAGE", "COVER", "STEGO", "MESSAGE", "PICTURE", "IMAGE", "CSV", "FILE", "JSON"),
)
_FOLDERS = ("DIR", "OUTDIR", "RUN")

SHELLS = ("bash", "zsh")
"""Shells that `stegojax completion` writes for."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
      arguments: the words after the command's name; by default the process's.

    Returns:
      The exit code, see `edge.guarded`.
    """
    return edge.guarded(lambda: _run(arguments), name="stegojax")


def _run(arguments: list[str] | None) -> int:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(options, "given")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.given += rest  # argparse stops at options between two files
    _check_names(options)
    if options.run_command is _completion:  # needs no JAX
        return _completion(options)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's own warnings
    with edge.undisturbed():
        from stegojax import parallel

    parallel.start()
    return options.run_command(options)


def _check_names(options: argparse.Namespace) -> None:
    """Refuses names that are empty, which would stand for the folder that one is in."""
    for field, given in vars(options).items():
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, str) and (not name or "\0" in name):
                shown = "a file" if field == "given" else field.replace("_", "-")
                raise InputError(f"the name for {shown} is empty or none; give one")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stegojax", description="Hides files in pictures, and pictures in pictures."
    )
    parser.add_argument("--version", action="version", version=f"stegojax {stegojax.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    hide = commands.add_parser(
        "hide",
        help="hide a file in a picture",
        usage="stegojax hide [options] COVER MESSAGE -o STEGO\n"
        "       stegojax hide [options] --run RUN MESSAGE -o STEGO   (a run that makes its covers)",
        description="Hides the file MESSAGE in the picture COVER under a password or a key file. "
        "With --run, hides with a "
        "trained run: the picture MESSAGE in COVER, or the file by the costs that the run has "
        "learned or by the "
        "networks that it has trained. A run that makes its own pictures takes no COVER.",
    )
    hide.add_argument(
        "given",
        metavar="COVER MESSAGE",
        nargs="+",
        help="COVER, a picture file, which is not modified, and MESSAGE, any file, - for standard "
        "input; for a run "
        "that hides pictures a picture file, which is made grey and resized to the cover's size",
    )
    hide.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="STEGO",
        help="the file to write: a lossless picture, or .jpg of a JPEG cover",
    )
    hide.add_argument(
        "--insist",
        action="store_true",
        help="hide in a JPEG file though it carries a signature (C2PA) that will not hold",
    )
    hide.set_defaults(run_command=_hide)

    reveal = commands.add_parser(
        "reveal",
        help="reveal what a picture hides",
        description="Reveals the file that was hidden in STEGO, or with --run the picture.",
    )
    reveal.add_argument("stego", metavar="STEGO", help="a picture file that `hide` wrote")
    reveal.add_argument(
        "-o",
        "--output",
        metavar="MESSAGE",
        help="the file to write, - for standard output, where a sentence "
        "goes that --run reveals, if this is left out",
    )
    reveal.set_defaults(run_command=_reveal)

    capacity = commands.add_parser(
        "capacity",
        help="say how much a picture can carry",
        description="Says how many bytes `hide` can put in the picture COVER.",
    )
    capacity.add_argument("cover", metavar="COVER", help="a picture file")
    capacity.set_defaults(run_command=_capacity)

    compare = commands.add_parser(
        "compare",
        help="compare a stego with its cover",
        description="Counts the changes between COVER and STEGO and shows where they are.",
    )
    compare.add_argument("cover", metavar="COVER", help="a picture file")
    compare.add_argument("stego", metavar="STEGO", help="a picture file of the same size")
    compare.add_argument(
        "-o",
        "--output",
        metavar="PICTURE",
        help="a picture file to write: the changes over the cover, red up, blue down, white both",
    )
    compare.set_defaults(run_command=_compare)

    many = commands.add_parser(
        "hide-many",
        help="hide files in the pictures of a folder",
        description="Hides one file in every picture of the folder DIR: the first MESSAGE in the "
        "first picture by name and so "
        "on, starting over after the last, so that a single MESSAGE goes into all. OUTDIR "
        "receives a PNG file for "
        "each, a JPEG file for a JPEG file, and manifest.json, which says what went where.",
    )
    many.add_argument(
        "folder", metavar="DIR", help="a folder of picture files; they are not modified"
    )
    many.add_argument(
        "messages", metavar="MESSAGE", nargs="+", help="any file, - for standard input"
    )
    many.add_argument(
        "-o", "--output", required=True, metavar="OUTDIR", help="the folder to write to"
    )
    many.set_defaults(run_command=_hide_many)

    generate = commands.add_parser(
        "generate",
        help="make covers with a trained run",
        description="Writes N pictures that the trained run RUN makes, 0001.png and so on, "
        "each of fresh randomness. To "
        "hide in such a picture use `hide --run RUN MESSAGE`: its cover is written nowhere; "
        "these are not used.",
    )
    generate.add_argument("--run", metavar="RUN", required=True, help="a run that makes covers")
    generate.add_argument(
        "-n", "--count", metavar="N", type=int, default=1, help="how many (default 1)"
    )
    generate.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="the folder to write to"
    )
    generate.set_defaults(run_command=_generate)

    detect = commands.add_parser(
        "detect",
        help="say how much pictures look like stegos to a trained steganalyzer",
        description="Says of picture files whether they look like stegos to the steganalyzers "
        "that come with the package, at false-alarm rates of 1 and 5 percent on covers like those "
        "of their training; of other pictures it says that it cannot tell. With --run, scores them "
        "with one steganalyzer: 0 looks like a cover, 1 like a stego. The channels of a colour "
        "picture are judged one by one, and the mean is given.",
        epilog="What a score or a verdict does not mean: " + CAUTION,
    )
    detect.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    detect.add_argument(
        "--run",
        metavar="RUN",
        help="the run of a steganalyzer, a model's name, or a folder "
        "steganalyzers/SCHEME/NAME/SPLIT of the security protocol",
    )
    detect.add_argument("-o", "--output", metavar="CSV", help="a CSV file to write")
    detect.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    detect.set_defaults(run_command=_detect)

    export = commands.add_parser(
        "export",
        help="make a model of a trained run, for others",
        description="Writes a trained run's config, weights and card to the folder DIR, from which "
        "--run takes it anywhere. Where DIR is called NAME@VERSION, the model is entered in the "
        "MANIFEST.json beside it, and --run NAME finds it if STEGOJAX_MODELS names that folder.",
    )
    export.add_argument("given_run", metavar="RUN", help="the work directory of a trained run")
    export.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="the folder to write, a new one"
    )
    export.add_argument(
        "--card",
        metavar="JSON",
        help="a file that says what the run cannot know: line, command, data, licence, hours, "
        "figures, not for, notes",
    )
    export.add_argument(
        "--half",
        action="store_true",
        help="write float16; refused where a figure on the bundled photographs changes",
    )
    export.set_defaults(run_command=_export)

    models = commands.add_parser(
        "models",
        help="list the models that --run takes by name",
        description="Lists the models on this machine, or shows the card of one. They are looked "
        "for in the folder that STEGOJAX_MODELS names, in the package, and in the user's cache.",
    )
    models.add_argument("name", metavar="NAME", nargs="?", help="show this model's card")
    models.add_argument(
        "--fetch",
        metavar="URL",
        help="fetch models to the user's cache first: the URL of a folder NAME@VERSION or of a "
        "MANIFEST.json, with #sha256=HEX after it where the manifest's is known",
    )
    models.set_defaults(run_command=_models)

    demo = commands.add_parser(
        "demo",
        help="show a page to hide and reveal with",
        description="Serves a page on this machine alone, where a browser hides a file in a "
        "picture, shows what changed, and gets the file back. Ctrl-C ends it.",
    )
    demo.add_argument(
        "--port", type=int, default=7860, metavar="N", help="of the page's address (default 7860)"
    )
    demo.add_argument(
        "--run",
        metavar="RUN",
        help="a trained steganalyzer that judges what is hidden, in place of the models that ship",
    )
    demo.set_defaults(run_command=_demo)

    completion = commands.add_parser(
        "completion",
        help="print what makes a shell complete this command",
        description="Prints a script that makes SHELL complete commands, options and file names: "
        'eval "$(stegojax completion bash)", or the same in a file that the shell reads.',
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    completion.set_defaults(run_command=_completion)

    for command in (capacity, compare, detect, many):
        command.add_argument(
            "--json", action="store_true", help="print one JSON object in place of words"
        )
    for command in (hide, reveal):
        command.add_argument(
            "--run",
            metavar="RUN",
            help="hide or reveal a picture or a file with this trained run: a work directory, an "
            "exported folder, or a model's name"
            + ("; or embed with the costs that it has learned" if command is hide else ""),
        )
    for command in (many, capacity):
        command.add_argument(
            "--run",
            metavar="RUN",
            help="embed with the costs that this trained run learned"
            + ("; or with its networks" if command is capacity else ""),
        )
    for command in (hide, many, capacity):
        command.add_argument(
            "--scheme",
            metavar="COST[-RECIPE]",
            help="what changes cost (hill, wow, suniward, hugo, mipod, lsbm) and how they attend "
            "to each other (cmd, synch, or plain if this is left out); hill-cmd by default; of "
            "JPEG files juniward (default), uerd, jmipod, ebs, nsf5 and bbc",
        )
    for command in (hide, many):
        command.add_argument("--code", metavar="NAME", help="stc (default) or polar")
        command.add_argument(
            "--constraint-height",
            type=int,
            metavar="H",
            help="of the stc code, 7 to 12 (default 10): more is slower, with a little fewer "
            "changes",
        )
    for command in (hide, many, reveal):
        command.add_argument(
            "--password-file",
            metavar="FILE",
            help="use this file's content, but for a last line end",
        )
        command.add_argument(
            "--key-file", metavar="FILE", help="use these 32 random bytes instead of a password"
        )
    for command in (hide, many, reveal, compare, generate):
        command.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def _hide(options: argparse.Namespace) -> int:
    from stegojax import hiders

    given = dict.fromkeys(options.given[:-1], "the cover") | {options.given[-1]: "the message"}
    _check_files(options, given)
    with progress.shown("hiding"):
        hider = hiders.load(options.run, _options(options, options.output))
        message = inputs.content(options.given[-1], "the message")
        cover = _cover(options, hider, message)
        hidden = hiders.hide_file(
            hider,
            _ask(options, hider, confirm=True),
            cover,
            message,
            options.output,
            overwrite=options.overwrite,
            insist=options.insist,
            tell=_tell,
        )
    for note in hidden.notes:
        _tell(note)
    print(f"{options.output}: {hidden.said} (read back from the file)")
    for label in hiders.models_that_reveal(options.run) if options.run else ():
        _tell(f"the receiver needs this model: reveal --run {label}")
    return 0


def _cover(options: argparse.Namespace, hider, message: bytes) -> str | None:
    """The file of the cover, where there is one; the best of several, where the run chooses."""
    from stegojax import hiders

    given = len(options.given)
    if hider.takes_cover and given < 2:
        raise InputError(f"hide takes two files, COVER and MESSAGE; {given} given")
    if not hider.takes_cover and given != 1:
        raise InputError(
            f"the run in {options.run} makes its own picture: give MESSAGE alone, {given} files "
            "given"
        )
    if not hider.takes_cover:
        return None
    cover = hiders.choose_cover(hider, options.given[:-1], message)
    if given > 2:
        _tell(f"{cover}: the stego most like its cover, of {given - 1}")
    return cover


def _reveal(options: argparse.Namespace) -> int:
    from stegojax import hiders, secret

    place = "the message needs a place: name a file with -o, or - for standard output"
    if options.output is None and not options.run:
        raise InputError(place)
    _check_files(options, {options.stego: "the stego"})
    with progress.shown("revealing"):
        hider = hiders.load(options.run, _options(options, options.stego))
        try:
            message = hiders.reveal_file(hider, _ask(options, hider, confirm=False), options.stego)
        except InputError as error:
            models = [] if options.run else hiders.models_that_reveal()
            if not models or secret.NO_MESSAGE not in str(error):
                raise
            raise InputError(
                f"{error}; if networks wrote it, name their model: --run {' or '.join(models)}"
            ) from error
    if options.output in (None, "-"):
        if isinstance(message, str):
            print(message)
        elif isinstance(message, bytes) and options.output:
            if sys.stdout is None:
                raise InputError("there is no standard output to write to; name a file with -o")
            sys.stdout.buffer.write(message)
            sys.stdout.buffer.flush()
        else:
            raise InputError(place)
        return 0
    hiders.write_message(options.output, message, overwrite=options.overwrite)
    size = f": {len(message)} bytes" if isinstance(message, bytes) else ""
    print(f"{options.output}{size}")
    return 0


def _capacity(options: argparse.Namespace) -> int:
    from stegojax import hiders

    _check_files(options, {options.cover: "the cover"})
    with progress.shown("measuring"):
        hider = hiders.load(options.run, _options(options, options.cover))
        if not hider.takes_cover:
            raise InputError(
                f"the run in {options.run} makes its own pictures and hides in no other; leave "
                "out --run to ask about this one"
            )
        picture, capacity = hiders.capacity_of_file(hider, options.cover)
    if options.json:
        return _print_json(
            cover=options.cover,
            picture=picture,
            elements=capacity.elements,
            unit=capacity.unit,
            most_bytes=capacity.most,
            said=capacity.said,
        )
    print(f"{options.cover}: {picture}, {capacity.elements} {capacity.unit}")
    if capacity.most is None:
        print("cannot carry a message, not even an empty one")
    for line in capacity.said:
        print(line)
    return 0


def _print_json(**fields) -> int:
    print(json.dumps(fields, indent=2))
    return 0


def _generate(options: argparse.Namespace) -> int:
    from stegojax.hiders import generated

    written = generated.generate(
        options.run, pathlib.Path(options.output), count=options.count, overwrite=options.overwrite
    )
    print(f"{options.output}: {len(written)} pictures, {written[0].name} to {written[-1].name}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from stegojax import domains, images
    from stegojax.hiders import comparison, in_files

    _check_files(options, {options.cover: "the cover", options.stego: "the stego"})
    if options.output:
        images.lossless_format(options.output)
    domain = domains.of(options.stego)
    cover, stego = (domain.read(path)[0] for path in (options.cover, options.stego))
    with progress.shown("comparing"):
        figures = comparison.compare(cover, stego, domain=domain)
    if not options.json:
        print(
            f"{comparison.in_words(figures, domain=domain)}: {figures.raised} raised, "
            f"{figures.lowered} lowered, by at most {figures.largest}"
        )
    if options.output:
        in_files.write_elements(
            options.output,
            comparison.picture_of_changes(cover, stego, domain=domain),
            overwrite=options.overwrite,
        )
        if not options.json:
            print(options.output)
    if options.json:
        _print_json(**figures._asdict(), changes=figures.changes, picture_of_changes=options.output)
    return 0


def _detect(options: argparse.Namespace) -> int:
    import tqdm

    from stegojax import detection

    _check_output(options, dict.fromkeys(options.images, "one of the pictures"))
    if options.run is None:
        return _verdicts(options)
    with progress.shown("detecting"):
        progress.doing("loading the steganalyzer")
        steganalyzer = detection.load(options.run)
    print(
        f"trained on: {steganalyzer.trained_on}; see --help for what the score does not mean",
        file=sys.stderr,
    )
    judgements = []
    for judgement in tqdm.tqdm(
        detection.judge(steganalyzer, options.images),
        total=len(options.images),
        unit="picture",
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    ):
        judgements.append(judgement)
        if judgement.error:
            tqdm.tqdm.write(f"stegojax: {judgement.error}", file=sys.stderr)
        elif not options.json:
            tqdm.tqdm.write(f"{judgement.score:.4f}  {judgement.path}", file=sys.stdout)
    if options.output:
        detection.write_csv(options.output, judgements, overwrite=options.overwrite)
    if options.json:
        pictures = [judgement._asdict() for judgement in judgements]
        _print_json(trained_on=steganalyzer.trained_on, pictures=pictures)
    return 1 if any(judgement.error for judgement in judgements) else 0


def _verdicts(options: argparse.Namespace) -> int:
    import tqdm

    from stegojax import verdicts

    with progress.shown("detecting"):
        progress.doing("loading the steganalyzers")
        panel = verdicts.load()
    for source in panel.sources:
        _tell(f"judged by: {source}")
    _tell("see --help for what a verdict does not mean")
    judged = []
    for verdict in tqdm.tqdm(
        verdicts.judge(panel, options.images),
        total=len(options.images),
        unit="picture",
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    ):
        judged.append(verdict)
        if verdict.error:
            tqdm.tqdm.write(f"stegojax: {verdict.error}", file=sys.stderr)
        elif not options.json:
            tqdm.tqdm.write(verdicts.line(panel, verdict), file=sys.stdout)
    if options.output:
        verdicts.write_csv(options.output, panel, judged, overwrite=options.overwrite)
    if options.json:
        pictures = [verdict._asdict() for verdict in judged]
        _print_json(judged_by=panel.sources, pictures=pictures)
    return 1 if any(verdict.error for verdict in judged) else 0


def _export(options: argparse.Namespace) -> int:
    from stegojax import export

    card = {}
    if options.card:
        try:
            card = json.loads(pathlib.Path(options.card).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{options.card}: is no JSON file ({error})") from error
        if not isinstance(card, dict):
            raise InputError(f"{options.card}: holds no fields of a card")
    written = export.export(options.given_run, options.output, card=card, half=options.half)
    print(
        f"{options.output}: {written['method']} at step {written['step']}, {written['bytes']} "
        f"bytes of weights ({', '.join(written['networks'])})"
    )
    return 0


def _models(options: argparse.Namespace) -> int:
    from stegojax.zoo import shelves

    if options.fetch:
        from stegojax.zoo import fetching

        for model in fetching.fetch(options.fetch):
            print(f"{model.label}: fetched to {model.folder}, SHA-256 {model.sha256}")
        return 0
    if options.name:
        path = shelves.locate(options.name).folder / "card.md"
        print(path.read_text(encoding="utf-8"), end="")
        return 0
    found = shelves.models()
    width = max([len(model.label) for model in found], default=0)
    for model in found:
        print(f"{model.label:<{width}}  {model.bytes / 1000:8.0f} kB  {model.line}")
    if not found:
        _tell(f"no models: {shelves.VARIABLE} is not set, and none came with the package")
    return 0


def _hide_many(options: argparse.Namespace) -> int:
    import tqdm

    from stegojax import run
    from stegojax.hiders import many

    folder, output = pathlib.Path(options.folder), pathlib.Path(options.output)
    covers, own = many.covers_in(folder, output)
    if own:
        _tell(f"{folder}: {own} stegos of an earlier hide-many are no covers, and left out")
    given = dict.fromkeys(options.messages, "a message") | _secret_files(options)
    inputs.check(given)
    safe = {"inputs": given, "overwrite": options.overwrite}
    many.check_many(covers, options.messages, output, **safe)
    loaded = run.load(options.run) if options.run else None
    choices, *others = _choices_of_domains(options, loaded)
    messages = [(name, inputs.content(name, "a message")) for name in options.messages]
    entries = many.hide_many(
        _secret(options, confirm=True),
        covers,
        messages,
        output,
        choices=choices,
        others=others,
        **safe,
    )
    finished, failed, notes = [], 0, collections.Counter()
    try:
        for entry in tqdm.tqdm(
            entries,
            total=len(covers),
            unit="picture",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
        ):
            finished.append(entry)
            notes.update(entry.get("notes", ()))
            if "error" in entry:
                failed += 1
                tqdm.tqdm.write(f"stegojax: {entry['error']}", file=sys.stderr)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command goes on in {output}") from None
    for note, count in notes.items():
        _tell(f"{count} of {len(covers)} covers: {note}")
    if options.json:
        _print_json(folder=str(output), failed=failed, pictures=finished)
        return 1 if failed else 0
    print(
        f"{output}: {len(covers) - failed} of {len(covers)} pictures written; see "
        f"{many.MANIFEST_NAME}"
    )
    return 1 if failed else 0


def _choices_of_domains(options: argparse.Namespace, loaded) -> list:
    """How to embed into the files of every domain that has the scheme, those of pixels first."""
    from stegojax import domains
    from stegojax.hiders import by_costs

    if loaded is not None:
        return [by_costs.choices_of(loaded, _options(options, "1.png"))]
    known = []
    for domain in domains.DOMAINS.values():
        cost = (options.scheme or domain.scheme).partition("-")[0]
        if cost in domain.costs:
            known.append(by_costs.choices_of(loaded, _options(options, f"1{domain.endings[0]}")))
    return known or [by_costs.choices_of(loaded, _options(options, "1.png"))]


def _tell(note: str) -> None:
    with progress.hidden():
        print(note, file=sys.stderr)


def _demo(options: argparse.Namespace) -> int:
    from stegojax.demo import page

    return page.serve(port=options.port, run=options.run)


def _completion(options: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        raise InputError("shtab is not installed: pip install shtab") from None
    parser = _parser()
    for command in parser._subparsers._group_actions[0].choices.values():
        for action in command._actions:
            if action.metavar in _FILES:
                action.complete = shtab.FILE
            elif action.metavar in _FOLDERS:
                action.complete = shtab.DIRECTORY
    print(shtab.complete(parser, shell=options.shell))
    return 0


def _options(options: argparse.Namespace, name: str):
    """How the command wants to hide; the name of the stego, or of the cover, says in what."""
    from stegojax import domains, hiders

    fields = {
        field: getattr(options, field, None) for field in ("scheme", "code", "constraint_height")
    }
    return hiders.Options(**fields, domain=domains.of(name))


def _check_output(options: argparse.Namespace, given: dict[str, str]) -> None:
    """Refuses an output that cannot or must not be written, the inputs above all."""
    from stegojax import files

    if getattr(options, "output", None) not in (None, "-"):
        files.check_output(options.output, inputs=given, overwrite=options.overwrite)


def _check_files(options: argparse.Namespace, given: dict[str, str]) -> None:
    """Refuses inputs that cannot be read, and an output that cannot or must not be written."""
    given = given | _secret_files(options)
    inputs.check(given)
    _check_output(options, given)


def _secret_files(options: argparse.Namespace) -> dict[str, str]:
    named = {"key_file": "the key file", "password_file": "the password file"}
    return {
        getattr(options, field): what
        for field, what in named.items()
        if getattr(options, field, None) is not None
    }


def _ask(options: argparse.Namespace, hider, *, confirm: bool):
    """A function that gives the secret of a command."""
    for name in () if hider.takes_secret else ("password_file", "key_file"):
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is for messages under a key; the run in {options.run} "
                "uses none"
            )
    return lambda: _secret(options, confirm=confirm)


def _secret(options: argparse.Namespace, *, confirm: bool):
    return inputs.shared_secret(
        password_file=options.password_file, key_file=options.key_file, confirm=confirm
    )


if __name__ == "__main__":
    sys.exit(main())
