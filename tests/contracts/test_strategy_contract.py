from __future__ import annotations

import pytest

from ftsweep.strategies.full import Full
from ftsweep.strategies.lora import Lora
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


class TestFullOfAnEncoder(TestLoraOfAnEncoder):
    @pytest.fixture
    def strategy(self):
        return Full()
