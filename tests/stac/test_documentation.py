"""The examples of the page on the STAC API, run against a site and a hub."""

import subprocess
import sys
from pathlib import Path

from tests.docs.following import blocks
from tests.federated import Service

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "stac-api.md"
SHOWN = ["items found", '"type":"FeatureCollection"', "[", "<!doctype html>"]


def test_the_examples_run(service: Service) -> None:
    printed = []
    for language, content in blocks(PAGE):
        text = content.replace("http://127.0.0.1:8300", service.url)
        command = [sys.executable, "-c", text] if language == "python" else ["bash", "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert len(printed) == len(SHOWN)
    for wanted, got in zip(SHOWN, printed, strict=True):
        assert wanted in got
