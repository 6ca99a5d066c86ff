from __future__ import annotations

import pytest

from ftsweep.strategies.full import Full
from ftsweep.strategies.head import LinearProbe
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.strategies.ia3 import Ia3
from ftsweep.strategies.lora import Lora
from ftsweep.strategies.prefix_tuning import PrefixTuning
from ftsweep.strategies.prompt_tuning import PromptTuning
from ftsweep.strategies.top_layers import TopLayers
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.strategy import StrategyContract


class TestLora(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Lora()

    @pytest.fixture(params=["causal_lm", "sequence_classification", "token_classification"])
    def head(self, request):
        return request.param

    @pytest.fixture
    def base(self, head):
        return random_llama(head)


class TestDora(TestLora):
    @pytest.fixture
    def strategy(self):
        return Lora(rank=2, dora=True)


class TestPissa(TestLora):
    draws_weights = False

    @pytest.fixture
    def strategy(self):
        return Lora(rank=4, init="pissa")

    @pytest.fixture
    def head(self):
        return "causal_lm"


class TestIa3(TestPissa):
    @pytest.fixture
    def strategy(self):
        return Ia3()


class TestPromptTuning(TestLora):
    @pytest.fixture
    def strategy(self):
        return PromptTuning(num_virtual_tokens=5)


class TestPrefixTuning(TestLora):
    @pytest.fixture
    def strategy(self):
        return PrefixTuning(num_virtual_tokens=5)


class TestFull(TestLora):
    @pytest.fixture
    def strategy(self):
        return Full()


class TestLoraOfAnEncoder(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Lora(rank=2, alpha=1.5, rslora=True, targets=["query", "value", "output.dense"])

    @pytest.fixture
    def head(self):
        return "sequence_classification"

    @pytest.fixture
    def base(self):
        return random_bert()


class TestPissaOfAnEncoder(TestLoraOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return Lora(rank=2, init="pissa", rslora=True)


class TestIa3OfAnEncoder(TestLoraOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return Ia3()


class TestPromptTuningOfAnEncoder(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return PromptTuning(num_virtual_tokens=3, init="random")

    @pytest.fixture(params=["sequence_classification", "token_classification"])
    def head(self, request):
        return request.param

    @pytest.fixture
    def base(self, head):
        return random_bert(head)


class TestPrefixTuningOfAnEncoder(TestPromptTuningOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return PrefixTuning(num_virtual_tokens=3, init="random")


class TestFullOfAnEncoder(TestLoraOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return Full()


class TestTopLayers(TestLora):
    @pytest.fixture
    def strategy(self):
        return TopLayers(num_layers=1)


class TestTopLayersOfAnEncoder(TestLoraOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return TopLayers(num_layers=1)


class TestLinearProbe(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return LinearProbe()

    @pytest.fixture(params=["sequence_classification", "token_classification"])
    def head(self, request):
        return request.param

    @pytest.fixture
    def base(self, head):
        return random_llama(head)


class TestLinearProbeOfAnEncoder(TestLinearProbe):
    @pytest.fixture
    def base(self, head):
        return random_bert(head)


class TestHeadThenFullOfAnEncoder(TestLinearProbeOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return HeadThenFull()
