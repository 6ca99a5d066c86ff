"""A store by what a person calls it: a folder, or an address with a folder of this machine to work in."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

from ftsweep.domain.addresses import address_problem, is_address, plain_address
from ftsweep.domain.paths import typed_path
from ftsweep.errors import UsageError
from ftsweep.store.address.objects import MissingObjectError, Objects
from ftsweep.store.atomic import read_json, write_json, write_text
from ftsweep.store.folders import Store
from ftsweep.store.locks import locked

STORES = "FTSWEEP_STORES"
"""The environment variable that names another folder for the working folders of addresses."""

_IDENTITY = re.compile(r"[0-9a-f]{12}")
"""All that `store.json` says at an address; in a store that is a folder it is JSON with the place."""


def store_named(text: str | Path) -> Store:
    """The store of this name (`store.path`, `--store`). Nothing is asked of an address.

    Raises:
        UsageError: the address is wrong, or no folder can be made for it.
    """
    if not is_address(text):
        root = typed_path(text).absolute()
        if _IDENTITY.fullmatch(_text(root / "store.json")):
            what, remedy = "here lies what file:// addresses are kept in", f"Name it so: file://{quote(str(root))}"
            raise UsageError(what, where=str(text), remedy=remedy)
        return Store(root)
    problem = address_problem(str(text))
    if problem is not None:
        raise UsageError(problem[0], where=str(text), remedy=problem[1])
    address = plain_address(str(text))
    store = Store(_working_folder(address))
    if store.name != address:
        try:
            write_text(store.root / "address", f"{address}\n")
        except OSError as error:
            what, remedy = (
                f"no files can be kept for {address}: {error.strerror}",
                f"Name a folder of yours: {STORES}=...",
            )
            raise UsageError(what, where=str(store.root), remedy=remedy) from error
    return store


def settle_identity(store: Store, objects: Objects, *, makes: bool) -> bool:
    """Give the working folder the identity of the store at the address; whether it has one there.

    It is made there once, by the first who writes (`makes`); who reads a wrong address leaves nothing at it.
    """
    file = store.root / "store.json"
    with locked(store.root / "filling" / ".identity"):
        try:
            identity = str(objects.get("store.json"), "ascii").strip()
        except MissingObjectError:
            if not makes:
                return False
            identity = hashlib.sha256(os.urandom(32)).hexdigest()[:12]
            if not objects.create("store.json", f"{identity}\n".encode()):
                identity = str(objects.get("store.json"), "ascii").strip()
        if not _IDENTITY.fullmatch(identity):
            raise UsageError("store.json there is none of ours", where=objects.address, remedy="Name another prefix.")
        wanted = {"identity": identity, "place": str(store.root.absolute())}
        if not file.exists() or read_json(file) != wanted:
            write_json(file, wanted)
    return True


def is_known(store: Store) -> bool:
    """Whether this machine was ever in touch with the address."""
    return (store.root / "store.json").exists()


def address_of(store: Store) -> str | None:
    """None: the store is a folder."""
    name = store.name
    return name if isinstance(name, str) else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _working_folder(address: str) -> Path:
    """`~/.cache/ftsweep/stores/s3-bucket-prefix-0123456789ab`: by its name for people, by its hash for certain."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or typed_path("~/.cache"))
    folder = typed_path(os.environ.get(STORES) or cache / "ftsweep" / "stores").absolute()
    name = re.sub(r"[^A-Za-z0-9]+", "-", address)[:60].strip("-")
    return folder / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
