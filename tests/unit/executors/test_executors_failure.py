"""A failure says what a person needs, and whether another attempt could help."""

from __future__ import annotations

import errno
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from ftsweep.control.jobs import as_error
from ftsweep.errors import DataError
from ftsweep.executors.failure import describe_failure, failure_kind, place_in_code_of_user


class AcceleratorError(RuntimeError):
    """As torch's."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "place"),
        (OSError(errno.EIO, "Input/output error"), "place"),
        (OSError(errno.ENFILE, "Too many open files in system"), "infrastructure"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "user"),
        (PermissionError(errno.EACCES, "Permission denied"), "place"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "place"),
        (ValueError("No space left on device is a phrase in my data"), "user"),
        (AcceleratorError("CUDA error: an illegal memory access was encountered"), "infrastructure"),
        (AcceleratorError("CUDA error: device-side assert triggered"), "user"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "infrastructure"),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), "user"),
        (ValueError("CUDA error is a word in my data"), "user"),
        (DataError("no column 'text'", where="rows.csv"), "user"),
        (SystemExit(1), "user"),
    ],
)
def test_only_what_another_attempt_may_mend_is_infrastructure(error: BaseException, kind: str) -> None:
    assert failure_kind(error) == kind


def test_failure_names_the_users_own_line(tmp_path: Path) -> None:
    file = tmp_path / "my_task.py"
    file.write_text("import json\n\n\ndef encode(text):\n    return json.loads(text)\n")
    spec = importlib.util.spec_from_file_location("my_task", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(json.JSONDecodeError) as caught:
        module.encode("not json")
    failed = describe_failure("trial-0001", caught.value)
    assert failed["where"] == f"{file}:5"  # not the line of json's decoder, which is deeper
    assert (failed["job"], failed["error_class"]) == ("trial-0001", "JSONDecodeError")
    assert "decoder.py" in failed["traceback"]
    json.dumps(failed)


def test_place_that_the_error_names_wins() -> None:
    failed = describe_failure("prepare", DataError("no column 'text'", where="rows.csv:7", remedy="Map it."))
    assert failed["where"] == "rows.csv:7"
    assert failed["message"] == "rows.csv:7: no column 'text'. Map it."


def test_of_a_full_disk_no_line_of_code_is_to_blame() -> None:
    def failed(error: BaseException) -> str:
        try:
            raise error
        except type(error) as caught:
            return describe_failure("trial-0001", caught)["where"]

    assert failed(OSError(errno.ENOSPC, "No space left on device", "/data/weights")) == "/data/weights"
    assert failed(SafetensorError("I/O error: No space left on device (os error 28)")) == ""


def test_error_of_a_single_job_says_what_to_do_and_keeps_the_workers_traceback_for_debug() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        print(1 // 0)
    error = as_error(describe_failure("prepare", caught.value))
    assert str(error).endswith("Mend it and run the same command again; add --debug for the traceback.")
    assert "print(1 // 0)" in error.__notes__[0]


def test_packages_of_another_environment_on_the_path_are_not_the_users_code(tmp_path: Path) -> None:
    for name, is_users in (("site-packages", False), ("dist-packages", False), ("mine", True)):
        file = tmp_path / name / "thing.py"
        file.parent.mkdir()
        code = compile("def work():\n    raise ValueError", str(file), "exec")
        file.write_text("def work():\n    raise ValueError")
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no text
            namespace["work"]()
        error = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # type: ignore[union-attr]
        assert place_in_code_of_user(error) == (f"{file}:2" if is_users else "")
