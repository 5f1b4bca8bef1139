"""What scopes with paths open: the examples of the WLCG profile, and what could be mistaken for them."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadInput
from cscale.identity.scopes import Place, parse, permits


@pytest.mark.parametrize(
    ("scopes", "action", "path", "expected"),
    [
        ("storage.read:/foo", "storage.read", "/foo", True),
        ("storage.read:/foo", "storage.read", "/bar", False),
        ("storage.read:/foo", "storage.read", "/foobar", False),
        ("storage.read:/foo", "storage.read", "/foo/bar", True),
        ("storage.modify:/baz", "storage.modify", "/baz/qux", True),
        ("storage.read:/home", "storage.read", "/home/anyone/file", True),
        ("storage.read:/", "storage.read", "/any/file", True),
        ("storage.read:/", "storage.create", "/any/file", False),
        ("storage.read:/protected storage.create:/protected/subdir", "storage.read", "/protected/a", True),
        ("storage.read:/protected storage.create:/protected/subdir", "storage.create", "/protected/a", False),
        (
            "storage.read:/protected storage.create:/protected/subdir",
            "storage.create",
            "/protected/subdir/a",
            True,
        ),
        (
            "storage.read:/protected storage.create:/protected/subdir",
            "storage.modify",
            "/protected/subdir/a",
            False,
        ),
        ("storage.modify:/a", "storage.create", "/a/b", True),
        ("storage.create:/a", "storage.modify", "/a/b", False),
        ("storage.stage:/tape/subdir storage.read:/protected/data", "storage.stage", "/tape/subdir/f", True),
        ("storage.stage:/tape/subdir storage.read:/protected/data", "storage.read", "/tape/subdir/f", True),
        (
            "storage.stage:/tape/subdir storage.read:/protected/data",
            "storage.stage",
            "/protected/data",
            False,
        ),
        ("storage.create:/foo/bar", "storage.create", "/foo/bar/qux", True),
        ("storage.create:/foo/bar", "storage.create", "/foo", False),
        ("storage.create:/foo/bar", "storage.create", "/foo/", True),
        ("storage.create:/foo/bar", "storage.create", "/foo/bargain", False),
        ("storage.create:/foo/bar/", "storage.create", "/foo/bar", False),
        ("storage.create:/foo/bar/", "storage.create", "/foo/bar/", True),
        ("storage.create:/foo/bar/", "storage.create", "/foo/bar/x", True),
        ("storage.read:/foo/bar", "storage.read", "/foo/", False),
        ("storage.read:/a%20b", "storage.read", "/a b/c", True),
        ("storage.read:/%C3%A4", "storage.read", "/ä", True),
        ("storage.read:/foo", "storage.read", "/foo/../bar", False),
        ("storage.read:/", "storage.read", "/..", False),
        ("storage.read:/", "storage.read", "etc/passwd", False),
        ("storage.read:/", "storage.read", "", False),
        ("storage.read:/", "storage.read", "/a//b", False),
        ("storage.read:/", "storage.read", "/a\x00b", False),
        ("storage.read:/", "storage.read", "/a\\..\\b", False),
        ("storage.read", "storage.read", "/a", False),
        ("storage.reader:/", "storage.read", "/a", False),
        ("Storage.Read:/", "storage.read", "/a", False),
        ("storage.poll:/", "storage.read", "/a", False),
        ("compute.create", "storage.read", "/", False),
        ("", "storage.read", "/", False),
        ("storage.read:/", "storage.delete", "/a", False),
    ],
)
def test_the_profiles_examples(scopes: str, action: str, path: str, expected: bool) -> None:
    assert permits(scopes.split(), action, path) is expected


def test_a_directory_may_be_made_around_what_may_be_created() -> None:
    assert permits(["storage.create:/a/b"], "storage.create", "/a", is_directory=True)
    assert not permits(["storage.modify:/a/b"], "storage.modify", "/a", is_directory=True)


@pytest.mark.parametrize(
    "scope",
    [
        "storage.read",
        "storage.read:",
        "storage.read:foo",
        "storage.read:foo/bar",
        "storage.read://",
        "storage.read:/a//b",
        "storage.read:/a/../b",
        "storage.read:/a/..",
        "storage.read:/./a",
        "storage.read:/a/%2e%2e/b",
        "storage.read:/a%2fb",
        "storage.read:/a%2Fb",
        "storage.read:/a%00b",
        "storage.read:/a%0ab",
        "storage.read:/a%5cb",
        "storage.read:/a%",
        "storage.read:/a%4",
        "storage.read:/a%zz",
        "storage.read:/%ff",
        "storage.list",
    ],
)
def test_scopes_without_a_sound_path_are_refused(scope: str) -> None:
    with pytest.raises(BadInput):
        parse(scope)
    assert not permits([scope, "openid"], "storage.read", "/a")


def test_other_scopes_are_none_of_ours() -> None:
    assert parse("openid") is None
    assert parse("compute.read:nothing/../sound") is None
    assert parse("storage.read:/") == ("storage.read", Place((), is_directory=True))


PARTS = st.lists(st.sampled_from(["a", "b", "ab", "a.b", "..a", "ä"]), max_size=4)


@given(PARTS, PARTS)
def test_a_path_is_opened_by_itself_and_what_is_above(granted: list[str], wanted: list[str]) -> None:
    there, here = PurePosixPath("/", *granted), PurePosixPath("/", *wanted)
    assert permits([f"storage.read:{there}"], "storage.read", str(here)) == here.is_relative_to(there)


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_allowed_or_refused(scope: str, path: str) -> None:
    assert permits([f"storage.read:{scope}"], "storage.read", path) in (True, False)


@given(st.text(alphabet="/.%2eEfF\\a", max_size=12))
def test_no_path_leads_out_of_what_is_opened(path: str) -> None:
    if permits(["storage.read:/a"], "storage.read", path):
        parts = PurePosixPath(path).parts
        assert parts[:2] == ("/", "a")
        assert ".." not in parts
