"""A visit of the page: what it shows is of the edition that it took."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Request

from client.page.visit import Visit
from client.serving.edition.edition import Edition, Imprint
from client.serving.folder import ServedFolder
from client.serving.process.served import Served
from client.shop.settings import FILE_NAME

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_numbers_of_an_edition_keep_its_currency_when_another_is_chosen(tmp_path: Path) -> None:
    """Between the new settings and the edition that is made of them, a purchase order would be in another money."""
    (tmp_path / FILE_NAME).write_text('name = "Tea"\ntime_zone = "UTC"\ncurrency = "USD"\n')
    app = FastAPI()
    app.state.home = ServedFolder(tmp_path)
    request = Request({"type": "http", "app": app})
    imprint = Imprint(
        name="a", key="a", made=NOW, day=NOW.date(), shop="Tea", currency="EUR", time_zone="UTC", parts=(), troubles={}
    )
    assert Visit(request, Served(), Edition(imprint, {})).terms.currency == "EUR"
    assert Visit(request, Served(), None).terms.currency == "USD"
