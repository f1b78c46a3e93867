"""A cost from outside of the package: one line in `COSTS`, and the command hides by it, the
simulator and the security protocol know it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.photographs import photograph

from stegojax import cli, costs, embed, images, security
from stegojax.errors import InputError
from stegojax.types import Costs


def bright_is_dear(plane):
    """A toy: to change a pixel costs its value, and nothing may become darker than 100."""
    rho = 1.0 + plane
    return Costs(rho, jnp.where(plane > 100, rho, jnp.inf))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(costs.COSTS, "bright", bright_is_dear)


def test_the_command_hides_by_it_and_the_key_alone_reveals(tmp_path, capsys):
    cover, message = tmp_path / "cover.png", tmp_path / "letter.txt"
    Image.fromarray(photograph((64, 72, 3)).pixels).save(cover)
    message.write_text("meet me at noon")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    key, stego = ["--key-file", str(tmp_path / "key")], str(tmp_path / "stego.png")
    hidden = ["hide", str(cover), str(message), "-o", stego, "--scheme", "bright-cmd", *key]
    assert cli.main(hidden) == 0, capsys.readouterr().err
    out = str(tmp_path / "out.txt")
    assert cli.main(["reveal", stego, "-o", out, *key]) == 0
    assert (tmp_path / "out.txt").read_text() == "meet me at noon"
    before, after = (np.asarray(images.read(path).pixels, int) for path in (cover, stego))
    changed = before != after
    assert changed.any() and not (changed & (after < before) & (before <= 100)).any()
    assert before[changed].mean() < before.mean()  # the dark is cheap


def test_the_simulator_and_the_protocol_know_it():
    plane = jnp.asarray(photograph((48, 48, 1)).pixels[..., 0], jnp.float32)
    scheme = embed.parse_scheme("bright")
    change = np.asarray(embed.simulate(jax.random.key(0), plane, 300.0, scheme=scheme))
    assert 20 < np.abs(change).sum() < 300 and not (change[np.asarray(plane) <= 100] < 0).any()
    assert security.parse("bright-cmd").name == "bright-cmd"


def test_the_refusal_of_an_unknown_cost_lists_it():
    with pytest.raises(InputError, match="bright"):
        embed.parse_scheme("dark")
