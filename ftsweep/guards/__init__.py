"""Checks of the data before the first trial, and the limit on forgetting: what `_target_` may name under `guards`."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.guards.base import DataGuard, Mode, Sighting
    from ftsweep.guards.chat_turns import ChatTurns
    from ftsweep.guards.forgetting import Forgetting
    from ftsweep.guards.label_names import AbsentClasses, LabelSpelling
    from ftsweep.guards.labels import LabelErrors, TargetInInput
    from ftsweep.guards.leakage import ExactCopies, NearDuplicates, NormalisedCopies, SharedGroups, SharedPassages
    from ftsweep.guards.numbers import FarNumbers
    from ftsweep.guards.quality import ClassImbalance, ConflictingLabels, RareClasses, RepeatedRows, SmallData
    from ftsweep.guards.rows import CutInputs, CutTargets, InvalidTags, UnsupervisedRows, UnusableRows
    from ftsweep.guards.telling_words import TellingWords
    from ftsweep.guards.unread import Unread

__all__ = [
    "AbsentClasses",
    "ChatTurns",
    "ClassImbalance",
    "ConflictingLabels",
    "CutInputs",
    "CutTargets",
    "DataGuard",
    "ExactCopies",
    "FarNumbers",
    "Forgetting",
    "InvalidTags",
    "LabelErrors",
    "LabelSpelling",
    "Mode",
    "NearDuplicates",
    "NormalisedCopies",
    "RareClasses",
    "RepeatedRows",
    "SharedGroups",
    "SharedPassages",
    "Sighting",
    "SmallData",
    "TargetInInput",
    "TellingWords",
    "Unread",
    "UnsupervisedRows",
    "UnusableRows",
]

__getattr__ = lazy_exports(
    __name__,
    AbsentClasses="label_names",
    ChatTurns="chat_turns",
    ClassImbalance="quality",
    ConflictingLabels="quality",
    CutInputs="rows",
    CutTargets="rows",
    DataGuard="base",
    ExactCopies="leakage",
    FarNumbers="numbers",
    Forgetting="forgetting",
    InvalidTags="rows",
    LabelErrors="labels",
    LabelSpelling="label_names",
    Mode="base",
    NearDuplicates="leakage",
    NormalisedCopies="leakage",
    RareClasses="quality",
    RepeatedRows="quality",
    SharedGroups="leakage",
    SharedPassages="leakage",
    Sighting="base",
    SmallData="quality",
    TargetInInput="labels",
    TellingWords="telling_words",
    Unread="unread",
    UnsupervisedRows="rows",
    UnusableRows="rows",
)
