"""A private nginx that has a server of this machine below a path, as proxies of pages do."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.servers import program

CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {path} {{
{inside}
    }}
  }}
}}
"""


@contextmanager
def proxied(folder: Path, path: str, inside: str) -> Iterator[str]:
    """The URL below which it is served; `inside` are the lines of nginx's `location`."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, path=path, inside=inside))
    words = [str(program("nginx")), "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            _until_open(port, folder / "error.log")
            yield f"http://127.0.0.1:{port}{path}"
        finally:
            process.terminate()


def _until_open(port: int, log: Path) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.02)
