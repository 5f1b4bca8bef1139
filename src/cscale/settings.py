"""Configuration files and environment, read once and typed; each room types its own section."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cscale.errors import BadConfiguration

SectionT = TypeVar("SectionT", bound="Section")


class Section(BaseModel):
    """A section of a configuration file: no unknown names, nothing changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def load(path: Path, model: type[SectionT]) -> SectionT:
    """Read a YAML (or JSON) configuration file.

    Relative paths in it are relative to the folder it lies in: models get that folder as the
    validation context `folder`.

    Raises:
        BadConfiguration: If it is missing, is not YAML, or does not fit; names each place that does not.
    """
    try:
        content: Any = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise BadConfiguration(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfiguration(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return model.model_validate(content, context={"folder": path.absolute().parent})
    except ValidationError as error:
        wrong = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors())
        raise BadConfiguration(f"{path}: {wrong}") from error


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the file"
