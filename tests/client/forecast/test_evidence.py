import numpy as np
import pytest

from client.forecast.evidence import block_losses, standard_error
from common.forecast.entity_loss import entity_losses
from common.forecast.metric import Forecast, Outcome


def outcome(days, *, entities=3, closed=()):
    actual = np.random.default_rng(0).poisson(3.0, (entities, days)).astype(float)
    counted = np.ones((entities, days), bool)
    counted[list(closed)] = False
    return Outcome(actual, counted, np.ones(entities))


def point(value, like):
    said = np.full(like.actual.shape, float(value))
    return Forecast(said, said, None, np.full(len(said), 0.3))


@pytest.mark.parametrize(("days", "bucket_days", "weeks"), [(28, 1, 4), (30, 1, 5), (4, 7, 4), (3, 30, 3), (5, 1, 1)])
def test_blocks_are_of_an_entity_and_a_week_and_add_up_to_its_loss(days, bucket_days, weeks):
    seen = outcome(days)
    blocks = block_losses(point(2, seen), seen, task="demand", bucket_days=bucket_days)
    assert blocks.shape == (3, weeks)
    np.testing.assert_allclose(
        blocks.sum(axis=1), entity_losses(point(2, seen), seen.actual, seen.counted, metric="wql")
    )


def test_of_purchases_an_entity_is_one_block():
    seen = outcome(30)
    assert block_losses(point(2, seen), seen, task="purchase", bucket_days=1).shape == (3, 1)


def test_an_entity_of_which_nothing_is_known_is_no_evidence():
    seen = outcome(28, closed=[1])
    assert block_losses(point(2, seen), seen, task="demand", bucket_days=1).shape == (2, 4)


def test_the_error_of_independent_blocks_is_that_of_their_mean():
    errors, means = [], []
    for seed in range(200):
        drawn = np.random.default_rng(seed).standard_normal((40, 6))
        errors.append(standard_error(drawn))
        means.append(drawn.mean())
    assert np.std(means) * 0.9 < np.mean(errors) < np.std(means) * 1.5


# What all entities of a week have in common does not average out over entities: 6 weeks are 6 draws.
def test_what_a_week_has_in_common_is_not_taken_for_as_many_draws_as_there_are_entities():
    errors, means = [], []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        drawn = generator.standard_normal((1, 6)) + 0.3 * generator.standard_normal((40, 6))
        errors.append(standard_error(drawn))
        means.append(drawn.mean())
    assert np.std(means) * 0.75 < np.mean(errors) < np.std(means) * 1.3


def test_one_block_tells_nothing_of_its_error():
    assert standard_error(np.ones((1, 1))) == 0.0
