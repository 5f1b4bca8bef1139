"""What a check sees of TLS: real handshakes with certificates made for the test."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.federation.profiles import Tried
from cscale.membership import Report, check
from cscale.membership.report import join_list
from tests.membership.archive import Archive
from tests.scripted import _read

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    made, key = folder / f"{days}.pem", folder / f"{days}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(key), "-out", str(made), "-days", str(days), "-subj", "/CN=archive"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return made, key


@asynccontextmanager
async def secured(archive: Archive, made: Path, key: Path) -> AsyncIterator[str]:
    """An archive over TLS; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(archive.respond(await _read(reader)) or b"")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def tls(report: Report) -> Tried:
    return next(each for each in report.profile.tries if each.name == "tls")


@needs_openssl
@pytest.mark.parametrize(("days", "said"), [(90, "good for 89 days"), (5, "good for 4 days; renew it now")])
async def test_a_good_certificate_is_told_with_its_days(tmp_path: Path, days: int, said: str) -> None:
    made, key = certificate(tmp_path, days)
    async with secured(Archive(), made, key) as url:
        trusting = ssl.create_default_context(cafile=str(made))
        report = await check(Endpoint(kind="stac-api", url=url), tls=trusting)
    assert tls(report).outcome == "done"
    assert said in tls(report).said
    assert report.profile.tls is True
    assert report.profile.ranges is True
    assert report.met


@needs_openssl
async def test_a_certificate_that_nobody_trusts_is_said(tmp_path: Path) -> None:
    async with secured(Archive(), *certificate(tmp_path, 90)) as url:
        with pytest.raises(SiteError, match="certificate is not good"):
            await check(Endpoint(kind="stac-api", url=url))


def test_plain_http_is_enough_only_on_this_machine() -> None:
    tried = {
        "ranges": Tried("ranges", "done"),
        "tls": Tried("tls", "refused", "its address is http, not https"),
    }
    for url, state in (("http://archive.example/stac", "not met"), ("http://127.0.0.1:1/stac", "met")):
        lines = {each.name: each.state for each in join_list(url, "stac-api", tried, (), (), None)}
        assert lines["HTTP access with ranges"] == state
