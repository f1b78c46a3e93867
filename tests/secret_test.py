"""Keys, orders, headers and sealed messages: against the standards written out by hand, and uniform
to the eye.
"""

import hashlib
import hmac
import struct
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stegojax import secret
from stegojax.errors import InputError

KEY = secret.key_file(bytes(range(32)))
SALT = bytes(range(100, 116))


def chacha20(key, length):
    """RFC 8439, section 2.3, with nonce 0 and block counter from 0."""

    def quarter(x, a, b, c, d):
        for first, second, third, shift in (
            (a, b, d, 16),
            (c, d, b, 12),
            (a, b, d, 8),
            (c, d, b, 7),
        ):
            x[first] = (x[first] + x[second]) & 0xFFFFFFFF
            mixed = x[third] ^ x[first]
            x[third] = (mixed << shift | mixed >> (32 - shift)) & 0xFFFFFFFF

    stream = b""
    for counter in range(-(-length // 64)):
        start = [
            *struct.unpack("<4I", b"expand 32-byte k"),
            *struct.unpack("<8I", key),
            counter,
            0,
            0,
            0,
        ]
        x = list(start)
        for _ in range(10):
            for i in range(4):
                quarter(x, i, i + 4, i + 8, i + 12)
            for i in range(4):
                quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        stream += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))
    return stream[:length]


def test_the_stream_is_chacha20():
    assert (
        chacha20(bytes(32), 8).hex() == "76b8e0ada0f13d90"
    )  # RFC 8439, appendix A.1, test vector 1
    key = bytes(range(32))
    assert secret.keystream(key, 200) == chacha20(key, 200)


@pytest.mark.parametrize("shared", [KEY, secret.password("pass word")])
def test_the_keys_are_those_of_the_format(shared):
    if shared.kind == "password":
        root = hashlib.scrypt(b"pass word", salt=SALT, n=32768, r=8, p=1, dklen=32, maxmem=1 << 26)
    else:
        root = hmac.new(SALT, bytes(range(32)), hashlib.sha256).digest()
    keys = secret.derive(shared, SALT)
    for name in ("header", "check", "order", "seal", "signs"):
        assert (
            getattr(keys, name)
            == hmac.new(root, b"stegojax 1 " + name.encode() + b"\1", hashlib.sha256).digest()
        )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 65, 300])
def test_an_order_sorts_words_of_the_stream(count, monkeypatch):
    monkeypatch.setattr(secret, "_CHUNK_WORDS", 37)
    key = bytes(range(7, 39))
    words = struct.unpack(f"<{count}Q", chacha20(key, 8 * count))
    bits = max(count - 1, 0).bit_length()
    expected = [i for _, i in sorted((word >> bits, i) for i, word in enumerate(words))]
    assert secret.order(key, count).tolist() == expected


def test_an_order_is_a_permutation_and_moves_everything():
    order = secret.order(bytes(32), 100_000)
    assert np.array_equal(np.sort(order), np.arange(100_000)) and order.dtype == np.int32
    assert np.abs(np.corrcoef(order, np.arange(100_000))[0, 1]) < 0.02
    with pytest.raises(ValueError, match="ordered"):
        secret.order(bytes(32), -1)


def test_equal_texts_are_one_password():
    composed = unicodedata.normalize("NFC", "pässwörd")
    for form in ("NFC", "NFD"):
        assert secret.password(unicodedata.normalize(form, composed)) == secret.Secret(
            "password", composed.encode()
        )
        assert (
            secret.password(unicodedata.normalize(form, composed).encode()).value
            == composed.encode()
        )
    assert secret.password(b"\xff\xfe").value == b"\xff\xfe"


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: secret.password(""), "empty"),
        (lambda: secret.password(b""), "empty"),
        (lambda: secret.key_file(bytes(31)), "exactly 32 random bytes, this one 31"),
    ],
)
def test_what_is_no_secret_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 255), st.integers(1, 65535))
def test_a_sealed_message_comes_back_and_nothing_else_does(message, layout, segments):
    keys = secret.derive(KEY, SALT)
    packed = secret.pack(message)
    assert len(packed) <= len(message) + 1
    body = secret.seal(keys, packed, layout=layout, segments=segments)
    assert len(body) == len(packed) + 16
    header = secret.Header(layout, segments, len(body), (1, 2, 3, 4))
    assert secret.unseal(keys, body, header) == message
    wrong = [
        (keys, body, header._replace(layout=layout ^ 1)),
        (keys, body, header._replace(length=len(body) + 1)),
        (keys, body[:-1], header),
        (keys, b"", header),
        (secret.derive(KEY, SALT[::-1]), body, header),
    ]
    wrong += [
        (keys, body[:i] + bytes([body[i] ^ 4]) + body[i + 1 :], header)
        for i in (0, len(body) // 2, len(body) - 1)
    ]
    for case in wrong:
        with pytest.raises(InputError, match="no message can be read with this key"):
            secret.unseal(*case)


def test_text_is_compressed_and_noise_is_not():
    assert len(secret.pack(b"again and " * 100)) < 60
    noise = secret.keystream(bytes(32), 1000)
    assert secret.pack(noise) == b"\0" + noise


def test_a_header_comes_back_and_no_flipped_bit_does():
    keys, header = secret.derive(KEY, SALT), secret.Header(0x1A, 1, 123456, (5, 0, 2**32 - 1, 7))
    embedded = secret.write_header(keys, header)
    assert len(embedded) == secret.HEADER_BYTES and secret.read_header(keys, embedded) == header
    for bit in range(8 * len(embedded)):
        flipped = bytearray(embedded)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError, match="no message can be read"):
            secret.read_header(keys, bytes(flipped))
    with pytest.raises(InputError, match="no message can be read"):
        secret.read_header(secret.derive(KEY, SALT[::-1]), embedded)
    with pytest.raises(ValueError, match="cannot be written"):
        secret.write_header(keys, header._replace(length=1 << 32))


def test_a_later_format_is_named(monkeypatch):
    keys, header = secret.derive(KEY, SALT), secret.Header(0, 1, 17, (0, 0, 0, 0))
    monkeypatch.setattr(secret, "VERSION", 2)
    embedded = secret.write_header(keys, header)
    monkeypatch.undo()
    with pytest.raises(InputError, match="format 2.*update"):
        secret.read_header(keys, embedded)


def test_what_is_embedded_looks_random_over_keys():
    """Chi-square over 1,000 keys of one message: every bit position, every byte value, and
    neighbours' agreement.
    """
    strings = []
    for number in range(1000):
        shared = secret.key_file(hashlib.sha256(b"key %d" % number).digest())
        salt = hashlib.sha256(b"salt %d" % number).digest()[:16]
        keys = secret.derive(shared, salt)
        body = secret.seal(
            keys, secret.pack(b"attack at dawn, the usual place"), layout=0x1A, segments=1
        )
        header = secret.write_header(keys, secret.Header(0x1A, 1, len(body), (100, 90, 80, 70)))
        strings.append(secret.to_bits(salt + header + body))
    bits = np.stack(strings).astype(int)
    positions = ((bits.sum(axis=0) - 500) ** 2 / 250).sum()
    agree = ((np.diff(bits, axis=1) == 0).sum(axis=0) - 500) ** 2 / 250
    counts = np.bincount(np.packbits(bits.astype(np.uint8), axis=1).ravel(), minlength=256)
    expected = counts.sum() / 256
    for statistic, freedom in (
        (positions, bits.shape[1]),
        (agree.sum(), bits.shape[1] - 1),
        (((counts - expected) ** 2 / expected).sum(), 255),
    ):
        assert abs(statistic - freedom) < 4.5 * np.sqrt(2 * freedom), (statistic, freedom)


def test_bits_and_bytes():
    assert secret.to_bits(b"\x80\x01").tolist() == [1] + [0] * 14 + [1]
    assert secret.to_bytes(secret.to_bits(b"any bytes")) == b"any bytes"
    with pytest.raises(ValueError, match="multiple of 8"):
        secret.to_bytes(np.zeros(7, np.uint8))
