"""ftsweep finds the best way to fine-tune a language model on the GPUs you have, and proves it."""

__version__ = "0.1.0"
