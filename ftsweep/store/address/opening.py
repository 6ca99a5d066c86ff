"""The store behind an address, by what the address begins with."""

from __future__ import annotations

from ftsweep.store.address.objects import Objects


def open_objects(address: str) -> Objects:
    """The store at an address; nothing is asked of it yet."""
    if address.startswith("file://"):
        from ftsweep.store.address.shared_folder import SharedFolder

        return SharedFolder(address)
    from ftsweep.store.address.bucket import Bucket

    return Bucket(address)
