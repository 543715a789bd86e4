import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from client.round.entity_gradient import GradientFactorModule
from client.round.training import CHUNK_ENTITIES
from common.model.arithmetic import SETTING, VALUE, fix_arithmetic
from common.model.demand_gru import DemandGRU, get_vector, make_model, set_vector
from common.model.features import Series, cut_training


@pytest.fixture
def model(make_series: Callable[..., Series]) -> DemandGRU:
    series = make_series()
    model = make_model(series.plan, num_features=series.num_features, num_future=series.num_future, seed=0)
    set_vector(model, 0.3 * torch.randn(len(get_vector(model)), generator=torch.Generator().manual_seed(0)))
    return model


def test_an_entity_s_gradient_is_the_same_to_the_last_bit_wherever_it_stands_in_a_chunk(
    make_series: Callable[..., Series], model: DemandGRU
) -> None:
    series, hooked = make_series(num_entities=9), GradientFactorModule(model)

    def gradient_at(place: int) -> Tensor:
        company = torch.randint(1, 9, (CHUNK_ENTITIES,), generator=torch.Generator().manual_seed(place))
        company[place] = 0
        gradients, _ = hooked.gradients(cut_training(series.select(company), 1))
        return gradients.expand(slice(CHUNK_ENTITIES))[place]

    first = gradient_at(0)
    assert first.abs().max() > 0
    assert [place for place in range(CHUNK_ENTITIES) if not torch.equal(gradient_at(place), first)] == []
    hooked.close()


def test_a_mode_that_the_user_chose_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "COMPATIBLE")
    fix_arithmetic()
    assert os.environ[SETTING] == "COMPATIBLE"
    monkeypatch.delenv(SETTING)
    fix_arithmetic()
    assert os.environ[SETTING] == VALUE
