"""The models that the coordinator signed, on the merchant's disk: whole or not at all.

models/RUN_HASH.safetensors    a model's parameters, flat, with its signed note inside: one file, so that both fit
models/RUN_HASH.json           the same note, for people to read
models/RUN_HASH.rehearsal.*    the same of the model after a run's rehearsal (`common.plan.leg`)

Which model is the newest is not said by a coordinator's clock alone: a date that lies ahead when a model comes counts
as the moment at which it came, so one wrong date stops no later model. Of one run the later round is the newer model,
and one that was replaced does not come back.

See docs/protocol.md §7.4.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from common.disk.file import write_whole
from common.disk.reading import read_file_json, require_file
from common.errors import DataError, MessageError, PrivacyError
from common.message import release
from common.message.release import Release, ReleaseNote, parse_note
from common.message.signature import Signed, verify_any
from common.message.vector import check_parameters
from common.model.warm.start import require_same_warm
from common.plan.leg import is_rehearsal
from common.schema import SCHEMA, require_schema

REHEARSAL = ".rehearsal"
PARAMETERS, CONTENT, SIGNATURE, SCHEMA_KEY = "parameters", "content", "signature", "schema"
ARRIVED, REPLACED = "arrived_at", "replaced"


@dataclass(frozen=True, eq=False)
class Model:
    """A model whose signature and parameters were checked.

    Attributes
    ----------
    arrived_at
        When it came, by this merchant's clock.
    replaced
        The hashes of models of the same run that were here before.
    """

    note: ReleaseNote
    parameters: Float32[Tensor, " parameter"]
    arrived_at: datetime
    replaced: tuple[str, ...] = ()

    @property
    def since(self) -> datetime:
        """When it was released, and never later than it came."""
        return _since(self.note, self.arrived_at)


class Store:
    """Keep the models that one coordinator signed.

    Parameters
    ----------
    models
        A folder, made when something is kept.
    coordinators
        The 32 bytes of every public key that it signs or has signed with; each file is held against them when it is
        read.
    """

    def __init__(self, models: Path, *coordinators: bytes) -> None:
        self._models, self._coordinators = models, coordinators

    def keep_model(self, incoming: Release, note: ReleaseNote) -> None:
        """Keep a model that was checked, unless a newer one of its run is there; one that is there stays as it is.

        Its note for people is written last, and written again where a crash or a full disk left it out.

        Guarantee: when this returns, the model is on the disk.

        Raises
        ------
        MessageError
            A newer one is there.
        """
        rehearsed = is_rehearsal(note.plan, private=note.private, round_number=note.round_number)
        path = self._models / f"{note.run_hash}{REHEARSAL if rehearsed else ''}.safetensors"
        latest, now = self._try_read(path), datetime.now(UTC)
        is_here = latest is not None and latest.note.model_hash == note.model_hash
        if latest is not None and not is_here and _is_older(note, latest, now):
            raise MessageError("A model is older than the one of its run that is here; the newer one is kept.")
        signature = base64.b64encode(incoming.signed.signature).decode()
        if not is_here:
            replaced = () if latest is None else (*latest.replaced, latest.note.model_hash)
            about = {SCHEMA_KEY: str(SCHEMA), CONTENT: incoming.signed.content.decode(), SIGNATURE: signature}
            about |= {ARRIVED: now.isoformat()} | ({REPLACED: " ".join(replaced)} if replaced else {})
            write_whole(path, save({PARAMETERS: incoming.parameters.contiguous()}, metadata=about))
        if not is_here or not _says(path.with_suffix(".json"), note):
            readable = {"note": json.loads(incoming.signed.content), SIGNATURE: signature}
            write_whole(path.with_suffix(".json"), (json.dumps(readable, indent=2) + "\n").encode())

    def newest_model(self, run_hash: str = "") -> Model:
        """Give the model that was released last, of one run where the first digits of its hash are given.

        Raises
        ------
        DataError
            There is none.
        PrivacyError, MessageError
            It is not what the coordinator signed.
        ConfigError
            It goes on from another public model than the one installed here.
        """
        paths = sorted(self._models.glob(f"{run_hash}*.safetensors"))
        models = [self.read_model(path) for path in paths if not path.stem.endswith(REHEARSAL)]
        if not models:
            raise DataError(
                f"There is no model {run_hash} in {self._models}; it comes at the end of a run, to hansa-client run."
            )
        newest = max(models, key=lambda model: model.since)
        require_same_warm(newest.note.plan, private=newest.note.private, warm_hash=newest.note.warm_hash)
        return newest

    def has_model(self, run_hash: str) -> bool:
        """Whether a model of a run is here that is not its rehearsal's."""
        return (self._models / f"{run_hash}.safetensors").is_file()

    def rehearsal_of(self, model: Model) -> Model | None:
        """Give the model after the rehearsal of a model's run; None where the run had none, or it is not here."""
        path = self._models / f"{model.note.run_hash}{REHEARSAL}.safetensors"
        return self.read_model(path) if path.is_file() else None

    def read_model(self, path: Path) -> Model:
        """Read a model, and check its signature and parameters again."""
        try:
            require_file(path)
            with safe_open(path, framework="pt") as file:
                about, parameters = file.metadata() or {}, file.get_tensor(PARAMETERS)
            require_schema(about.get(SCHEMA_KEY, SCHEMA), origin=path)
            signed = Signed(about[CONTENT].encode(), base64.b64decode(about[SIGNATURE], validate=True))
            arrived_at = _read_arrival(about, path)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise _damaged(path) from error
        note = parse_note(verify_any(signed, self._coordinators, purpose=release.PURPOSE))
        if parameters.numel() != note.num_parameters:
            raise _damaged(path)
        check_parameters(parameters, note.model_hash)
        return Model(note, parameters, arrived_at, tuple(about.get(REPLACED, "").split()))

    def _try_read(self, path: Path) -> Model | None:
        """Read a model that a newer one may replace; a damaged one may always be replaced."""
        try:
            return self.read_model(path)
        except (DataError, PrivacyError, MessageError):
            return None


def _says(readable: Path, note: ReleaseNote) -> bool:
    """Whether what is written for people is of this very model, and not of the one before it, or not there."""
    try:
        return bool(read_file_json(readable)["note"]["model_hash"] == note.model_hash)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_older(note: ReleaseNote, latest: Model, now: datetime) -> bool:
    """Whether a model of the same run comes before the latest one: by its round, then by its date, or seen before."""
    if note.model_hash in latest.replaced or note.round_number < latest.note.round_number:
        return True
    return note.round_number == latest.note.round_number and _since(note, now) < latest.since


def _since(note: ReleaseNote, arrived_at: datetime) -> datetime:
    dated = note.released_at
    return min(dated if dated.tzinfo is not None else dated.replace(tzinfo=UTC), arrived_at)


def _read_arrival(about: dict[str, str], path: Path) -> datetime:
    """Read when a model came; an earlier version noted it only as the date of the file."""
    if ARRIVED not in about:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    arrived_at = datetime.fromisoformat(about[ARRIVED])
    return arrived_at if arrived_at.tzinfo is not None else arrived_at.replace(tzinfo=UTC)


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged; move it away, the coordinator sends it again when it is asked to.")
