"""The plan: one TOML file that says everything about a federation and nothing about one data set.

A plan is frozen, strict and hashed (docs/protocol.md §2). Every message names the plan and which of its two trainings
runs, with noise or without, so a merchant that approved one trains under that one and no other. Unknown keys are
refused, not ignored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from common.plan.first_keys import FIRST_KEYS
from common.plan.near_day import near_names
from common.schema import SCHEMA

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _read_day(value: object) -> object:
    """Read a date from text, which pydantic alone would also take from a Unix timestamp."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("write a date as 2011-09-30")
    return date.fromisoformat(value)


def is_time_zone(name: str) -> bool:
    """Whether a name of a time zone is known on this machine."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


FIRST_YEAR, LAST_YEAR = 1700, 2200  # of what pandas can count in nanoseconds, with room around it
NEWER = "newer_schema"  # the type of the fault in a document of a later schema
ShoppingDay = Literal[
    "singles_day",
    "double_twelve",
    "mid_year_sale",
    "valentines_day",
    "love_day",
    "womens_day",
    "black_friday",
    "cyber_monday",
    "christmas_eve",
]
Unit = Literal["customer", "product", "category", "store"]
Trained = Literal["all", "decoder", "output", "calendar"]
Start = Literal["cold", "warm"]
Missing = Literal["refuse", "last", "zero"]  # what a day ahead is of which a covariate is not told
HolidayKind = Literal["holiday", "before", "after", "worked_weekend"]
OptimizerName = Literal["adam", "momentum", "adagrad", "yogi"]
ClippingRuleName = Literal["clip", "automatic"]
Trust = Literal["nobody", "sum"]  # nobody: every merchant hides its own sum in noise; sum: the merchants' sums together
LARGEST_ROSTER = 300  # of one secure sum: its costs grow with the square
Positive = Annotated[float, Field(gt=0)]
SMALLEST_CLIPPING_NORM, LARGEST_CLIPPING_NORM = 1e-9, 1e9  # what `common.privacy.clipping` is proven for
Count = Annotated[int, Field(ge=1)]
Day = Annotated[date, BeforeValidator(_read_day)]


class Section(BaseModel):
    """Refuse unknown keys, silent conversions, infinities and NaN; never change after reading (docs/protocol.md §1.2).

    Guarantee: an optional key that is added later is written, hence hashed and sent, only where it is not at its
    default, behind the others and in alphabetical order (docs/protocol.md §2.2).
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _write(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        written, fields = write(self), type(self).model_fields
        always = FIRST_KEYS.get(type(self).__name__, frozenset())
        later = sorted(
            name
            for name in written.keys() - always
            if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        )
        return {name: written[name] for name in (*(key for key in written if key in always), *later)}


def _require_known(schema: int) -> int:
    if schema != SCHEMA:
        raise PydanticCustomError(NEWER, f"this version of hansa reads schema {SCHEMA} alone; install a newer one")
    return schema


class Document(Section):
    """A section that is a file or a message of its own: it may say which schema it follows; silence is schema 1."""

    schema_number: Annotated[int, AfterValidator(_require_known)] = Field(SCHEMA, alias="schema")


class Measure(Section):
    """What one day of one entity is worth: rows counted, a column summed, or distinct values counted."""

    aggregate: Literal["rows", "sum", "distinct", "mean"]
    column: str = ""

    @model_validator(mode="after")
    def _column_where_needed(self) -> Measure:
        if (self.aggregate == "rows") == bool(self.column):
            raise ValueError('aggregate = "rows" takes no column, every other aggregate needs one')
        return self


class Filter(Section):
    """Keep the rows in which `column` passes every condition that is given."""

    column: str
    equals: str | int | float | bool | None = None
    above: float | None = None
    at_least: float | None = None
    filled: bool | None = Field(None, description="true: the cell is not empty; false: it is")

    @model_validator(mode="after")
    def _one_condition(self) -> Filter:
        if all(each is None for each in (self.equals, self.above, self.at_least, self.filled)):
            raise ValueError("needs one of equals, above, at_least, filled")
        return self


class Attribute(Section):
    """A covariate of a row: a number divided by a public `scale`, or one column per public category.

    Categories and scale stand in the plan because anything fitted on private rows would leak them.
    """

    column: str
    categories: tuple[str, ...] = ()
    scale: Positive = 1.0
    logarithm: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each covariate that comes of it."""
        return tuple(f"{self.column}={value}" for value in self.categories) or (self.column,)


class Lookup(Section):
    """A second table whose columns are joined to the rows: `column` there equals `key` here."""

    path: str
    key: str
    column: str


class AheadTable(Section):
    """A table of what is known of each day, past and to come: a calendar of the merchant's, or rows of each entity.

    Without `entity` its rows are the same for all entities. It must then hold nothing that was made of any one's rows:
    a record stays a function of the entity's own rows and of the merchant's calendar, which neighbours share.
    """

    path: str
    time: str
    entity: str = Field("", description="column there that names the entity; without it rows are of all entities")
    merchant: str = Field("", description="column there that names the merchant, for simulations")
    known: tuple[Attribute, ...] = Field(min_length=1)
    missing: Missing = "refuse"


class PublicHolidays(Section):
    """Public holidays of a place as covariates, by the library `holidays`."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field(description="ISO 3166, as DE")
    subdivision: str = Field("", description="state or province, as BY")
    covariates: tuple[HolidayKind, ...] = Field(("holiday", "before", "after"), min_length=1)
    missing: Literal["refuse", "zero"] = "refuse"
    near: tuple[str, ...] = Field(
        (), description="holidays by their English names, as Good Friday, whose weeks before and after have covariates"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Name each covariate: kinds of days, then nearness to holidays."""
        return (*self.covariates, *(name for holiday in self.near for name in near_names(holiday)))


class SchoolHolidays(Section):
    """School holidays as a covariate, from a table of one row each; known from its first day to its last."""

    path: str
    first_day: str = Field("first_day", description="column of the first day of each")
    last_day: str = Field("last_day", description="column of the last day of each")
    name: str = Field("", description="column of its name")
    names: tuple[str, ...] = Field((), description="those that have a covariate each; all together if left out")
    missing: Literal["refuse", "zero"] = "refuse"

    @model_validator(mode="after")
    def _names_where_named(self) -> SchoolHolidays:
        if self.names and not self.name:
            raise ValueError("names needs the column that holds them, name")
        return self


class Deal(Section):
    """How entities are dealt to merchants where the data has no merchants of its own."""

    by: Literal["level", "random", "group"]
    column: str = Field(
        "",
        description="by = level: observed channel whose value on an entity's first day orders the entities; "
        "by = group: column of the rows that names an entity's group",
    )
    characters: Count | None = Field(None, description="by = group: the first characters of the column are the group")
    merchants: Count
    smallest: Count | None = None
    largest: Count | None = None

    @model_validator(mode="after")
    def _fits_the_way(self) -> Deal:
        if self.by != "random" and not self.column:
            what = "observed column that orders the entities" if self.by == "level" else "column that names the groups"
            raise ValueError(f'by = "{self.by}" needs the {what}')
        if self.by == "group":
            if self.smallest is not None or self.largest is not None:
                raise ValueError('by = "group" takes no smallest and no largest: the groups have their sizes')
            return self
        if self.characters is not None:
            raise ValueError('characters is for by = "group"')
        if self.smallest is None or self.largest is None:
            raise ValueError(f'by = "{self.by}" needs smallest and largest, the sizes of merchants')
        if self.smallest > self.largest:
            raise ValueError("smallest must not exceed largest")
        return self


class Active(Section):
    """Which entities take part at an origin: those with demand on at least `days` of the days just before it."""

    days: Count
    within_days: Count

    @model_validator(mode="after")
    def _possible(self) -> Active:
        if self.days > self.within_days:
            raise ValueError("days must not exceed within_days")
        return self


class DataPlan(Section):
    """Which columns mean what."""

    source: Literal["file", "synthetic"] = "file"
    path: str = ""
    rows: Literal["events", "panel"]
    entity: str
    time: str
    merchant: str = ""
    deal: Deal | None = None
    active: Active | None = None
    target: Measure
    observed: dict[str, Measure] = {}
    derived: dict[str, tuple[str, str]] = Field({}, description="new column = product of two columns")
    filters: tuple[Filter, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    known: tuple[Attribute, ...] = ()
    static: tuple[Attribute, ...] = ()
    missing: Literal["zero", "closed"] = "zero"
    missing_ahead: Missing = Field("zero", description="what a day is of which the rows do not tell a known covariate")
    ahead: tuple[AheadTable, ...] = Field((), description="tables of what lies ahead, beside the rows")
    holidays: PublicHolidays | None = None
    shopping_days: tuple[ShoppingDay, ...] = ()
    school_holidays: SchoolHolidays | None = None
    closed_weekdays: tuple[Weekday, ...] = ()
    closed_dates: tuple[Day, ...] = ()
    start: Day
    end: Day
    time_zone: str = Field(
        "", description="where the shop stands, as Asia/Shanghai: times with an offset count on its days"
    )
    out_of_stock: str = Field(
        "",
        description="column that says yes in a row of a day that ran out of stock: demand was at least what was sold",
    )

    @model_validator(mode="after")
    def _consistent(self) -> DataPlan:
        if self.time_zone and not is_time_zone(self.time_zone):
            raise ValueError(f'time_zone {self.time_zone!r} is unknown; write one as "Asia/Shanghai"')
        if self.start >= self.end:
            raise ValueError(f"start {self.start} must come before end {self.end}")
        if not FIRST_YEAR <= self.start.year <= self.end.year <= LAST_YEAR:
            raise ValueError(f"start {self.start} and end {self.end} must lie within {FIRST_YEAR} to {LAST_YEAR}")
        if (self.source == "file") != bool(self.path):
            raise ValueError('source = "file" needs a path, source = "synthetic" takes none')
        if self.merchant and self.deal:
            raise ValueError("give merchant (a column) or deal (how to make merchants), not both")
        if self.rows == "events" and self.missing == "closed":
            raise ValueError('missing = "closed" is for rows = "panel": no event on a day is zero demand')
        if self.rows == "events" and self.known:
            raise ValueError(
                'known needs rows = "panel": events tell nothing of days on which nothing happened; name a table that '
                "does in data.ahead"
            )
        if self.out_of_stock and self.target.aggregate not in ("sum", "distinct"):
            raise ValueError(
                'out_of_stock needs a target that adds up (aggregate = "sum" or "distinct"): a row that only says '
                "that there was no stock would count as demand"
            )
        if self.missing == "closed" and (self.closed_weekdays or self.closed_dates):
            raise ValueError(
                'missing = "closed" says which days are closed; leave out closed_weekdays and closed_dates'
            )
        if self.deal and self.deal.by == "level" and self.deal.column not in self.observed:
            raise ValueError(f"deal.column {self.deal.column!r} is none of the observed channels")
        self._require_calendar()
        return self

    def _require_calendar(self) -> None:
        """Refuse tables of what lies ahead that could not be read, or covariates that could not be told apart."""
        self._require_files_of_all()
        for table in self.ahead:
            if table.merchant and not self.merchant:
                raise ValueError(f"ahead.merchant {table.merchant!r} needs data.merchant: the rows name no merchant")
        if self.source == "synthetic" and (self.ahead or self.school_holidays):
            raise ValueError('source = "synthetic" takes no file: leave out ahead and school_holidays')
        if self.ahead or self.holidays or self.shopping_days or self.school_holidays:
            names = self.covariates
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two covariates are called {twice[0]!r}; leave one of them out, or rename its column")

    def _require_files_of_all(self) -> None:
        """Refuse a file of entities' rows where one is named that is the same for all of them."""
        of_entities = {self.path, *(lookup.path for lookup in self.lookups)}
        of_entities |= {table.path for table in self.ahead if table.entity}
        advice = "give what is the same for all of them in a file of its own"
        for table in self.ahead:
            if not table.entity and table.path in of_entities:
                raise ValueError(
                    f"ahead.path {table.path!r} holds the entities' own rows: name their column with ahead.entity, or "
                    f"{advice}"
                )
        if self.school_holidays is not None and self.school_holidays.path in of_entities:
            path = self.school_holidays.path
            raise ValueError(f"school_holidays.path {path!r} holds the entities' own rows: {advice}")

    @property
    def covariates(self) -> tuple[str, ...]:
        """Name every covariate known ahead: of the rows, of the tables, of public days, of the school's, in this order.

        `common.data.calendar` lays them out in the same one.
        """
        names = [name for attribute in self.known for name in attribute.names]
        names += [name for table in self.ahead for attribute in table.known for name in attribute.names]
        names += self.holidays.names if self.holidays else ()
        names += self.shopping_days
        if self.school_holidays:
            named = self.school_holidays.names
            names += [f"school_holiday={name}" for name in named] or ["school_holiday"]
        return tuple(names)


class AnchorPlan(Section):
    """The parameter-free forecast that the network corrects; see `common.model.anchor`."""

    half_life_days: Positive = 60.0
    by_weekday: bool = False
    regime: str = Field("", description="a known covariate whose on and off days have levels of their own")
    prior_days: Annotated[float, Field(ge=0)] = 0.0


class ModelPlan(Section):
    """Shape of the demand model and of what it forecasts."""

    step: Literal["day", "week"]
    horizon_days: Count
    bucket_days: Count = 1
    likelihood: Literal["negative_binomial", "hurdle_negative_binomial", "log_normal"]
    hidden_size: Annotated[int, Field(ge=1, le=1024)] = 32
    decoder_size: Annotated[int, Field(ge=1, le=1024)] = 32
    window_steps: Count = Field(120, description="steps of history that one round reads")
    positions: Count = Field(8, description="forecast positions per entity and round")
    position_steps: Count | None = Field(
        None, description="steps at the end of a window over which the positions spread; half of it if left out"
    )
    season: bool = Field(True, description="see the time of year; leave out where history is under two years")
    rhythm: bool = Field(False, description="see the gaps between days with demand, for rare demand")
    direct: bool = Field(False, description="a short path from the features to the output, past every hidden unit")
    calendar: bool = Field(False, description="a straight path from what is known ahead to the forecast")
    anchor: AnchorPlan = AnchorPlan()

    @model_validator(mode="after")
    def _whole_buckets(self) -> ModelPlan:
        if self.horizon_days % self.bucket_days:
            raise ValueError(f"horizon_days {self.horizon_days} is no multiple of bucket_days {self.bucket_days}")
        if self.positions > self.window_steps:
            raise ValueError("positions must not exceed window_steps")
        return self

    @property
    def step_days(self) -> int:
        """Days in one step."""
        return 1 if self.step == "day" else 7

    @property
    def horizon(self) -> int:
        """Buckets in the horizon."""
        return self.horizon_days // self.bucket_days


class TrainingPlan(Section):
    """Rounds and server optimiser: a step on the aggregated update, cosine learning rate, averaged model."""

    num_rounds: Count = 150
    learning_rate: Positive = 0.03
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, lt=10)] = 0.0
    trained: Trained = Field("all", description="what moves; the rest stays as the public start has it")
    optimizer: OptimizerName = Field("adam", description="how the server steps; see `server.round.optimizer`")


class SumPlan(Section):
    """What the secure sum stands on: how many must stay, and how many may conspire with the coordinator.

    Neither has a default: the noise that each merchant adds follows from both, see `common.privacy.shared_noise`.
    One noise holds for all, and the plan's hash binds it: what hides one merchant's entities is what the others add, so
    none may be told that the others add less. A simulation has the noise of its method instead.
    A long roster has several sums (`common.secure_sum.cohort`), each on these terms.
    What a cohort must have beyond this is checked where the roster is known (`common.secure_sum.roster.Session`).
    """

    threshold: Annotated[int, Field(ge=2, le=LARGEST_ROSTER)] = Field(
        description="fewest merchants that make a round; with fewer nothing is summed"
    )
    colluders: Count = Field(description="most merchants that may conspire with the coordinator")
    noise_multiplier: Annotated[float, Field(gt=0, le=1e4)] | None = Field(
        None,
        description="noise of the whole sum in units of clipping_norm; needed wherever real merchants train with noise",
    )
    cohort: Annotated[int, Field(ge=2, le=LARGEST_ROSTER)] | None = Field(
        None,
        description="about how many merchants sum together; default: all, up to 300, and of more about 100",
    )

    @model_validator(mode="after")
    def _leaves_somebody(self) -> SumPlan:
        if self.colluders >= self.threshold:
            raise ValueError(f"colluders {self.colluders} must be below threshold {self.threshold}")
        return self

    @property
    def noise_share(self) -> int:
        """Honest merchants that are in every sum at least: so many share the noise."""
        return self.threshold - self.colluders


class PrivacyPlan(Section):
    """What the guarantee protects, and how training under noise differs from training without."""

    unit: Unit
    clipping_norm: Annotated[float, Field(ge=SMALLEST_CLIPPING_NORM, le=LARGEST_CLIPPING_NORM)] = 1.0
    clipping_rule: ClippingRuleName = Field(
        "clip", description="automatic: every entity's gradient is brought near the clipping norm, short ones too"
    )
    delta: Annotated[float, Field(gt=0, lt=0.01)] | None = Field(None, description="default: by size class")
    size_classes: tuple[Count, ...] = Field(
        (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536), min_length=1
    )
    start: Start | None = Field(None, description="default: as the training without noise")
    training: TrainingPlan = TrainingPlan()
    trust: Trust = Field("nobody", description="sum: noise is shared, the coordinator sees the merchants' sum alone")
    sum: SumPlan | None = Field(None, description='needed by trust = "sum", and by nothing else')
    sum_training: TrainingPlan | None = Field(
        None, description="of a simulation's methods with _sum, beside those that trust nobody; default: training"
    )

    @model_validator(mode="after")
    def _sum_where_trusted(self) -> PrivacyPlan:
        if (self.trust == "sum") != (self.sum is not None):
            raise ValueError('trust = "sum" needs a section privacy.sum, trust = "nobody" takes none')
        if self.trust == "sum" and self.sum_training is not None:
            raise ValueError('trust = "sum" takes no sum_training: its merchants train as training says')
        return self

    @property
    def noise_share(self) -> int:
        """Merchants that share the noise; 1 where each adds all of it."""
        return self.sum.noise_share if self.sum else 1


class FederationPlan(Section):
    """Training without noise, and what binds every federation."""

    start: Start = Field("cold", description="warm: from the public model of this shape")
    training: TrainingPlan = TrainingPlan()
    weight_cap: Annotated[float, Field(gt=0, le=1)] = 0.25
    rehearsal: bool = Field(
        False,
        description="two thirds of a run's rounds end one horizon before the last origin, and that model is released "
        "too, to be weighed on the days since",
        exclude_if=lambda value: not value,  # so that a plan without it is written, and hashed, as it always was
    )


class AlonePlan(Section):
    """Ordinary mini-batch training, for the methods that do not federate."""

    num_steps: Count = 400
    batch_size: Count = 128
    learning_rate: Positive = 0.01
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4


class EvaluationPlan(Section):
    """Rolling origins, methods, and seeds of the comparison."""

    origins: tuple[Day, ...] = Field(min_length=1, description="cut-offs; the first forecast day of each")
    task: Literal["demand", "purchase"] = "demand"
    methods: tuple[str, ...] = Field(min_length=1)
    seeds: Count = 1
    alone: AlonePlan = AlonePlan()
    candidates: tuple[str, ...] = Field(
        (), description="what `routed` averages; the public model is added wherever the federation's is named"
    )


class Plan(Document):
    """One federation, whole."""

    name: str
    data: DataPlan
    model: ModelPlan
    privacy: PrivacyPlan
    federation: FederationPlan = FederationPlan()
    evaluation: EvaluationPlan

    @model_validator(mode="after")
    def _fits_together(self) -> Plan:
        horizon = self.model.horizon_days
        for origin in self.evaluation.origins:
            history_days, future_days = (origin - self.data.start).days, (self.data.end - origin).days + 1
            if history_days < self.model.step_days:
                raise ValueError(f"evaluation.origins {origin} leaves no whole step after data.start")
            if future_days < horizon:
                raise ValueError(
                    f"evaluation.origins {origin} leaves {future_days} days up to data.end, "
                    f"model.horizon_days is {horizon}"
                )
        for private, section, training in (
            (True, "privacy.training", self.privacy.training),
            (True, "privacy.sum_training", self.privacy.sum_training),
            (False, "federation.training", self.federation.training),
        ):
            if training and training.trained != "all" and self.start(private=private) != "warm":
                start = f"{section.partition('.')[0]}.start"
                raise ValueError(f'{section}.trained = "{training.trained}" needs {start} = "warm"')
            if training and training.trained == "calendar" and not self.model.calendar:
                raise ValueError(f'{section}.trained = "calendar" needs model.calendar = true')
        if self.data.out_of_stock and self.evaluation.task == "purchase":
            raise ValueError(
                'data.out_of_stock is for evaluation.task = "demand": whether anybody wanted to buy on a day out of '
                "stock nobody knows"
            )
        regime = self.model.anchor.regime
        if self.federation.rehearsal:
            self._require_rehearsal()
        covariates = self.data.covariates
        if regime and regime not in covariates:
            raise ValueError(
                f"model.anchor.regime {regime!r} is none of what is known ahead: {', '.join(covariates) or 'nothing'}"
            )
        return self

    def _require_rehearsal(self) -> None:
        origin, horizon = self.evaluation.origins[-1], self.model.horizon_days
        if (origin - self.data.start).days - horizon < self.model.step_days:
            raise ValueError(f"federation.rehearsal leaves no whole step one horizon before the last origin {origin}")
        for section, training in (("privacy", self.privacy.training), ("federation", self.federation.training)):
            if training.num_rounds < 2:
                raise ValueError(f"federation.rehearsal needs {section}.training.num_rounds of at least 2")

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: what a merchant approves (docs/protocol.md §2.2).

        Keys of a section stand in their declared order, channels in the plan's own: it orders the features. A key
        that the first version did not know is in it only where it is not at its default.
        """
        canonical = json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def training(self, *, private: bool) -> TrainingPlan:
        """Give rounds and rates with noise, or without."""
        return self.privacy.training if private else self.federation.training

    def trusting_sum(self) -> Plan:
        """Give the plan as a simulation runs it where merchants trust the sum: with that training, if it has one."""
        training = self.privacy.sum_training or self.privacy.training
        return self.model_copy(update={"privacy": self.privacy.model_copy(update={"training": training})})

    def start(self, *, private: bool) -> Start:
        """Tell whether training with noise, or without, starts from the public model."""
        return (private and self.privacy.start) or self.federation.start

    def run_hash(self, *, private: bool) -> str:
        """SHA-256 of the plan and of which of its two trainings runs: what stands on every message.

        See docs/protocol.md §2.3.
        """
        section = "privacy" if private else "federation"
        return hashlib.sha256(f"{self.hash} {section}.training".encode()).hexdigest()
