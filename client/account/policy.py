"""What a merchant allows, in a file of its own: without the file nothing is trained, and what it omits is not allowed.

The policy is read by nobody but the merchant. Plans and coordinators are held against it before the first round;
what they ask for beyond it is refused, never quietly cut down.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from common.disk.reading import read_file_text
from common.errors import ConfigError, PrivacyError
from common.plan.place import fault_of_place
from common.plan.reading import parse_toml
from common.plan.schema import Count, Document, Section, Unit
from common.privacy.accounting import delta_for
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER

LARGEST_EPSILON = 32.0  # beyond it finite precision alone could take all of delta
LARGEST_IF_ALL_COLLUDE = 36.0  # the same of 300 merchants who share the noise of epsilon 2


def _check_hash(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("write a SHA-256 as 64 lower-case hex digits")
    return value


def _check_span(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("write hours as 22:00-06:00")
    return value


def _check_place(value: str) -> str:
    fault = fault_of_place(value)
    if fault:
        raise ValueError(f"{fault}; write a file below the data root, as sales.csv or year/sales.csv")
    return value


Hash = Annotated[str, AfterValidator(_check_hash)]
Hours = Annotated[str, AfterValidator(_check_span)]
Epsilon = Annotated[float, Field(gt=0, le=LARGEST_EPSILON)]
EpsilonIfAllCollude = Annotated[float, Field(gt=0, le=LARGEST_IF_ALL_COLLUDE)]
Delta = Annotated[float, Field(gt=0, lt=0.01)]
Column = Annotated[str, Field(min_length=1)]
DataFile = Annotated[str, AfterValidator(_check_place)]  # below the data root, as a plan writes it


class Budget(Section):
    """Most that may ever be spent on one account, and most in any stretch of `period_days`."""

    epsilon: Epsilon
    period_epsilon: Epsilon
    period_days: Count
    delta: Delta

    @model_validator(mode="after")
    def _period_within_life(self) -> Budget:
        if self.period_epsilon > self.epsilon:
            raise ValueError(f"period_epsilon {self.period_epsilon} must not exceed epsilon {self.epsilon}")
        return self


class CustomerBudget(Budget):
    """What a plan about products, categories or stores may cost a customer who touched that many of them."""

    units_per_customer: Count


class PlanLimits(Section):
    """What one plan gets and what it may ask."""

    epsilon: Epsilon
    smallest_noise_multiplier: Annotated[float, Field(gt=0, le=LARGEST_NOISE_MULTIPLIER)]
    largest_num_rounds: Count
    smallest_cohort: Count
    hours: tuple[Hours, ...] = ()
    allow_training_without_noise: bool = False


class SumLimits(Section):
    """What the merchant asks of a secure sum; without this section no plan may trust in one.

    No key has a default but the list of peers, which begins empty: it is filled as the merchant verifies them.

    Attributes
    ----------
    smallest_cohort
        Fewest merchants in the roster.
    verified_peers
        Fewest of them that this merchant verified itself: the coordinator makes the roster, and could invent the rest.
    colluders
        Most that may conspire with the coordinator, and the promise must still hold.
    epsilon_if_all_collude
        Most that may ever be spent on the account if all others do.
    customer_epsilon_if_all_collude
        The same of the customer's account, where there is one.
    peers
        Fingerprints (SHA-256 of their keys) of merchants that were verified without the coordinator's help.
    """

    smallest_cohort: Annotated[int, Field(ge=2)]
    verified_peers: Annotated[int, Field(ge=0)]
    colluders: Count
    epsilon_if_all_collude: EpsilonIfAllCollude
    customer_epsilon_if_all_collude: EpsilonIfAllCollude | None = None
    peers: tuple[Hash, ...] = ()


class AutomaticLimits(Section):
    """Within these a plan of an approved coordinator needs no approval by hash."""

    largest_num_rounds: Count
    smallest_cohort: Count


class Approval(Section):
    """Whom and what the merchant approved."""

    coordinators: tuple[Hash, ...] = ()
    plans: tuple[Hash, ...] = ()
    automatic: AutomaticLimits | None = None


class DataScope(Section):
    """What the data set is: its files, what a plan may read of them, and which column says what one unit is.

    What a plan may do with it is decided in `client.account.scope`.

    Attributes
    ----------
    entity
        The column that names one unit.
    merchant
        The column that names it together with `entity`, where one file holds several shops; "" where none does.
    files
        The columns that a plan may read, by file.
    lookups
        The column by which a file may be joined to the rows, each to its own unit's; by `entity` where none is said.
    public
        Files that hold nothing of any one unit (a calendar, a table of kinds): they may be joined by any column.
    never
        Columns that no plan reads, of no file, whoever approved it.
    """

    entity: Column
    merchant: str = ""
    files: Annotated[dict[DataFile, tuple[Column, ...]], Field(min_length=1)]
    lookups: dict[DataFile, Column] = Field({})
    public: tuple[DataFile, ...] = ()
    never: tuple[Column, ...] = ()

    @field_validator("files", "lookups", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        """Explain what TOML makes of a file's name without quotes."""
        if not isinstance(value, dict):
            return value
        if any(isinstance(inner, dict) for inner in value.values()):
            raise ValueError('write the name of a file in quotes, as "sales.csv" = …')
        return {file: tuple(inner) if isinstance(inner, list) else inner for file, inner in value.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> DataScope:
        listed = {column for columns in self.files.values() for column in columns}
        for key, column in (("entity", self.entity), ("merchant", self.merchant)):
            if column and column not in listed:
                raise ValueError(f"{key} {column!r} is a column of none of data.files; list it where it is")
        forbidden = sorted(listed & set(self.never))
        if forbidden:
            raise ValueError(f"never names {forbidden[0]!r}, and data.files lists it; take it out of one of them")
        for key, names in (("lookups", self.lookups), ("public", self.public)):
            unknown = sorted(set(names) - set(self.files))
            if unknown:
                raise ValueError(f"{key} names {unknown[0]!r}, which is none of data.files; list its columns there")
        return self


class Policy(Document):
    """Everything that a merchant allows to be done with one data set."""

    dataset: Annotated[str, Field(min_length=1, max_length=100)]
    unit: Unit
    size_class: Count
    data: DataScope | None = None
    budget: Budget
    customer: CustomerBudget | None = None
    plan: PlanLimits
    approval: Approval
    sum: SumLimits | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Policy:
        if self.unit == "customer" and self.customer is not None:
            raise ValueError('customer is for the other units: with unit = "customer" it is the budget itself')
        if self.budget.delta > delta_for(self.size_class):
            raise ValueError(
                f"budget.delta is above {delta_for(self.size_class):.3g}, the most for size_class {self.size_class}"
            )
        if self.plan.epsilon > self.budget.period_epsilon:
            raise ValueError("plan.epsilon exceeds budget.period_epsilon, so no plan could ever run")
        if self.sum is not None:
            _require_ceilings(self.sum, self.budget, self.customer)
        return self

    @property
    def budgets(self) -> dict[Unit, Budget]:
        """The budget of every unit that this policy promises something to."""
        return {self.unit: self.budget} | ({"customer": self.customer} if self.customer else {})

    @property
    def ceilings(self) -> dict[Unit, float]:
        """Most epsilon that everybody else together may ever learn, by unit; empty where no sum is trusted."""
        if self.sum is None:
            return {}
        ceilings: dict[Unit, float] = {self.unit: self.sum.epsilon_if_all_collude}
        if self.sum.customer_epsilon_if_all_collude is not None:
            ceilings["customer"] = self.sum.customer_epsilon_if_all_collude
        return ceilings

    @property
    def readable(self) -> dict[str, tuple[str, ...]] | None:
        """The columns that a plan may read, by file; None where the policy does not say."""
        return None if self.data is None else self.data.files

    @property
    def units_per_customer(self) -> int | None:
        """How many units one customer touches at most; None where a plan about them promises customers nothing."""
        if self.unit == "customer":
            return None
        return self.customer.units_per_customer if self.customer else None


def _require_ceilings(limits: SumLimits, budget: Budget, customer: CustomerBudget | None) -> None:
    """Refuse a ceiling that is missing, about nobody, or below what everybody may learn without conspiring."""
    if (limits.customer_epsilon_if_all_collude is None) != (customer is None):
        raise ValueError("sum.customer_epsilon_if_all_collude is needed with a section customer, and only then")
    held = [("epsilon_if_all_collude", limits.epsilon_if_all_collude, "budget", budget.epsilon)]
    if customer is not None and limits.customer_epsilon_if_all_collude is not None:
        ceiling = limits.customer_epsilon_if_all_collude
        held.append(("customer_epsilon_if_all_collude", ceiling, "customer", customer.epsilon))
    for key, ceiling, section, epsilon in held:
        if ceiling < epsilon:
            raise ValueError(
                f"sum.{key} {ceiling} is below {section}.epsilon {epsilon}: all others together never learn less"
            )


def read_policy(path: Path) -> Policy:
    """Read and check a policy (docs/protocol.md §7.1).

    Raises
    ------
    PrivacyError
        There is no file: nothing is allowed then.
    ConfigError
        The file is no TOML, or a key or value is not legal.
    """
    try:
        text = read_file_text(path)
    except FileNotFoundError as error:
        raise PrivacyError(
            f"There is no policy {path}, so nothing may be trained; write one with: hansa-client policy --out {path}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the policy {path}; give a readable TOML file.") from error
    return parse_toml(text, Policy, origin=str(path))


def is_within_hours(hours: tuple[str, ...], now: datetime) -> bool:
    """Whether a local time falls into one of the spans, which may pass midnight; any time does where there is none."""
    return not hours or any(_is_within(span, now.time()) for span in hours)


def _is_within(span: str, now: time) -> bool:
    start, end = (time.fromisoformat(part) for part in span.split("-"))
    return start <= now < end if start < end else now >= start or now < end
