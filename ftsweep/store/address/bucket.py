"""An object store behind fsspec: S3 and what speaks like it, Google's, Azure's."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftsweep.errors import MissingExtraError, UsageError
from ftsweep.redaction import without_secrets
from ftsweep.store.address.objects import MissingObjectError, StoreAwayError, StoreRefusedError

_WHOLE_BYTES = 8 << 20
"""A file up to this size is sent in one request; a larger one in parts."""

_PACKAGES = {"gs": "gcsfs", "abfs": "adlfs"}

_SETTINGS: dict[str, dict[str, Any]] = {
    # one try each: `objects.patiently` and the keeper wait, and say so
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"total_max_attempts": 1}}},
}

_ANSWER_SECONDS = 30.0
_SLOWEST_BYTES = 100e3
"""Per second. A put waits for its answer without an end of its own where the store, or the network, takes the request
and is silent (`Expect: 100-continue`); by this it is over."""

_PATHS = re.compile(r"(https?://[^/\s\"]+)[^\s\"]*")
"""Behind an endpoint: names of objects, and signatures."""

_UNKNOWN_USERS = ("NoCredentials", "PartialCredentials", "CredentialRetrieval", "DefaultCredentials", "TokenRetrieval")


_WRONG_SETTINGS = (
    "ParamValidation",
    "ProfileNotFound",
    "ConfigNotFound",
    "ConfigParse",
    "InvalidConfig",
    "InvalidRegion",
)


class Bucket:
    """Objects below an address such as `s3://bucket/prefix`. Who we are is the library's own matter (environment,
    files in the home, the machine's role)."""

    def __init__(self, address: str) -> None:
        self.address = address
        scheme = address.partition("://")[0]
        try:
            import fsspec

            settings = _SETTINGS.get(scheme, {})
            self._files = fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **settings)
        except ImportError as error:
            if scheme == "s3":
                raise MissingExtraError("s3fs", "s3", purpose="a store at s3://") from error
            remedy = f"Install it with: pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else None
            what = f"a store at {scheme}:// needs a package that is not installed: {error}"
            raise UsageError(what, where=address, remedy=remedy) from error
        except ValueError as error:
            remedy = "Write s3://bucket/prefix, gs://, abfs:// or a folder."
            raise UsageError(f"{scheme}:// is no store that is known", where=address, remedy=remedy) from error
        if hasattr(self._files, "retries"):
            self._files.retries = 2  # of a call, within a second; longer waits are told
        self._root = str(self._files._strip_protocol(address)).rstrip("/")

    def get(self, name: str) -> bytes:
        return bytes(self._call("cat_file", self._place(name)))

    def fetch(self, name: str, path: Path) -> None:
        self._call("get_file", self._place(name), str(path))

    def put(self, name: str, content: bytes) -> None:
        self._call("pipe_file", self._place(name), content, size=len(content))

    def send(self, name: str, path: Path, size: int) -> None:
        if size > _WHOLE_BYTES and path.stat().st_size == size:
            self._call("put_file", str(path), self._place(name), size=size)
            return
        with open(path, "rb") as file:
            content = file.read(size)
        self.put(name, content)

    def create(self, name: str, content: bytes) -> bool:
        try:
            self._call("pipe_file", self._place(name), content, size=len(content), mode="create")
        except FileExistsError:
            return False
        return True

    def names(self, prefix: str) -> list[str]:
        below = f"{self._place(prefix)}".rstrip("/") + "/"
        found = [str(path) for path in self._call("find", below)]
        return sorted(path.removeprefix(below) for path in found if path.startswith(below))

    def folders(self, prefix: str) -> list[str]:
        try:
            found = self._call("ls", self._place(prefix).rstrip("/"), detail=True)
        except MissingObjectError:
            return []
        return sorted(str(each["name"]).rstrip("/").rpartition("/")[2] for each in found if each["type"] == "directory")

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(MissingObjectError):
                self._call("rm_file", self._place(name))

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _call(self, name: str, *words: Any, size: int | None = None, **settings: Any) -> Any:
        """What the library's function answers. Of a request that brings so many bytes the answer is not waited for
        for ever."""
        try:
            if size is None or not self._files.async_impl:
                return getattr(self._files, name)(*words, **settings)
            from fsspec.asyn import sync

            seconds = _ANSWER_SECONDS + size / _SLOWEST_BYTES
            return sync(self._files.loop, getattr(self._files, f"_{name}"), *words, timeout=seconds, **settings)
        except FileExistsError:
            raise
        except Exception as error:
            raise _told(error, self.address) from error


def _told(error: Exception, address: str) -> Exception:
    """What a library's error means to us. What is not understood counts as being away, and is shown."""
    kinds = [type(each).__name__ for each in (error, error.__cause__) if each is not None]
    text = _PATHS.sub(r"\1", without_secrets(" ".join(str(error).split()))).rstrip(". ") or kinds[0]
    text = text.partition(": Bucket name must match")[0]  # two patterns of 120 characters each
    text = text if len(text) <= 300 else f"{text[:300]} ..."
    if isinstance(error, TimeoutError) and text == kinds[0]:
        return StoreAwayError("it takes requests and does not answer", where=address)
    if any("NoSuchBucket" in kind for kind in kinds):
        remedy = "Make it, or name another: store.path=s3://bucket/prefix."
        return StoreRefusedError(f"there is no such bucket: {text}", where=address, remedy=remedy)
    if isinstance(error, FileNotFoundError):
        return MissingObjectError(text)
    if any(kind.startswith(_UNKNOWN_USERS) for kind in kinds):
        remedy = "Give them as its own tools take them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, "
        remedy += "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME ..."
        return StoreRefusedError(f"there are no credentials for it: {text}", where=address, remedy=remedy)
    if any(kind.startswith(_WRONG_SETTINGS) for kind in kinds) or text.startswith("Invalid endpoint"):
        remedy = "Check the address and the settings of the store's own tools: AWS_ENDPOINT_URL, AWS_PROFILE, "
        remedy += "AWS_DEFAULT_REGION, ~/.aws/config"
        return StoreRefusedError(f"the address or a setting is wrong: {text}", where=address, remedy=remedy)
    if isinstance(error, PermissionError):
        remedy = "Check the credentials in use, and that they may list, read, write and delete below this address."
        return StoreRefusedError(f"the store does not let us in: {text}", where=address, remedy=remedy)
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return StoreRefusedError(f"the store refuses the address: {text}", where=address, remedy="Check store.path.")
    if isinstance(error, TypeError | AttributeError | NameError):
        return error  # a defect
    return StoreAwayError(text, where=address)
