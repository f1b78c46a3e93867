"""Sentences as picture files: sent exactly or not at all, read under the right key alone, and what
cannot be says why.

The networks are replaced by a rule that writes word numbers into pixels under a key and garbles
about half of the noises, so that what the command does with the answers of a network is seen;
untrained networks take their place where a test says so.
"""

import hashlib

import jax
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from support.configs import load
from support.sentences import ROW, VOCABULARY, stub

from stegojax import cli, hiders, images, run, secret
from stegojax.checkpoint import Checkpoints, Position
from stegojax.data import kinds, pipeline, tokenizer
from stegojax.errors import InputError
from stegojax.hiders import sentences

KEY, OTHER = secret.key_file(bytes(range(32))), secret.key_file(bytes(range(1, 33)))


def use(monkeypatch, sender):
    """Puts a sender in the place of the run's."""
    monkeypatch.setattr(run, "load", lambda workdir: sender.loaded)
    monkeypatch.setattr(sentences, "hider", lambda loaded, options: sentences.hider_of(sender))


@pytest.fixture()
def workdir(tmp_path, monkeypatch):
    """A folder whose run is the rule."""
    settings = load("seq2seq_gan").get_config("tiny")
    folder = tmp_path / "run"
    run.open_workdir(settings, folder)
    use(monkeypatch, stub())
    (tmp_path / "key").write_bytes(KEY.value)
    (tmp_path / "other").write_bytes(OTHER.value)
    (tmp_path / "message").write_text("The cat sees my dog.\n")
    monkeypatch.chdir(tmp_path)
    return folder


def stegojax(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_arrays_of_a_key_follow_their_format():
    """Against the format in the module, with the cipher alone."""
    found = sentences.material(KEY, "scramble")
    keys = secret.derive(KEY, hashlib.sha256(b"stegojax 1 sentences").digest()[:16])

    def stream(key, length):
        return (
            Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(length))
        )

    np.testing.assert_array_equal(found.arrays["order"][0], secret.order(keys.order, 512))
    bits = [byte >> place & 1 for byte in stream(keys.signs, 64) for place in range(7, -1, -1)]
    assert found.arrays["signs"][0].tolist() == [-1.0 if bit else 1.0 for bit in bits]
    words = np.frombuffer(stream(keys.check, 4 * 512 * 128), "<u4").astype(float)
    a, b = words[512 * 3 + 10], words[512 * 3 + 11]
    radius, angle = np.sqrt(-2 * np.log((a + 1) / 2**32)), 2 * np.pi * b / 2**32
    np.testing.assert_allclose(
        found.noise[3].reshape(-1)[10:12],
        [radius * np.cos(angle), radius * np.sin(angle)],
        rtol=1e-5,
    )
    assert (
        found.noise.shape == (128, 2, 256)
        and abs(found.noise.mean()) < 0.01
        and abs(found.noise.std() - 1) < 0.01
    )
    assert set(sentences.material(KEY, "modulation").arrays) == {"secret"}
    assert sentences.material(None, "none").arrays == {}
    assert not np.array_equal(found.noise, sentences.material(OTHER, "scramble").noise)


def test_a_sentence_is_hidden_and_revealed_from_the_file(workdir, capsys):
    tries, pictures = set(), set()
    for _ in range(12):
        code, out, err = stegojax(
            capsys,
            "hide",
            "--run",
            workdir,
            "message",
            "-o",
            "s.png",
            "--key-file",
            "key",
            "--overwrite",
        )
        assert (
            code == 0
            and "the cat sees my dog. at try " in out
            and "(read back from the file)" in out
        ), err
        tries.add(int(out.split("try ")[1].split()[0]))
        pictures.add(images.read("s.png").pixels.tobytes())
    assert (
        len(pictures) > 3 and len(tries) > 1
    )  # half of the noises fail, and their order is drawn anew
    code, out, err = stegojax(capsys, "reveal", "--run", workdir, "s.png", "--key-file", "key")
    assert (code, out) == (0, "the cat sees my dog.\n"), err
    code, out, err = stegojax(
        capsys, "reveal", "--run", workdir, "s.png", "--key-file", "key", "-o", "found"
    )
    assert code == 0 and (workdir.parent / "found").read_text() == "the cat sees my dog.\n"


def test_a_wrong_key_a_changed_picture_and_another_one_give_nothing(workdir, capsys):
    stegojax(capsys, "hide", "--run", workdir, "message", "-o", "s.png", "--key-file", "key")
    pixels = images.read("s.png").pixels.copy()
    changed = pixels.copy()
    changed[1:, ..., 1] ^= 3
    images.write("changed.png", changed)
    rounded = pixels.copy()
    rounded[1:20, ..., 1] ^= 1
    images.write("rounded.png", rounded)
    images.write(
        "other.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    )
    for picture, key in (("s.png", "other"), ("changed.png", "key"), ("other.png", "key")):
        code, out, err = stegojax(capsys, "reveal", "--run", workdir, picture, "--key-file", key)
        assert (code, out) == (1, "")
        assert err.strip() == f"stegojax: {picture}: {sentences.NOT_READ}"
    # A tenth of a level on average is what rounding may do on another machine.
    code, out, _ = stegojax(capsys, "reveal", "--run", workdir, "rounded.png", "--key-file", "key")
    assert code == 0 and out == "the cat sees my dog.\n"


def test_a_sentence_that_no_picture_says_is_not_sent(workdir, capsys, monkeypatch):
    use(monkeypatch, stub(threshold=-100.0))
    code, out, err = stegojax(
        capsys, "hide", "--run", workdir, "message", "-o", "s.png", "--key-file", "key"
    )
    assert (
        code == 1
        and "of 128 pictures none is read exactly" in err
        and not (workdir.parent / "s.png").exists()
    )


def test_the_search_takes_the_first_in_order():
    sender, key = stub(), sentences.material(KEY, "scramble")
    ids = VOCABULARY.encode("the cat sees.", length=ROW).ids
    order = np.arange(127, -1, -1)
    good = [place for place, number in enumerate(order) if key.noise[number, 0, 0] <= 0]
    found = sentences.search(sender.loaded, ids, key, order=order)
    assert found.tries == good[0] + 1
    late = order[[place for place in range(128) if place not in good][:20] + [good[3]]]
    assert sentences.search(sender.loaded, ids, key, order=late).tries == 21
    assert sentences.search(sender.loaded, ids, key, order=late[:20]) is None
    assert sentences.distance(sender.loaded, ids, found.pixels, key) == 0
    assert (
        sentences.distance(sender.loaded, ids, found.pixels, sentences.material(OTHER, "scramble"))
        > 5
    )


@pytest.mark.parametrize(
    "text,words",
    [
        (b"", "the sentence is empty"),
        (b"the zebra sees.", "the word 'zebra' is not in the vocabulary of 7 words"),
        (
            b"the cat sees my old old dog.",
            "has 8 words and marks, and there is room for 6; shorten it: 'dog'",
        ),
        (b"the cat.\nmy dog.\n", "has 2 lines, and a picture holds one sentence"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_message_that_cannot_be_sent_says_why(workdir, capsys, text, words):
    (workdir.parent / "message").write_bytes(text)
    code, out, err = stegojax(
        capsys, "hide", "--run", workdir, "message", "-o", "s.png", "--key-file", "key"
    )
    assert code == 1 and words in err and len(err.strip().splitlines()) == 1 and not out
    assert not (workdir.parent / "s.png").exists()


def test_other_input_that_cannot_be_used_says_why(workdir, capsys):
    images.write("small.png", np.zeros((32, 64, 3), np.uint8))
    images.write("grey.png", np.zeros((64, 64, 1), np.uint8))
    (workdir.parent / "short").write_bytes(b"key")
    key = ["--key-file", "key"]
    for arguments, words in (
        (["hide", "message", "-o", "s.jpg", *key], "lossy"),
        (["hide", "message", "-o", "grey.png", *key], "exists already"),
        (["hide", "message", "message", "-o", "s.png", *key], "give MESSAGE alone, 2 files given"),
        (["hide", "message", "-o", "s.png"], "no terminal to ask for a password"),
        (["hide", "message", "-o", "s.png", "--key-file", "short"], "32 random bytes"),
        (["reveal", "small.png", *key], "is 64x32 colour, and the run's pictures are 64x64 colour"),
        (["reveal", "grey.png", *key], "is 64x64 grey"),
        (["reveal", "message", *key], "not a picture file"),
        (["reveal", "grey.png", "-o", "small.png", *key], "exists already"),
        (["reveal", "grey.png"], "no terminal to ask for a password"),
    ):
        code, out, err = stegojax(capsys, arguments[0], "--run", workdir, *arguments[1:])
        assert code == 1 and words in err and not out, (arguments, err)


def test_a_reveal_without_a_place_for_the_message_is_refused(workdir, capsys):
    code, _, err = stegojax(capsys, "reveal", "s.png", "--key-file", "key")
    assert code == 1 and "name a file with -o" in err


def test_untrained_networks_and_their_vocabulary(tmp_path):
    """A run as training leaves it: its vocabulary is found, another one is refused, and what it
    cannot say it does not send.
    """
    settings = load("seq2seq_gan").get_config("tiny")
    made = run.method(settings)
    run.open_workdir(settings, tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(
        1, jax.jit(made.init)(jax.random.key(0), run.example(settings)), Position(1, 1)
    )
    checkpoints.close()
    assert run.use(tmp_path) == "sentences"
    vocabulary = tokenizer.load(tmp_path / kinds.VOCABULARY_NAME)
    assert vocabulary.content() == pipeline.files(settings.data.to_dict())["vocabulary.json"]
    assert len(vocabulary) <= settings.method.vocabulary
    word, hider = vocabulary.words[4], hiders.load(tmp_path)
    for shared, words in (
        (KEY, "of 128 pictures none is read exactly"),
        (None, "the run needs a key"),
    ):
        with pytest.raises(InputError, match=words):
            hider.hide(shared, None, f"{word} {word} {word}".encode())
    images.write(tmp_path / "p.png", np.full((64, 64, 3), 100, np.uint8))
    with pytest.raises(InputError, match="no sentence can be read"):
        hiders.reveal_file(hider, lambda: KEY, tmp_path / "p.png")
    with pytest.raises(InputError, match="--scheme is for"):
        hiders.load(tmp_path, hiders.Options(scheme="hill"))
    run.open_workdir(settings, tmp_path)
    (tmp_path / kinds.VOCABULARY_NAME).write_bytes(VOCABULARY.content())
    with pytest.raises(InputError, match="vocabulary.json is not what the data give now"):
        run.open_workdir(settings, tmp_path)
    with pytest.raises(InputError, match="uses no key; leave out"):
        sentences.material(KEY, "none")
