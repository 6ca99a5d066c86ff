from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import errors

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.hub import HubModel
from ftsweep.models.tiny import FOLDER

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CPU = torch.device("cpu")


def raise_from(cause: BaseException) -> Any:
    """A `from_pretrained` that fails as transformers does: an OSError caused by the hub client's error."""

    def from_pretrained(*_: Any, **__: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files.\nMore lines.") from cause

    return from_pretrained


RESPONSE: Any = SimpleNamespace(headers={}, request=None)
"""What the client's errors read of the hub's answer."""


FAILURES = [
    (errors.LocalEntryNotFoundError("x"), "not in the local cache", "Connect this machine"),
    (errors.OfflineModeIsEnabled("x"), "not in the local cache", "Connect this machine"),
    (ConnectionError("x"), "not in the local cache", "Connect this machine"),
    (errors.GatedRepoError("x", response=RESPONSE), "consent", "log in"),
    (errors.RepositoryNotFoundError("x", response=RESPONSE), "no such model", "Check the name"),
    (errors.RevisionNotFoundError("x", response=RESPONSE), "no such revision", "a tag or a commit"),
    (errors.RemoteEntryNotFoundError("x", response=RESPONSE), "no safetensors weights", "Choose another"),
    (errors.HfHubHTTPError("x", response=RESPONSE), "answered with an error", "Try again later"),
]


@pytest.mark.parametrize(("cause", "what", "remedy"), FAILURES, ids=[type(case[0]).__name__ for case in FAILURES])
def test_what_the_hub_refuses_is_one_paragraph_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, cause: BaseException, what: str, remedy: str
) -> None:
    import transformers

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", raise_from(cause))
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", raise_from(cause))
    source = HubModel(name="org/model", revision="v1")
    for use in (
        source.tokenizer,
        lambda: source.load("causal_lm", labels=None, dtype=torch.float32, device=CPU),
    ):
        with pytest.raises(ModelError) as caught:
            use()
        assert caught.value.where == "model.name=org/model model.revision=v1"
        assert what in caught.value.what
        assert remedy in (caught.value.remedy or "")
        assert "\n" not in str(caught.value)


def test_an_error_that_is_not_the_hubs_keeps_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", raise_from(ValueError("x")))
    with pytest.raises(ModelError, match="the tokenizer cannot be loaded"):
        HubModel(name="org/model").tokenizer()


def test_the_revision_is_asked_for_and_pickles_and_foreign_code_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the calls are watched; the files come from the embedded model."""
    import transformers

    calls: dict[str, dict[str, Any]] = {}

    def watched(name: str, real: Any) -> Any:
        def from_pretrained(pretrained_model_name_or_path: str, **keywords: Any) -> Any:
            if pretrained_model_name_or_path != "org/model":  # transformers calls it within
                return real(pretrained_model_name_or_path, **keywords)
            calls[name] = keywords
            return real(str(FOLDER), **{key: value for key, value in keywords.items() if key != "revision"})

        return from_pretrained

    for name in ("AutoTokenizer", "AutoConfig", "AutoModelForCausalLM"):
        kind = getattr(transformers, name)
        monkeypatch.setattr(kind, "from_pretrained", watched(name, kind.from_pretrained))
    HubModel(name="org/model", revision="v1").load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    assert set(calls) == {"AutoTokenizer", "AutoConfig", "AutoModelForCausalLM"}
    for call in calls.values():
        assert call["revision"] == "v1"
        assert call["trust_remote_code"] is False
    assert calls["AutoModelForCausalLM"]["use_safetensors"] is True


@pytest.mark.parametrize("name", ["", "./folder", "/models/x", "a/b/c", "~/x", "org/", None])
def test_what_is_no_hub_name_is_refused_when_built(name: str | None) -> None:
    with pytest.raises(ConfigError, match="model=local"):
        HubModel(name=name)  # type: ignore[arg-type]


def test_a_folder_of_the_same_name_is_not_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "model").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"model=local model\.path=org/model"):
        HubModel(name="org/model").tokenizer()


def test_the_fingerprint_follows_name_revision_and_cached_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commits: dict[str, str] = {}
    monkeypatch.setattr(HubModel, "_cached_commit", lambda source: commits.get(source.revision))
    plain = HubModel(name="org/model").fingerprint()
    assert HubModel(name="org/model", dtype="bfloat16").fingerprint() == plain
    assert HubModel(name="org/other").fingerprint() != plain
    assert HubModel(name="org/model", revision="v1").fingerprint() != plain
    commits["main"] = COMMIT
    assert HubModel(name="org/model").fingerprint() == HubModel(name="org/model", revision=COMMIT).fingerprint()


FROM_CACHE = """
import json, sys
from ftsweep.errors import ModelError
from ftsweep.models.hub import HubModel
source = HubModel(name="org/model")
facts = {"reference": source.reference()}
facts["same"] = source.fingerprint() == HubModel(name="org/model", revision=sys.argv[1]).fingerprint()
facts["heavy"] = sorted({"torch", "transformers"} & set(sys.modules))
import torch
facts["tokens"] = len(source.tokenizer())
model = source.load("causal_lm", labels=None, dtype=torch.float32, device=torch.device("cpu"))
facts["weights"] = sum(parameter.numel() for parameter in model.parameters())
try:
    HubModel(name="org/absent").tokenizer()
except ModelError as error:
    facts["absent"] = str(error)
print(json.dumps(facts))
"""


def test_without_network_a_cached_model_loads_and_an_absent_one_is_explained(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--model"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in [*FOLDER.glob("*.json"), *FOLDER.glob("*.safetensors")]:
        shutil.copy(path, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-W", "error", "-c", FROM_CACHE, COMMIT]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert process.returncode == 0, process.stderr
    facts = json.loads(process.stdout)
    assert facts["reference"]["revision"] == COMMIT
    assert facts["same"]
    assert facts["heavy"] == []
    assert facts["tokens"] == 4096
    assert facts["weights"] == 1_311_872
    assert facts["absent"].startswith("model.name=org/absent: the model is not in the local cache")
