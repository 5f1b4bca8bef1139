"""The error tree: what is raised on purpose, and what it says."""

import inspect

import pytest

from cscale import errors


def error_classes() -> list[type[errors.CscaleError]]:
    """Every class of the tree."""
    found = vars(errors).values()
    return [each for each in found if inspect.isclass(each) and issubclass(each, errors.CscaleError)]


def made(kind: type[errors.CscaleError]) -> errors.CscaleError:
    """An error of a class."""
    return kind("said", 12) if kind is errors.RangeNotSatisfiable else kind("said")


@pytest.mark.parametrize("kind", error_classes())
def test_an_error_says_what_it_was_told(kind: type[errors.CscaleError]) -> None:
    assert str(made(kind)) == "said"
    assert kind.__doc__


def test_the_tree_in_the_modules_first_lines_is_the_tree() -> None:
    drawn = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if hasattr(errors, name) and name:
            depth = (len(line) - len(line.lstrip(" │├└─")) - 4) // 4
            path = [*path[:depth], name]
            drawn[name] = path[-2] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__base__.__name__ for kind in error_classes() if kind.__base__}
