"""What building a component imports: composing a sweep file builds every one of them, and is to take no seconds."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

_CODE = """
import importlib, sys
getattr(importlib.import_module(sys.argv[1]), sys.argv[2])()
print(*sorted({"torch", "transformers", "peft", "datasets"} & set(sys.modules)))
"""


@cache
def slow_imports(component: type) -> list[str]:
    """The libraries that take seconds to import and that building one of these, by its defaults, has imported.

    Raises:
        CalledProcessError: it cannot be imported or built.
    """
    command = [sys.executable, "-c", _CODE, component.__module__, component.__name__]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return done.stdout.split()
