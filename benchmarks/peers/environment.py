"""Where the peers come from: a locked environment below `.bench`, and Debian's packages.

The lock is made anew from `peers.in` with

    uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header \\
        benchmarks/peers/peers.in -o benchmarks/peers/peers.lock
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
BENCH = HERE.parents[1] / ".bench"
_LOCK = HERE / "peers.lock"

_PACKAGES: Mapping[str, Path] = {
    "postgresql-15": Path("/usr/lib/postgresql/15/bin/postgres"),
    "postgresql-15-postgis-3": Path("/usr/share/postgresql/15/extension/postgis.control"),
    "nginx-light": Path("/usr/sbin/nginx"),
    "wrk": Path("/usr/bin/wrk"),
}
"""Debian packages and the file that each is wanted for."""


def python() -> Path:
    """The peers' interpreter, in an environment made on first use and when the lock has changed."""
    place = BENCH / "peers"
    made_from = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()
    mark = place / "made-from"
    if not mark.exists() or mark.read_text() != made_from:
        print(f"making {place}", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        install = [str(place / "bin/pip"), "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "--require-hashes", "-r", _LOCK], check=True)
        mark.write_text(made_from)
    return place / "bin" / "python"


def command(name: str) -> Path:
    """A command of the peers' environment."""
    return python().with_name(name)


def environ(**more: str) -> dict[str, str]:
    """The variables that peers run with: ours but for those that lead to our own code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more


def require(*packages: str) -> None:
    """See to it that Debian packages are there; root installs what is missing, without starting it.

    Raises:
        SystemExit: If some are missing and cannot be installed here; names them.
    """
    missing = [package for package in packages if not _PACKAGES[package].exists()]
    if not missing:
        return
    wanted = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"this benchmark's peers are missing; as root: {wanted}")
    print(wanted, file=sys.stderr)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # 1: services stay down
    for step in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", "-qq", *step], env=quiet, stdout=subprocess.DEVNULL, check=True)
    if still := [package for package in missing if not _PACKAGES[package].exists()]:
        raise SystemExit(f"apt-get did not bring {', '.join(str(_PACKAGES[name]) for name in still)}")
