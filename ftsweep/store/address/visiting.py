"""What commands do with a store at an address: read it, change a study that nobody runs, or own one and run it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ftsweep.errors import FtsweepError, UsageError
from ftsweep.store.address.filling import fill, fill_owned
from ftsweep.store.address.index import Index, studies_at
from ftsweep.store.address.keeping import Keeper
from ftsweep.store.address.objects import Objects, StoreAwayError, patiently
from ftsweep.store.address.opening import open_objects
from ftsweep.store.address.ownership import Ownership, owner_at
from ftsweep.store.address.place import address_of, is_known, settle_identity
from ftsweep.store.address.sending import Sender
from ftsweep.store.folders import Store, StudyFolder

READ_SECONDS = 20.0
"""How long a store that is away is waited for by who only reads, and by who was never in touch with it."""

OPEN_SECONDS = 600.0
CLOSE_SECONDS = 60.0
_FETCH_SECONDS = 10.0
_LOGGER = logging.getLogger(__name__)
Tell = Callable[[str], None]
T = TypeVar("T")


def fetch_studies(store: Store, tell: Tell, *, study: str | None = None, whole: bool = False) -> None:
    """Have the studies of a store at an address (or one) in its working folder, as they were sent last; without `whole`
    no weights. Of a folder nothing is to be done.

    Raises:
        UsageError: the store is not there, is away or does not let us in.
    """
    address = address_of(store)
    if address is None:
        return
    objects = open_objects(address)

    def bring() -> None:
        if not settle_identity(store, objects, makes=False):
            return
        for name in studies_at(objects) if study is None else [study]:
            fill(store.study(name), objects, whole=whole)

    _reached(lambda: patiently(bring, READ_SECONDS, tell))


def keep_fetching(store: Store) -> None:
    """Bring what is new at an address every few seconds, in a thread, for as long as the process lives."""
    if address_of(store) is None:
        return

    def fetch() -> None:
        while True:
            time.sleep(_FETCH_SECONDS)
            try:
                fetch_studies(store, _LOGGER.debug)
            except FtsweepError as error:
                _LOGGER.warning("%s", error)

    threading.Thread(target=fetch, name="ftsweep-fetch", daemon=True).start()


@contextmanager
def owned(folder: StudyFolder, tell: Tell) -> Iterator[Keeper | None]:
    """Own the study in this folder, and at its address if it has one: then the folder holds what lies there, and a
    keeper, not started yet, is given. At the end all is sent; what could not be is among its `left`.

    Raises:
        StudyLockedError: another process owns the study, here or anywhere.
        UsageError: the store is not there, is away or does not let us in.
    """
    address = address_of(folder.store)
    with folder.locked():
        if address is None:
            yield None
            return
        keeper = _opened(folder, open_objects(address), tell)
        try:
            yield keeper
        except BaseException:
            keeper.close()
            for text in keeper.left:
                tell(text)
            raise
        keeper.close()
    if keeper.lost is not None:
        raise keeper.lost


def _opened(folder: StudyFolder, objects: Objects, tell: Tell) -> Keeper:
    """The study's keeper, which shows that its owner lives; the study's folder holds what lies at the address."""
    ownership = Ownership(objects, folder.name, tell)
    keeper = Keeper(Sender(folder, objects, ownership, Index(0, 0)), ownership, CLOSE_SECONDS)

    def take() -> None:
        settle_identity(folder.store, objects, makes=True)
        ownership.take()

    def bring() -> None:
        filled = fill_owned(folder, objects)
        if filled.num_brought:
            tell(f"{filled.num_brought} files ({filled.bytes_brought / 1e6:.1f} MB) brought from {objects.address}")
        keeper.sender.index = filled.index or keeper.sender.index

    seconds = OPEN_SECONDS if is_known(folder.store) else READ_SECONDS
    _reached(lambda: patiently(take, seconds, tell))
    keeper.begin()
    try:
        _reached(lambda: patiently(bring, seconds, tell))
    except BaseException:
        keeper.give_up()
        raise
    return keeper


@contextmanager
def changed(folder: StudyFolder, tell: Tell) -> Iterator[None]:
    """Change a study for the length of a block. At an address, where no process of this machine runs it, it is owned
    meanwhile and what has changed is sent.

    Raises:
        StudyLockedError: a process of another machine owns it.
    """
    address = address_of(folder.store)
    if address is None or folder.is_running:
        yield
        return
    objects = open_objects(address)
    keeper = _opened(folder, objects, tell)
    try:
        yield
    finally:
        keeper.close()
    if keeper.lost is not None:
        raise keeper.lost
    if keeper.left:
        raise UsageError(keeper.left[0], where="store")


def owner_elsewhere(folder: StudyFolder) -> str:
    """The process of another machine that owns a study, for people; "" where none does, or the study is in a folder."""
    return owners_elsewhere([folder]).get(folder.name, "")


def owners_elsewhere(folders: Sequence[StudyFolder]) -> dict[str, str]:
    """The same of several studies of one store, by their names, without those that no other machine runs."""
    asked = [each for each in folders if address_of(each.store) is not None and not each.is_running]
    if not asked:
        return {}
    objects = open_objects(str(asked[0].store.name))
    owners = {each.name: owner_at(objects, each.name) for each in asked}
    return {name: owner for name, owner in owners.items() if owner}


def _reached(call: Callable[[], T]) -> T:
    """A store that is away at the start of a command ends it with what to do."""
    try:
        return call()
    except StoreAwayError as error:
        remedy = "Check the address, its endpoint (AWS_ENDPOINT_URL) and the network; give the same command again."
        raise UsageError(f"the store cannot be reached: {error.what}", where=error.where, remedy=remedy) from error
