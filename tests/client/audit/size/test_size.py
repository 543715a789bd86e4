from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.audit.size.bulk import check_bulk
from client.audit.size.entities import check_count, copy_entities, draw_counts
from client.audit.size.model import LARGE, check_noise, draw_sizes, enlarge, other_shapes
from client.audit.subject import AuditSubject
from client.daemon.handlers import count_parameters
from client.data import table
from common.privacy.mechanism import Mechanism

BEFORE = np.datetime64("2024-02-05")


@pytest.mark.parametrize("names", ["text", "number"])
def test_copies_have_new_names_and_rows_of_the_entities_they_are_of(
    make_subject: Callable[..., AuditSubject], names: str
) -> None:
    subject = make_subject(num_customers=4, path="sales.parquet")
    rows = subject.source.rows
    if names == "number":
        rows = rows.assign(customer=rows["customer"].str[-3:].astype(int))
    source = type(subject.source)("sales.parquet", rows)
    copies, owners, _ = copy_entities(source, subject.plan.data, 11, before=BEFORE)
    assert copies["customer"].nunique() == len(np.unique(owners)) == 11
    assert not set(copies["customer"]) & set(rows["customer"])
    assert pd.api.types.is_numeric_dtype(copies["customer"]) == (names == "number")


def test_counts_and_sizes_lie_beyond_what_is_looked_at_elsewhere() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        assert min(draw_counts(generator, thorough=False)) > 200
        assert max(draw_counts(generator, thorough=True)) > 4096
        assert min(draw_sizes(generator, thorough=False)) > LARGE
        assert max(draw_sizes(generator, thorough=True)) > 2**20


def test_entities_that_sit_out_of_a_large_number_are_no_violation(make_subject: Callable[..., AuditSubject]) -> None:
    assert check_count(make_subject(num_customers=4), 70, 3) == []


def test_a_plan_is_given_a_large_model_or_another_shape(make_subject: Callable[..., AuditSubject]) -> None:
    plan = make_subject(num_customers=2).plan
    assert LARGE <= count_parameters(enlarge(plan, LARGE), private=True) < 2 * LARGE
    shapes = dict(other_shapes(plan))
    assert len(shapes) == 5
    assert all(count_parameters(shape, private=True) for shape in shapes.values())


class Patchy:
    """Noise of which a late stretch is missing, or repeats an earlier one."""

    def __init__(self, repeats: bool) -> None:
        self.repeats = repeats

    def integers(self, size, std):
        import torch

        noise = torch.from_numpy(np.rint(np.random.default_rng(0).normal(0, std, size)).astype(np.int64))
        noise[-8192:-4096] = noise[:4096] if self.repeats else 0
        return noise


@pytest.mark.parametrize(("repeats", "words"), [(True, "same noise"), (False, "times the accounted deviation")])
def test_a_stretch_of_a_long_message_without_noise_of_its_own_is_said(
    monkeypatch: pytest.MonkeyPatch, repeats: bool, words: str
) -> None:
    monkeypatch.setattr("client.audit.size.model.SecureNoise", lambda: Patchy(repeats))
    assert words in " ".join(check_noise(Mechanism(1.0, 3.0), 25 * 4096))


def test_rows_at_the_end_of_a_file_that_are_not_read_are_said(
    make_subject: Callable[..., AuditSubject], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject(num_customers=3)
    assert check_bulk(subject, 2_000) == []
    read_csv = table._read_csv

    def capped(*arguments: Any, **options: Any) -> table.Table:
        read = read_csv(*arguments, **options)
        return replace(read, rows=read.rows.iloc[:1_500])

    monkeypatch.setattr(table, "_read_csv", capped)
    assert check_bulk(subject, 2_000) == ["among 2,000 rows the last entity's are not read as they are alone"]
