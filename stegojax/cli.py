"""The `stegojax` command: hides and reveals with files, using the same engine as the experiments.

Exit codes: 0 done, 1 not done with one line on standard error that says why, 2 the command line was
  not understood.
"""

from __future__ import annotations

import argparse
import getpass
import os
import pathlib
import sys
import warnings

from stegojax.errors import InputError

CAUTION = (
    "it is the detector's, not the truth about a picture. It is a probability only where pictures "
    "are like those the "
    "detector was trained on and half of them are stegos of the scheme and payload it was trained "
    "on. A detector trained on "
    "other cameras, sizes or schemes is often wrong with great confidence; most pictures in the "
    "world are no stegos; and "
    "a low score does not show that a picture is clean."
)
"""What a person must know before acting on a score of `detect`."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
      arguments: the words after the command's name; by default the process's.

    Returns:
      The exit code: 0, or 1 with one line on standard error that says what is wrong.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(options, "given")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.given += rest  # argparse stops at options between two files
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's own warnings
    from stegojax import parallel

    _use_compilation_cache()
    try:
        parallel.start()
        return options.run_command(options)
    except InputError as error:
        print(f"stegojax: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"stegojax: {error.filename or ''}: {error.strerror or error}".replace(": : ", ": "),
            file=sys.stderr,
        )
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stegojax", description="Hides files in pictures, and pictures in pictures."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    hide = commands.add_parser(
        "hide",
        help="hide a file in a picture",
        description="Hides the file MESSAGE in the picture COVER under a password or a key file. "
        "With --run, hides with a "
        "trained run: the picture MESSAGE in COVER, or the file by the costs that the run has "
        "learned or by the "
        "networks that it has trained. A run that makes its own pictures takes no COVER.",
    )
    hide.add_argument(
        "given",
        metavar="FILE",
        nargs="+",
        help="COVER, a picture file, which is not modified, and MESSAGE, any file, - for standard "
        "input; for a run "
        "that hides pictures a picture file, which is made grey and resized to the cover's size",
    )
    hide.add_argument(
        "-o", "--output", required=True, metavar="STEGO", help="the lossless picture file to write"
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
        "each and manifest.json, which says what went where.",
    )
    many.add_argument(
        "folder",
        metavar="DIR",
        type=pathlib.Path,
        help="a folder of picture files; they are not modified",
    )
    many.add_argument(
        "messages", metavar="MESSAGE", nargs="+", help="any file, - for standard input"
    )
    many.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUTDIR",
        type=pathlib.Path,
        help="the folder to write to",
    )
    many.set_defaults(run_command=_hide_many)

    generate = commands.add_parser(
        "generate",
        help="make covers with a trained run",
        description="Writes N pictures that the trained run in WORKDIR makes, 0001.png and so on, "
        "each of fresh randomness. To "
        "hide in such a picture use `hide --run WORKDIR MESSAGE`: its cover is written nowhere; "
        "these are not used.",
    )
    generate.add_argument("--run", metavar="WORKDIR", required=True, help="a run that makes covers")
    generate.add_argument(
        "-n", "--count", metavar="N", type=int, default=1, help="how many (default 1)"
    )
    generate.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        type=pathlib.Path,
        help="the folder to write to",
    )
    generate.set_defaults(run_command=_generate)

    detect = commands.add_parser(
        "detect",
        help="say how much pictures look like stegos to a trained steganalyzer",
        description="Scores picture files with a steganalyzer: 0 looks like a cover, 1 like a "
        "stego. The channels of a colour "
        "picture are judged one by one, and the mean is given.",
        epilog="What the score does not mean: " + CAUTION,
    )
    detect.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    detect.add_argument(
        "--run",
        metavar="WORKDIR",
        required=True,
        help="the run of a steganalyzer, or a folder detectors/SCHEME/NAME/SPLIT of the security "
        "protocol",
    )
    detect.add_argument("-o", "--output", metavar="CSV", help="a CSV file to write")
    detect.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    detect.set_defaults(run_command=_detect)

    for command in (hide, reveal):
        command.add_argument(
            "--run",
            metavar="WORKDIR",
            help="hide or reveal a picture or a file with the trained run in this "
            "folder" + ("; or embed with the costs that it has learned" if command is hide else ""),
        )
    for command in (many, capacity):
        command.add_argument(
            "--run",
            metavar="WORKDIR",
            help="embed with the costs that the trained run in this folder learned"
            + ("; or with its networks" if command is capacity else ""),
        )
    for command in (hide, many, capacity):
        command.add_argument(
            "--cost",
            metavar="NAME",
            help="of changes: hill (default), wow, suniward, hugo, mipod, lsbm",
        )
        command.add_argument(
            "--scheme",
            metavar="NAME",
            help="how changes attend to each other: cmd (default), synch, plain",
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


def _use_compilation_cache() -> None:
    """Keeps compiled functions on disk, so that the second call of a command starts at once."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    import jax

    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(base / "stegojax" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _hide(options: argparse.Namespace) -> int:
    use = _use(options)
    if use == "covers":
        return _hide_in_made_cover(options)
    if options.run:
        for name in ("cost", "scheme"):
            _refuse_with_run(options, name)
    if use == "pictures":
        return _hide_picture(options)
    if use == "bits":
        return _hide_bits(options)
    if use == "sentences":
        return _hide_sentence(options)
    from stegojax import hiding, images

    cover, message = _cover_and_message(options)
    choices = _choices(options)
    hiding.check_output(options.output, overwrite=options.overwrite)
    images.lossless_format(options.output)
    for note in hiding.notes(images.read(cover)):
        print(f"{cover}: {note}", file=sys.stderr)
    content = _message(message)
    done = hiding.hide_file(
        _secret(options, confirm=True),
        cover,
        content,
        options.output,
        choices=choices,
        overwrite=options.overwrite,
    )
    print(
        f"{options.output}: {len(content)} bytes hidden with {_changes(done)} (read back from the "
        "file)"
    )
    return 0


def _hide_picture(options: argparse.Namespace) -> int:
    _refuse_with_run(options, "code", "constraint_height", "password_file", "key_file")
    from stegojax.learned import pictures

    cover, message = _cover_and_message(options)
    done = pictures.hide_picture(
        options.run, cover, message, options.output, overwrite=options.overwrite
    )
    if done.resized:
        print(
            f"{message}: resized from {done.resized[1]}x{done.resized[0]} to the size of the cover",
            file=sys.stderr,
        )
    print(
        f"{options.output}: stego {done.stego_psnr:.2f} dB, revealed {done.revealed_psnr:.2f} dB "
        "(read back from the file)"
    )
    return 0


def _hide_bits(options: argparse.Namespace) -> int:
    _refuse_with_run(options, "code", "constraint_height")
    from stegojax import hiding, images
    from stegojax.learned import bits

    cover, message = _cover_and_message(options)
    hiding.check_output(options.output, overwrite=options.overwrite)
    images.lossless_format(options.output)
    for note in hiding.notes(images.read(cover)):
        print(f"{cover}: {note}", file=sys.stderr)
    content = _message(message)
    done = bits.hide_file(
        options.run,
        _secret(options, confirm=True),
        cover,
        content,
        options.output,
        overwrite=options.overwrite,
    )
    print(
        f"{options.output}: {len(content)} bytes hidden, {done.bits_per_pixel:.4f} bits per "
        f"pixel, {done.psnr:.2f} dB (read back "
        "from the file)"
    )
    return 0


def _hide_sentence(options: argparse.Namespace) -> int:
    _refuse_with_run(options, "code", "constraint_height")
    from stegojax.learned import sentences

    if len(options.given) != 1:
        raise InputError(
            f"the run in {options.run} makes its own picture: give MESSAGE alone, "
            f"{len(options.given)} files given"
        )
    content = _message(options.given[0])
    sent = sentences.hide_sentence(
        options.run,
        _secret_of_run(options, confirm=True),
        content,
        options.output,
        overwrite=options.overwrite,
    )
    print(f"{options.output}: {sent.sentence} (read back from the file, try {sent.tries})")
    return 0


def _reveal_sentence(options: argparse.Namespace) -> int:
    from stegojax import hiding
    from stegojax.learned import sentences

    to_stdout = options.output in (None, "-")
    if not to_stdout:
        hiding.check_output(options.output, overwrite=options.overwrite)
    sentence = sentences.reveal_sentence(
        options.run, _secret_of_run(options, confirm=False), options.stego
    )
    if to_stdout:
        print(sentence)
        return 0
    sentences.write_sentence(options.output, sentence, overwrite=options.overwrite)
    print(options.output)
    return 0


def _secret_of_run(options: argparse.Namespace, *, confirm: bool):
    """The key of a command with a run of sentences; None where the run uses none."""
    from stegojax import run

    if run.read_config(pathlib.Path(options.run)).method.keyed != "none":
        return _secret(options, confirm=confirm)
    _refuse_with_run(options, "password_file", "key_file")
    return None


def _hide_in_made_cover(options: argparse.Namespace) -> int:
    from stegojax import hiding, images
    from stegojax.learned import covers

    if len(options.given) != 1:
        raise InputError(
            f"the run in {options.run} makes its own cover: give MESSAGE alone, "
            f"{len(options.given)} files given"
        )
    choices = _choices(options, learned=False)
    hiding.check_output(options.output, overwrite=options.overwrite)
    images.lossless_format(options.output)
    content = _message(options.given[0])
    done = covers.hide_message(
        _secret(options, confirm=True),
        options.run,
        content,
        options.output,
        choices=choices,
        overwrite=options.overwrite,
    )
    print(
        f"{options.output}: {len(content)} bytes hidden in a fresh cover with {_changes(done)} "
        "(read back from the file)"
    )
    return 0


def _generate(options: argparse.Namespace) -> int:
    from stegojax.learned import covers

    written = covers.generate(
        options.run, options.output, count=options.count, overwrite=options.overwrite
    )
    print(f"{options.output}: {len(written)} pictures, {written[0].name} to {written[-1].name}")
    return 0


def _reveal(options: argparse.Namespace) -> int:
    use = _use(options)
    if options.output is None and use != "sentences":
        raise InputError("the message needs a place: name a file with -o, or - for standard output")
    if use == "pictures":
        _refuse_with_run(options, "password_file", "key_file")
        from stegojax.learned import pictures

        pictures.reveal_picture(
            options.run, options.stego, options.output, overwrite=options.overwrite
        )
        print(options.output)
        return 0
    if use == "sentences":
        return _reveal_sentence(options)
    if use in ("costs", "covers"):
        raise InputError(
            f"what the run in {options.run} hides is revealed with the key alone; leave out --run"
        )
    from stegojax import hiding, images

    to_stdout = options.output == "-"
    if not to_stdout:
        hiding.check_output(options.output, overwrite=options.overwrite)
    images.size_of(options.stego)
    if use == "bits":
        from stegojax.learned import bits

        message = bits.reveal_file(options.run, _secret(options, confirm=False), options.stego)
    else:
        message = hiding.reveal_file(_secret(options, confirm=False), options.stego)
    if to_stdout:
        sys.stdout.buffer.write(message)
        sys.stdout.buffer.flush()
        return 0
    hiding.write_message(options.output, message, overwrite=options.overwrite)
    print(f"{options.output}: {len(message)} bytes")
    return 0


def _capacity(options: argparse.Namespace) -> int:
    from stegojax import hiding, images

    picture = images.read(options.cover)
    if _use(options) == "bits":
        return _capacity_of_bits(options, picture)
    choices = _choices(options)
    found = hiding.capacity(picture, choices=choices)
    height, width, channels = picture.pixels.shape
    print(
        f"{options.cover}: {width}x{height} {'grey' if channels == 1 else 'colour'}, "
        f"{found.elements} samples"
    )
    if found.most is None:
        print("cannot carry a message, not even an empty one")
    else:
        print(
            f"carries up to {found.most} bytes ({options.run or choices.cost}, after compression)"
        )
        print(f"{found.usual} bytes at 0.4 bits a sample; the fewer, the harder to detect")
    return 0


def _capacity_of_bits(options: argparse.Namespace, picture) -> int:
    _refuse_with_run(options, "cost", "scheme")
    from stegojax import run
    from stegojax.learned import bits

    found = bits.capacity(run.load(pathlib.Path(options.run)), picture.pixels)
    height, width, channels = picture.pixels.shape
    print(
        f"{options.cover}: {width}x{height} {'grey' if channels == 1 else 'colour'}, "
        f"{found.sounding.elements} bits written"
    )
    if found.most is None:
        print("cannot carry a message, not even an empty one")
    else:
        print(
            f"carries up to {found.most} bytes ({options.run}, after compression), "
            f"{8 * found.most / (height * width):.4f} bits per pixel"
        )
    print(f"{100 * found.sounding.accuracy:.2f} % of the bits are read right from the stego")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from stegojax import hiding, images

    if options.output:
        hiding.check_output(options.output, overwrite=options.overwrite)
        images.lossless_format(options.output)
    cover, stego = images.read(options.cover), images.read(options.stego)
    found = hiding.compare(cover, stego)
    print(
        f"{_changes(found)}: {found.raised} raised, {found.lowered} lowered, by at most "
        f"{found.largest}"
    )
    if options.output:
        images.write(
            options.output, hiding.picture_of_changes(cover, stego), overwrite=options.overwrite
        )
        print(options.output)
    return 0


def _detect(options: argparse.Namespace) -> int:
    import tqdm

    from stegojax import detection, hiding

    if options.output:
        hiding.check_output(options.output, overwrite=options.overwrite)
    detector = detection.load(options.run)
    print(
        f"trained on: {detector.trained_on}; see --help for what the score does not mean",
        file=sys.stderr,
    )
    found = []
    for judgement in tqdm.tqdm(
        detection.judge(detector, options.images),
        total=len(options.images),
        unit="picture",
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    ):
        found.append(judgement)
        if judgement.error:
            tqdm.tqdm.write(f"stegojax: {judgement.error}", file=sys.stderr)
        else:
            tqdm.tqdm.write(f"{judgement.score:.4f}  {judgement.path}", file=sys.stdout)
    if options.output:
        detection.write_csv(options.output, found, overwrite=options.overwrite)
    return 1 if any(judgement.error for judgement in found) else 0


def _hide_many(options: argparse.Namespace) -> int:
    import tqdm

    from stegojax import hiding, images

    choices = _choices(options)
    if not options.folder.is_dir():
        raise InputError(f"{options.folder}: is not a folder; give the folder of the covers")
    covers = sorted(
        path for path in options.folder.iterdir() if path.suffix.lower() in images.READABLE
    )
    messages = [(name, _message(name)) for name in options.messages]
    entries = hiding.hide_many(
        _secret(options, confirm=True),
        covers,
        messages,
        options.output,
        choices=choices,
        overwrite=options.overwrite,
    )
    failed = 0
    for entry in tqdm.tqdm(
        entries, total=len(covers), unit="picture", file=sys.stderr, disable=not sys.stderr.isatty()
    ):
        if "error" in entry:
            failed += 1
            tqdm.tqdm.write(f"stegojax: {entry['error']}", file=sys.stderr)
    print(
        f"{options.output}: {len(covers) - failed} of {len(covers)} pictures written; see "
        f"{hiding.MANIFEST_NAME}"
    )
    return 1 if failed else 0


def _changes(found) -> str:
    return (
        f"{found.changes} changes in {found.elements} samples "
        f"({found.changes / found.elements:.4f}), {found.psnr:.2f} dB"
    )


def _refuse_with_run(options: argparse.Namespace, *names: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is for messages under a key; a trained run (--run) "
                "does not use it"
            )


def _use(options: argparse.Namespace) -> str:
    """What the run that is named is for, see `methods.Entry.use`; "" without a run."""
    if not options.run:
        return ""
    from stegojax import run

    return run.use(options.run)


def _cover_and_message(options: argparse.Namespace) -> tuple[str, str]:
    if len(options.given) != 2:
        raise InputError(f"hide takes two files, COVER and MESSAGE; {len(options.given)} given")
    return tuple(options.given)


def _choices(options: argparse.Namespace, *, learned: bool = True):
    from stegojax import hiding

    given = {name: getattr(options, name, None) for name in hiding.Choices._fields}
    if given["constraint_height"] is not None and given["code"] == "polar":
        raise InputError(
            "--constraint-height belongs to the stc code; leave it out with --code polar"
        )
    if options.run and learned:
        _refuse_with_run(options, "cost", "scheme")
        from stegojax import run

        given["learned"] = run.load_scheme(options.run)
    choices = hiding.Choices(**{name: value for name, value in given.items() if value is not None})
    hiding.check_choices(choices)
    return choices


def _message(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else pathlib.Path(name).read_bytes()


def _secret(options: argparse.Namespace, *, confirm: bool):
    """The password or key of a command; asked for on the terminal, without echo, where no file is
    given.
    """
    from stegojax import secret

    if options.key_file and options.password_file:
        raise InputError("give --password-file or --key-file, not both")
    if options.key_file:
        return secret.key_file(pathlib.Path(options.key_file).read_bytes())
    if options.password_file:
        content = pathlib.Path(options.password_file).read_bytes()
        return secret.password(content.removesuffix(b"\n").removesuffix(b"\r"))
    text = _ask("Password: ")
    if confirm and _ask("Again: ") != text:
        raise InputError("the two passwords differ; start again")
    return secret.password(text)


def _ask(prompt: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (getpass.GetPassWarning, EOFError) as error:
        raise InputError(
            "there is no terminal to ask for a password on; use --password-file or --key-file"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
