"""Where salt, header and body lie, and what a header says: by the format's text, and there and
back.
"""

import functools
import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from stegojax import envelope, secret
from stegojax.errors import InputError

KEY = secret.key_file(bytes(range(32)))
SIZES = envelope.Sizes(3000, 256, 512)


def test_parts_are_disjoint_and_in_the_orders_of_the_format():
    keys = secret.derive(KEY, bytes(16))
    salt, (header, body) = envelope.salt_part(SIZES), envelope.keyed_parts(keys, SIZES)
    assert (salt.places.size, header.places.size) == (256, 512)
    np.testing.assert_array_equal(salt.places, secret.public_order(3000)[:256])
    order = [place for place in secret.order(keys.order, 3000) if place not in set(salt.places)]
    assert np.concatenate([header.places, body.places]).tolist() == order


def test_streams_run_through_header_and_body():
    keys = secret.derive(KEY, bytes(16))
    header, body = envelope.keyed_parts(keys, SIZES)
    key = hashlib.sha256(b"stegojax 1 public bits").digest()
    for parts, own in (([envelope.salt_part(SIZES)], key), ([header, body], keys.signs)):
        cipher = Cipher(algorithms.ChaCha20(own, bytes(16)), mode=None).encryptor()
        count = sum(part.places.size for part in parts)
        stream = np.unpackbits(np.frombuffer(cipher.update(bytes(-(-count // 8))), np.uint8))
        together = np.concatenate([envelope.stream(part) for part in parts])
        np.testing.assert_array_equal(together, stream[:count])


@pytest.mark.parametrize(
    "layout,numbers",
    [
        (envelope.Layout("plain", (), 10), (128 + 10, 1)),
        (envelope.Layout("cmd", (), 7), (128 + 16 + 7, 1)),
        (envelope.Layout("synch"), (128 + 32, 1)),
        (envelope.Layout("synch", (), 12, 500, strided=False), (32 + 12, 500)),
        (envelope.Layout("", (3, 7)), (128 + 48, 3 + 7 * 16)),
        (envelope.Layout("", (1, 2, 1, 15), 9), (128 + 48 + 9, 1 + 2 * 16 + 256 + 15 * 4096)),
    ],
)
def test_layouts_are_what_the_format_says(layout, numbers):
    assert envelope.described(layout) == numbers
    assert envelope.layout_of(secret.Header(*numbers, 20, (0,) * 4)) == layout


@pytest.mark.parametrize("layout", [1, 6, 13, 16 + 15, 128 + 6])
def test_codes_that_there_are_not_are_no_message(layout):
    with pytest.raises(InputError, match="no message"):
        envelope.layout_of(secret.Header(layout, 1, 20, (0,) * 4))


@pytest.mark.parametrize("segments", [0, 1, 15, 0x10, 0x101, 0x1011])
def test_weights_that_there_are_not_are_no_message(segments):
    with pytest.raises(InputError, match="no message"):
        envelope.layout_of(secret.Header(48 + 7, segments, 20, (0,) * 4))


def test_the_networks_layout_is_none_by_costs():
    with pytest.raises(InputError, match="no message"):
        envelope.layout_of(secret.Header(envelope.BY_NETWORKS, 1, 20, (0,) * 4))


@pytest.mark.parametrize("shares", [(), (1,) * 5, (0, 1), (16, 1), (1.5, 2)])
def test_masks_that_no_header_describes_are_refused(shares):
    with pytest.raises(InputError, match="one to 4 whole numbers from 1 to 15"):
        envelope.check_shares(shares)


def test_what_is_written_is_read():
    """With carriers that are vectors of bits, two side by side."""
    salts = [bytes(range(16)), bytes(16)]
    keys = [secret.derive(KEY, salt) for salt in salts]
    carriers = np.full((2, SIZES.elements), 9, np.uint8)

    def put(number, part, bits):
        carriers[number, part.places[: bits.size]] = bits

    def put_bodies(parts, bodies):
        for number, (part, bits) in enumerate(zip(parts, bodies)):
            put(number, part, bits)
        return [(1, 2), (3, 4)]

    packed = [secret.pack(message) for message in (b"one", b"two")]
    envelope.write(
        keys, salts, packed, sizes=SIZES, layout=5, segments=6, put_bodies=put_bodies, put=put
    )
    headers = []
    for carrier, message in zip(carriers, (b"one", b"two")):

        def get(part, length, carrier=carrier):
            return carrier[part.places[:length]]

        def get_body(part, header, get=get):
            headers.append(header)
            return get(part, 8 * header.length)

        keys_of = functools.partial(secret.derive, KEY)
        assert envelope.read(keys_of, sizes=SIZES, get=get, get_body=get_body) == message
    assert headers == [secret.Header(5, 6, 20, (1, 2, 0, 0)), secret.Header(5, 6, 20, (3, 4, 0, 0))]
    with pytest.raises(InputError, match="no message"):
        other = functools.partial(secret.derive, secret.key_file(bytes(32)))
        envelope.read(other, sizes=SIZES, get=get, get_body=get_body)


def test_a_body_that_cannot_be_read_is_no_message():
    def get_body(part, header):
        raise ValueError("lengths that do not fit")

    keys = secret.derive(KEY, bytes(16))
    carrier = np.zeros(SIZES.elements, np.uint8)

    def put(number, part, bits):
        carrier[part.places[: bits.size]] = bits

    envelope.write(
        [keys],
        [bytes(16)],
        [b"\0"],
        sizes=SIZES,
        layout=5,
        segments=6,
        put_bodies=lambda parts, bodies: [()],
        put=put,
    )
    with pytest.raises(InputError, match="no message"):
        envelope.read(
            functools.partial(secret.derive, KEY),
            sizes=SIZES,
            get=lambda part, length: carrier[part.places[:length]],
            get_body=get_body,
        )
