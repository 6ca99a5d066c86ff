"""What commands show in a terminal of a size: real output on a pseudo-terminal, read by a terminal emulator.

`python tests/unit/cli/terminal_screens.py` writes the captures anew.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pyte

TESTS = Path(__file__).parents[2]
CAPTURES = Path(__file__).parent / "screens"
SIZES = ((80, 24), (120, 30))
CAPTURED = ("live", "status", "store", "best", "plan")
SCREENS = (*CAPTURED, "list", "help", "error")
"""Those behind the captured ones change with every component and verb: tests look at how they are broken into lines."""
_MARK = "\x1e"  # between two screens

# The child: everything in one process, since starting one costs more than all of the screens.
_CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from study_screens import show
for name in sys.argv[3:]:
    show(name, Path(sys.argv[2]))
    sys.stdout.write({mark!r})
    sys.stdout.flush()
"""


def capture(size: tuple[int, int], store: Path) -> dict[str, str]:
    """By name: what each screen shows, with the lines that have scrolled away; the live table as it stands."""
    columns, lines = size
    live, _, *others = _output(size, store).split(_MARK)  # what clears the live table stands behind it
    shown = {}
    for name, part in zip(SCREENS, [live, *others], strict=False):
        screen = pyte.Screen(columns, lines if name == "live" else 1_000)
        pyte.Stream(screen).feed(part)
        shown[name] = "\n".join(line.rstrip() for line in screen.display).rstrip() + "\n"
    return shown


def _output(size: tuple[int, int], store: Path) -> str:
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD.format(mark=_MARK), str(TESTS), str(store), *SCREENS],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=store.parent,
        env={**environment, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    os.close(terminal)
    found = bytearray()
    try:
        while part := os.read(controller, 65_536):
            found += part
    except OSError:  # the last process has closed the terminal
        pass
    os.close(controller)
    assert child.wait(timeout=60) == 0, found.decode(errors="replace")
    return found.decode()


def write_captures(store: Path) -> None:
    for size in SIZES:
        folder = CAPTURES / f"{size[0]}x{size[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        shown = capture(size, store)
        for name in CAPTURED:
            (folder / f"{name}.txt").write_text(shown[name], encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    from study_screens import write_store

    with tempfile.TemporaryDirectory() as folder:
        write_captures(write_store(Path(folder)))
