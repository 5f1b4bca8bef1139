"""Nothing a user meets goes undocumented, and the documentation builds without a warning."""

import json
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "reference.py"))


def test_every_command_and_option_is_described(reference: dict[str, Any]) -> None:
    page = reference["commands_page"]()
    names = [name for name, _ in reference["commands"]()]
    assert {"cscale demo", "cscale serve", "cscale ingest", "cscale search", "cscale sites list"} <= set(
        names
    )
    assert all(f"## `{name}`" in page for name in names)


def test_every_setting_is_described(reference: dict[str, Any]) -> None:
    page = reference["configuration_page"]()
    for member in ("state", "data", "endpoints", "timeout", "product", "retention"):
        assert f"| `{member}` |" in page


def test_what_has_no_description_is_refused(reference: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="has no description"):
        reference["_described"]("", "something")


def test_every_plug_point_is_documented() -> None:
    text = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    for group in project["entry-points"]:
        assert f"`{group}`" in text, f"the plug point {group} is not documented"


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    build = ["-W", "-q", "-b", "html", "-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")]
    command = [sys.executable, "-m", "sphinx", *build]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").exists()


def test_the_schemas_accept_the_examples_of_the_documentation(
    reference: dict[str, Any], tmp_path: Path
) -> None:
    reference["write"](tmp_path)
    schema = json.loads((tmp_path / "site.schema.json").read_text())
    example = (DOCS / "howto" / "join.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    jsonschema.validate(yaml.safe_load(example), schema)
