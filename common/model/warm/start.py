"""Start from a public model: match its columns by name, and let the plan's other columns begin at zero.

A warm model has seen invented demand only (`simulation.synthetic.pretraining`), so it costs no privacy. It knows the
columns that every plan has (the entity's own past, open days, the calendar, the anchor's regime). A plan's own
channels, covariates and attributes have no weights in it: they begin at zero, hence without a say, and are learned.

What a plan's training leaves as the warm model has it is never sent, so both ends must have the very same file: its
hash is in what the coordinator signs (docs/protocol.md §4).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from common.data.panel import empty_panel
from common.errors import ConfigError, DataError
from common.model.calendar_path import BESIDE, CalendarMoments, lay_moments, name_crosses
from common.model.demand_gru import DemandGRU, draw_model, freeze, get_vector
from common.model.features import Series, build_series
from common.plan.schema import ModelPlan, Plan
from common.privacy.clipping import require_model_size
from common.schema import SCHEMA, require_schema

FOLDER = Path(__file__).parent
CALENDAR = "calendar."  # before the names of what belongs to the calendar path
OWN_SCALE = 4.0  # of columns that only the plan has, before the last layer: features are logarithms over 4 or 8


def warm_path(plan: ModelPlan) -> Path:
    """Name the file of the public model that has the plan's shape."""
    extras = "".join(f"-{key}" for key in ("rhythm", "direct", "calendar") if getattr(plan, key))
    return FOLDER / f"{plan.step}-{plan.likelihood}-{plan.hidden_size}-{plan.decoder_size}{extras}.safetensors"


def save_warm(model: DemandGRU, series: Series, path: Path, *, moments: CalendarMoments | None = None) -> None:
    """Write a model with the names of the columns that it was trained on.

    Parameters
    ----------
    moments
        Of what a calendar path sees; a path itself learns nothing of invented calendars, so nothing of it is kept.
    """
    metadata = {
        "schema": str(SCHEMA),
        "names": json.dumps(series.names),
        "future_names": json.dumps(series.future_names),
    }
    tensors = {name: part for name, part in model.state_dict().items() if not name.startswith(CALENDAR)}
    if moments is not None:
        tensors |= {f"{CALENDAR}{name}": part for name, part in vars(moments).items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)


def start_model(plan: ModelPlan, series: Series, *, seed: int, warm: bool) -> DemandGRU:
    """Make the model that training starts from: drawn from a public seed, or the public warm one.

    Raises
    ------
    ConfigError
        There is no warm model of this shape.
    DataError
        The file of the warm model is damaged.
    """
    model = draw_model(plan, series, seed=seed)
    if warm:
        _warm_up(model, series, warm_path(plan))
    return model


def start_training(plan: Plan, series: Series, *, seed: int, private: bool) -> DemandGRU:
    """Make what a federation of the plan begins with: its start, and as parameters only what this training moves.

    Raises
    ------
    PrivacyError
        It has more parameters than clipping is proven for.
    HansaError
        There is no warm model of this shape, or its file is damaged.
    """
    model = start_model(plan.model, series, seed=seed, warm=plan.start(private=private) == "warm")
    freeze(model, plan.training(private=private).trained)
    require_model_size(len(get_vector(model)))
    return model


def start_without_data(plan: Plan, *, private: bool) -> DemandGRU:
    """Make what a federation of the plan begins with as anybody can who has the plan and no data.

    Raises
    ------
    HansaError
        No model can be made of the plan.
    """
    panel = empty_panel(plan.data)
    series = build_series(panel, plan.model, panel.day_of(plan.evaluation.origins[-1]))
    return start_training(plan, series, seed=0, private=private)


def hash_warm(plan: Plan, *, private: bool) -> str | None:
    """Return the SHA-256 of the file that a plan's training starts from; None where it starts cold.

    Raises
    ------
    ConfigError
        There is no warm model of this shape.
    """
    if plan.start(private=private) != "warm":
        return None
    path = warm_path(plan.model)
    _require_file(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require_same_warm(plan: Plan, *, private: bool, warm_hash: str | None) -> None:
    """Refuse to train or forecast from another public model than the one that the coordinator signed.

    Parameters
    ----------
    warm_hash
        As signed; None where the coordinator is of a version that does not name it.

    Raises
    ------
    ConfigError
        The installed one is another, or there is none.
    """
    if warm_hash is not None and warm_hash != (here := hash_warm(plan, private=private)):
        raise ConfigError(
            f"The plan {plan.name[:60]!r} starts from the public model {warm_hash[:12]}, installed here is "
            f"{here[:12] if here else 'none for it'}; install the coordinator's version of hansa."
        )


def _require_file(path: Path) -> None:
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in FOLDER.glob("*.safetensors")))
        raise ConfigError(
            f"There is no warm model of the shape {path.stem}, only {there or 'none'}; "
            "make one with `hansa-sim warm PLAN`, or start cold."
        )


def _warm_up(model: DemandGRU, series: Series, path: Path) -> None:
    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            require_schema(file.metadata().get("schema", SCHEMA), origin=path)
            names, future_names = (json.loads(file.metadata()[key]) for key in ("names", "future_names"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
            told = [tensors.pop(f"{CALENDAR}{name}") for name in ("center", "covariance") if model.calendar is not None]
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is damaged or no warm model; make it again with `hansa-sim warm PLAN`.") from error
    columns = {
        "encoder.weight_ih_l0": _places(names, series.names),
        "from_context.weight": _places(names, series.names, before=model.encoder.hidden_size),
        "from_future.weight": _places(future_names, series.future_names, after=2),  # the lead, and the anchor
    }
    if model.direct:
        columns |= dict.fromkeys(
            ("output.weight", "center", "scale"), _places(names, series.names, before=model.from_context.out_features)
        )
    if model.calendar is not None:
        places = _calendar_places(tuple(future_names), series.future_names)
        model.calendar.whiten(lay_moments(CalendarMoments(*told), places, width=len(model.calendar.center)))
    state = model.state_dict()
    for name, tensor in tensors.items():
        state[name] = _widen(tensor, columns.get(name), state[name], OWN_SCALE if name == "scale" else 0.0)
    model.load_state_dict(state)


def _places(known: list[str], wanted: tuple[str, ...], *, before: int = 0, after: int = 0) -> dict[int, int]:
    """Map columns of the warm model to columns of the plan's, where both have them."""
    place = {name: index for index, name in enumerate(wanted)}
    shared = {index: place[name] for index, name in enumerate(known) if name in place}
    return {
        **{index: index for index in range(before)},
        **{before + here: before + there for here, there in shared.items()},
        **{before + len(known) + extra: before + len(wanted) + extra for extra in range(after)},
    }


def _calendar_places(known: tuple[str, ...], wanted: tuple[str, ...]) -> dict[int, int]:
    """Map the columns of a calendar path over the warm model's covariates to those over the plan's."""
    crossed, others = name_crosses(known), name_crosses(wanted)
    behind, there = len(known) + BESIDE, {name: index for index, name in enumerate(others)}
    shared = {behind + at: len(wanted) + BESIDE + there[name] for at, name in enumerate(crossed) if name in there}
    return _places(list(known), wanted, after=BESIDE) | shared


def _widen(
    tensor: Float[Tensor, "... known"], places: dict[int, int] | None, like: Float[Tensor, "... wanted"], fill: float
) -> Float[Tensor, "... wanted"]:
    """Lay the columns of the warm model where the plan has them; what has no places fits as it is."""
    if places is None:
        return tensor
    wide = torch.full_like(like, fill)
    wide[..., list(places.values())] = tensor[..., list(places.keys())]
    return wide
