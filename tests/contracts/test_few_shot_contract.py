from __future__ import annotations

import subprocess
import sys

import pytest

from ftsweep.strategies.asking import Prompt
from ftsweep.strategies.few_shot import FewShot
from ftsweep.strategies.few_shot_tuned import FewShotTuned
from ftsweep.strategies.head import LinearProbe
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.testing.strategy import StrategyContract
from ftsweep.testing.untrained_strategy import UntrainedStrategyContract


class TestFewShotForLabels(UntrainedStrategyContract):
    def make(self):
        return FewShot(k=1)

    def choose(self, strategy):
        shown = ({"text": "rain", "label": "bad"}, {"text": "sun", "label": "good"})
        strategy.prompts = [Prompt(0, 0, shown, log_prior=(-0.4, -1.1)), Prompt(1, 0, shown[:1], (0.0, -2.0))]

    @pytest.fixture
    def task(self):
        return Classification(max_length=16)

    @pytest.fixture
    def base(self):
        return random_llama()

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def schema(self):
        return {"labels": ["bad", "good"], "counts": [2, 2]}

    @pytest.fixture
    def rows(self):
        return [{"text": "snow"}, {"text": "a warm day"}]


class TestFewShotForAnswers(TestFewShotForLabels):
    def choose(self, strategy):
        strategy.prompts = [Prompt(0, 0, ({"prompt": "rain?", "completion": "bad"},))]

    @pytest.fixture
    def task(self):
        return Instruction(max_length=32, max_new_tokens=8)

    @pytest.fixture
    def schema(self):
        return {}

    @pytest.fixture
    def rows(self):
        return [{"prompt": "snow?"}, {"prompt": "a warm day?"}]


class TestFewShotTunedWithLora(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return FewShotTuned(inner=Lora(rank=2))

    @pytest.fixture
    def head(self):
        return "sequence_classification"

    @pytest.fixture
    def base(self, head):
        return random_llama(head)

    def test_building_needs_no_torch(self):
        """Its inner strategy has no default."""
        code = (
            "import sys; from ftsweep.strategies.few_shot_tuned import FewShotTuned as F; "
            "from ftsweep.strategies.lora import Lora; F(inner=Lora()); "
            "print(sorted({'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "[]"


class TestFewShotTunedWithHead(TestFewShotTunedWithLora):
    @pytest.fixture
    def strategy(self):
        return FewShotTuned(inner=LinearProbe())
