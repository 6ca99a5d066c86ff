from __future__ import annotations

import pytest

from ftsweep.data.sources import hub
from ftsweep.data.sources.hub import Hub
from ftsweep.errors import ConfigError, DataError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def fake_hub(monkeypatch):
    """Stands in for the network: what it was asked, and what it answers."""
    features = datasets.Features(
        {
            "tweet": datasets.Value("string"),
            "emotion": datasets.ClassLabel(names=["joy", "anger"]),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-x"])),
        }
    )

    def split(words, labels):
        columns = {"tweet": words, "emotion": labels, "tags": [[0, 1]] * len(words)}
        return datasets.Dataset.from_dict(columns, features=features)

    class FakeHub:
        answer = datasets.DatasetDict(
            {"train": split(["a", "b"], [0, 1]), "dev": split(["c"], [1]), "extra": split(["d"], [-1])}
        )

        def __init__(self):
            self.calls = []

        def load_dataset(self, name, config, **settings):
            self.calls.append((name, config, settings))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    fake = FakeHub()
    monkeypatch.setattr(datasets, "load_dataset", fake.load_dataset)
    hub._load.cache_clear()
    yield fake
    hub._load.cache_clear()


COLUMNS = {"text": "tweet", "label": "emotion"}


def test_usual_split_names_are_found_and_class_numbers_become_names(fake_hub):
    loaded = Hub(name="me/tweets", config="emotion", columns=COLUMNS, revision="v2").load(("text", "label", "tags"))
    assert list(loaded) == ["train", "validation"]
    assert dict(loaded["train"][1].values) == {"text": "b", "label": "anger", "tags": ["O", "B-x"]}
    assert loaded["train"][1].place == "me/tweets/train:2"
    assert fake_hub.calls == [("me/tweets", "emotion", {"revision": "v2"})]


def test_named_splits_are_taken_and_an_unlabelled_row_has_no_label(fake_hub):
    source = Hub(name="me/tweets", columns=COLUMNS, splits={"train": "dev", "test": "extra"})
    loaded = source.load(("text", "label"))
    assert {split: rows[0].values["text"] for split, rows in loaded.items()} == {"train": "c", "test": "d"}
    assert loaded["test"][0].values["label"] is None


def test_a_split_the_data_set_lacks_is_refused_with_near_names(fake_hub):
    with pytest.raises(DataError, match=r"data.splits.validation: there is no split 'extras'. Did you mean 'extra'"):
        Hub(name="me/tweets", splits={"train": "train", "validation": "extras"}).load(("text",))


def test_without_a_train_split_the_message_lists_what_there_is(fake_hub):
    fake_hub.answer = datasets.DatasetDict({"everything": fake_hub.answer["train"]})
    with pytest.raises(DataError, match=r"data.splits; it has: everything"):
        Hub(name="me/tweets").load(("text",))


def test_without_a_network_there_is_one_paragraph(fake_hub):
    fake_hub.answer = ConnectionError("Couldn't reach the Hub\nmore\nlines")
    with pytest.raises(DataError) as caught:
        Hub(name="me/tweets").fingerprint()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("data.name=me/tweets: the data set cannot be loaded")
    assert "data=files" in message


def test_fingerprint_follows_the_data_and_the_settings(fake_hub):
    first = Hub(name="me/tweets").fingerprint()
    assert Hub(name="me/tweets").fingerprint() == first
    assert Hub(name="me/tweets", limit=1).fingerprint() != first
    fake_hub.answer = datasets.DatasetDict({"train": fake_hub.answer["train"].select([0])})
    hub._load.cache_clear()
    assert Hub(name="me/tweets").fingerprint() != first


def test_a_commit_as_revision_needs_no_loading_for_the_fingerprint(fake_hub):
    assert Hub(name="me/tweets", revision="0" * 40).fingerprint()
    assert fake_hub.calls == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": ""}, "data.name"),
        ({"splits": {"training": "train"}}, "'training' is not a split. Did you mean 'train'"),
        ({"splits": {"validation": "dev"}}, "no train split is named"),
        ({"splits": ["train"]}, "data.splits"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Hub(**{"name": "me/tweets", **settings})
