"""What a slot must be like before it gets a worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ftsweep

_VERSIONS = ("torch", "transformers", "peft")


class NotStartedError(Exception):
    """A slot cannot be started; the study may go on with others."""


class SlotDiedError(NotStartedError):
    """It, or its node, died while it was being started: another try may do."""


class RefusedClusterError(Exception):
    """The cluster is not safe to use."""

    remedy = (
        "Start it with RAY_AUTH_MODE=token and a token (docs/cluster.md), or take it as it is with "
        "executor.insecure=true."
    )


def check_admission(facts: Mapping[str, Any], *, versions_here: Mapping[str, str], insecure: bool) -> None:
    """Refuse a slot by what it says of itself: its `host`, `auth_mode` and `versions`.

    Raises:
        RefusedClusterError: whoever reaches the node could run code there.
        NotStartedError: it runs something else than this machine.
    """
    if facts["auth_mode"] != "token" and not insecure:
        raise RefusedClusterError(
            f"whoever reaches node {facts['host']} of the Ray cluster can run code on it: it asks for no token"
        )
    own, found = versions_here, facts["versions"]
    other = [
        f"{package} {found.get(package)} (here {own[package]})" for package in own if found.get(package) != own[package]
    ]
    if other:
        raise NotStartedError(f"it has {', '.join(other)}: install the same versions as on this machine")


def versions() -> dict[str, str]:
    """Of what trains: packages, and ftsweep's own source, for two checkouts may call themselves the same."""
    source = hashlib.sha256()
    root = Path(ftsweep.__file__).parent
    for file in sorted(root.rglob("*.py")):
        source.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    own = {"ftsweep": f"{ftsweep.__version__} ({source.hexdigest()[:8]})"}
    return own | {name: _installed(name) for name in _VERSIONS}


def _installed(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "none"


def death_reason(error: BaseException) -> str:
    """Why a slot did not begin, in a line; Ray itself says nothing of tokens where one side alone has one."""
    lines = str(error).strip().splitlines() or [""]
    reason = f"{type(error).__name__}: {lines[-1].rstrip('.')}"
    if "never ran" in reason:
        reason += (
            " (so it is where the cluster was started without a token, and this machine has one: start it with "
            "RAY_AUTH_MODE=token, or give RAY_AUTH_MODE=disabled and executor.insecure=true here)"
        )
    return reason
