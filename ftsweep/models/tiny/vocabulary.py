"""The embedded model's tokenizer: byte-level BPE, a token for every role of a conversation, and the chat template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.models.tiny.corpus import Corpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NUM_TOKENS = 4096
CONTEXT = 1024
PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('roles are system, user and assistant, not ' + message['role']) }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def kept_or_new_tokenizer(folder: Path, corpus: Corpus) -> PreTrainedTokenizerFast:
    """The tokenizer, written to the folder; a vocabulary that lies there already stays byte for byte."""
    from transformers import PreTrainedTokenizerFast

    vocabulary = folder / "tokenizer.json"
    if not vocabulary.exists():
        train_vocabulary(corpus).save(str(vocabulary))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(vocabulary),
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="right",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )
    kept = vocabulary.read_bytes()
    tokenizer.save_pretrained(folder, save_jinja_files=False)  # one file: the template lies in tokenizer_config.json
    vocabulary.write_bytes(kept)
    return tokenizer


def train_vocabulary(corpus: Corpus) -> Any:
    """Byte-level BPE over prose and a part of the code, so that English words are not crowded out by identifiers."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    words = Regex(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]{1,4}|\s+(?!\S)|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=NUM_TOKENS,
        special_tokens=[PAD, BOS, EOS, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [*corpus.topics.values(), *corpus.comments, *corpus.code[::4]]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer
