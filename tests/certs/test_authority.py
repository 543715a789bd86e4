import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from certs.authority import Authority, make_authority, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key, read_or_make_signing_key
from certs.request import JoinRequest, Welcome, check_request, make_request, read_document, write_document
from common.errors import ConfigError, DataError


def keys(folder: Path, name: str) -> tuple[EllipticCurvePrivateKey, EllipticCurvePrivateKey]:
    return (
        read_or_make_curve_key(folder / f"{name}.tls", TLS_CURVE),
        read_or_make_curve_key(folder / f"{name}.node", NODE_CURVE),
    )


def ask(folder: Path, name: str = "alice") -> JoinRequest:
    tls_key, node_key = keys(folder, name)
    return make_request(name, 64, tls_key=tls_key, node_key=node_key)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, "hanse")


def test_private_keys_are_for_their_owner_alone(tmp_path: Path, authority: Authority) -> None:
    keys(tmp_path, "alice")
    read_or_make_signing_key(tmp_path / "signing.key")
    for name in ("authority.key", "alice.tls", "alice.node", "signing.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys(tmp_path, "alice")
    (tmp_path / "alice.tls").chmod(0o644)
    with pytest.raises(DataError, match="chmod 600"):
        keys(tmp_path, "alice")


def test_a_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    first, again = keys(tmp_path, "alice"), keys(tmp_path, "alice")
    assert [key.private_numbers() for key in first] == [key.private_numbers() for key in again]


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    read_or_make_signing_key(tmp_path / "signing.key")
    with pytest.raises(DataError, match="no key on"):
        read_or_make_curve_key(tmp_path / "signing.key", TLS_CURVE)


def test_a_merchants_certificate_is_for_clients_and_for_its_own_key(tmp_path: Path, authority: Authority) -> None:
    certificate = read_certificate(authority.sign_merchant(ask(tmp_path)), origin="test")
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.public_key() == keys(tmp_path, "alice")[0].public_key()
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    assert 363 <= days <= 365


def test_openssl_accepts_the_chain(tmp_path: Path, authority: Authority) -> None:
    key = read_or_make_curve_key(tmp_path / "server.key", TLS_CURVE)
    (tmp_path / "server.pem").write_bytes(authority.sign_server(["shop.example", "127.0.0.1"], key.public_key()))
    context = ssl.create_default_context(cadata=authority.pem.decode())
    assert len(context.get_ca_certs()) == 1
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    left, right = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = context.wrap_bio(left, right, server_hostname="shop.example")
    server_side = server.wrap_bio(right, left, server_side=True)
    for side in (client_side, server_side, client_side, server_side):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ("DNS", "shop.example") in client_side.getpeercert()["subjectAltName"]


def test_a_second_authority_in_a_folder_is_refused(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        make_authority(tmp_path, "hanse")


@pytest.mark.parametrize("field", ["node_proof", "certificate_request", "node_key"])
def test_a_request_with_a_part_of_another_is_refused(tmp_path: Path, field: str) -> None:
    mixed = ask(tmp_path).model_copy(update={field: getattr(ask(tmp_path, "bob"), field)})
    with pytest.raises(DataError, match="does not prove"):
        check_request(mixed)


def test_a_request_says_nothing_secret_and_comes_back_from_disk(tmp_path: Path) -> None:
    request = ask(tmp_path)
    write_document(request, tmp_path / "alice.request.json")
    assert "PRIVATE" not in (tmp_path / "alice.request.json").read_text()
    assert read_document(tmp_path / "alice.request.json", JoinRequest) == request
    with pytest.raises(DataError, match="no Welcome"):
        read_document(tmp_path / "alice.request.json", Welcome)
    with pytest.raises(DataError, match="Cannot read"):
        read_document(tmp_path / "nothing.json", Welcome)


@pytest.mark.parametrize("name", ["", "Alice", "../alice", "a b", "-a", "x" * 64])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    tls_key, node_key = keys(tmp_path, "alice")
    with pytest.raises(ConfigError, match="is no name"):
        make_request(name, 64, tls_key=tls_key, node_key=node_key)
