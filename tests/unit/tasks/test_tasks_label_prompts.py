"""Prompts for labels and their likelihoods: exactly what the model says of the whole prompt, however it is computed."""

from __future__ import annotations

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM

from ftsweep.errors import ConfigError
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.prompts import label_likelihood
from ftsweep.tasks.prompts.label_calibration import batch_log_prior, calibrated, contextual_log_prior, label_scores
from ftsweep.tasks.prompts.label_likelihood import label_likelihoods
from ftsweep.tasks.prompts.label_prompts import LabelPrompts
from ftsweep.tasks.prompts.prompt_tokens import PromptTooLongError, cut_texts
from ftsweep.tasks.prompts.shared_prefix import can_share
from ftsweep.tasks.prompts.templates import Template
from ftsweep.testing.random_models import byte_tokenizer, random_llama

SCHEMA = {"labels": ["joy", "no", "sadness"], "counts": [3, 3, 3]}
ROWS = [
    {"text": "a bright day", "label": "joy"},
    {"text": "rain", "label": "sadness"},
    {"text": "it is", "label": "no"},
]


def prompts(**settings) -> LabelPrompts:
    usual = {
        "task": Classification(max_length=40),
        "tokenizer": byte_tokenizer(),
        "schema": SCHEMA,
        "template": None,
        "separator": "\n\n",
        "instruction": "",
        "label_words": {},
        "max_demonstration_tokens": None,
    }
    return LabelPrompts(**{**usual, **settings})


def whole_prompt_likelihoods(model, questions, label_ids) -> torch.Tensor:
    """One forward pass per row and label, without padding, cache or mask."""
    found = torch.empty(len(questions), len(label_ids))
    for row, question in enumerate(questions):
        for label, ids in enumerate(label_ids):
            log_probs = model(torch.tensor([[*question, *ids]])).logits[0].log_softmax(-1)
            found[row, label] = sum(log_probs[len(question) - 1 + i, token] for i, token in enumerate(ids))
    return found


def test_prompt_is_the_instruction_the_demonstrations_and_the_question():
    tokenizer = byte_tokenizer()
    asks = prompts(instruction="Name the mood.", label_words={"joy": "happy"})
    (ids,) = asks.questions(ROWS[:2], asks.texts([{"text": "sunny"}]))
    expected = "Name the mood.\n\nText: a bright day\nLabel: happy\n\nText: rain\nLabel: sadness\n\nText: sunny\nLabel:"
    assert tokenizer.decode(ids) == expected
    assert [tokenizer.decode(label) for label in asks.label_ids] == [" happy", " no", " sadness"]


def test_start_token_stands_before_the_whole_prompt_where_the_tokenizer_puts_one():
    from ftsweep.models.tiny import TinyModel

    tokenizer = TinyModel().tokenizer()
    asks = prompts(tokenizer=tokenizer)
    (ids,) = asks.questions(ROWS[:1], asks.texts([{"text": "sunny"}]))
    assert ids == tokenizer("Text: a bright day\nLabel: joy\n\nText: sunny\nLabel:")["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_likelihoods_from_shared_prefix_and_label_tree_equal_those_of_whole_prompts(k, attention):
    model = random_llama(max_position_embeddings=512)
    model.set_attn_implementation(attention)
    assert can_share(model)
    asks = prompts()
    texts = asks.texts([{"text": "x" * length} for length in (1, 25, 7, 12)])
    questions = asks.questions(ROWS[:k], texts)
    with torch.no_grad():
        found = label_likelihoods(model, questions, asks.label_ids, pad_id=0, tokens_per_batch=200)
        expected = whole_prompt_likelihoods(model, questions, asks.label_ids)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_model_with_sliding_windows_runs_whole_prompts_to_the_same_likelihoods():
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Gemma2Config(**small, vocab_size=264, num_key_value_heads=2, head_dim=8, sliding_window=16, pad_token_id=0)
    model = Gemma2ForCausalLM(config).eval()
    assert not can_share(model)
    asks = prompts()
    questions = asks.questions(ROWS[:1], asks.texts(ROWS))
    with torch.no_grad():
        found = label_likelihoods(model, questions, asks.label_ids, pad_id=0, tokens_per_batch=300)
        expected = whole_prompt_likelihoods(model, questions, asks.label_ids)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_batches_never_hold_more_logits_than_is_allowed(monkeypatch):
    model, asks = random_llama(max_position_embeddings=512), prompts()
    questions = asks.questions([], asks.texts(ROWS))
    seen = []
    plain = label_likelihood.logits_at

    def watched(*args, **inputs):
        logits = plain(*args, **inputs)
        seen.append(logits.numel())
        return logits

    num_slots = 1 + sum(len(ids) - 1 for ids in asks.label_ids)
    monkeypatch.setattr(label_likelihood, "logits_at", watched)
    monkeypatch.setattr(label_likelihood, "MAX_LOGITS_AT_ONCE", 2 * num_slots * model.config.vocab_size)
    with torch.no_grad():
        label_likelihoods(model, questions, asks.label_ids, pad_id=0, tokens_per_batch=10_000)
    assert seen == [2 * num_slots * model.config.vocab_size, num_slots * model.config.vocab_size]


def test_texts_are_cut_at_their_ends_the_longer_first():
    tokenizer = byte_tokenizer()
    assert cut_texts(tokenizer, ["abcdef", "xy"], 100) == ["abcdef", "xy"]
    assert cut_texts(tokenizer, ["abcdef", "xy"], 6) == ["abcd", "xy"]
    assert cut_texts(tokenizer, ["abcdef", "vwxyz"], 4) == ["ab", "vw"]


def test_row_and_demonstration_are_cut_each_to_its_own_length():
    asks = prompts(max_demonstration_tokens=6)
    (ids,) = asks.questions(ROWS[:1], asks.texts([{"text": "y" * 99}]))
    assert byte_tokenizer().decode(ids) == "Text: a brig\nLabel: joy\n\nText: " + "y" * 40 + "\nLabel:"


def test_demonstrations_that_leave_no_room_are_told_with_the_numbers():
    asks = prompts(tokenizer=byte_tokenizer(model_max_length=100))
    asks.questions(ROWS[:1], asks.texts(ROWS[:1]))
    # two demonstrations of 31 and 27 bytes, 13 of the question's template; a row of 40 and " sadness"
    with pytest.raises(
        PromptTooLongError, match=r"2 demonstrations.* 71 tokens .* up to 48 .* 119, .* takes 100"
    ) as told:
        asks.questions(ROWS[:2], asks.texts(ROWS[:1]))
    assert told.value.where == "strategy.k"


@pytest.mark.parametrize(
    ("settings", "where", "told"),
    [
        ({"label_words": {"jo": "x"}}, "strategy.label_words", "no label 'jo'.*Did you mean 'joy'"),
        ({"label_words": {"joy": "no"}}, "strategy.label_words", "'joy' and 'no' have the same words"),
        (
            {
                "schema": {**SCHEMA, "has_pairs": True},
                "template": Template.parse("{text} {label}", target="label", columns=("text", "text_pair")),
            },
            "strategy.template",
            "two texts",
        ),
        (
            {"template": Template.parse("{text} {text_pair} {label}", target="label", columns=("text", "text_pair"))},
            "strategy.template",
            "have none",
        ),
    ],
)
def test_words_and_templates_that_do_not_fit_the_labels_are_refused(settings, where, told):
    with pytest.raises(ConfigError, match=told) as caught:
        prompts(**settings)
    assert caught.value.where == where


def test_pair_has_a_template_of_its_own():
    asks = prompts(schema={**SCHEMA, "has_pairs": True})
    (ids,) = asks.questions([], asks.texts([{"text": "rain", "text_pair": "sun"}]))
    assert byte_tokenizer().decode(ids) == "Text: rain\nSecond text: sun\nLabel:"


def test_answer_that_the_tokenizer_joins_with_the_question_is_refused():
    from ftsweep.models.tiny import TinyModel

    template = Template.parse("{text}\nLab{label}", target="label", columns=("text", "text_pair"))
    with pytest.raises(ConfigError, match="joins the end of"):
        prompts(tokenizer=TinyModel().tokenizer(), template=template, label_words={"joy": "el"})


def test_length_normalised_scores_are_means_over_tokens():
    likelihoods = torch.tensor([[-4.0, -3.0]])
    ids = [[1, 2, 3, 4], [5]]
    assert label_scores(likelihoods, ids, length_normalised=True).tolist() == [[-1.0, -3.0]]
    assert label_scores(likelihoods, ids, length_normalised=False) is likelihoods


def test_contextual_calibration_makes_a_row_that_says_nothing_say_nothing():
    empty = torch.tensor([[2.0, 0.0, -1.0]])
    prior = contextual_log_prior(empty)
    torch.testing.assert_close(calibrated(empty, prior).exp(), torch.full((1, 3), 1 / 3))
    two = contextual_log_prior(torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]]))
    expected = (empty[0].softmax(-1) + 1 / 3) / 2
    torch.testing.assert_close(two.exp(), expected)


def test_batch_calibration_takes_out_what_all_rows_have_in_common():
    torch.manual_seed(0)
    scores = torch.randn(50, 4)
    biased = scores + torch.tensor([3.0, -1.0, 0.0, 7.0])
    torch.testing.assert_close(
        calibrated(biased, batch_log_prior(biased)), calibrated(scores, batch_log_prior(scores)), atol=1e-5, rtol=0
    )
    assert (calibrated(biased, batch_log_prior(biased)).exp().sum(-1) - 1).abs().max() < 1e-5
