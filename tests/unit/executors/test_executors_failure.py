"""A failure says what a person needs, and whether another attempt could help."""

from __future__ import annotations

import errno
import importlib.util
import json
from pathlib import Path

import pytest
from safetensors import SafetensorError

from ftsweep.errors import DataError
from ftsweep.executors.failure import describe_failure, failure_kind


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
