"""A running study whose store lies at an address: who keeps it there is started, shown, and heeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ftsweep.config.schema import SweepConfig
from ftsweep.domain.addresses import is_address
from ftsweep.domain.study_state import StudyState
from ftsweep.store.address.keeping import Keeper
from ftsweep.store.address.place import store_named
from ftsweep.store.address.visiting import fetch_studies

if TYPE_CHECKING:
    from ftsweep.control.live_study import LiveStudy

_STOP_SECONDS = 3.0
"""For a store that is away, once the user wants to stop."""


@dataclass
class Kept:
    """One study, by its keeper."""

    keeper: Keeper

    def starting(self, on_start: Callable[[LiveStudy], None]) -> Callable[[LiveStudy], None]:
        """`on_start`, and what is to be done then: the study's folder is whole, and has somebody who can stop it."""

        def start(live: LiveStudy) -> None:
            on_start(live)
            self.keeper.on_lost = live.stop
            hurry = live.monitor.hurry

            def hurry_all(seconds: float) -> None:
                hurry(seconds)
                self.keeper.hurry(_STOP_SECONDS)

            live.monitor.hurry = hurry_all
            self.keeper.start()

        return start

    def watching(self, watch: Callable[[StudyState], None]) -> Callable[[StudyState], None]:
        """`watch`, with what is to be known of the address."""
        return lambda state: watch(replace(state, note=" ".join(filter(None, (self.keeper.text, state.note)))))


def bring_models(config: SweepConfig, tell: Callable[[str], None]) -> None:
    """Have the models of other studies at an address here that branches begin with."""
    for branch in config.branches:
        model = branch.config.get("model") or {}
        if model.get("study") and is_address(model.get("store")):
            fetch_studies(store_named(model["store"]), tell, study=model["study"], whole=True)
