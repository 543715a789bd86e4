"""shop.toml: where a shop's data comes from and what its columns mean.

`hansa-client init` writes it, and a person may edit it. Strict like a plan: an unknown key is refused with what is
legal. No password is ever in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from client.shop.record import COLUMNS, Kind, State
from common.disk.reading import read_file_text
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import Day, Document, Section, Weekday, is_time_zone

FILE_NAME = "shop.toml"
Format = Literal["table", "shopify", "woocommerce", "amazon", "ebay", "taobao", "jd"]


class Dialect(Section):
    """How delimited text writes things down."""

    encoding: str = "utf-8"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    dates: Literal["ymd", "dmy", "mdy"] = "ymd"
    header_row: Annotated[int, Field(ge=1)] = Field(1, description="line of the header, where words stand before it")


class SourceSettings(Section):
    """One source of rows.

    `columns` says for a field of the kind (`client.shop.record.COLUMNS`) which column of the source holds it; `states`
    which of the source's words for an order's state mean what.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    location: str = Field(description="file or pattern, relative to the shop's folder, or the URL of a database")
    table: str = Field("", description="sheet of a workbook, or table or view of a database")
    format: Format = "table"
    kind: Kind = "sales"
    dialect: Dialect | None = None
    columns: dict[str, str] = Field({}, description="field → column")
    states: dict[State, tuple[str, ...]] = Field({}, description="state → the source's words for it")
    same_as: str = Field(
        "", description="name of a source that tells of the same sales: an order that both have is one order"
    )
    follow: str = Field("", description="column of a database that grows: only rows beyond the last are asked for")

    @model_validator(mode="after")
    def _fields_of_the_kind(self) -> SourceSettings:
        if self.format == "table":
            unknown = sorted(self.columns.keys() - COLUMNS[self.kind].keys() - {"updated", "price"})
            if unknown:
                raise ValueError(
                    f"{unknown[0]!r} is no field of {self.kind}; there are {', '.join(COLUMNS[self.kind])}"
                )
        return self


class Days(Section):
    """Which days count as closed or out of stock: what is told alone, or what the sales suggest too."""

    closed: Literal["guess", "told"] = Field(
        "guess", description="guess: days on which a busy shop sold nothing count as closed too, and are shown"
    )
    out: Literal["told", "guess"] = Field(
        "told", description="guess: days on which a fast seller seems to have been out of stock count as that too"
    )


class PlanSettings(Section):
    """A federation's plan whose file is made of the history, anew with every import."""

    path: str = Field(description="the plan, relative to the shop's folder")
    data_root: str = Field("data", description="folder that the plan's paths start from, relative to the shop's")
    columns: dict[str, str] = Field({}, description="column of the plan → what of the shop it is made of")


class OrderSettings(Section):
    """On what terms the shop orders, wherever neither the supplier nor the product's own terms say otherwise."""

    aim: Literal["service", "cost"] = Field(
        "service", description="service: order for the service level; cost: weigh pieces missing against pieces lying"
    )
    service: Literal["pieces", "cycles"] = Field(
        "pieces",
        description="what the service level counts: pieces asked for that are there, or deliveries before which "
        "nothing ran out",
    )
    service_level: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    missing: Literal["lost", "waits"] = Field("lost", description="what becomes of a sale that cannot be served")
    lead_days: Annotated[float, Field(ge=0, le=365)] | None = Field(None, description="from the order to the shelf")
    lead_spread_days: Annotated[float, Field(ge=0, le=180)] | None = Field(
        None, description="standard deviation of the lead time"
    )
    review_days: Annotated[int, Field(ge=1, le=92)] | None = Field(
        None, description="from one chance to order to the next"
    )
    order_weekdays: tuple[Weekday, ...] = Field((), description="on which orders go out; any day if empty")
    minimum_quantity: Annotated[float, Field(gt=0)] = 1.0
    pack_size: Annotated[float, Field(gt=0)] = 1.0
    shelf_life_days: Annotated[int, Field(ge=1)] | None = None
    holding_rate: Annotated[float, Field(gt=0, le=10)] = Field(
        0.25, description="what a piece on the shelf costs in a year, as a share of its unit cost"
    )
    out_cost: Annotated[float, Field(gt=0)] | None = Field(
        None, description="what a piece that is asked for and not there costs; its margin if left out"
    )
    cost_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.6, description="unit cost as a share of the selling price, where it is not known"
    )
    line_cost: Annotated[float, Field(ge=0)] = Field(0.0, description="work that one line of an order costs")
    budget: Annotated[float, Field(ge=0)] | None = Field(None, description="most money for one round of orders")
    dead_days: Annotated[int, Field(ge=7, le=365)] = Field(
        90, description="what will not sell within so many days is dead stock"
    )


class SupplierSettings(Section):
    """A supplier, by the name that terms and orders give it; what is left out is as `[order]` says."""

    name: str
    lead_days: Annotated[float, Field(ge=0, le=365)] | None = None
    lead_spread_days: Annotated[float, Field(ge=0, le=180)] | None = None
    review_days: Annotated[int, Field(ge=1, le=92)] | None = None
    order_weekdays: tuple[Weekday, ...] = ()
    minimum_amount: Annotated[float, Field(ge=0)] = Field(0.0, description="least money of one order")
    line_cost: Annotated[float, Field(ge=0)] | None = None


class Shop(Document):
    """A shop: its place and money, its sources, and its days."""

    name: str
    time_zone: str = Field(description='where the shop stands, as "Europe/Berlin"')
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    country: str = Field("", description="ISO 3166, for public holidays")
    subdivision: str = Field("", description="state or province, for public holidays")
    rates: dict[str, float] = Field({}, description="what one unit of another currency is worth in the shop's own")
    closed_weekdays: tuple[Weekday, ...] = ()
    closed_dates: tuple[Day, ...] = ()
    closed_holidays: bool = Field(False, description="closed on public holidays")
    days: Days = Days()
    missing_ahead: Literal["last", "refuse"] = Field(
        "last", description="where prices end before the forecast does: the last one goes on, or nothing is forecast"
    )
    sources: tuple[SourceSettings, ...] = ()
    plans: tuple[PlanSettings, ...] = ()
    order: OrderSettings = OrderSettings()
    suppliers: tuple[SupplierSettings, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Shop:
        if not is_time_zone(self.time_zone):
            raise ValueError(f'time_zone {self.time_zone!r} is unknown; write one as "Asia/Shanghai"')
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; give each a name of its own")
        called = [supplier.name for supplier in self.suppliers]
        twice = sorted({name for name in called if called.count(name) > 1})
        if twice:
            raise ValueError(f"two suppliers are called {twice[0]!r}; put what is known of them into one section")
        for source in self.sources:
            if source.same_as and (source.same_as not in names or source.same_as == source.name):
                raise ValueError(f"{source.name}.same_as = {source.same_as!r} is no other source; there are {names}")
        return self


def read_shop(folder: Path) -> Shop:
    """Read a shop's settings.

    Raises
    ------
    ConfigError
        There are none, or a key or value is not legal.
    """
    path = folder / FILE_NAME
    try:
        text = read_file_text(path)
    except OSError as error:
        raise ConfigError(
            f"There are no settings of a shop at {path} ({error.strerror}); write them with: hansa-client init SOURCE"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is no text in UTF-8; write it again, or begin with: hansa-client init SOURCE"
        ) from error
    return parse_toml(text, Shop, origin=str(path))
