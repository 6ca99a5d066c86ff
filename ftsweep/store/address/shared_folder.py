"""A folder as an object store (`file:///mnt/share/sweeps`): a disk that other machines see, too."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ftsweep.store.address.objects import MissingObjectError, StoreAwayError, StoreRefusedError

_TORN = ".sending-"


class SharedFolder:
    """Objects are files. Renames and hard links, which are done whole or not at all, make them appear."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.root = Path(unquote(urlsplit(address).path))
        self._was_there = False

    def get(self, name: str) -> bytes:
        with self._reached():
            return (self.root / name).read_bytes()

    def fetch(self, name: str, path: Path) -> None:
        with self._reached():
            shutil.copyfile(self.root / name, path)

    def put(self, name: str, content: bytes) -> None:
        with self._reached(writes=True), self._written(name) as torn:
            torn.write_bytes(content)

    def send(self, name: str, path: Path, size: int) -> None:
        with (
            self._reached(writes=True),
            self._written(name) as torn,
            open(path, "rb") as source,
            open(torn, "wb") as target,
        ):
            left = size
            while left > 0 and (part := source.read(min(left, 1 << 20))):
                target.write(part)
                left -= len(part)

    def create(self, name: str, content: bytes) -> bool:
        with self._reached(writes=True):
            torn = self._torn(name)
            try:
                torn.write_bytes(content)
                os.link(torn, self.root / name)
            except FileExistsError:
                return False
            finally:
                torn.unlink(missing_ok=True)
        return True

    def names(self, prefix: str) -> list[str]:
        with self._reached():
            below = self.root / prefix
            found = [path for path in below.rglob("*") if not path.name.startswith(_TORN) and path.is_file()]
            return sorted(path.relative_to(below).as_posix() for path in found)

    def folders(self, prefix: str) -> list[str]:
        with self._reached():
            below = self.root / prefix
            return sorted(path.name for path in below.iterdir() if path.is_dir()) if below.is_dir() else []

    def delete(self, names: Iterable[str]) -> None:
        with self._reached():
            for name in names:
                (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def _written(self, name: str) -> Iterator[Path]:
        torn = self._torn(name)
        try:
            yield torn
            os.replace(torn, self.root / name)
        finally:
            torn.unlink(missing_ok=True)

    def _torn(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f"{_TORN}{secrets.token_hex(6)}")

    @contextmanager
    def _reached(self, *, writes: bool = False) -> Iterator[None]:
        """A folder that was there and is gone is a disk that is not mounted: nothing is made in its place."""
        if not self._was_there:
            self._begin(writes=writes)
        elif not self.root.is_dir():
            raise StoreAwayError("the folder is gone: is its disk mounted?", where=self.address)
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingObjectError(str(error)) from error
        except OSError as error:
            raise StoreAwayError(error.strerror or str(error), where=self.address) from error

    def _begin(self, *, writes: bool) -> None:
        """Who only reads makes no folder: the address may be mistyped."""
        if not self.root.parent.is_dir():
            what, remedy = f"there is no folder {self.root.parent}", "Mount its disk, or name another: store.path=..."
            raise StoreRefusedError(what, where=self.address, remedy=remedy)
        if not writes and not self.root.exists():
            return
        try:
            self.root.mkdir(exist_ok=True)
        except OSError as error:
            what, remedy = f"it cannot be made: {error.strerror}", "Name another: store.path=..."
            raise StoreRefusedError(what, where=self.address, remedy=remedy) from error
        self._was_there = True
