"""Whether a site's bytes can be read from anywhere: ranges of an asset, other origins, TLS."""

import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from cscale.federation.profiles import Outcome, Tried
from cscale.membership.wire import ORIGIN, Reply, Wire, line

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_DAY = 86_400
_SOON = 14  # days
_REDIRECTS = 3
_RASTERS = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff", "application/x-hdf", "application/netcdf")


async def try_ranges(wire: Wire, root: str, items: Sequence[Mapping[str, Any]]) -> Tried:
    """Read two ranges of an asset, and ask for its head."""
    addresses = sorted(_assets(items, root), key=lambda each: _worth(each, wire.host))
    if not addresses:
        return Tried("ranges", "untried", "its first items have no asset with an http or https address")
    url = addresses[0][0]
    first, url = await _ranged(wire, url, 0, 99)
    if fault := _fault(first, 0, 99):
        return _not_given(first, fault)
    second, _ = await _ranged(wire, url, 10, 19)
    if fault := _fault(second, 10, 19):
        return _not_given(second, fault)
    if len(first.body) >= 20 and first.body[10:20] != second.body:
        return Tried("ranges", "wrong", "two ranges that overlap hold different bytes")
    head = await wire.ask("HEAD of an asset", "HEAD", url, headers=_IDENTITY)
    size = _RANGE.fullmatch(first.headers.get("content-range", ""))
    told = head.headers.get("content-length")
    if head.status != 200:
        return Tried("ranges", "wrong", f"ranges are right, but HEAD answers {head.status or head.problem}")
    if size and size[3] != "*" and told is not None and told != size[3]:
        return Tried("ranges", "wrong", f"its length is {size[3]} by a range, and {line(told, 30)} by HEAD")
    return Tried("ranges", "done", "206 with the bytes that were asked for")


_IDENTITY = {"accept-encoding": "identity", "accept": "*/*"}


async def _ranged(wire: Wire, url: str, start: int, end: int) -> tuple[Reply, str]:
    """A range, and the address that it came from after redirects."""
    reply = Reply(0)
    for _ in range(_REDIRECTS + 1):
        asked = {**_IDENTITY, "range": f"bytes={start}-{end}"}
        reply = await wire.ask("a range of an asset", "GET", url, headers=asked, most=4096)
        if reply.status not in (301, 302, 303, 307, 308):
            break
        try:
            url = urljoin(url, reply.headers.get("location", ""))
        except ValueError:
            break
        if not url.startswith(("http://", "https://")):
            break
    return reply, url


def _fault(reply: Reply, start: int, end: int) -> str:
    """What is wrong with a range; empty where nothing is."""
    if reply.problem:
        return reply.problem
    if reply.status == 200:
        return "the whole file came where a range was asked for (200, not 206)"
    if reply.status != 206:
        return f"a range was answered {reply.status}"
    told = _RANGE.fullmatch(reply.headers.get("content-range", "").strip())
    if told is None:
        return "206 without a Content-Range that can be read"
    last = end if told[3] == "*" else min(end, int(told[3]) - 1)
    if (int(told[1]), int(told[2])) != (start, last):
        return f"asked for bytes {start}-{last}, Content-Range says {told[1]}-{told[2]}"
    if len(reply.body) != last - start + 1:
        return f"asked for {last - start + 1} bytes, {len(reply.body)} came"
    return ""


def _not_given(reply: Reply, fault: str) -> Tried:
    if not reply.asked:
        return Tried("ranges", "untried", fault)
    if reply.status in (401, 403):
        return Tried("ranges", "refused", f"{fault}: the data needs a login")
    outcome: Outcome = "ignored" if reply.status == 200 else "refused" if reply.status == 416 else "wrong"
    return Tried("ranges", outcome, fault)


def _assets(items: Sequence[Mapping[str, Any]], root: str) -> Iterator[tuple[str, str]]:
    """Address and media type of the assets that HTTP reaches."""
    for item in items:
        assets = item.get("assets")
        for asset in assets.values() if isinstance(assets, dict) else ():
            href = asset.get("href") if isinstance(asset, dict) else None
            if not isinstance(href, str) or len(href) > 4096:
                continue
            try:
                address = urljoin(f"{root}/", href)
                if urlsplit(address).scheme in ("http", "https") and urlsplit(address).hostname:
                    yield address, str(asset.get("type", ""))
            except ValueError:
                continue


def _worth(asset: tuple[str, str], host: str) -> tuple[bool, bool]:
    """What is tried first: data of the site itself, before pictures and other hosts."""
    url, kind = asset
    return not kind.startswith(_RASTERS), urlsplit(url).hostname != host


async def try_cors(wire: Wire, root: str, landing: Reply) -> Tried:
    """Ask as a browser does that shows a page of another origin."""
    if landing.headers.get("access-control-allow-origin") not in ("*", ORIGIN):
        return Tried("cors", "refused", "answers lack Access-Control-Allow-Origin")
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    reply = await wire.ask("a preflight request", "OPTIONS", f"{root}/search", headers=asked)
    if not reply.asked:
        return Tried("cors", "untried", reply.problem)
    if not 200 <= reply.status < 300:
        return Tried("cors", "refused", f"a preflight request is answered {reply.status or reply.problem}")
    methods = _listed(reply, "access-control-allow-methods")
    headers = _listed(reply, "access-control-allow-headers")
    if reply.headers.get("access-control-allow-origin") not in ("*", ORIGIN):
        return Tried("cors", "refused", "a preflight answer lacks Access-Control-Allow-Origin")
    if not methods & {"post", "*"}:
        return Tried("cors", "refused", "a preflight answer does not allow POST")
    if not headers & {"content-type", "*"}:
        return Tried("cors", "refused", "a preflight answer does not allow the header Content-Type")
    return Tried("cors", "done", "pages of any origin may ask it")


def _listed(reply: Reply, name: str) -> set[str]:
    return {each.strip().lower() for each in reply.headers.get(name, "").split(",")}


async def try_tls(wire: Wire, url: str) -> Tried:
    """Look at a site's certificate."""
    if urlsplit(url).scheme != "https":
        return Tried("tls", "refused", "its address is http, not https")
    try:
        told = await wire.certificate(url)
        ends = ssl.cert_time_to_seconds(str(told["notAfter"]))
    except (OSError, TimeoutError, KeyError, ValueError) as error:
        return Tried("tls", "wrong", line(f"its certificate cannot be read: {error}"))
    days = int((ends - time.time()) // _DAY)
    soon = "; renew it now" if days < _SOON else ""
    return Tried("tls", "done", f"the certificate is good for {days} days{soon}")
