"""What stands under its name is whole and right; nothing else is left behind."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.client import Federation
from cscale.client.download import file_name
from cscale.errors import BadInput, ChecksumMismatch, SiteError

BYTES = bytes(range(256)) * 4096


class Archive(http.server.BaseHTTPRequestHandler):
    """A small archive: whole files, cut ones, redirects."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved.tif":
            self.send_response(307)
            self.send_header("location", "/scene.tif")
            self.send_header("content-length", "0")
            self.end_headers()
        elif self.path in ("/scene.tif", "/cut.tif"):
            self.send_response(200)
            self.send_header("content-length", str(len(BYTES)))
            self.end_headers()
            self.wfile.write(BYTES[: 1000 if self.path == "/cut.tif" else None])
            self.close_connection = self.path == "/cut.tif"
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture(scope="module")
def archive() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def hub(archive: str) -> Iterator[Federation]:
    with Federation(archive) as federation:
        yield federation


def multihash(prefix: str, name: str) -> str:
    return prefix + hashlib.new(name, BYTES).hexdigest()


@pytest.mark.parametrize(
    ("prefix", "name"), [("1220", "sha256"), ("1340", "sha512"), ("1114", "sha1"), ("d50110", "md5")]
)
def test_a_download_is_verified_by_the_checksum_its_item_promises(
    hub: Federation, archive: str, tmp_path: Path, prefix: str, name: str
) -> None:
    asset = {"href": f"{archive}/scene.tif", "file:checksum": multihash(prefix, name)}
    done = hub.download(asset, tmp_path / "scene.tif")
    assert done.verified == name
    assert done.path.read_bytes() == BYTES


def test_a_wrong_checksum_keeps_nothing_and_leaves_what_was_there(
    hub: Federation, archive: str, tmp_path: Path
) -> None:
    target = tmp_path / "scene.tif"
    target.write_bytes(b"older")
    asset = {"href": f"{archive}/scene.tif", "file:checksum": "1220" + "0" * 64}
    with pytest.raises(ChecksumMismatch, match="sha256"):
        hub.download(asset, target)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
    assert target.read_bytes() == b"older"


@pytest.mark.parametrize("path", ["/cut.tif", "/absent.tif"])
def test_a_file_that_does_not_arrive_whole_is_an_error_and_leaves_nothing(
    hub: Federation, archive: str, tmp_path: Path, path: str
) -> None:
    with pytest.raises(SiteError, match=path[1:]):
        hub.download({"href": archive + path}, tmp_path / "scene.tif")
    assert list(tmp_path.iterdir()) == []


def test_a_size_other_than_promised_is_an_error(hub: Federation, archive: str, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="bytes"):
        hub.download({"href": f"{archive}/scene.tif", "file:size": 5}, tmp_path / "scene.tif")
    assert list(tmp_path.iterdir()) == []


def test_redirects_of_an_archive_are_followed(hub: Federation, archive: str, tmp_path: Path) -> None:
    assert hub.download({"href": f"{archive}/moved.tif"}, tmp_path / "x.tif").size == len(BYTES)


@pytest.mark.parametrize("href", ["/etc/passwd", "file:///etc/passwd", "s3://bucket/key", ""])
def test_only_http_addresses_are_downloaded(hub: Federation, tmp_path: Path, href: str) -> None:
    with pytest.raises(BadInput, match="http"):
        hub.download({"href": href}, tmp_path / "x")


def test_an_unknown_algorithm_is_said_and_not_skipped(hub: Federation, archive: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no algorithm"):
        hub.download({"href": f"{archive}/scene.tif", "file:checksum": "9999abcd"}, tmp_path / "x")


def test_progress_ends_at_the_size(hub: Federation, archive: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    hub.download(
        {"href": f"{archive}/scene.tif"}, tmp_path / "x", lambda done, size: seen.append((done, size))
    )
    assert seen[-1] == (len(BYTES), len(BYTES))
    assert seen == sorted(seen)


@given(st.text(max_size=300), st.text(max_size=20))
def test_no_href_leads_out_of_the_folder(href: str, key: str) -> None:
    name = file_name(href, key)
    assert name
    assert not name.startswith(".")
    assert "/" not in name
    assert "\\" not in name
    assert "\0" not in name
    assert Path("folder", name).parent == Path("folder")


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("http://a/b/S2_B04.tif?sig=1", "S2_B04.tif"),
        ("http://a/b/%2e%2e%2fpasswd", "passwd"),
        ("http://a/b/..", "asset"),
        ("http://a/b/..%5C..%5Cx", "x"),
        ("http://a/.bashrc", "bashrc"),
    ],
)
def test_names_of_files_are_kept_where_they_are_harmless(href: str, name: str) -> None:
    assert file_name(href, "asset") == name
