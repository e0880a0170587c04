"""Machines on one machine: network namespaces behind a bridge, whose cables can be pulled and put back."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Final

HERE: Final = "10.77.0.1"


def allowed() -> bool:
    """Whether this process may make namespaces: root, with iproute2, outside of a closed container."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0


@dataclass
class Network:
    """A bridge with the address HERE, and machines beside it. Use as a context manager."""

    name: str = f"bm{os.getpid() % 100_000}"
    machines: list[str] = field(default_factory=list)

    def __enter__(self) -> Network:
        _ip("link", "add", self.name, "type", "bridge")
        _ip("addr", "add", f"{HERE}/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        return self

    def __exit__(self, *exc: object) -> None:
        for machine in self.machines:
            subprocess.run(["ip", "netns", "del", machine], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.name], check=False, capture_output=True)

    def machine(self) -> tuple[int, str, tuple[str, ...]]:
        """One machine more: its number, its address, and what starts a program on it."""
        number = len(self.machines)
        inside, outside, address = f"{self.name}n{number}", f"{self.name}v{number}", f"10.77.0.{number + 11}"
        self.machines.append(inside)
        _ip("netns", "add", inside)
        _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", inside)
        _ip("link", "set", outside, "master", self.name, "up")
        for words in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("link", "set", "lo", "up")):
            _ip("-n", inside, *words)
        return number, address, ("ip", "netns", "exec", inside)

    def pull(self, number: int) -> None:
        """Pull a machine's cable: nothing comes through, and nobody is told."""
        _ip("link", "set", f"{self.name}v{number}", "down")

    def put_back(self, number: int) -> None:
        _ip("link", "set", f"{self.name}v{number}", "up")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
