from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from client.audit.neighbour import make_neighbours
from client.audit.size.entities import copy_entities
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from common.plan.schema import Filter


@pytest.mark.parametrize("path", ["sales.csv", "sales.parquet"])
def test_who_joins_passes_a_filter_on_names_that_are_numbers(
    make_subject: Callable[..., AuditSubject], path: str
) -> None:
    subject = make_subject(num_customers=4, path=path)
    numbers = subject.source.rows["customer"].str[-3:].astype(int) + 100
    names = numbers.astype(str) if path.endswith(".csv") else numbers.astype(object).where(numbers != 101, None)
    data = subject.plan.data.model_copy(update={"filters": (Filter(column="customer", at_least=0.0),)})
    source = make_source(subject.source.rows.assign(customer=names), path)
    subject = replace(subject, plan=subject.plan.model_copy(update={"data": data}), source=source)
    joining = [each for each in make_neighbours(source, data, subject.origin) if "ordinary" in each.kind]
    assert [subject.legs(each.own, each.lookups)[0].num_entities for each in joining] == [1, 1]
    rows, _, lookups = copy_entities(source, data, 9, before=pd.Timestamp(subject.origin).to_datetime64())
    assert subject.legs(source.encode([rows]), lookups)[0].num_entities == 9
