"""One owner of a study at an address: how it is won, kept, lost and let go."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from memory_objects import MemoryObjects

from ftsweep.errors import StudyLockedError
from ftsweep.store.address import ownership
from ftsweep.store.address.objects import StoreRefusedError
from ftsweep.store.address.ownership import LostOwnershipError, Ownership, owner_at

FIRST, SECOND = "studies/q/owner/00000001.json", "studies/q/owner/00000002.json"


def an_owner(objects: MemoryObjects, seconds: float = 0.2, told: list[str] | None = None) -> Ownership:
    return Ownership(objects, "q", (told if told is not None else []).append, seconds)


def on_another_machine(objects: MemoryObjects, name: str = FIRST, **changes: Any) -> None:
    """Have the object say that its owner is a process elsewhere."""
    signature = {**json.loads(objects.content[name]), "machine": "another", "host": "far", "process": 7, **changes}
    objects.content[name] = json.dumps(signature).encode()


def test_first_owner_has_the_first_term() -> None:
    objects = MemoryObjects()
    owner = an_owner(objects)
    owner.take()
    assert owner.term == 1
    assert list(objects.content) == [FIRST]


def test_owner_that_lives_is_named() -> None:
    objects = MemoryObjects()
    an_owner(objects).take()
    on_another_machine(objects, seconds=30)
    ends = threading.Event()

    def renew() -> None:
        number = 0
        while not ends.wait(0.05):
            number += 1
            on_another_machine(objects, renewed=number)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(StudyLockedError, match=r"is being run by process 7 on far since 20\d\d"):
            an_owner(objects).take()
    finally:
        ends.set()
        thread.join()
    assert SECOND not in objects.content


def test_owner_that_is_silent_for_its_lease_is_followed() -> None:
    objects, told = MemoryObjects(), list[str]()
    former = an_owner(objects)
    former.take()
    on_another_machine(objects)
    owner = an_owner(objects, told=told)
    owner.take()
    assert owner.term == 2
    assert "process 7 on far" in told[0]
    assert list(objects.content) == [SECOND]
    former._renewed = 0.0
    with pytest.raises(LostOwnershipError, match="was taken over by process"):
        former.ensure()


def test_who_has_lost_renews_nothing() -> None:
    objects = MemoryObjects()
    former, owner = an_owner(objects), an_owner(objects)
    former.take()
    on_another_machine(objects)
    owner.take()
    before = dict(objects.content)
    for act in (former.renew, former.release):
        with pytest.raises(LostOwnershipError):
            act()
    assert objects.content == before


def test_who_lets_go_is_followed_at_once() -> None:
    objects = MemoryObjects()
    former, owner = an_owner(objects, seconds=1000), an_owner(objects, seconds=1000)
    former.take()
    assert owner_at(objects, "q").startswith("process ")
    former.release()
    assert owner_at(objects, "q") == ""
    owner.take()
    assert owner.term == 2


def test_dead_process_of_this_machine_is_followed_at_once() -> None:
    objects = MemoryObjects()
    an_owner(objects, seconds=1000).take()
    signature = {**json.loads(objects.content[FIRST]), "started": "another process had this number"}
    objects.content[FIRST] = json.dumps(signature).encode()
    owner = an_owner(objects, seconds=1000)
    owner.take()
    assert owner.term == 2


def test_one_of_many_at_once_wins() -> None:
    objects, terms, barrier = MemoryObjects(), list[int](), threading.Barrier(8)

    def attempt() -> None:
        owner = an_owner(objects, seconds=0.5)
        barrier.wait()
        try:
            owner.take()
            terms.append(owner.term)
        except StudyLockedError:
            pass

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(terms) == len(set(terms))


def test_answer_that_was_lost_is_no_defeat() -> None:
    class Forgetful(MemoryObjects):
        """Makes the object, and says that it was there, as a request that was sent twice does."""

        def create(self, name: str, content: bytes) -> bool:
            super().create(name, content)
            return False

    owner = an_owner(Forgetful())
    owner.take()
    assert owner.term == 1


def test_store_without_conditional_puts_is_refused() -> None:
    class Careless(MemoryObjects):
        def create(self, name: str, content: bytes) -> bool:
            self.put(name, content)
            return True

    with pytest.raises(StoreRefusedError, match="conditional puts"):
        an_owner(Careless()).take()


def test_freshness_ends_with_half_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(ownership, "_now", lambda: now)
    objects = MemoryObjects()
    owner = an_owner(objects, seconds=40)
    owner.take()
    now += 19.0
    objects.requests.clear()
    owner.ensure()
    assert objects.requests == []
    now += 2.0
    owner.ensure()
    assert objects.asked("put") == [FIRST]


def test_object_that_cannot_be_read_is_outwaited() -> None:
    objects = MemoryObjects({FIRST: b"\x00 not ours"})
    owner = an_owner(objects)
    owner.take()
    assert owner.term == 2
