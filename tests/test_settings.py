"""Configuration files: read once, typed, and refused with the place and the reason."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from cscale.errors import BadConfiguration
from cscale.settings import Section, load


class Inner(Section):
    number: Annotated[int, Field(ge=1)] = 1
    names: dict[str, str] = Field(default_factory=dict)


class Outer(Section):
    inner: Inner
    folder: Path = Path()

    @field_validator("folder", mode="after")
    @classmethod
    def _below(cls, path: Path, info: ValidationInfo) -> Path:
        folder: Path = (info.context or {})["folder"]
        return folder / path


@pytest.mark.parametrize("text", ["inner: {number: 5}\nfolder: x", '{"inner": {"number": 5}, "folder": "x"}'])
def test_yaml_and_json_are_read_alike(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert load(path, Outer) == Outer.model_validate(
        {"inner": {"number": 5}, "folder": tmp_path / "x"}, context={"folder": tmp_path}
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inner: {numbr: 5}", r"inner\.numbr: "),
        ("inner: {number: 0}", r"inner\.number: .*greater than or equal to 1"),
        ("inner: {number: five}", r"inner\.number: "),
        ("inner: {names: {a: [1]}}", r"inner\.names\.a: "),
        ("{}", r"inner: Field required"),
        ("inner: {number: 0}\nother: 1", r"inner\.number: .*; other: "),
        ("", "the file: "),
        ("- a", "the file: "),
        ("text", "the file: "),
        ("inner: [", "not YAML: "),
        ("inner: !!python/object/apply:os.system ['true']", "not YAML: "),
        ("a: *nowhere", "not YAML: "),
        ("\x00", "not YAML: "),
        ("[" * 5000, "not YAML: "),
    ],
)
def test_what_does_not_fit_is_named_with_its_file_and_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(BadConfiguration, match=said) as refused:
        load(path, Outer)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml", Outer)
    with pytest.raises(BadConfiguration, match="Is a directory"):
        load(tmp_path, Outer)
    (tmp_path / "latin.yaml").write_bytes(b"title: \xe4")
    with pytest.raises(BadConfiguration, match="not YAML"):
        load(tmp_path / "latin.yaml", Outer)


def test_a_section_is_not_changed_once_read() -> None:
    section = Inner()
    with pytest.raises(ValidationError):
        section.number = 2  # type: ignore[misc]  # that it cannot be is what is tested
