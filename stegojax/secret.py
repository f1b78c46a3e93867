"""From a password or a key file to what is embedded: keys, the order of the elements, the header
and the sealed message.

A stego holds three strings of bits, and without the key each of them looks like random bits:

    salt     128 bits, random for every picture, in elements that anybody can compute
             (`public_order`)
    header   224 bits, in the first elements of the keyed order
    body     the sealed message, in the rest of the keyed order

Format, version 1. Numbers are little-endian; the bits of a byte run from the highest to the lowest.

    root     password: scrypt(password, salt, N = 2^15, r = 8, p = 1), 32 bytes, where the password
             is UTF-8 in Unicode's form NFC; key file: HMAC-SHA256(key = salt, data = the 32 bytes
             of the file) (HKDF-Extract)
    keys     HKDF-Expand(SHA-256, root, info = "stegojax 1 " + name), 32 bytes each, for the names
             "header", "check", "order", "seal" and "signs"
    stream   of a key: ChaCha20 (RFC 8439) with the nonce 0, from block 0
    order    of `count` elements: word i is the i-th 64-bit word of the stream of "order", its
             lowest b bits replaced by i, b = the bit length of count - 1; the order is that of the
             sorted words. The public order is that of the stream of the key `PUBLIC_KEY`
    header   version u8, layout u8, segments u16, body length in bytes u32, upper layer's bits of
             each of four phases u32, then the first 4 bytes of HMAC-SHA256("check", the 24 bytes so
             far); all added to the stream of "header"
    body     ChaCha20-Poly1305("seal", nonce 0, associated data = the first 8 bytes of the header
             before encryption) of: one byte, 0 or 1, and the message, as it is (0) or compressed by
             zlib (1)

The salt makes every key serve one message alone, which is why the nonces may be 0. What `layout`
means is not decided here: see `envelope.py`. This file needs neither JAX nor a picture: bytes and
uint8 bits in, bytes and bits out.
"""

from __future__ import annotations

import codecs
import hashlib
import hmac
import struct
import unicodedata
import zlib
from typing import NamedTuple

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from stegojax.errors import InputError

VERSION = 1
KEY_BYTES = 32
"""Of a key file."""
SALT_BYTES = 16
HEADER_BYTES = 28
PHASES = 4
"""How many phases a header describes."""
TAG_BYTES = 16
OVERHEAD_BYTES = 1 + TAG_BYTES
"""By how much a body is longer than its message: the byte that tells of compression, and the tag.
"""
PUBLIC_KEY = hashlib.sha256(b"stegojax 1 public order").digest()
NO_MESSAGE = (
    "no message can be read with this key: it is another key, or the picture hides none, "
    "or it was changed"
)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""What a file of text begins with that says how it is encoded."""
_FIELDS = struct.Struct("<BBHI4I")
_BOUND_BYTES = 8
_CHECK_BYTES = 4
_CHUNK_WORDS = 1 << 20


class Secret(NamedTuple):
    """What the sender and the receiver share.

    kind:  "password" or "key file".
    value: the password's normalised UTF-8, or the 32 bytes of the file.
    """

    kind: str
    value: bytes


class Keys(NamedTuple):
    """The keys of one picture, 32 bytes each: for the header, its check, the order, the seal and
    the directions of changes.
    """

    header: bytes
    check: bytes
    order: bytes
    seal: bytes
    signs: bytes


class Header(NamedTuple):
    """What the receiver must know to read the body.

    layout:   0..255, which elements carry which phase, and the code.
    segments: 1..65535, independent trellises of the code; or what else the layout needs said.
    length:   bytes of the body.
    upper:    bits in the upper layer of each of the `PHASES` phases; 0 for phases that there are
              not.
    """

    layout: int
    segments: int
    length: int
    upper: tuple[int, ...]


def password(text: str | bytes) -> Secret:
    """A password as a secret.

    Args:
      text: the password; bytes that are UTF-8 count as the text that they encode, others as they
        are.

    Returns:
      The secret; texts that Unicode considers equal (form NFC) give the same.

    Raises:
      InputError: the password is empty.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return Secret("password", text)
    if not text:
        raise InputError("the password is empty; give one with at least one character")
    return Secret("password", unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass"))


def password_of_file(content: bytes) -> Secret:
    """The content of a password file as a secret: the same as its text typed.

    Args:
      content: the password, with or without one line end; a file that begins with a byte-order
        mark is text in that encoding (UTF-8, UTF-16 or UTF-32), as editors on Windows write it.

    Returns:
      The secret.

    Raises:
      InputError: the password is empty.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                text = content[len(mark) :].decode(encoding)
            except UnicodeDecodeError:
                break  # no text, though it begins like one
            return password(text.removesuffix("\n").removesuffix("\r"))
    return password(content.removesuffix(b"\n").removesuffix(b"\r"))


def key_file(content: bytes) -> Secret:
    """The content of a key file as a secret.

    Args:
      content: 32 random bytes.

    Returns:
      The secret.

    Raises:
      InputError: there are not 32 bytes.
    """
    if len(content) != KEY_BYTES:
        given = len(content) if len(content) <= KEY_BYTES else "more"
        raise InputError(
            f"a key file holds exactly {KEY_BYTES} random bytes, this one {given}; make one with "
            "`head -c 32 /dev/urandom`, or use a password"
        )
    return Secret("key file", bytes(content))


def derive(shared: Secret, salt: bytes) -> Keys:
    """The keys of one picture (scrypt: RFC 7914; HKDF: RFC 5869). A password takes about 100 ms, on
    purpose.

    Args:
      shared: the secret.
      salt: 16 bytes, read from the picture or fresh.

    Returns:
      The keys.

    Raises:
      ValueError: the salt is not 16 bytes long, or the secret is of no known kind.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, {len(salt)} given")
    if shared.kind == "password":
        root = Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(shared.value)
    elif shared.kind == "key file":
        root = hmac.digest(salt, shared.value, "sha256")
    else:
        raise ValueError(f'a secret is a "password" or a "key file", got {shared.kind!r}')
    return Keys(
        *(
            HKDFExpand(
                algorithm=hashes.SHA256(), length=32, info=b"stegojax 1 " + name.encode()
            ).derive(root)
            for name in Keys._fields
        )
    )


def keystream(key: bytes, length: int) -> bytes:
    """The first bytes of a key's stream (ChaCha20, RFC 8439, nonce 0, from block 0).

    Args:
      key: 32 bytes.
      length: number of bytes.

    Returns:
      The bytes.
    """
    return Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(length))


def order(key: bytes, count: int) -> np.ndarray:
    """The permutation of elements that a key stands for, by sorting random words (format: see the
    module).

    Args:
      key: 32 bytes.
      count: number of elements, 0..2^31.

    Returns:
      `[count]` int32: which element comes first, second and so on. The same on every platform.

    Raises:
      ValueError: the count is out of range.
    """
    if not 0 <= count <= 1 << 31:
        raise ValueError(f"between 0 and 2^31 elements can be ordered, {count} given")
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    zeros = bytes(8 * min(count, _CHUNK_WORDS))
    bits = max(count - 1, 0).bit_length()
    words = np.empty(count, np.uint64)
    for first in range(0, count, _CHUNK_WORDS):
        part = words[first : first + _CHUNK_WORDS]
        part[:] = np.frombuffer(stream.update(zeros[: 8 * part.size]), "<u8")
        part >>= np.uint64(bits)
        part <<= np.uint64(bits)
        part |= np.arange(first, first + part.size, dtype=np.uint64)
    words.sort()
    words &= np.uint64((1 << bits) - 1)
    return words.astype(np.int32)


def public_order(count: int) -> np.ndarray:
    """The permutation that everybody can compute; its first elements carry the salt.

    Args:
      count: number of elements.

    Returns:
      `[count]` int32.
    """
    return order(PUBLIC_KEY, count)


def to_bits(data: bytes) -> np.ndarray:
    """The bits of bytes, highest first.

    Args:
      data: n bytes.

    Returns:
      `[8 n]` uint8.
    """
    return np.unpackbits(np.frombuffer(data, np.uint8))


def to_bytes(bits_M: np.ndarray) -> bytes:
    """The inverse of `to_bits`.

    Args:
      bits_M: `[8 n]` uint8.

    Returns:
      n bytes.

    Raises:
      ValueError: the bits do not fill whole bytes.
    """
    if bits_M.size % 8:
        raise ValueError(f"bytes have a multiple of 8 bits, {bits_M.size} given")
    return np.packbits(bits_M).tobytes()


def pack(message: bytes) -> bytes:
    """What is sealed: the message, compressed where that makes it shorter, after a byte that says
    so.

    Args:
      message: any bytes, none included.

    Returns:
      At most one byte more than the message.
    """
    compressed = zlib.compress(message, 9)
    return b"\1" + compressed if len(compressed) < len(message) else b"\0" + message


def seal(keys: Keys, packed: bytes, *, layout: int, segments: int) -> bytes:
    """Encrypts a packed message (ChaCha20-Poly1305, RFC 8439) and binds it to what the header says
    of it.

    Args:
      keys: of this picture; they must not have sealed anything else.
      packed: from `pack`.
      layout, segments: as the header will say.

    Returns:
      The body, 16 bytes longer than `packed`.
    """
    header = Header(layout, segments, len(packed) + TAG_BYTES, (0,) * PHASES)
    return ChaCha20Poly1305(keys.seal).encrypt(bytes(12), packed, _fields(header)[:_BOUND_BYTES])


def unseal(keys: Keys, body: bytes, header: Header) -> bytes:
    """Decrypts a body and unpacks the message.

    Args:
      keys: of this picture.
      body: as extracted.
      header: as read.

    Returns:
      The message.

    Raises:
      InputError: the body is not what was sealed with these keys and this header.
    """
    try:
        packed = ChaCha20Poly1305(keys.seal).decrypt(
            bytes(12), body, _fields(header)[:_BOUND_BYTES]
        )
        return {0: bytes, 1: zlib.decompress}[packed[0]](packed[1:])
    except (InvalidTag, IndexError, KeyError, ValueError, zlib.error) as error:
        raise InputError(NO_MESSAGE) from error


def write_header(keys: Keys, header: Header) -> bytes:
    """The header as it is embedded.

    Args:
      keys: of this picture.
      header: what to say.

    Returns:
      28 bytes that look random.

    Raises:
      ValueError: a field is out of range.
    """
    try:
        fields = _fields(header)
    except (struct.error, TypeError) as error:
        raise ValueError(f"this header cannot be written: {header}") from error
    return _masked(keys, fields + hmac.digest(keys.check, fields, "sha256")[:_CHECK_BYTES])


def read_header(keys: Keys, embedded: bytes) -> Header:
    """The inverse of `write_header`.

    Args:
      keys: of this picture.
      embedded: 28 bytes.

    Returns:
      The header.

    Raises:
      InputError: it was not written with these keys, or by a later version.
    """
    plain = _masked(keys, embedded)
    fields, check = plain[:-_CHECK_BYTES], plain[-_CHECK_BYTES:]
    if not hmac.compare_digest(hmac.digest(keys.check, fields, "sha256")[:_CHECK_BYTES], check):
        raise InputError(NO_MESSAGE)
    version, layout, segments, length, *upper = _FIELDS.unpack(fields)
    if version != VERSION:
        raise InputError(
            f"the message is hidden in format {version}, this program reads format {VERSION}; "
            "update stegojax"
        )
    return Header(layout, segments, length, tuple(upper))


def _fields(header: Header) -> bytes:
    return _FIELDS.pack(VERSION, header.layout, header.segments, header.length, *header.upper)


def _masked(keys: Keys, data: bytes) -> bytes:
    if len(data) != HEADER_BYTES:
        raise ValueError(f"a header has {HEADER_BYTES} bytes, {len(data)} given")
    return bytes(a ^ b for a, b in zip(data, keystream(keys.header, HEADER_BYTES), strict=True))
