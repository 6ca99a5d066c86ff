"""Models that are made for inputs of one length: they read the padding behind a text, or take no other length.

Here batches are padded to their longest row, so a value of such a model would be that of a text and its neighbours, and
another one when it answers the text alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftsweep.models.base import Head
from ftsweep.models.origin import Origin

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_ALL: frozenset[Head] = frozenset({"masked_lm", "sequence_classification", "token_classification"})
PADDING_READ: dict[str, frozenset[Head]] = {
    "canine": _ALL,  # a convolution over characters
    "convbert": _ALL,  # convolutions beside attention
    "fnet": _ALL,  # a Fourier transform over the row, without a mask
    "funnel": frozenset({"masked_lm", "token_classification"}),  # what was pooled is spread over the tokens again
    "nystromformer": _ALL,  # landmarks are means over shares of one length
    "xlnet": frozenset({"sequence_classification"}),  # the last place of the row is read
    "yoso": _ALL,  # what is hidden counts in how its sums are scaled
}
"""By model type the heads for which that is so; tests/unit/models/test_models_padding_read.py asks the models."""


def check_padding(origin: Origin, config: PreTrainedConfig, head: Head) -> None:
    """Raise ModelError for a model that does under this head."""
    if head in PADDING_READ.get(config.model_type, ()):
        raise origin.error(
            f"a {config.model_type!r} model is made for inputs of one length: what it makes of a text would depend on "
            "the padding behind it, and so on the texts beside it in a batch",
            "Choose another model (model=minilm, model=modernbert_base).",
        )
