"""Nothing that ftsweep writes or says holds a secret of the environment."""

from __future__ import annotations

import logging

import pytest

from ftsweep.errors import ConfigError
from ftsweep.executors.failure import describe_failure
from ftsweep.redaction import RedactingFormatter, has_password, without_secrets


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("at https://ann:hunter2@host:5000/x.", "at https://***@host:5000/x."),
        ("https://ghp_tokentoken@github.com/a/b", "https://***@github.com/a/b"),
        ("postgresql+psycopg2://ann:p%40ss:w@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("s3://bucket/x?a=1&X-Amz-Signature=abcdef&b=2", "s3://bucket/x?a=1&X-Amz-Signature=***&b=2"),
        ("GET http://h/p?token=abc, then", "GET http://h/p?token=*** then"),
        ("postgresql://ann@db/x?sslpassword=abc&port=1", "postgresql://ann@db/x?sslpassword=***&port=1"),
    ],
)
def test_passwords_in_addresses_are_hidden(said: str, told: str) -> None:
    assert has_password(said)
    assert without_secrets(said) == told


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:5000/#/x?orderByKey=a", "postgresql://ann@db/mlflow", "write to ann@example.org: now", "a@b://c",
     "sqlite:////data/mlflow.db", "12:30 @ home", "https://host/@user/x", "cite https://a.b/c:d and x@y"],
)  # fmt: skip
def test_what_holds_no_password_stays_as_it_is(text: str) -> None:
    assert not has_password(text)
    assert without_secrets(text) == text


def test_values_of_secret_variables_are_hidden_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "HF_TOKEN": "hf_abcdef",
        "AWS_SECRET_ACCESS_KEY": "aws/secret",
        "MLFLOW_TRACKING_PASSWORD": "mlflow-pass",
        "PGPASSWORD": "pg-pass",
        "MY_API_KEY": "hf_abcdef-and-more",
    }
    plain = {"TOKENIZERS_PARALLELISM": "nothing", "HF_TOKEN_PATH": "/home/ann/token", "SHORT_TOKEN": "abc"}
    for name, value in {**secrets, **plain}.items():
        monkeypatch.setenv(name, value)
    text = without_secrets(" ".join([*secrets.values(), *plain.values()]))
    assert text == "*** *** *** *** *** nothing /home/ann/token abc"


def test_logs_errors_and_failures_are_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdef")
    error = RuntimeError("401 for https://ann:hunter2@host with hf_abcdef")
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "it said %s", ("hf_abcdef",), (type(error), error, None))
    for text in (
        RedactingFormatter("%(message)s").format(record),
        str(ConfigError("no hf_abcdef", where="https://ann:hunter2@host", remedy="hf_abcdef")),
        str(describe_failure("trial-0001", error)),
    ):
        assert "***" in text
        assert "hf_abcdef" not in text
        assert "hunter2" not in text
