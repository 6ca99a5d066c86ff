"""A command ends as its work says, whatever its output can take and whatever libraries warn of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import study_screens
from report_studies import write_demo


def _python(code: str, *, env: dict[str, str] | None = None, **settings: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **(env or {})}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=120, **settings)  # type: ignore[call-overload,no-any-return]


_ASCII = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("env", _ASCII)
def test_what_the_encoding_lacks_is_replaced(env: dict[str, str]) -> None:
    code = f"from ftsweep.cli.output import prepare_output; prepare_output(); print({'▁▄█ 3/10 ☃'!a})"
    done = _python(code, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"_=@ 3/10 ?\n"


def test_json_for_an_encoding_without_a_character_spells_it() -> None:
    code = f"from ftsweep.cli.options import print_json; print_json({{'label': {'☃'!a}}})"
    done = _python(code, env={"PYTHONIOENCODING": "ascii"})
    assert done.stdout == b'{\n "label": "\\u2603"\n}\n'


def test_a_reader_that_goes_away_ends_printing_only() -> None:
    code = (
        "import sys; from ftsweep.cli.output import print_on\n"
        "print_on(lambda sentence: print(sentence, file=sys.stderr))\n"
        "for number in range(100_000): print(number)\n"
        "print('the end', file=sys.stderr)"
    )
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "$CODE" | head -1; echo "${{PIPESTATUS[0]}}"'],
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["0", "0"]
    assert done.stderr.splitlines() == [
        "Standard output takes nothing more (its reader is gone): what would be printed there is lost, "
        "the study goes on.",
        "the end",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_log_ends_printing_only() -> None:
    code = (
        "import sys; from ftsweep.cli.output import print_on\n"
        "print_on(lambda sentence: print(sentence, file=sys.stderr)); print('lost'); print('the end', file=sys.stderr)"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0
    assert b"No space left" in done.stderr
    assert done.stderr.endswith(b"the end\n")


def test_other_commands_end_with_the_pipes_code_and_no_traceback() -> None:
    code = (
        "import click, itertools; from ftsweep.cli.main import main\n"
        "@main.command()\n"
        "def endless():\n"
        "    for number in itertools.count(): click.echo(number)\n"
        "import sys; sys.argv = ['ftsweep', 'endless']; main()"
    )
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "$CODE" | head -1; echo "${{PIPESTATUS[0]}}"'],
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["0", "141"]
    assert done.stderr == ""


_PLAN = """
import sys
import ftsweep.control.plan
from study_screens import plan_facts
from ftsweep.cli.main import main
ftsweep.control.plan.make_plan = lambda config, scratch: plan_facts()  # without a worker that times steps
sys.exit(main(["plan", "quickstart"]))
"""


@pytest.mark.parametrize("words", ["status demo", "status", "best demo", "compare demo 3 0", "list", "plan"])
def test_what_commands_print_fits_ascii_and_a_reader_of_one_line(words: str, tmp_path: Path) -> None:
    write_demo(tmp_path / "mlruns")
    (tmp_path / "plan.py").write_text(_PLAN)
    file = "plan.py" if words == "plan" else f"-m ftsweep.cli.main {words}"
    command = f'"{sys.executable}" {file}'
    script = f'{command} > whole.txt && {command} | head -1; echo "${{PIPESTATUS[0]}}"'
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (Path(study_screens.__file__).parent, *sys.path)))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, timeout=120)
    assert done.stderr == b""
    first, code = done.stdout.splitlines()
    whole = (tmp_path / "whole.txt").read_bytes()
    assert whole.isascii()
    assert whole.splitlines()[0] == first
    assert code in (b"0", b"141")


_ON_A_TERMINAL = """
import fcntl, pathlib, signal, sys, termios, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may be run with nohup
from ftsweep.cli.output import print_on
from ftsweep.cli.run import _stop_on_signals

class Live:
    is_stopping = False
    def stop(self):
        self.is_stopping = True

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
live, said = Live(), []
print_on(said.append)
_stop_on_signals(live)
print("ready", flush=True)
while not live.is_stopping:
    time.sleep(0.01)
print("to nobody", flush=True)
pathlib.Path(sys.argv[1]).write_text("stopped: " + " ".join(said))
"""


def test_a_closed_terminal_stops_a_run_in_words_and_is_no_error(tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL, str(tmp_path / "said.txt")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    found = b""
    while b"ready" not in found:
        found += os.read(controller, 1024)
    os.close(controller)
    try:
        assert child.wait(60) == 0, found
    finally:
        child.kill()
    assert "stopped: Standard" in (tmp_path / "said.txt").read_text()
    assert "the study goes on" in (tmp_path / "said.txt").read_text()


@pytest.mark.parametrize("wish", ["error", "error::DeprecationWarning,ignore::UserWarning"])
def test_warnings_are_errors_neither_here_nor_in_processes_that_are_started(wish: str) -> None:
    code = (
        "import os, subprocess, sys, warnings; from ftsweep.cli.output import prepare_warnings; prepare_warnings()\n"
        "warnings.warn('a library is old', DeprecationWarning, stacklevel=2)\n"
        "child = 'import warnings; warnings.warn(\"x\", DeprecationWarning)'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)"
    )
    done = _python(code, env={"PYTHONWARNINGS": wish})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_stream_that_the_shell_closed_leads_nowhere_and_no_file_takes_its_place(number: int, tmp_path: Path) -> None:
    code = (
        "import sys; from ftsweep.cli.output import prepare_output; prepare_output(); "
        f"print('told'); print('told', file=sys.stderr); sys.stdin.read(); "
        f"file = open({str(tmp_path / 'f')!r}, 'w'); sys.exit(file.fileno() <= 2)"
    )
    closed = {0: "<&-", 1: ">&-", 2: "2>&-"}[number]
    given = None if number == 0 else subprocess.DEVNULL
    command = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code]
    done = subprocess.run(command, stdin=given, capture_output=True, timeout=120)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
