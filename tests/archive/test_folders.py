"""That what lies in the folders is opened, and nothing else on the machine, however it is asked for."""

import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.archive.folders import Folders, percent_encoded
from cscale.errors import BadConfiguration, NotFound
from cscale.net.ranges import OpenFile

Open = Callable[[Folders, str, str], OpenFile | None]
ZARR = [".zarray", ".zattrs", ".zgroup", ".zmetadata"]
SECRET = b"nobody but the owner may read this"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A served folder, and beside it what must not be served."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "top.tif").write_bytes(b"top")
    (data / "sub" / "x y.tif").write_bytes(b"below")
    (data / ".hidden").write_bytes(SECRET)
    (data / ".git").mkdir()
    (data / ".git" / "config").write_bytes(SECRET)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "data-private").mkdir()
    (tmp_path / "data-private" / "secret.txt").write_bytes(SECRET)
    return data


@pytest.fixture
def folders(data: Path) -> Folders:
    return Folders({"scenes": data})


def at_once_or_not(folders: Folders, name: str, path: str) -> OpenFile | None:
    """As the routes do it."""
    return folders.open_cached(name, path) or folders.open(name, path)


both_ways = pytest.mark.parametrize("opening", [Folders.open, at_once_or_not])


def content(opened: OpenFile | None) -> bytes:
    assert opened is not None
    with opened.file:
        assert stat.S_ISREG(opened.status.st_mode)
        assert opened.status.st_ino == os.fstat(opened.file.fileno()).st_ino
        return opened.file.readall()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refuses(folders: Folders, opening: Open, path: str, name: str = "scenes") -> None:
    before = descriptors()
    with pytest.raises(NotFound) as refused:
        opening(folders, name, path)
    assert tempfile.gettempdir() not in str(refused.value)
    assert descriptors() == before


@both_ways
@pytest.mark.parametrize(("path", "expected"), [("top.tif", b"top"), ("sub/x y.tif", b"below")])
def test_a_file_in_a_folder_is_opened(folders: Folders, opening: Open, path: str, expected: bytes) -> None:
    assert content(opening(folders, "scenes", path)) == expected


@both_ways
@pytest.mark.parametrize("name", ZARR)
def test_the_metadata_of_zarr_are_no_hidden_files(
    folders: Folders, data: Path, opening: Open, name: str
) -> None:
    (data / "cube.zarr").mkdir()
    (data / "cube.zarr" / name).write_bytes(b"{}")
    assert content(opening(folders, "scenes", f"cube.zarr/{name}")) == b"{}"
    assert folders.locate(data / "cube.zarr" / name) == f"scenes/cube.zarr/{name}"
    refuses(folders, opening, f"cube.zarr/{name}x")


def test_what_the_kernel_has_in_memory_is_opened_at_once(folders: Folders, data: Path) -> None:
    if os.major(data.stat().st_dev) == 0:
        pytest.skip("the temporary directory is on no disk of this machine")
    folders.open("scenes", "top.tif").file.close()
    opened = folders.open_cached("scenes", "top.tif")
    if opened is None:
        pytest.skip("this kernel has no openat2, or forbids it")
    assert content(opened) == b"top"


REFUSED = [
    *("..", "../secret.txt", "sub/../../secret.txt", "sub/..", "../data/top.tif", "sub/../top.tif"),
    *("../data-private/secret.txt", "/etc/passwd", "//etc/passwd", "/top.tif", "sub//x y.tif", "./top.tif"),
    *("..\\secret.txt", "sub\\x y.tif", "\\etc\\passwd", "~/x", "proc/self/environ"),
    *("\0", "top.tif\0", "top.tif\0.png", "sub\0/../top.tif", "..\0/secret.txt"),
    *("%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%2fsecret.txt", "%252e%252e/secret.txt", "top%2etif"),
    *("..;/secret.txt", " ../secret.txt", "\uff0e\uff0e/secret.txt", "\u2025/secret.txt"),
    *(
        "..\u2215secret.txt",
        "..\uff0fsecret.txt",
        "\udcc0\udcae\udcc0\udcae/secret.txt",
        "\ud800",
        "top.tif\udcff",
    ),
    *(".hidden", ".git", ".git/config", "sub/.", "...", "", "/", "sub", "sub/", "top.tif/", "top.tif/x"),
    *("absent", "top.tif ", "TOP.TIF", "top.tif.", "top.tif?", "x" * 256, "x/" * 3000 + "x"),
]


@both_ways
@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_is_no_plain_way_to_a_file_is_refused(folders: Folders, opening: Open, path: str) -> None:
    refuses(folders, opening, path)


@both_ways
@pytest.mark.parametrize("name", ["", ".", "..", "other", "scenes/sub", "SCENES", "data", "/", "scenes\0"])
def test_a_folder_that_is_not_configured_is_refused(folders: Folders, opening: Open, name: str) -> None:
    refuses(folders, opening, "top.tif", name)


LINKS = [
    *(("out", "../secret.txt"), ("abs", "/etc/passwd"), ("env", "/proc/self/environ"), ("zero", "/dev/zero")),
    *(
        ("up", ".."),
        ("near", "../data-private"),
        ("fd", "/proc/self/fd"),
        ("hide", ".hidden"),
        ("git", ".git"),
    ),
    *(("loop", "loop"), ("gone", "nowhere"), ("self", ".")),
]


@both_ways
@pytest.mark.parametrize(("link", "target"), LINKS)
def test_a_link_out_of_a_folder_is_refused(
    folders: Folders, data: Path, opening: Open, link: str, target: str
) -> None:
    (data / link).symlink_to(target)
    refuses(folders, opening, link)
    for beyond in ("secret.txt", "config", "0", "data/../secret.txt"):
        refuses(folders, opening, f"{link}/{beyond}")


@both_ways
def test_a_chain_of_links_is_judged_by_its_end(folders: Folders, data: Path, opening: Open) -> None:
    (data / "one").symlink_to("two")
    (data / "two").symlink_to("sub/three")
    (data / "sub" / "three").symlink_to("../../secret.txt")
    refuses(folders, opening, "one")
    (data / "sub" / "three").unlink()
    (data / "sub" / "three").symlink_to("../top.tif")
    assert content(opening(folders, "scenes", "one")) == b"top"


@both_ways
def test_a_link_within_a_folder_is_followed(folders: Folders, data: Path, opening: Open) -> None:
    (data / "latest").symlink_to("sub")
    (data / "absolute.tif").symlink_to(data / "top.tif")
    (data / "round").symlink_to("../data/sub")
    assert content(opening(folders, "scenes", "latest/x y.tif")) == b"below"
    assert content(opening(folders, "scenes", "absolute.tif")) == b"top"
    assert content(opening(folders, "scenes", "round/x y.tif")) == b"below"


@both_ways
def test_a_folder_may_itself_be_a_link(tmp_path: Path, data: Path, opening: Open) -> None:
    (tmp_path / "current").symlink_to(data)
    assert content(opening(Folders({"scenes": tmp_path / "current"}), "scenes", "top.tif")) == b"top"


@both_ways
def test_a_pipe_is_refused_at_once_and_not_touched(folders: Folders, data: Path, opening: Open) -> None:
    os.mkfifo(data / "pipe")
    writer = threading.Thread(target=lambda: (data / "pipe").write_bytes(b"to whom it concerns"))
    writer.start()
    time.sleep(0.05)  # by now it waits for a reader, whom it should not take us for
    refuses(folders, opening, "pipe")
    writer.join(0.05)
    waits = writer.is_alive()
    assert (data / "pipe").read_bytes() == b"to whom it concerns"
    writer.join()
    assert waits


@both_ways
def test_a_socket_and_a_device_are_refused(folders: Folders, data: Path, opening: Open) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(data / "socket"))
        refuses(folders, opening, "socket")
    try:
        os.mknod(data / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root can make a device")
    refuses(folders, opening, "zero")


@both_ways
def test_a_file_without_permission_is_as_if_absent(folders: Folders, data: Path, opening: Open) -> None:
    (data / "top.tif").chmod(0)
    if os.access(data / "top.tif", os.R_OK):
        pytest.skip("root may read everything")
    refuses(folders, opening, "top.tif")


@both_ways
def test_a_folder_replaced_by_a_link_does_not_lead_out(
    tmp_path: Path, folders: Folders, data: Path, opening: Open
) -> None:
    data.rename(tmp_path / "old")
    data.symlink_to("data-private")
    refuses(folders, opening, "secret.txt")


@both_ways
def test_a_folder_replaced_by_another_is_served_anew(
    tmp_path: Path, folders: Folders, data: Path, opening: Open
) -> None:
    data.rename(tmp_path / "old")
    data.mkdir()
    (data / "top.tif").write_bytes(b"new")
    assert content(opening(folders, "scenes", "top.tif")) == b"new"


@both_ways
def test_names_swapped_meanwhile_never_lead_out(folders: Folders, data: Path, opening: Open) -> None:
    """A file and a directory turn into links to the outside and back while they are asked for."""
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name, target in (("way", "sub"), ("way", "../data-private"), ("file", "../secret.txt")):
                (data / "next").symlink_to(target)
                (data / "next").rename(data / name)
            (data / "next").hardlink_to(data / "top.tif")
            (data / "next").rename(data / "file")

    (data / "sub" / "secret.txt").write_bytes(b"harmless")
    before = descriptors()
    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = {"refused": 0, "opened": 0}
    try:
        while min(seen.values()) < 300:
            for path in ("way/secret.txt", "file"):
                try:
                    assert content(opening(folders, "scenes", path)) in {b"harmless", b"top"}
                    seen["opened"] += 1
                except NotFound:
                    seen["refused"] += 1
    finally:
        stop.set()
        swapping.join()
    assert descriptors() == before


def test_what_is_opened_stays_itself_when_its_name_is_given_to_another(folders: Folders, data: Path) -> None:
    opened = folders.open("scenes", "top.tif")
    (data / "next").write_bytes(b"another and longer")
    (data / "next").rename(data / "top.tif")
    assert (opened.status.st_size, content(opened)) == (3, b"top")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a b", "a\0", "ä", "a%2e", "-x"])
def test_a_name_that_cannot_stand_in_an_address_is_refused_at_the_start(data: Path, name: str) -> None:
    with pytest.raises(BadConfiguration, match="data folder"):
        Folders({name: data})


def test_a_folder_that_is_not_there_is_refused_at_the_start(data: Path) -> None:
    for path in (data / "absent", data / "top.tif"):
        with pytest.raises(BadConfiguration, match=r"scenes.*no directory"):
            Folders({"scenes": path})


def test_a_file_is_located_by_the_folder_it_lies_in(folders: Folders, data: Path) -> None:
    assert folders.locate(data / "top.tif") == "scenes/top.tif"
    assert folders.locate(data / "sub" / ".." / "sub" / "x y.tif") == "scenes/sub/x y.tif"


def test_a_file_is_located_from_the_working_directory(
    folders: Folders, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    assert folders.locate(Path("sub/x y.tif")) == "scenes/sub/x y.tif"


def test_a_file_in_a_folder_in_a_folder_has_the_shorter_address(data: Path) -> None:
    folders = Folders({"all": data, "some": data / "sub"})
    assert folders.locate(data / "sub" / "x y.tif") == "some/x y.tif"


@pytest.mark.parametrize(
    "path", [".hidden", ".git/config", "../secret.txt", "../data-private/secret.txt", "."]
)
def test_a_file_that_would_not_be_served_has_no_address(folders: Folders, data: Path, path: str) -> None:
    assert folders.locate(data / path) is None


def test_a_link_out_of_a_folder_has_no_address(folders: Folders, data: Path) -> None:
    (data / "out").symlink_to("../secret.txt")
    (data / "loop").symlink_to("loop")
    assert folders.locate(data / "out") is None


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(NAMES, min_size=1, max_size=3))
def test_what_has_an_address_is_found_under_it_through_a_url(data: Path, steps: list[str]) -> None:
    folders = Folders({"scenes": data})
    path = data.joinpath(*steps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("/".join(steps).encode())
    except OSError:  # a name too long for the disk, or one that is already a directory
        return
    address = folders.locate(path)
    tricky = any((step[0] == "." and step not in ZARR) or "\\" in step for step in steps)
    assert (address is None) == tricky
    if address is not None:
        url = urlsplit(f"http://site.example/data/{percent_encoded(address)}")
        assert (url.query, url.fragment) == ("", "")
        name, _, relative = unquote(url.path).removeprefix("/data/").partition("/")
        assert content(folders.open(name, relative)) == path.read_bytes()
