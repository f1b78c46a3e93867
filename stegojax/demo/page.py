"""Serves the page of `stegojax demo` on this machine, and answers what it asks.

Only 127.0.0.1 is listened to. A page from elsewhere in the same browser is refused: requests name
this host (no other name may lead here) and are JSON, which browsers let no foreign page send.
"""

from __future__ import annotations

import base64
import binascii
import http.server
import importlib.resources
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from stegojax import detection, edge, verdicts
from stegojax.demo import operations
from stegojax.errors import InputError

ADDRESS = "127.0.0.1"
LARGEST = 256 << 20
"""Bytes of a request."""

_PAGES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_ONLY_FROM_HERE = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Answers = Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]


def answers(judges: operations.Judges | None = None) -> Answers:
    """What the page can ask.

    Args:
      judges: what `operations.detect` takes; None for no judgement.

    Returns:
      Path -> `(fields of the request) -> fields of the answer`; files are base64 text in both.
    """

    def capacity(given):
        cover = _file(given, "cover")
        picture = _text(operations.shown(cover))
        return {"said": operations.capacity(cover, scheme=_word(given, "scheme")), "png": picture}

    def hide(given):
        cover = _file(given, "cover")
        message = _bytes(given, "message")
        found = operations.hide(
            cover, message, _word(given, "password"), scheme=_word(given, "scheme")
        )
        judged = "start `stegojax demo --run RUN` with a trained steganalyzer to see its score"
        lines: tuple[str, ...] = (judged,)
        if judges is not None:
            lines = operations.detect(judges, [cover, found.stego])
        return {
            "name": found.stego.name,
            "stego": _text(found.stego.content),
            "png": _text(operations.shown(found.stego)),
            "changes": _text(found.changes),
            "said": found.said,
            "detected": lines,
        }

    def reveal(given):
        message = operations.reveal(_file(given, "stego"), _word(given, "password"))
        return {"message": _text(message), "said": [f"{len(message)} bytes"]}

    return {"/capacity": capacity, "/hide": hide, "/reveal": reveal}


def server(answering: Answers, *, port: int = 0) -> http.server.ThreadingHTTPServer:
    """A server of the page; `serve_forever` runs it.

    Args:
      answering: from `answers`.
      port: of its address; 0 for any that is free.

    Returns:
      The server, which listens already.

    Raises:
      InputError: the port cannot be had.
    """
    one_at_a_time = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers one request."""

        def do_GET(self):
            if not self._is_own():
                return
            if self.path not in _PAGES:
                self._send(404, b"", "text/plain")
                return
            name, kind = _PAGES[self.path]
            content = importlib.resources.files(__package__).joinpath(name).read_bytes()
            self._send(200, content, kind)

        def do_POST(self):
            if not self._is_own():
                return
            answer = answering.get(self.path)
            length = self.headers.get("Content-Length", "")
            if answer is None or self.headers.get_content_type() != "application/json":
                self._send(404, b"", "text/plain")
                return
            if not length.isdigit() or int(length) > LARGEST:
                self._refuse(f"a request is of at most {LARGEST >> 20} MiB; take smaller files")
                return
            try:
                given = json.loads(self.rfile.read(int(length)))
                with one_at_a_time:
                    found = answer(given)
            except InputError as error:
                self._refuse(str(error))
            except OSError as error:
                self._refuse(edge.in_words(error))
            except (AttributeError, TypeError, ValueError):
                self._refuse("the request is not one that this page sends")
            else:
                self._send(200, json.dumps(found).encode(), "application/json")

        def log_message(self, format, *arguments):
            del format, arguments

        def _is_own(self) -> bool:
            hosts = {f"{name}:{self.server.server_address[1]}" for name in (ADDRESS, "localhost")}
            origin = self.headers.get("Origin", "")
            own = self.headers.get("Host") in hosts
            own = own and (not origin or origin.removeprefix("http://") in hosts)
            if not own:
                self._send(403, b"", "text/plain")
            return own

        def _refuse(self, text: str) -> None:
            self._send(400, json.dumps({"error": text}).encode(), "application/json")

        def _send(self, code: int, content: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", _ONLY_FROM_HERE)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            # What is left of a refused request is not read as the next one.
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            self.wfile.write(content)

    try:
        return http.server.ThreadingHTTPServer((ADDRESS, port), Handler)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"port {port} of this machine cannot be had ({getattr(error, 'strerror', error)}); "
            "give another --port"
        ) from error


def serve(*, port: int, run: str | None = None) -> int:
    """Serves the page until Ctrl-C.

    Args:
      port: of its address.
      run: of a trained steganalyzer; None for the models that ship.

    Returns:
      The exit code of the command.

    Raises:
      InputError: the port cannot be had, or the run is no steganalyzer.
    """
    with server(answers(_judges(run)), port=port) as serving:
        print(
            f"http://{ADDRESS}:{serving.server_address[1]} shows the page, to this machine alone; "
            "Ctrl-C ends it",
            flush=True,
        )
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            print("ended")
    return 0


def _judges(run: str | None) -> operations.Judges | None:
    if run:
        return operations.judged_by(detection.load(run))
    try:
        return operations.judged_by_models(verdicts.load())
    except InputError:  # none came with the package
        return None


def _word(given: Mapping[str, Any], name: str) -> str:
    word = given.get(name, "")
    if not isinstance(word, str):
        raise InputError(f"{name} is no text")
    return word


def _bytes(given: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_word(given, name), validate=True)
    except binascii.Error as error:
        raise InputError(f"{name} is not base64") from error


def _file(given: Mapping[str, Any], name: str) -> operations.File:
    return operations.File(_word(given, f"{name}_name"), _bytes(given, name))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
