"""What an object store promises: a shared folder, fsspec's own store in memory, and S3 where moto is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fsspec.asyn import get_loop

from ftsweep.errors import MissingExtraError, UsageError
from ftsweep.store.address.bucket import Bucket
from ftsweep.store.address.objects import MissingObjectError, Objects, StoreAwayError, StoreRefusedError
from ftsweep.store.address.opening import open_objects


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.cluster)])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    if request.param == "s3":
        request.getfixturevalue("s3_server")
        yield open_objects(f"s3://sweeps/{tmp_path.name}")
        return
    found = open_objects(f"file://{tmp_path}/shared" if request.param == "file" else f"memory://{tmp_path.name}/x")
    yield found
    with suppress(AttributeError, FileNotFoundError):
        found._files.rm(f"/{tmp_path.name}", recursive=True)


def test_what_was_put_comes_back(objects: Objects, tmp_path: Path) -> None:
    objects.put("studies/q/a", b"one")
    objects.put("studies/q/a", b"two")
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"0123456789")
    objects.send("studies/q/b", source, 4)
    objects.fetch("studies/q/b", target)
    assert objects.get("studies/q/a") == b"two"
    assert target.read_bytes() == b"0123"
    assert objects.names("studies/q/") == ["a", "b"]
    assert objects.names("studies/other/") == []
    assert objects.folders("studies/") == ["q"]
    assert objects.folders("nothing/") == []


def test_large_files_go_whole(objects: Objects, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 40_000)
    objects.send("b", source, source.stat().st_size)
    objects.fetch("b", target)
    assert target.read_bytes() == source.read_bytes()


def test_only_the_first_creates(objects: Objects) -> None:
    assert objects.create("owner/1", b"one")
    assert not objects.create("owner/1", b"two")
    assert objects.get("owner/1") == b"one"


def test_what_is_deleted_is_gone(objects: Objects, tmp_path: Path) -> None:
    objects.put("a", b"one")
    objects.delete(["a", "never-there"])
    with pytest.raises(MissingObjectError):
        objects.get("a")
    with pytest.raises(MissingObjectError):
        objects.fetch("a", tmp_path / "a")


def test_folder_that_is_gone_is_away_and_is_not_made_anew(tmp_path: Path) -> None:
    shared = open_objects(f"file://{tmp_path}/disk")
    shared.put("a", b"one")
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    with pytest.raises(StoreAwayError, match="is its disk mounted"):
        shared.put("b", b"two")
    assert not (tmp_path / "disk").exists()


def test_folder_below_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError, match="there is no folder"):
        open_objects(f"file://{tmp_path}/no/such").get("a")


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match="no store that is known"):
        open_objects("nonsense://bucket/x")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(*args: object, **settings: object) -> None:
        raise ImportError("no s3fs")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(MissingExtraError, match=r"ftsweep\[s3\]"):
        Bucket("s3://bucket/x")


class NoCredentialsError(Exception):
    """As botocore's."""


class ProfileNotFound(Exception):  # noqa: N818 - as botocore calls it
    """As botocore's."""


class ParamValidationError(Exception):
    """As botocore's."""


class NoSuchBucket(Exception):  # noqa: N818 - as botocore calls it
    """As botocore's."""


def missing_bucket() -> Exception:
    error = FileNotFoundError("The specified bucket does not exist")
    error.__cause__ = NoSuchBucket()
    return error


@pytest.mark.parametrize(
    ("raised", "told", "words"),
    [
        (NoCredentialsError, StoreRefusedError, "no credentials"),
        (lambda: ProfileNotFound("no profile x"), StoreRefusedError, "a setting is wrong: no profile x"),
        (
            lambda: ParamValidationError("Invalid bucket name: Bucket name must match x"),
            StoreRefusedError,
            "name. Check",
        ),
        (lambda: ValueError("Invalid endpoint: foo"), StoreRefusedError, "a setting is wrong"),
        (missing_bucket, StoreRefusedError, "no such bucket"),
        (lambda: PermissionError("Access Denied"), StoreRefusedError, "does not let us in"),
        (lambda: OSError(22, "not a valid bucket name"), StoreRefusedError, "refuses the address"),
        (lambda: ConnectionError("Could not connect"), StoreAwayError, "Could not connect"),
        (lambda: OSError(5, "503 Slow Down"), StoreAwayError, "Slow Down"),
        (TimeoutError, StoreAwayError, "does not answer"),
    ],
)
def test_errors_are_told_by_what_they_mean(
    raised: Callable[[], Exception], told: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket("memory://errors/x")

    def fail(*args: object, **settings: object) -> None:
        raise raised()

    monkeypatch.setattr(bucket._files, "cat_file", fail)
    with pytest.raises(told) as caught:
        bucket.get("a")
    assert words in str(caught.value)


class Silent:
    """As fsspec's file systems that work in a thread of their own: takes what is put, and never answers."""

    async_impl = True

    def __init__(self) -> None:
        self.loop = get_loop()

    async def _pipe_file(self, *args: object, **settings: object) -> None:
        await asyncio.Event().wait()


def test_store_that_never_answers_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket("memory://errors/x")
    monkeypatch.setattr(bucket, "_files", Silent())
    monkeypatch.setattr("ftsweep.store.address.bucket._ANSWER_SECONDS", 0.1)
    with pytest.raises(StoreAwayError, match="does not answer"):
        bucket.put("a", b"one")
    with pytest.raises(StoreAwayError, match="does not answer"):
        bucket.create("a", b"one")


def test_secrets_of_the_environment_are_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-value")
    bucket = Bucket("memory://errors/x")

    def fail(*args: object, **settings: object) -> None:
        raise ConnectionError("signed with very-secret-value")

    monkeypatch.setattr(bucket._files, "cat_file", fail)
    with pytest.raises(StoreAwayError) as caught:
        bucket.get("a")
    assert "very-secret" not in str(caught.value) + caught.value.what
