"""The process that holds Ray for a study.

Ray ends a process whose cluster is gone, from C++ and without an exception; that must not be the one that owns a study.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftsweep.cluster.held_folder import HeldFolder

_PATIENCE = {"RAY_raylet_start_wait_time_s": "45", "RAY_agent_register_timeout_ms": "120000"}
_MOST_STARTS = 4
"""Of a cluster of our own: Ray gives its own processes 15 s, which on a busy machine is not enough."""
_END_SECONDS = 15.0
"""Of a bridge without a control process."""
_MOST_LETTERS = 24  # of the temporary folder: names of sockets below it are short by nature


def main(words: Sequence[str]) -> None:
    """`words`: the settings as JSON. Commands come from standard input, what is said goes to standard output."""
    settings = json.loads(words[1])
    threading.Thread(target=end_after_control_process, name="end", daemon=True).start()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"address": settings["address"] or "local", "log_to_driver": False}
    own = None
    if settings["address"] is None:  # a cluster of our own lets nobody in without its token
        own = _folder_with_token()
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        options |= {"include_dashboard": False, "_temp_dir": str(own.path)}
    import ray  # which reads the environment

    from ftsweep.cluster.bridge import Bridge

    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray prints
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        if _connected(options, is_first=settings["is_first"], output=output):
            Bridge(settings, output).run(iter(sys.stdin.readline, ""))
    except Exception:
        logging.getLogger(__name__).exception("the bridge ends")
    finally:
        with suppress(Exception):
            ray.shutdown()
        if own is not None:
            own.remove()
        os._exit(0)  # what is left is Ray's, and ends with this process


def end_after_control_process() -> None:
    """End this process where the control process is gone and Ray hangs, as it does without its cluster."""
    control = select.poll()
    control.register(0, 0)  # hanging up is told in any case
    control.poll()
    time.sleep(_END_SECONDS)
    os._exit(1)


def _folder_with_token() -> HeldFolder:
    place = tempfile.gettempdir()
    own = HeldFolder(Path(place if len(place) <= _MOST_LETTERS else "/tmp"), "ftsweep-ray-")  # noqa: S108
    token = own.path / "token"
    token.touch(mode=0o600)
    token.write_text(uuid.uuid4().hex + uuid.uuid4().hex, encoding="ascii")
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
    os.environ.pop("RAY_AUTH_TOKEN", None)
    return own


def _connected(options: Mapping[str, Any], *, is_first: bool, output: Any) -> bool:
    """Whether there is a cluster; what has not been reached even once is told at once, and ends the study."""
    try:
        _join(options)
    except Exception as error:
        if not is_first:
            raise
        what = f"no Ray cluster can be used at {options['address']!r}: {str(error).strip().partition(chr(10))[0]}"
        remedy = "docs/cluster.md says how one is started, and how its token is given."
        refused = {"error": "ConfigError", "what": what, "where": "executor.address", "remedy": remedy}
        output.write(json.dumps({"type": "refused", **refused}) + "\n")
        output.flush()
        return False
    return True


def _join(options: Mapping[str, Any]) -> None:
    """Connect to the cluster, or start one of our own, several times if need be."""
    import ray

    for left in reversed(range(_MOST_STARTS if options["address"] == "local" else 1)):
        try:
            ray.init(**options)
        except Exception:
            if not left:
                raise
            ray.shutdown()
        else:
            return


if __name__ == "__main__":
    main(sys.argv)
