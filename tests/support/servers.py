"""The servers and tools that tests talk to, from Debian's packages and from npm.

What is not on PATH is unpacked under `.cache/debian/`: nothing is installed, no service is
started, and it needs no root. Java, Node.js and Chromium alone are too large to be unpacked: they
are installed, where we are root. `make test` runs this file before the tests, so that a missing
server is one line at the start and not a failure in the middle; tests ask for a program by name.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "debian"
POSTGRESQL = "usr/lib/postgresql/15/bin"
# program -> the Debian packages that it needs
PACKAGES = {
    "docker-compose": ["docker-compose"],  # not run: it has the Compose specification's schema
    "nginx": ["nginx"],
    "pgbouncer": ["libc-ares2", "libevent-2.1-7", "pgbouncer"],
    "postgres": [
        "libgssapi-krb5-2",
        "libicu72",
        "libk5crypto3",
        "libkeyutils1",
        "libkrb5-3",
        "libkrb5support0",
        "libldap-2.5-0",
        "libpq5",
        "libsasl2-2",
        "libssl3",
        "libxml2",
        "postgresql-15",
    ],
    "promtool": ["prometheus"],
    "prometheus": ["prometheus"],
    "rabbitmq-server": [
        "erlang-asn1",
        "erlang-base",
        "erlang-crypto",
        "erlang-eldap",
        "erlang-inets",
        "erlang-mnesia",
        "erlang-os-mon",
        "erlang-parsetools",
        "erlang-public-key",
        "erlang-runtime-tools",
        "erlang-ssl",
        "erlang-syntax-tools",
        "erlang-tools",
        "erlang-xmerl",
        "rabbitmq-server",
    ],
    "tinyproxy": ["tinyproxy-bin"],
    "systemd-analyze": [
        "libapparmor1",
        "libip4tc2",
        "libkmod2",
        "libseccomp2",
        "libsystemd-shared",
        "systemd",
    ],
}
INSTALLED = {
    "chromium": "chromium",
    "javac": "default-jdk-headless",
    "node": "nodejs",
    "npm": "npm",
}
"""Program -> the Debian package that is installed with all that it needs; javac brings java."""
TOOLS = Path(__file__).parent / "duistools"
"""Names the DCC's packages, each with its version and hash, in package-lock.json."""
EDITOR = Path(__file__).parent / "editortools"
"""Names the language server of VS Code's YAML extension in the same way."""
PAGE = Path(__file__).parent / "pagetools"
"""And what judges whether everybody can read a page."""
HOOKS = Path(__file__).parent / "hooktools"
"""And how a receiver of webhooks verifies what it gets."""
NPM = {
    TOOLS: CACHE.parent / "npm",
    EDITOR: CACHE.parent / "npm-editor",
    PAGE: CACHE.parent / "npm-page",
    HOOKS: CACHE.parent / "npm-hooks",
}
"""Where the packages of each are put."""
FOLDERS = ("usr/bin", "usr/lib/rabbitmq/bin", "usr/sbin", POSTGRESQL)
"""Those of RabbitMQ before what Debian puts in front of them, which wants a user of its own."""


class MissingServerError(Exception):
    """A program that the tests need is not here and could not be fetched."""


def npm_package(name: str, tools: Path = TOOLS) -> Path:
    """The folder of a package that `tools` names, as `make test` has fetched it."""
    if not _npm_is_fresh(tools):
        raise MissingServerError(f"the npm package {name} is missing: run 'make test'")
    return NPM[tools] / "node_modules" / name


def _npm_is_fresh(tools: Path) -> bool:
    have, want = NPM[tools] / "package-lock.json", tools / "package-lock.json"
    # written by npm when all is in place
    done = NPM[tools] / "node_modules" / ".package-lock.json"
    return done.exists() and have.read_bytes() == want.read_bytes()


def fetch_npm(tools: Path) -> None:
    """Put the packages that `tools` names under `.cache/`; npm holds each against its hash."""
    folder = NPM[tools]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(tools / name, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    fetched = _run([str(program("npm")), "ci", *quiet], folder=folder)
    if fetched.returncode != 0:
        shutil.rmtree(folder / "node_modules", ignore_errors=True)
        raise MissingServerError((fetched.stderr.strip().splitlines() or ["npm ci failed"])[0])


def program(name: str) -> Path:
    """Where the program is: unpacked by `make test`, or on PATH."""
    unpacked = os.pathsep.join(str(CACHE / folder) for folder in FOLDERS)
    found = shutil.which(name, path=unpacked)
    if found is None and not name.startswith("rabbitmq"):  # Debian's, installed, is its service's
        found = shutil.which(name) or shutil.which(name, path=f"/{POSTGRESQL}")
    if found is None:
        packages = INSTALLED.get(name) or " ".join(PACKAGES[name])
        raise MissingServerError(
            f"{name} is missing: run 'make test', or, as root: apt-get install {packages}"
        )
    return Path(found)


def fetch(packages: Sequence[str]) -> None:
    """Download Debian packages and unpack them under `.cache/debian/`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    tried = _apt_get("download", *packages)
    if tried.returncode != 0:  # the machine's package lists are empty or old: fetch our own
        own = [f"Dir::State::Lists={CACHE}/apt/lists", f"Dir::Cache={CACHE}/apt"]
        for folder in ("lists", "archives"):
            (CACHE / "apt" / folder / "partial").mkdir(parents=True, exist_ok=True)
        _apt_get("update", settings=own)
        tried = _apt_get("download", *packages, settings=own)
    if tried.returncode != 0:
        raise MissingServerError((tried.stderr.strip().splitlines() or ["no reason given"])[-1])
    for package in packages:
        for archive in CACHE.glob(f"{package}_*.deb"):
            unpacked = _run(["dpkg", "-x", str(archive), str(CACHE)])
            archive.unlink()
            if unpacked.returncode != 0:
                raise MissingServerError(unpacked.stderr.strip())
    _move_erlang()


def _move_erlang() -> None:
    """Debian's start script knows one place only; tell it of ours."""
    erl = CACHE / "usr/lib/erlang/bin/erl"
    if erl.exists():
        script = erl.read_text()
        erl.write_text(
            script.replace("ROOTDIR=/usr/lib/erlang\n", f"ROOTDIR='{CACHE}/usr/lib/erlang'\n")
        )


def _apt_get(*words: str, settings: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    # without its sandbox user, who may not write here
    options = [f"-o{setting}" for setting in ("APT::Sandbox::User=root", *settings)]
    return _run(["apt-get", "-qq", *options, *words])


def _run(command: list[str], folder: Path = CACHE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def install() -> None:
    """Install what is too large to be unpacked, where it is missing and we are root."""
    wanted = [package for name, package in INSTALLED.items() if shutil.which(name) is None]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {' '.join(wanted)} (Debian's packages)", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        _apt_get("update")
        # what it says is in the way of the one line; a program that is missing still tells
        _apt_get("install", "--yes", "--no-install-recommends", *wanted)


def main() -> int:
    """Fetch what is missing; tell on one line what could not be had."""
    missing: list[str] = []
    packages = ""
    install()
    for name, package in INSTALLED.items():
        if shutil.which(name) is None:
            missing.append(name)
            packages += f" {package}"
    for tools, folder in NPM.items():
        if packages or _npm_is_fresh(tools):
            continue
        print(f"Fetching tests/{tools.name} (from npm) into .cache/{folder.name}", flush=True)
        try:
            fetch_npm(tools)
        except (MissingServerError, OSError) as reason:
            missing.append(f"the npm packages of tests/{tools.name} ({reason})")
    for name, needed in PACKAGES.items():
        try:
            program(name)
            continue
        except MissingServerError:
            print(f"Fetching {name} (from Debian's packages) into .cache/debian", flush=True)
        try:
            fetch(needed)
            program(name)
        except (MissingServerError, OSError) as reason:
            missing.append(f"{name} ({reason})")
            packages += " " + " ".join(needed)
    if missing:
        how = f"; as root: apt-get install{packages}" if packages else ""
        print(f"error: the tests need {', '.join(missing)}{how}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
