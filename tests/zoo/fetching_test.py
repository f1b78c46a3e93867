"""Models fetched from a server, with their SHA-256 checked."""

import functools
import hashlib
import http.server
import threading

import pytest
from support import toy_runs

from stegojax import cli, export, run
from stegojax.errors import InputError
from stegojax.zoo import fetching, shelves


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A shelf with two models behind a URL."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shelf = tmp_path / "shelf"
    with toy_runs.registered():
        workdir = toy_runs.write_run(tmp_path / "run", toy_runs.config("toy_costs"))
        for label in ("toy@1", "toy@2"):
            export.export(workdir, shelf / label)
        handler = functools.partial(Quiet, directory=str(shelf))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield shelf, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_one_model_or_all_of_a_shelf(served, capsys):
    _, url = served
    assert [model.label for model in fetching.fetch(f"{url}/toy@1")] == ["toy@1"]
    assert run.load("toy").title == "toy@1"
    assert cli.main(["models", "--fetch", f"{url}/MANIFEST.json"]) == 0
    assert "toy@2: fetched to" in capsys.readouterr().out
    assert run.load("toy").title == "toy@2"
    assert sorted(path.name for path in shelves.cache().glob("downloads/*")) == []


def test_hashes_are_checked(served):
    shelf, url = served
    said = hashlib.sha256((shelf / "MANIFEST.json").read_bytes()).hexdigest()
    fetching.fetch(f"{url}/toy@1#sha256={said}")
    with pytest.raises(InputError, match="MANIFEST.json: cannot be fetched"):
        fetching.fetch(f"{url}/toy@2#sha256={'0' * 64}")
    (shelf / "toy@2" / "weights.safetensors").write_bytes(b"something else")
    with pytest.raises(InputError, match="toy%402/weights.safetensors: cannot be fetched"):
        fetching.fetch(f"{url}/toy@2")
    assert shelves.find("toy@2") is None and shelves.find("toy@1") is not None


@pytest.mark.parametrize(
    "place,words",
    [
        ("/tyo@1", "lists no model tyo@1; it has toy@1, toy@2"),
        ("/toy@1#md5=00", "is no URL of models"),
    ],
)
def test_what_is_not_there_is_refused(served, place, words):
    with pytest.raises(InputError, match=words):
        fetching.fetch(served[1] + place)


def test_a_file_is_no_url(tmp_path):
    with pytest.raises(InputError, match="is no URL of models"):
        fetching.fetch(str(tmp_path / "toy@1"))
