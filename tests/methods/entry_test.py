"""A method from outside of the package: one line in `METHODS` and a config, and it is trained,
evaluated, and hides files.
"""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from stegojax import cli, evaluate, images, losses, methods, parallel, run, train
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, network
from stegojax.types import Method, State

SHAPE = bit_hiding.MessageShape(channels=1, depth=1)


def levels_method(optimizer: optax.GradientTransformation) -> Method:
    """The third of every eight grey levels says 0, the seventh 1; where to part them is learned."""

    def embed(state, cover, message):
        return 8 * jnp.floor(cover / 8) + 2 + 4 * message

    def logits(params, stego):
        return stego % 8 - params["threshold"]

    def init(key, batch):
        params = {"threshold": jnp.float32(6.5)}
        return State(jnp.int32(0), {"reader": params}, {"reader": {}}, optimizer.init(params))

    def loss_fn(params, stego, message):
        return jnp.mean(losses.bit_cross_entropy(logits(params, stego), message))

    def train_step(state, batch, key):
        message = bit_hiding.draw(key, batch["cover"], SHAPE)
        stego = embed(state, batch["cover"], message)
        loss, gradients = jax.value_and_grad(loss_fn)(state.params["reader"], stego, message)
        params, opt_state, _ = network.descend(
            optimizer, gradients, state.opt_state, state.params["reader"]
        )
        after = State(state.step + 1, {"reader": params}, state.batch_stats, opt_state)
        return after, parallel.mean({"loss": loss})

    return Method(
        init,
        train_step,
        bit_hiding.predict_with(
            embed, lambda state, stego: logits(state.params["reader"], stego), SHAPE
        ),
        bit_hiding.measure,
        receptive_radius=0,
    )


def from_config(section, *, steps_per_epoch, load=None):
    return levels_method(optax.sgd(section["learning_rate"]))


ENTRY = methods.Entry(from_config, use="bits", message=lambda section: SHAPE, reports=("quality",))


def config(name="levels"):
    return ml_collections.ConfigDict(
        dict(
            seed=3,
            batch_size=4,
            epochs=0.0,
            steps=6,
            log_every=1,
            method=dict(name=name, learning_rate=4.0),
            data=dict(
                kind="pictures",
                source="embedded",
                data_dir="",
                preprocess=(),
                augment=(),
                crop=16,
                colour=False,
                crops_per_photo=1,
            ),
            loader=dict(workers=0, threads=1, prefetch=2),
            evaluation=dict(every=3, crop=0, batches=1, refresh_batches=0),
            report=dict(batches=2),
            checkpoint=dict(every=3, keep=2, milestones=0),
        )
    )


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.METHODS, "levels", ENTRY)
        folder = tmp_path_factory.mktemp("run")
        assert train.train(config(), folder).finished
        yield folder


def test_it_is_trained_by_its_name(workdir):
    loaded = run.load(workdir)
    assert loaded.step == 6 and run.use(workdir) == "bits"
    # From where a seventh level says 0 to between the third and the seventh.
    assert 2 < loaded.state.params["reader"]["threshold"] < 6


def test_it_is_evaluated(workdir):
    text = evaluate.evaluate(config(), workdir)
    header, _, row = [line for line in text.splitlines() if line.startswith("|")]
    figures = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert "levels" in row and float(figures["accuracy"]) == 1.0


def test_it_hides_files(workdir, tmp_path, capsys):
    cover = np.random.default_rng(0).integers(0, 256, (64, 64, 1)).astype(np.uint8)
    images.write(tmp_path / "cover.png", cover)
    (tmp_path / "message").write_bytes(b"any file")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    given = ["--run", str(workdir), "--key-file", str(tmp_path / "key")]
    cover, message, stego, out = (
        str(tmp_path / name) for name in ("cover.png", "message", "stego.png", "out")
    )
    assert cli.main(["hide", cover, message, "-o", stego, *given]) == 0, capsys.readouterr().err
    assert cli.main(["reveal", stego, "-o", out, *given]) == 0, capsys.readouterr().err
    assert (tmp_path / "out").read_bytes() == b"any file"


def test_a_method_that_nobody_registered_is_refused(workdir):
    with pytest.raises(InputError, match="method 'elsewhere' is unknown; there are abdh, "):
        run.method(config("elsewhere"))
