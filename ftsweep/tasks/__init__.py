"""What is learned: what `_target_` may name in a `task` node. Torch is imported in methods only."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.tasks.base import Example, RowError, Tally, Task
    from ftsweep.tasks.classification import Classification
    from ftsweep.tasks.http_judge import HttpJudge
    from ftsweep.tasks.instruction import Instruction
    from ftsweep.tasks.judging import Judge, JudgedRow
    from ftsweep.tasks.masked_text import MaskedText
    from ftsweep.tasks.multi_label import MultiLabel
    from ftsweep.tasks.preference import Preference
    from ftsweep.tasks.regression import Regression
    from ftsweep.tasks.sequence import SequenceTask
    from ftsweep.tasks.text import Text
    from ftsweep.tasks.token_classification import TokenClassification

__all__ = [
    "Classification",
    "Example",
    "HttpJudge",
    "Instruction",
    "Judge",
    "JudgedRow",
    "MaskedText",
    "MultiLabel",
    "Preference",
    "Regression",
    "RowError",
    "SequenceTask",
    "Tally",
    "Task",
    "Text",
    "TokenClassification",
]

__getattr__ = lazy_exports(
    __name__,
    Classification="classification",
    Example="base",
    HttpJudge="http_judge",
    Instruction="instruction",
    Judge="judging",
    JudgedRow="judging",
    MaskedText="masked_text",
    MultiLabel="multi_label",
    Preference="preference",
    Regression="regression",
    RowError="base",
    SequenceTask="sequence",
    Tally="base",
    Task="base",
    Text="text",
    TokenClassification="token_classification",
)
