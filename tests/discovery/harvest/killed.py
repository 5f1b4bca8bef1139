"""A harvest as a process of its own, to be killed.

Arguments: folder or address of the hub's state, the site's address, processes, and what to do when the
first stretch of time was read: `go` on, or `stay`.
"""

import asyncio
import sys
import time
from pathlib import Path

from cscale.discovery.harvest import Harvested, Manner, Rhythm, harvest, shelf_of
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.net.http import HttpPool


async def main(state: str, url: str, processes: str, then: str) -> None:
    http = HttpPool()
    source = StacApi(Endpoint(kind="stac-api", url=url), http)
    where = shelf_of(state if state.startswith("postgresql://") else Path(state), "alpha")
    manner, rhythm = Manner(page=20, most=60), Rhythm(rotation=0)
    site = Harvested("alpha", url, source, where, rhythm, manner, int(processes))
    say("harvesting")

    def tell(*_: object) -> None:
        if then == "stay":
            say("staying")
            time.sleep(600)  # with its lock

    report = await harvest(site, tell)
    await http.close()
    assert not report.counts.errors, report.counts.errors
    say("elsewhere" if report.elsewhere else "done")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
