"""The page as a browser gets it: to this machine alone, asked by itself alone; and in a browser."""

import base64
import contextlib
import http.client
import json
import shutil
import threading
import time

import pytest
from support.photographs import photograph

from stegojax import images
from stegojax.demo import page
from stegojax.errors import InputError


@contextlib.contextmanager
def serving(answering):
    with page.server(answering) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port():
    def echo(given):
        if "fault" in given:
            raise InputError(given["fault"])
        return {"said": given["word"].upper()}

    with serving({"/echo": echo}) as port:
        yield port


def asked(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(page.ADDRESS, port, timeout=30)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        headers = {"Content-Type": "application/json", **headers}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_the_page_and_its_script_are_there_and_load_nothing_from_elsewhere(port):
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript")):
        status, content, headers = asked(port, "GET", path)
        assert status == 200 and headers.get_content_type() == kind and b"http" not in content
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert asked(port, "GET", "/etc/passwd")[0] == 404


def test_questions_are_answered_and_refused_in_words(port):
    status, content, _ = asked(port, "POST", "/echo", '{"word": "a"}')
    assert (status, json.loads(content)) == (200, {"said": "A"})
    for body, words in (('{"fault": "too long"}', "too long"), ("[", "not one that"), ("3", "not")):
        status, content, _ = asked(port, "POST", "/echo", body)
        assert status == 400 and words in json.loads(content)["error"]
    assert asked(port, "POST", "/echo", "", Content_Length=str(page.LARGEST + 1))[0] == 400
    assert asked(port, "POST", "/other", "{}")[0] == 404


@pytest.mark.parametrize(
    "headers,status",
    [
        ({"Host": "elsewhere.example"}, 403),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content_Type": "text/plain"}, 404),
    ],
)
def test_pages_from_elsewhere_are_refused(port, headers, status):
    assert asked(port, "POST", "/echo", '{"word": "a"}', **headers)[0] == status


def test_a_port_that_is_taken_is_said(port):
    with pytest.raises(InputError, match=f"port {port} .* give another --port"):
        page.server({}, port=port)
    with pytest.raises(InputError, match="give another --port"):
        page.server({}, port=70000)


def test_files_go_through_as_base64(tmp_path):
    images.write(tmp_path / "c.png", photograph((40, 40, 1)).pixels)
    cover = base64.b64encode((tmp_path / "c.png").read_bytes()).decode()
    answers = page.answers()
    fields = {"cover": cover, "cover_name": "c.png", "scheme": "hill", "password": "p"}
    found = answers["/hide"]({**fields, "message": base64.b64encode(b"\0\xff").decode()})
    assert "--run RUN" in found["detected"][0] and base64.b64decode(found["changes"])
    back = answers["/reveal"]({"stego": found["stego"], "stego_name": "s.png", "password": "p"})
    assert base64.b64decode(back["message"]) == b"\0\xff"
    assert any("carries" in line for line in answers["/capacity"](fields)["said"])
    with pytest.raises(InputError, match="not base64"):
        answers["/reveal"]({"stego": "?", "stego_name": "s.png", "password": "p"})


@pytest.mark.slow
def test_a_browser_hides_downloads_uploads_and_reveals(tmp_path):
    """Chromium and its driver, as Debian packages them."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    images.write(tmp_path / "c.png", photograph((64, 64, 3)).pixels)
    with serving(page.answers()) as port:
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            _hide_and_reveal(browser, port, tmp_path / "c.png", downloads)
            severe = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
            # The wrong password's answer, and nothing else.
            assert [line["message"].split("/")[-1].split()[0] for line in severe] == ["reveal"]
        finally:
            browser.quit()


def _hide_and_reveal(browser, port, cover, downloads):
    def at(name):
        return browser.find_element("id", name)

    def wait(ready):
        deadline = time.monotonic() + 120
        while not ready():
            assert time.monotonic() < deadline, browser.page_source
            time.sleep(0.1)

    browser.get(f"http://{page.ADDRESS}:{port}/")
    at("cover").send_keys(str(cover))
    wait(lambda: "carries up to" in at("carries").text)
    at("text").send_keys("grüße from the page")
    at("password").send_keys("secret words")
    at("hide").click()
    wait(lambda: at("pictures").is_displayed())
    assert "bytes hidden with" in at("hidden").text
    for name in ("before", "after", "changes"):
        assert browser.execute_script("return arguments[0].naturalWidth", at(name)) == 64
    at("download").click()
    stego = downloads / "c-stego.png"
    wait(stego.exists)
    at("stego").send_keys(str(stego))
    at("again").send_keys("another")
    at("reveal").click()
    wait(lambda: "no message" in at("revealed").text)
    at("again").clear()
    at("again").send_keys("secret words")
    at("reveal").click()
    wait(lambda: "grüße from the page" in at("revealed").text)
    at("message").click()
    wait((downloads / "message").exists)
    assert (downloads / "message").read_text(encoding="utf-8") == "grüße from the page"
