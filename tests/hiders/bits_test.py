"""Files through networks that write and read bits: what is hidden comes back exactly, or an error
says why.
"""

import hashlib

import numpy as np
import pytest
from support import noisy_bits, toy_runs
from support.noisy_bits import loaded

from stegojax import cli, envelope, images, run, secret
from stegojax.coding import correction
from stegojax.data import embedded
from stegojax.errors import InputError
from stegojax.hiders import bit_channel, bits

KEY = secret.key_file(bytes(range(32)))


@pytest.fixture(autouse=True, scope="module")
def registered():
    with noisy_bits.registered():
        yield


def photograph(height, width, channels=1):
    pixels = images.read(embedded.path_of("chelsea")).pixels[:height, :width]
    return np.ascontiguousarray(pixels[..., :channels])


@pytest.mark.parametrize(
    "method,size",
    [
        (dict(noise=1.0), (96, 90, 1)),  # a grey run and picture
        (dict(noise=1.0), (60, 60, 3)),  # a grey run and the channels of a colour picture
        (dict(channels=3, depth=2, noise=1.0), (64, 70, 3)),
        (dict(channels=3, depth=3, noise=1.0), (64, 64, 1)),  # a colour run and a grey picture
        (dict(depth=0, length=100, noise=0.7), (130, 140, 1)),
        (dict(channels=3, depth=0, length=120, noise=0.7), (130, 140, 3)),
        (dict(noise=3.0), (200, 200, 1)),  # two bits in three right
    ],
)
def test_messages_come_back_exactly(method, size):
    given, cover = loaded(**method), photograph(*size)
    found = bits.capacity(given, cover)
    assert found.most > 0
    rng = np.random.default_rng(0)
    for length in (0, 1, found.most - 1):  # a byte says that it is not compressed
        message = rng.bytes(length)
        stego = bits.hide(given, KEY, cover, message)
        assert stego.dtype == np.uint8 and stego.shape[:2] == cover.shape[:2]
        assert stego.shape[2] == max(cover.shape[2], method.get("channels", 1))
        assert bits.reveal(given, KEY, stego) == message
        with pytest.raises(InputError, match="no message can be read with this key"):
            bits.reveal(given, secret.key_file(bytes(32)), stego)
    with pytest.raises(
        InputError, match=f"this cover carries {found.most} with this run; shorten it"
    ):
        bits.hide(given, KEY, cover, rng.bytes(elements_bytes(given, cover)))


def elements_bytes(given, cover):
    return bit_channel.elements(given, cover) // 8


def test_the_sounding_is_what_the_noise_says():
    """Logistic noise of scale s turns level +-2 over with probability 1 / (1 + exp(2 / s)); the
    capacity follows by sums.
    """
    for noise in (0.5, 1.0, 2.0):
        found = bit_channel.sound(loaded(noise=noise), photograph(250, 250))
        assert found.elements == 62_500
        assert found.accuracy == pytest.approx(1 / (1 + np.exp(-2 / noise)), abs=0.006)
        x = np.linspace(-60, 60, 200_001)
        density = [
            np.exp(-(x - side) / noise) / (noise * (1 + np.exp(-(x - side) / noise)) ** 2)
            for side in (2, -2)
        ]
        both = density[0] + density[1]
        entropy = -(density[0] / both) * np.log2(density[0] / both)
        exact = 1 - np.trapezoid(both * entropy, x)
        assert exact - 0.02 < found.information < exact + 0.01


def test_six_sevenths_of_what_the_channel_carries_arrive():
    given, cover = loaded(noise=1.0), photograph(300, 440)
    sounding = bit_channel.sound(given, cover)
    message = np.random.default_rng(1).bytes(int(6 / 7 * sounding.information * cover.size) // 8)
    assert bits.reveal(given, KEY, bits.hide(given, KEY, cover, message)) == message


def test_outputs_may_move_by_the_margin():
    """Another machine's outputs, all moved towards the wrong side by less than the margin, or at
    random, still say the message.
    """
    given, cover = loaded(noise=1.0), photograph(96, 96)
    message = np.random.default_rng(2).bytes(bits.capacity(given, cover).most - 1)
    stego = bits.hide(given, KEY, cover, message)
    real, rng = bit_channel.read_bits, np.random.default_rng(0)

    def other_machine(*arguments):
        logits = real(*arguments)
        return logits + 0.5 * bits.MARGIN * np.abs(logits).mean() * rng.choice(
            [-1.0, 1.0], logits.shape
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bit_channel, "read_bits", other_machine)
        assert bits.reveal(given, KEY, stego) == message


def test_what_only_just_comes_back_is_not_hidden(monkeypatch):
    """Where outputs that move by the margin would not say the message, it is refused, though it
    would come back here.
    """
    given, cover = loaded(noise=1.0), photograph(96, 96)
    message = np.random.default_rng(2).bytes(bits.capacity(given, cover).most - 1)
    monkeypatch.setattr(bits, "MARGIN", 0.6)
    with pytest.raises(InputError, match="this cover carries"):
        bits.hide(given, KEY, cover, message)


def test_no_two_stegos_share_a_salt(monkeypatch):
    given, cover = loaded(noise=0.5), photograph(60, 60)
    stegos, salts, real = [bits.hide(given, KEY, cover, b"the message") for _ in range(3)], [], None
    real = secret.derive
    monkeypatch.setattr(
        secret, "derive", lambda shared, salt: salts.append(salt) or real(shared, salt)
    )
    assert all(bits.reveal(given, KEY, stego) == b"the message" for stego in stegos)
    assert len(set(salts)) == 3


def test_what_the_networks_write_are_fair_bits(monkeypatch):
    """The shortest message in a large cover leaves no pattern: every bit is added to a key's
    stream.
    """
    given, cover, written = loaded(noise=0.5), photograph(200, 200), []
    real = bit_channel.write_bits
    monkeypatch.setattr(
        bit_channel,
        "write_bits",
        lambda *arguments: written.append(arguments[2]) or real(*arguments),
    )
    stego = bits.hide(given, KEY, cover, b"")
    found = written[-1].astype(float)
    assert abs(found.mean() - 0.5) < 0.01 and abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.02
    salt_at = envelope.salt_part(bits._sizes(found.size, 1)).places
    assert abs(found[salt_at].mean() - 0.5) < 0.1
    assert bits.reveal(given, KEY, stego) == b""


def test_a_damaged_stego_never_gives_wrong_bytes():
    given, cover = loaded(noise=1.0), photograph(96, 96)
    message = np.random.default_rng(3).bytes(bits.capacity(given, cover).most - 1)
    stego = bits.hide(given, KEY, cover, message)
    rng = np.random.default_rng(4)
    for share in (0.001, 0.02, 0.2, 1.0):
        harmed = np.where(rng.random(stego.shape) < share, stego ^ 4, stego)
        try:
            assert bits.reveal(given, KEY, harmed) == message
        except InputError as error:
            assert str(error) == secret.NO_MESSAGE
            assert share > 0.001
    with pytest.raises(InputError, match="no message can be read"):
        bits.reveal(given, KEY, cover)


def test_blocks_go_out_and_back():
    plane = np.arange(2 * 7 * 11, dtype=np.uint8).reshape(7, 11, 2)
    blocks = bit_channel._blocks(plane, (3, 4))
    assert blocks.shape == (4, 3, 4, 2)
    np.testing.assert_array_equal(blocks[1], plane[:3, 4:8])
    np.testing.assert_array_equal(blocks[2], plane[3:6, :4])
    np.testing.assert_array_equal(bit_channel._with_blocks(plane, blocks), plane)
    changed = bit_channel._with_blocks(plane, blocks + 1.0)
    np.testing.assert_array_equal(changed[:6, :8], plane[:6, :8] + 1.0)
    np.testing.assert_array_equal(changed[6:], plane[6:])
    np.testing.assert_array_equal(changed[:, 8:], plane[:, 8:])


def test_the_format_stays():
    """What an earlier version wrote is read: bits and their places follow from key, salt and trust
    alone.
    """
    keys = secret.derive(KEY, bytes(16))
    trust = np.arange(correction.GRADES, dtype=np.uint8) * 4
    sounding = bit_channel.Sounding(6000, 0.9, 0.6, trust)
    written = bits._written(keys, bytes(16), secret.pack(b"the message"), sounding, 2)
    assert hashlib.sha256(written.tobytes()).hexdigest()[:16] == "2fe2ff55d01dd15b"
    sure = 4.0 * written - 2 + np.linspace(-0.1, 0.1, written.size)
    assert bits._comes_back(keys, bytes(16), sure, 2, b"the message")
    assert not bits._comes_back(keys, bytes([1] * 16), sure, 2, b"the message")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return toy_runs.write_run(tmp_path_factory.mktemp("run"), noisy_bits.config(noise=1.0))


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    cover = photograph(75, 91, 3)
    alpha = np.arange(75 * 91, dtype=np.uint32).reshape(75, 91).astype(np.uint8)
    images.write(
        tmp_path / "cover.png",
        cover,
        like=images.Picture(
            cover, alpha, metadata=images.Metadata(gamma=0.45455, text=(("Author", "nobody"),))
        ),
    )
    images.write(tmp_path / "small.png", photograph(20, 20))
    (tmp_path / "message").write_bytes(b"the message\0\xff" * 3)
    (tmp_path / "long").write_bytes(np.random.default_rng(0).bytes(9000))
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "password").write_bytes(b"secret words\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture()
def stegojax(capfdbinary):
    def call(*arguments, code=0):
        assert cli.main([str(argument) for argument in arguments]) == code
        captured = capfdbinary.readouterr()
        return captured.out, captured.err.decode()

    return call


@pytest.mark.parametrize("key", [("--key-file", "key"), ("--password-file", "password")])
def test_a_file_is_hidden_and_revealed_by_the_command(workdir, folder, stegojax, key):
    out, _ = stegojax("hide", "--run", workdir, "cover.png", "message", "-o", "s.png", *key)
    assert (
        out.startswith(b"s.png: 39 bytes hidden, 0.0457 bits per pixel, ")
        and b"read back from the file" in out
    )
    out, _ = stegojax("reveal", "--run", workdir, "s.png", "-o", "found", *key)
    assert (
        out == b"found: 39 bytes\n"
        and (folder / "found").read_bytes() == (folder / "message").read_bytes()
    )
    out, err = stegojax("reveal", "--run", workdir, "s.png", "-o", "-", *key)
    assert out == (folder / "message").read_bytes() and not err
    stego, cover = images.read("s.png"), images.read("cover.png")
    np.testing.assert_array_equal(stego.alpha, cover.alpha)
    assert (
        stego.metadata.text == (("Author", "nobody"),) and stego.pixels.shape == cover.pixels.shape
    )


def test_capacity_is_what_hides(workdir, folder, stegojax):
    lines = stegojax("capacity", "--run", workdir, "cover.png")[0].decode().splitlines()
    assert lines[0] == "cover.png: 91x75 colour, 20475 bits written"
    most = int(lines[1].split()[3])
    (folder / "most").write_bytes(np.random.default_rng(0).bytes(most - 1))
    stegojax("hide", "--run", workdir, "cover.png", "most", "-o", "s.png", "--key-file", "key")
    assert (
        stegojax("reveal", "--run", workdir, "s.png", "-o", "-", "--key-file", "key")[0]
        == (folder / "most").read_bytes()
    )
    assert b"cannot carry a message" in stegojax("capacity", "--run", workdir, "small.png")[0]


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["hide", "cover.png", "message", "-o", "s.jpg"], "s.jpg: .jpg files are lossy"),
        (["hide", "cover.png", "message", "-o", "cover.png"], "is the cover itself"),
        (["hide", "--overwrite", "cover.png", "message", "-o", "cover.png"], "is the cover itself"),
        (["hide", "none.png", "message", "-o", "s.png"], "none.png: no such file"),
        (["hide", "cover.png", "-o", "s.png"], "hide takes two files, COVER and MESSAGE; 1 given"),
        (["hide", "cover.png", "none", "-o", "s.png"], "none: no such file"),
        (["hide", "cover.png", "message", "-o", "no/s.png"], "cannot be written"),
        (
            ["hide", "cover.png", "long", "-o", "s.png"],
            "the message takes 9000 bytes (after compression), and this cover carries",
        ),
        (["hide", "small.png", "message", "-o", "s.png"], "take a larger or another cover"),
        (
            ["hide", "--scheme", "hill", "cover.png", "message", "-o", "s.png"],
            "--scheme is for messages under a key",
        ),
        (["hide", "--code", "polar", "cover.png", "message", "-o", "s.png"], "--code"),
        (["reveal", "cover.png", "-o", "found"], "cover.png: no message can be read with this key"),
        (["reveal", "small.png", "-o", "found"], "small.png: no message can be read with this key"),
        (["reveal", "cover.png", "-o", "message"], "message: exists already"),
        (["reveal", "message", "-o", "found"], "message: not a picture file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(workdir, folder, stegojax, arguments, message):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out, err = stegojax(arguments[0], "--run", workdir, "--key-file", "key", *arguments[1:], code=1)
    assert not out and len(err.strip().splitlines()) == 1 and message in err, err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_other_runs_hide_no_bits():
    settings = noisy_bits.config()
    settings.method.name = "isgan"
    with pytest.raises(InputError, match="a run of isgan does not hide bits in pictures"):
        bit_channel.message_shape(run.Loaded(settings, None, None, 1))
