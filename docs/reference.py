"""Writes the reference from the code: commands, configuration files with their JSON Schema, HTTP.

What it finds without a description it refuses: nothing goes undocumented.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main

from cscale.app import HubConfig, SiteConfig
from cscale.cli import app
from cscale.identity.issuer import IssuerSettings
from cscale.stac.api.about.openapi import document


class UndocumentedError(Exception):
    """Something a user meets has no description."""


def write(folder: Path) -> None:
    """Write all pages of the reference into a folder."""
    folder.mkdir(exist_ok=True)
    pages = {
        "commands.md": commands_page(),
        "configuration.md": configuration_page(),
        "http.md": http_page(),
        "site.schema.json": json.dumps(SiteConfig.model_json_schema(), indent=2),
        "hub.schema.json": json.dumps(HubConfig.model_json_schema(), indent=2),
    }
    for name, text in pages.items():
        (folder / name).write_text(text + "\n")


def commands() -> Iterator[tuple[str, Any]]:
    """All commands with their full names."""
    yield from _commands("cscale", typer.main.get_command(app))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for each, inner in command.commands.items():
            yield from _commands(f"{name} {each}", inner)
    else:
        yield name, command


def commands_page() -> str:
    """The commands, their arguments and options."""
    parts = ["# Commands", EXIT_CODES]
    for name, command in commands():
        parts += [f"## `{name}`", _described(command.help, name)]
        rows = ["| argument or option | meaning |", "| --- | --- |"]
        for parameter in command.params:
            shown, meaning = _parameter(name, parameter)
            rows.append(f"| {shown} | {meaning} |")
        if len(rows) > 2:
            parts.append("\n".join(rows))
    return "\n\n".join(parts)


EXIT_CODES = """Every command has `--help`; those with a result have `--json`.

Exit codes: 0 all of what was asked was done; 1 it failed; 2 wrong usage; 3 done, but some sites are
missing from the answer."""


def _parameter(command: str, parameter: Any) -> tuple[str, str]:
    meaning = _described(getattr(parameter, "help", None), f"{command} {parameter.name}")
    if parameter.param_type_name == "option":
        default = parameter.default
        shown = default is not None and default is not False and not callable(default)
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        return names, meaning + (f" Default: `{getattr(default, 'value', default)}`." if shown else "")
    return f"`{parameter.name}`", meaning


def configuration_page() -> str:
    """The members of the configuration files."""
    parts = ["# Configuration", CONFIGURATION]
    files = (("A site's file", SiteConfig), ("A hub's file", HubConfig), ("An issuer's file", IssuerSettings))
    for title, model in files:
        schema = model.model_json_schema()
        parts += [f"## {title}", _table(schema, title)]
        for name, inner in schema.get("$defs", {}).items():
            if "properties" in inner:
                parts += [f"### {name}", _described(inner.get("description"), name), _table(inner, name)]
    return "\n\n".join(parts)


CONFIGURATION = """Configuration files are YAML, and JSON is YAML. Relative paths are relative to the folder
the file lies in. Names that are not known are refused. As JSON Schema:
{download}`a site's <site.schema.json>`, {download}`a hub's <hub.schema.json>`."""


def _table(schema: Mapping[str, Any], where: str) -> str:
    rows = ["| member | type | meaning |", "| --- | --- | --- |"]
    required = schema.get("required", [])
    for name, member in schema["properties"].items():
        meaning = _described(member.get("description"), f"{where}: {name}")
        default = "" if name in required else f" Default: `{json.dumps(member.get('default'))}`."
        rows.append(f"| `{name}` | {_type(member)} | {meaning}{default if 'default' in member else ''} |")
    return "\n".join(rows)


def _type(member: Mapping[str, Any]) -> str:
    if "$ref" in member:
        return str(member["$ref"]).rpartition("/")[2]
    if "enum" in member:
        return " or ".join(f"`{value}`" for value in member["enum"])
    if "anyOf" in member:
        return " or ".join(_type(each) for each in member["anyOf"])
    if member.get("type") == "array":
        return f"list of {_type(member.get('items', {}))}"
    if member.get("type") == "object" and isinstance(member.get("additionalProperties"), dict):
        return f"name: {_type(member['additionalProperties'])}"
    return str(member.get("type", member.get("const", "any")))


def http_page() -> str:
    """The addresses of a site and a hub."""
    described = document("", "", "", aggregates=True)
    rows = [
        f"| `{method.upper()} /stac{path}` | {_described(operation['summary'], path)} |"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    search = described["paths"]["/search"]["get"]["parameters"]
    asked = [f"| `{each['name']}` | {_described(each['description'], each['name'])} |" for each in search]
    table = "\n".join(["| address | what |", "| --- | --- |", *rows])
    parameters = "\n".join(["| parameter | meaning |", "| --- | --- |", *asked])
    return "\n\n".join(["# HTTP", HTTP, "## STAC API", table, "### Search parameters", parameters])


HTTP = """A hub and a site both serve `/` (a page for people), `/stac` and `/health`; a site also `/data`
(its files, with ranges), a hub also `/sites` (its members). Links are made from the `url` in the
configuration. An error is JSON with `code` and `description`; 400 says which parameter is wrong and how."""


def _described(text: str | None, what: str) -> str:
    if not text or not text.strip():
        raise UndocumentedError(f"{what} has no description")
    return " ".join(text.replace("|", "\\|").split()) if "\n\n" not in text else text.strip()
