"""What a plan would read and what it calls one entity, held against the policy: the unit of the promise is a column.

The policy's `unit` is a word; its `[data]` section says which column that is, and which columns of which files a plan
may read at all. Where there is such a section every plan is held against it, those approved by hash too.

Guarantee: depends on policy and plan alone; nothing is asked of the disk. With a `[data]` section each record of a plan
is one value of its entity column (and of its merchant column, where it names one), and is made of rows of that value
alone and of files that the policy calls public: a table of what lies ahead is either joined by the entity's own column,
or is the merchant's calendar, which is the same for all entities and must be in `data.public`. Its lines are there for
both neighbours, with and without an entity, as long as the merchant makes them of no entity's rows, as `public` says.
"""

from __future__ import annotations

from client.account.policy import DataScope, Policy
from common.errors import PrivacyError
from common.plan.place import fault_of_places
from common.plan.reads import files_of, shared_files, what_is_read
from common.plan.schema import DataPlan, Lookup, Plan

ADVICE = "hansa-client policy --plan PLAN writes one to begin with"


def require_within(policy: Policy, plan: Plan) -> None:
    """Refuse a plan that would read what the policy does not name, or counts something else as one entity.

    Without `[data]` in the policy anything below the data root may be read, by plans that a person approved by hash;
    see `require_named`.

    Raises
    ------
    PrivacyError
        The sentence is for the merchant.
    """
    fault = fault_of_places(plan.data)
    if fault:
        raise PrivacyError(f"The plan {plan.name!r} is refused: {fault}")
    if policy.data is not None:
        fault = _fault_of_unit(plan.data, policy.data) or _fault_of_columns(plan.data, policy.data)
    if fault:
        raise PrivacyError(f"The plan {plan.name!r} {fault}; stay away, or decide otherwise in the policy's [data].")


def require_named(policy: Policy, plan: Plan) -> None:
    """Refuse to accept a plan without a person where the policy does not say what may be read.

    Raises
    ------
    PrivacyError
        It has no `[data]` section.
    """
    if policy.data is None:
        raise PrivacyError(
            f"The plan {plan.name!r} is not approved, since the policy has no [data] section that says what may be "
            f"read and which column is the entity; add one ({ADVICE}), or the plan's hash {plan.hash} to "
            "approval.plans."
        )


def _fault_of_unit(data: DataPlan, scope: DataScope) -> str:
    """Say why one record of a plan is not one unit of the policy; "" where it is."""
    if data.entity != scope.entity:
        return f"counts every {data.entity!r} as one entity (data.entity), the policy's entity is {scope.entity!r}"
    if data.merchant != scope.merchant:
        named = f"the policy's is {scope.merchant!r}" if scope.merchant else "the policy names none"
        return f"tells merchants apart by the column {data.merchant!r} (data.merchant), {named}"
    if data.deal is not None and data.deal.by == "group" and data.deal.column != data.entity:
        return f"splits entities by the column {data.deal.column!r} (data.deal), which is for simulations"
    for name in data.derived:
        if name in (scope.entity, scope.merchant):
            return f"would compute {name!r} (data.derived), which names one unit in the policy"
    for lookup in data.lookups:
        if lookup.path in scope.files and not _joins_own_rows(lookup, scope):
            by = scope.lookups.get(lookup.path, scope.entity)
            allowed = "none" if scope.merchant else f"{by!r} to {scope.entity!r} alone"
            return (
                f"would join {lookup.path!r} by {lookup.column!r} to {lookup.key!r}, so that one unit could meet "
                f"another's rows (the policy allows {allowed}, as the file is not in data.public)"
            )
    return _fault_of_calendar(data, scope)


def _fault_of_calendar(data: DataPlan, scope: DataScope) -> str:
    """Say which file of what lies ahead could bring one unit rows of another; "" where none could."""
    for path in shared_files(data):
        if path in scope.files and path not in scope.public:
            return (
                f"would read {path!r} for all entities alike, so that one unit could meet another's rows (the policy "
                "allows that of files in data.public alone)"
            )
    for table in data.ahead:
        own = (table.entity, table.merchant) == (scope.lookups.get(table.path, scope.entity), scope.merchant)
        if table.entity and table.path in scope.files and not own and table.path not in scope.public:
            return (
                f"would join {table.path!r} by {table.entity!r}, so that one unit could meet another's rows (the "
                f"policy allows {scope.lookups.get(table.path, scope.entity)!r} alone, as the file is not in "
                "data.public)"
            )
    return ""


def _joins_own_rows(lookup: Lookup, scope: DataScope) -> bool:
    """Whether a lookup brings each unit rows of its own, or of nobody; two columns that name one unit join nothing."""
    by = scope.lookups.get(lookup.path, scope.entity)
    own = not scope.merchant and (lookup.key, lookup.column) == (scope.entity, by)
    return own or lookup.path in scope.public


def _fault_of_columns(data: DataPlan, scope: DataScope) -> str:
    """Say what a plan would read that the policy does not allow; "" where there is nothing."""
    for file in files_of(data):
        if file not in scope.files:
            return f"would read the file {file!r}, which data.files of the policy does not name"
    for use in what_is_read(data):
        if use.column in scope.never:
            return f"would read the column {use.column!r} ({use.key}), which data.never of the policy forbids"
        if not any(use.column in scope.files[file] for file in use.files):
            where = " or ".join(repr(file) for file in use.files)
            return f"would read the column {use.column!r} ({use.key}), which data.files does not list for {where}"
    return ""
