import pytest

from common.forecast.method import NAMES, POOLED, ROUTED, Method


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("federated_eps8", Method("federated", 8.0)),
        ("federated_eps0.5", Method("federated", 0.5)),
        ("federated_eps10", Method("federated", 10.0)),
        ("federated_eps0.0000125", Method("federated", 0.0000125)),
        ("federated_personalised", Method("federated", personalised=True)),
        ("federated_eps2_personalised", Method("federated", 2.0, personalised=True)),
        ("federated_eps2_sum", Method("federated", 2.0, trusts_sum=True)),
        ("federated_eps8_sum_personalised", Method("federated", 8.0, personalised=True, trusts_sum=True)),
        ("warm_personalised", Method("warm", personalised=True)),
        ("federated_null", Method("federated", control="null")),
        ("federated_eps2_sum_null", Method("federated", 2.0, trusts_sum=True, control="null")),
        ("federated_eps2_shuffled_personalised", Method("federated", 2.0, personalised=True, control="shuffled")),
        ("routed_null", Method("routed", control="null")),
        ("routed_shuffled", Method("routed", control="shuffled")),
        *((name, Method(name)) for name in (*NAMES, *ROUTED)),
    ],
)
def test_a_name_is_read_and_written_as_plans_have_it(name, method):
    assert Method.parse(name) == method
    assert method.name == name
    assert method.is_known


@pytest.mark.parametrize(
    "name",
    [
        "federated_eps",
        "federated_eps-1",
        "federated_eps8x",
        "my_federated_eps8",
        "federated_sum",
        "anchor_personalised",
        "federated_eps2_personalised_sum",
        "federated_eps2_personalised_null",
        "federated_eps2_null_shuffled",
        "routed_own_null",
        "anchor_null",
        "",
    ],
)
def test_what_is_no_method_is_known_as_none_and_keeps_its_name(name):
    method = Method.parse(name)
    assert (method.name, method.is_known, method.is_federated, method.epsilon) == (name, False, False, None)


def test_one_federation_stands_behind_its_model_as_it_is_and_personalised():
    assert Method.parse("federated_eps2_personalised").federation == Method.parse("federated_eps2")
    assert Method.parse("federated_eps2.0") == Method.parse("federated_eps2")
    assert Method.parse("federated_eps2_sum_personalised").federation == Method.parse("federated_eps2_sum")
    assert Method.parse("federated_eps2_sum") != Method.parse("federated_eps2")
    assert not Method.parse("federated").is_private


def test_own_methods_are_those_in_which_nobody_else_had_a_part():
    own = ("anchor", "gru_local", "logistic_local", "routed_own", "lightgbm_local", "warm", "warm_personalised", "tsb")
    others = ("routed", "federated", "federated_eps2_personalised", *POOLED)
    assert all(Method.parse(name).is_own for name in own)
    assert not any(Method.parse(name).is_own for name in others)


def test_what_learned_elsewhere_is_the_federations_network_and_the_public_one():
    outside = ("federated", "federated_eps2_sum_personalised", "warm", "warm_personalised")
    assert all(Method.parse(name).is_from_outside for name in outside)
    assert not any(
        Method.parse(name).is_from_outside for name in ("anchor", "gru_local", "gru_pooled", "lightgbm_local")
    )


def test_a_control_is_told_from_what_is_real_and_goes_the_way_of_a_federation():
    for name in ("federated_eps2_null", "federated_eps2_shuffled_personalised", "routed_null", "routed_shuffled"):
        control = Method.parse(name)
        assert not control.is_real
        assert not control.is_own
    null = Method.parse("federated_eps2_null_personalised")
    assert null.is_federated
    assert Method.parse("federated_eps2").is_real
    assert null.federation == Method.parse("federated_eps2_null")
    assert Method.parse("routed_null").is_routed
