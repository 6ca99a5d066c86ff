"""Which store this is, wherever it lies: what tells its studies from those of the same name on a shared server."""

from __future__ import annotations

import uuid
from pathlib import Path

from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import Store
from ftsweep.store.locks import made_by_one


def store_identity(store: Store) -> str:
    """The store's own name, made once. A store that was moved keeps it, a copy beside its original gets one of its own.

    Twelve hexadecimal digits, in `store.json` with the place that they were made for.
    """
    file = store.root / "store.json"
    with made_by_one(store.root):
        known = _read(file)
        place = str(store.root.absolute())
        if known.get("place") == place:
            return known["identity"]
        former = Path(known.get("place", "/nowhere"))
        is_copy = _read(former / file.name).get("identity") == known.get("identity") and not _is_same(
            former, store.root
        )
        identity = known["identity"] if known and not is_copy else uuid.uuid4().hex[:12]
        write_json(file, {"identity": identity, "place": place})
        return identity


def _read(file: Path) -> dict[str, str]:
    try:
        data = read_json(file)
        return {"identity": str(data["identity"]), "place": str(data["place"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)
