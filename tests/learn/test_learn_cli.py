import importlib.util
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from classicseg.cli import main
from classicseg.learn.topics import TOPICS, put
from tests.lessons.browser import chromium

MARIMO = importlib.util.find_spec("marimo") is not None and importlib.util.find_spec("matplotlib") is not None
needs_marimo = pytest.mark.skipif(not MARIMO, reason="marimo is not installed, so no notebook is opened")


def test_without_a_topic_they_are_listed(capsys):
    assert main(["learn"]) == 0
    said = capsys.readouterr().out
    assert all(f"{name} " in said and question in said for name, question in TOPICS.items())


def test_a_copy_is_kept_with_what_was_changed_in_it(tmp_path):
    notebook = put("cut", tmp_path / "new" / "folder")
    assert "marimo.App" in notebook.read_text()
    notebook.write_text("mine")
    (notebook.parent / "pyproject.toml").write_text("mine, too")
    assert put("cut", notebook.parent).read_text() == "mine"
    assert (notebook.parent / "pyproject.toml").read_text() == "mine, too"


def test_without_marimo_a_line_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["learn", "dense"]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == "classicseg learn: notebooks need marimo and matplotlib, the extra `learn`: pip install marimo matplotlib\n"
    )


@needs_marimo
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["denze"], "no topic 'denze'; did you mean dense?"),
        (["dense", "--port", "0"], "--port must be in 1 to 65535, got 0"),
        (["dense", "--image", "no.jpg"], "no such file: no.jpg"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line(arguments, message, capsys):
    assert main(["learn", *arguments]) == 2
    assert capsys.readouterr().err == f"classicseg learn: {message}\n"


@needs_marimo
def test_a_port_in_use_is_said_in_a_line(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["learn", "dense", "--port", str(port)]) == 2
    assert f"port {port} cannot be opened" in capsys.readouterr().err


def wait_for(window, sentence):
    end = time.monotonic() + 120  # kernels may have to be compiled
    while sentence not in (text := window.run("return document.body.innerText")):
        assert time.monotonic() < end, text
        time.sleep(0.2)
    return text


@needs_marimo
@pytest.mark.slow
def test_a_notebook_in_a_browser(tmp_path):
    words = [sys.executable, "-m", "classicseg", "learn", "messages", "--no-browser", "--folder", str(tmp_path)]
    with chromium() as window, subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
            window.driver.get(address)
            text = wait_for(window, "Pixels that changed their minds: 1. The energy of what they found is 11.00")
            assert "def heard(order)" in text  # the code stands beside what it does
            thumb = "return document.querySelectorAll('marimo-slider')[1].shadowRoot.querySelector('[role=slider]')"
            window.run(thumb).send_keys("\ue011")  # Home: neighbours may differ at no cost
            wait_for(window, "Pixels that changed their minds: 0.")
            severe = [entry for entry in window.driver.get_log("browser") if entry["level"] == "SEVERE"]
            assert severe == []
        finally:
            window.driver.get("about:blank")
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
    assert server.returncode == 130
