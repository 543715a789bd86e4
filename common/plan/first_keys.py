"""The keys that the first version wrote into what is signed or sent: these are always written, later ones are not.

A hash covers what is written. So a key that a later version adds to one of these sections stands in the bytes only
where its value is not its default: no plan from before it changes its hash, and an older reader, which refuses keys
that it does not know, meets it only where it matters. Hence nothing is ever added to this table, a section that is
not in it writes no key at its default, and a default never changes. See docs/protocol.md §2.2.
"""

from __future__ import annotations

FIRST_KEYS: dict[str, frozenset[str]] = {
    section: frozenset(keys.split())
    for section, keys in {
        "Measure": "aggregate column",
        "Filter": "column equals above at_least",
        "Attribute": "column categories scale logarithm",
        "Lookup": "path key column",
        "Deal": "by column characters merchants smallest largest",
        "Active": "days within_days",
        "DataPlan": "source path rows entity time merchant deal active target observed derived filters lookups known "
        "static missing closed_weekdays closed_dates start end",
        "AnchorPlan": "half_life_days by_weekday regime prior_days",
        "ModelPlan": "step horizon_days bucket_days likelihood hidden_size decoder_size window_steps positions "
        "position_steps season rhythm direct anchor",
        "TrainingPlan": "num_rounds learning_rate ema weight_decay trained",
        "PrivacyPlan": "unit clipping_norm delta size_classes start training",
        "FederationPlan": "start training weight_cap",
        "AlonePlan": "num_steps batch_size learning_rate weight_decay",
        "EvaluationPlan": "origins task methods seeds alone candidates",
        "Plan": "name data model privacy federation evaluation",
        "Proposal": "plan private cohort_size",
        "ReleaseMember": "size_class noise_multiplier num_rounds",
        "ReleaseNote": "plan private round_number model_hash num_parameters released_at members software",
        "JoinRequest": "name size_class certificate_request node_key node_proof",
        "Welcome": "federation name address authority certificate coordinator",
        "Opening": "kind at dataset unit delta",
        "Spend": "kind at dataset unit units_per_customer coordinator plan plan_hash round_number model_hash "
        "clipping_norm noise_multiplier num_coordinates",
        "Seal": "kind at spend digest num_bytes",
    }.items()
}
