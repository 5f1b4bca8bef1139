"""Debian's nginx over a folder of files, set up as Debian sets it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring.processes import Server, free_port, served
from benchmarks.peers import environment

_CONFIG = """
{user}
worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush {nopush};
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /data/files/ {{ alias {files}/; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, files: Path, *, nopush: bool) -> Iterator[Server]:
    """Serve `files` as /data/files/ until the block ends.

    Args:
        folder: For its own files.
        files: What is served.
        nopush: Whether it fills packets before it sends them. Debian's default is that it does; over the
            loopback's long packets the last one of a short range then waits 40 ms for the one before.
    """
    environment.require("nginx-light")
    folder.mkdir()
    port = free_port()
    user = "user root;" if folder.stat().st_uid == 0 else ""
    config = folder / "nginx.conf"
    on = "on" if nopush else "off"
    text = _CONFIG.format(user=user, nopush=on, folder=folder, port=port, files=files)
    config.write_text(text)
    with served(["/usr/sbin/nginx", "-c", config, "-p", folder], port) as server:
        yield server
