"""The bytes of `/data` as GDAL, curl and browsers get them: a real server, on a real socket."""

import email
import email.policy
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from cscale.archive.api import FirstHand, media_type, routes
from cscale.archive.folders import Folders
from cscale.net import ranges
from tests.serving import Served, serving

CONTENT = Random(5).randbytes(3_000_000)
ENDLESS = 1 << 40  # bytes, a hole all of them: nobody ever reads it to its end
MUCH = 1 << 29


def data_app(folder: str) -> ASGIApp:
    folders = Folders({"scenes": Path(folder)})
    return FirstHand(Starlette(routes=[Mount("/data", routes=routes(folders))]), folders)


def impatient_app(folder: str) -> ASGIApp:
    ranges._PATIENCE = 0.2
    return data_app(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "scene.tif").write_bytes(CONTENT)
    (folder / "empty.txt").touch()
    (folder / "sub" / "ä b%20c.json").write_text("{}")
    (folder / "page.html").write_text("<script>alert(document.cookie)</script>")
    (folder / "drawing.SVG").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder.parent / "secret.txt").write_text("secret")
    (folder / "endless.bin").touch()
    os.truncate(folder / "endless.bin", ENDLESS)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving(data_app, str(folder)) as served:
        yield served


class Got:
    """A response, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(server: Served, path: str, method: str = "GET", **headers: str) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=fields)
    got = Got(connection.getresponse())
    connection.close()
    return got


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; the time limit of all tests ends a wait in vain."""
    while not condition():
        time.sleep(0.02)


def test_a_file_is_served_whole(server: Served, folder: Path) -> None:
    got = ask(server, "/data/scenes/scene.tif")
    assert (got.status, got.body) == (200, CONTENT)
    assert got.headers["content-length"] == str(len(CONTENT))
    assert got.headers["content-type"] == "image/tiff"
    assert got.headers["accept-ranges"] == "bytes"
    assert ask(server, "/data/scenes/empty.txt").body == b""


def test_a_name_with_any_characters_is_served_percent_encoded(server: Served) -> None:
    got = ask(server, "/data/scenes/sub/%C3%A4%20b%2520c.json")
    assert (got.status, got.body, got.headers["content-type"]) == (200, b"{}", "application/json")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("0-0", slice(0, 1)),
        ("1000000-1999999", slice(1_000_000, 2_000_000)),
        ("2999999-", slice(2_999_999, None)),
        ("-70000", slice(-70_000, None)),
        ("5-9999999", slice(5, None)),
    ],
)
def test_a_part_of_a_file_is_served(server: Served, asked: str, part: slice) -> None:
    got = ask(server, "/data/scenes/scene.tif", range=f"bytes={asked}")
    assert (got.status, got.body) == (206, CONTENT[part])
    start, stop, _ = part.indices(len(CONTENT))
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert got.headers["content-length"] == str(stop - start)


def test_several_parts_of_a_file_are_served(server: Served) -> None:
    got = ask(server, "/data/scenes/scene.tif", range="bytes=0-99,500000-1400000,-7")
    assert got.status == 206
    head = f"content-type: {got.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + got.body, policy=email.policy.HTTP)
    parts = [part.get_payload(decode=True) for part in message.iter_parts()]
    assert parts == [CONTENT[:100], CONTENT[500_000:1_400_001], CONTENT[-7:]]


def test_many_connections_at_once_get_each_its_own_bytes(server: Served) -> None:
    def walk(seed: int) -> bool:
        random = Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(25):
            start = random.randrange(len(CONTENT))
            stop = min(start + random.choice([1, 1000, 65536, 700_000]), len(CONTENT))
            connection.request(
                "GET", "/data/scenes/scene.tif", headers={"range": f"bytes={start}-{stop - 1}"}
            )
            assert connection.getresponse().read() == CONTENT[start:stop]
        connection.close()
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(walk, range(16)))


def test_a_range_outside_the_file_tells_its_size(server: Served) -> None:
    got = ask(server, "/data/scenes/scene.tif", range="bytes=3000000-")
    assert (got.status, got.headers["content-range"]) == (416, "bytes */3000000")
    assert json.loads(got.body)["code"] == "RangeNotSatisfiable"
    assert got.headers["access-control-allow-origin"] == "*"


def test_head_tells_all_and_sends_nothing(server: Served) -> None:
    head = ask(server, "/data/scenes/scene.tif", "HEAD", range="bytes=0-9")
    assert (head.status, head.body) == (200, b"")
    whole = dict(ask(server, "/data/scenes/scene.tif").headers)
    del whole["date"], head.headers["date"]
    assert dict(head.headers) == whole


def test_what_the_caller_has_is_not_sent_again(server: Served) -> None:
    etag = ask(server, "/data/scenes/scene.tif", "HEAD").headers["etag"]
    got = ask(server, "/data/scenes/scene.tif", if_none_match=etag)
    assert (got.status, got.body, got.headers["etag"]) == (304, b"", etag)


def test_a_script_in_a_browser_may_read_and_see_the_headers_it_needs(server: Served) -> None:
    fields = {"origin": "https://portal.example", "access_control_request_method": "GET"}
    allowed = ask(
        server, "/data/scenes/scene.tif", "OPTIONS", access_control_request_headers="range", **fields
    )
    assert allowed.status == 204
    assert "GET" in allowed.headers["access-control-allow-methods"]
    assert "Range" in allowed.headers["access-control-allow-headers"]
    for path, headers in [("scene.tif", {}), ("scene.tif", {"range": "bytes=9-"}), ("absent.tif", {})]:
        got = ask(server, f"/data/scenes/{path}", origin="https://portal.example", **headers)
        assert got.headers.get_all("access-control-allow-origin") == ["*"]
        exposed = got.headers["access-control-expose-headers"].split(", ")
        assert set(exposed) >= {"Content-Range", "Accept-Ranges", "ETag", "Content-Length"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_nothing_can_be_written(server: Served, method: str) -> None:
    assert ask(server, "/data/scenes/scene.tif", method).status == 405
    assert ask(server, "/data/scenes/scene.tif").body == CONTENT


def test_a_page_among_the_data_runs_no_script_in_the_name_of_the_site(server: Served) -> None:
    for path, kind in [("page.html", "text/html"), ("drawing.SVG", "image/svg+xml")]:
        got = ask(server, f"/data/scenes/{path}")
        assert got.headers["content-type"] == kind
        assert got.headers["content-security-policy"] == "sandbox"
        assert got.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" not in ask(server, "/data/scenes/scene.tif").headers


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/B02.tif", "image/tiff"),
        ("a/B02.TIFF", "image/tiff"),
        ("a.b/IMG.jp2", "image/jp2"),
        ("a.nc", "application/x-netcdf"),
        ("S3.SEN3/manifest.safe", "application/xml"),
        ("cube.zarr/.zattrs", "application/json"),
        ("cube.zarr/zarr.json", "application/json"),
        ("cube.zarr/c/0/0", "application/octet-stream"),
        ("product.zip", "application/zip"),
        ("a.tif/raw", "application/octet-stream"),
        ("tif", "application/octet-stream"),
        ("html", "application/octet-stream"),
    ],
)
def test_a_media_type_goes_by_the_suffix(path: str, expected: str) -> None:
    assert media_type(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("/data/scenes/../secret.txt", "/data/../../secret.txt", "/data/scenes/%2e%2e/secret.txt"),
        *(
            "/data/scenes/%2e%2e%2fsecret.txt",
            "/data/scenes/..%2fsecret.txt",
            "/data/scenes/%252e%252e/secret.txt",
        ),
        *(
            "/data/scenes/..%5csecret.txt",
            "/data/scenes/%c0%ae%c0%ae/secret.txt",
            "/data/scenes/scene.tif%00",
        ),
        *(
            "/data/scenes//etc/passwd",
            "/data//etc/passwd",
            "/data/scenes/%2fetc%2fpasswd",
            "/data/scenes/%ff",
        ),
        *("/data/%2e%2e/secret.txt", "/data/scenes%2f..%2f..%2fsecret.txt", "/data/..%00/secret.txt"),
        *(
            "/data/scenes",
            "/data/scenes/",
            "/data/scenes/sub",
            "/data/scenes/sub/",
            "/data/scenes/scene.tif/",
        ),
        *("/data/", "/data/other/scene.tif", "/data/scenes/absent", "/data/scenes/" + "x" * 5000),
    ],
)
def test_every_way_out_ends_in_the_same_404(server: Served, folder: Path, path: str) -> None:
    got = ask(server, path)
    assert got.status == 404
    assert json.loads(got.body)["code"] == "NotFound"
    assert b"secret\n" not in got.body
    assert str(folder.parent).encode() not in got.body


def partly(server: Served, path: str, count: int = 65536) -> tuple[socket.socket, bytes]:
    """Ask for a file, and read but the beginning of it."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    got = b""
    while len(got) < count:
        got += client.recv(count - len(got))
    return client, got


def test_clients_that_leave_in_mid_file_leave_no_file_open(server: Served, folder: Path) -> None:
    until(lambda: not server.open_files(folder))  # those of the tests before
    clients = [partly(server, "/data/scenes/endless.bin")[0] for _ in range(10)]
    assert len(server.open_files(folder)) == 10
    for client in clients:
        client.close()
    until(lambda: not server.open_files(folder))


def test_a_client_that_takes_nothing_more_does_not_hold_a_file_for_ever(folder: Path) -> None:
    with serving(impatient_app, str(folder)) as server:
        client, got = partly(server, "/data/scenes/endless.bin")
        until(lambda: not server.open_files(folder))
        received = len(got)
        while more := client.recv(1 << 20):  # ends: the server has closed the connection
            received += len(more)
        client.close()
        assert received < ENDLESS


def test_a_large_download_leaves_others_their_turn(server: Served) -> None:
    stalled, _ = partly(server, "/data/scenes/endless.bin")
    stalled.close()  # from here on sending to it never waits
    for _ in range(50):
        assert ask(server, "/data/scenes/scene.tif", range="bytes=7-8").body == CONTENT[7:9]


def test_no_request_leaves_a_file_open(server: Served, folder: Path) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"method": "HEAD"},
        {"range": "bytes=0-9"},
        {"range": "bytes=0-9,20-29"},
        {"range": "bytes=9999999-"},
        {"if_none_match": "*"},
        {"if_match": '"other"'},
    ]
    for headers in asked:
        ask(server, "/data/scenes/scene.tif", **headers)
    until(lambda: not server.open_files(folder))


def test_a_huge_file_and_clients_that_do_not_read_need_little_memory(server: Served, folder: Path) -> None:
    before = server.memory()
    stalled = [partly(server, "/data/scenes/endless.bin")[0] for _ in range(8)]
    client, got = partly(server, "/data/scenes/endless.bin")
    received, peak = len(got), before
    while received < MUCH:
        received += len(client.recv(1 << 20))
        peak = max(peak, server.memory())
    assert len(server.open_files(folder)) == 9
    assert peak - before < MUCH // 4
    for each in [*stalled, client]:
        each.close()
    until(lambda: not server.open_files(folder))


def test_a_file_replaced_while_it_is_sent_is_sent_as_it_was(server: Served, folder: Path) -> None:
    old, new = Random(1).randbytes(20_000_000), Random(2).randbytes(30_000_000)
    (folder / "replaced.bin").write_bytes(old)
    client, got = partly(server, "/data/scenes/replaced.bin")
    (folder / "next").write_bytes(new)
    (folder / "next").rename(folder / "replaced.bin")
    _, _, body = got.partition(b"\r\n\r\n")
    while len(body) < len(old):
        body += client.recv(1 << 20)
    client.close()
    assert body == old
    assert ask(server, "/data/scenes/replaced.bin").body == new


def test_a_file_cut_short_while_it_is_sent_is_seen_to_be_incomplete(server: Served, folder: Path) -> None:
    (folder / "cut.bin").write_bytes(bytes(64_000_000))
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/data/scenes/cut.bin")
    response = connection.getresponse()
    response.read(65536)
    os.truncate(folder / "cut.bin", 65536)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()
    assert ask(server, "/data/scenes/cut.bin").headers["content-length"] == "65536"
    until(lambda: not server.open_files(folder))


def test_curl_goes_on_where_a_download_broke_off(server: Served, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    target = tmp_path / "scene.tif"
    target.write_bytes(CONTENT[:1_234_567])
    url = f"{server.url}/data/scenes/scene.tif"
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "-C", "-", "-o", target, url], check=True)
    assert target.read_bytes() == CONTENT


def test_gdal_reads_a_window_of_a_cog_over_http(
    server: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pixels = np.random.default_rng(3).integers(0, 10_000, (2, 2048, 2048), np.uint16)
    profile = {
        "driver": "COG",
        "width": 2048,
        "height": 2048,
        "count": 2,
        "dtype": "uint16",
        "blocksize": 256,
    }
    place = {"crs": "EPSG:32635", "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000)}
    with rasterio.open(folder / "cog.tif", "w", **profile, **place) as file:
        file.write(pixels)
    window = Window(700, 1100, 300, 200)
    with rasterio.open(f"/vsicurl/{server.url}/data/scenes/cog.tif") as remote:
        assert remote.crs.to_epsg() == 32635
        assert remote.overviews(1)
        np.testing.assert_array_equal(remote.read(window=window), pixels[:, 1100:1300, 700:1000])
        small = remote.read(1, out_shape=(256, 256))
    with rasterio.open(folder / "cog.tif") as local:
        np.testing.assert_array_equal(small, local.read(1, out_shape=(256, 256)))
    until(lambda: not server.open_files(folder))
