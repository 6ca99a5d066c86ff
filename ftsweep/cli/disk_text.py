"""Disk use and cleaning, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftsweep.control.clean import Cleaning


def size_text(num_bytes: float) -> str:
    """Bytes for a person."""
    if num_bytes < 2**20:
        return f"{num_bytes / 2**10:.0f} KiB"
    return f"{num_bytes / 2**20:.1f} MiB" if num_bytes < 2**30 else f"{num_bytes / 2**30:.2f} GiB"


def study_disk_text(disk: Mapping[str, int]) -> str:
    """A study's folder: all of it, and what of it are weights and checkpoints."""
    parts = [f"{size_text(disk[name])} {name}" for name in ("weights", "checkpoints") if disk[name]]
    return size_text(disk["total"]) + (f" ({', '.join(parts)})" if parts else "")


def store_disk_text(disk: Mapping[str, Any]) -> str:
    """The store in one line."""
    cache = ", ".join(f"{kind} {size_text(size)}" for kind, size in disk["cache"].items() if size)
    parts = [f"{name} {size_text(disk[name])}" for name in ("studies", "artifacts", "databases")]
    parts.append(f"cache {size_text(sum(disk['cache'].values()))}" + (f" ({cache})" if cache else ""))
    return f"Disk: {'; '.join(parts)}; {size_text(disk['free'])} free."


def cleaning_lines(cleaning: Cleaning, *, is_dry: bool) -> Iterator[str]:
    """What went, or would go, by reason, and how much that is."""
    for reason in dict.fromkeys(removal.reason for removal in cleaning.removals):
        own = [removal for removal in cleaning.removals if removal.reason == reason]
        yield f"{reason}: {size_text(sum(removal.size_bytes for removal in own))}"
        yield from (f"  {removal.path} ({size_text(removal.size_bytes)})" for removal in own)
    yield from cleaning.skipped
    if not cleaning.removals:
        yield "Nothing to remove."
    else:
        yield f"{'Would free' if is_dry else 'Freed'} {size_text(cleaning.size_bytes)} ({cleaning.size_bytes} bytes)."
