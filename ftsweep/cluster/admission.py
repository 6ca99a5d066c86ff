"""What a slot must be like before it gets a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
