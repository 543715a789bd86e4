"""The federation's certificate authority: signs the gateway's certificate, and those of enrolled merchants.

next/                             the same of the authority that is to follow, while it is being rotated
authority.key, authority.pem      ten years; the key signs, and is best kept away from the network
server.key, server.pem            two years; what merchants dial, and the loopback endpoint of the SuperLink
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.key import TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, check_request
from common.disk.reading import read_file
from common.errors import ConfigError, DataError

AUTHORITY_DAYS, SERVER_DAYS, MERCHANT_DAYS = 3650, 730, 365
SERVER_NAME = "gateway"  # merchants look at the hosts that the certificate names, never at this
SKEW = timedelta(hours=1)  # a merchant's clock may be behind


class Authority:
    """Sign certificates with the key in a folder.

    Raises
    ------
    DataError
        Key or certificate are missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._key = read_or_make_curve_key(folder / "authority.key", TLS_CURVE)
        self.pem = _read(folder / "authority.pem")
        self._certificate = read_certificate(self.pem, origin=str(folder / "authority.pem"))

    def sign_server(self, hosts: Sequence[str], key: EllipticCurvePublicKey, *, days: float = SERVER_DAYS) -> bytes:
        """Sign the certificate of a server that is reached under these names and addresses; returns PEM."""
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._sign(_name(SERVER_NAME), key, days, usage, names)  # a host may be longer than a name

    def sign_merchant(self, request: JoinRequest, *, days: float = MERCHANT_DAYS) -> bytes:
        """Sign the certificate that a merchant asks for; returns PEM.

        Raises
        ------
        DataError
            The request does not prove that its sender has its keys.
        """
        key = check_request(request).public_key()
        assert isinstance(key, EllipticCurvePublicKey)  # noqa: S101  for mypy: just checked
        return self._sign(_name(request.name), key, days, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def sign_again(self, pem: bytes, *, days: float = MERCHANT_DAYS) -> bytes:
        """Sign a certificate for the key and the name of one that a merchant has shown; returns PEM.

        Raises
        ------
        DataError
            It is no certificate of a merchant.
        """
        shown = read_certificate(pem, origin="A member's certificate")
        names = [attribute.value for attribute in shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        key = shown.public_key()
        if len(names) != 1 or not isinstance(key, EllipticCurvePublicKey):
            raise DataError("A member's certificate is for no name, or for a key of another kind; enroll it anew.")
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._sign(_name(str(names[0])), key, days, usage)

    def _sign(
        self, subject: x509.Name, key: EllipticCurvePublicKey, days: float, *extensions: x509.ExtensionType
    ) -> bytes:
        builder = _builder(subject, self._certificate.subject, key, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)


def make_authority(folder: Path, name: str) -> Authority:
    """Make a new authority in a folder.

    Raises
    ------
    ConfigError
        There is one already.
    """
    path = folder / "authority.pem"
    if path.exists():
        raise ConfigError(f"{path} exists already; a new authority would lock every enrolled merchant out.")
    key = read_or_make_curve_key(folder / "authority.key", TLS_CURVE)
    path.write_bytes(_sign_itself(_name("authority", organisation=name), key))
    return Authority(folder)


def read_certificate(pem: bytes, *, origin: str) -> x509.Certificate:
    """Read a PEM certificate; `origin` names it in errors."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise DataError(f"{origin} is no certificate; put the right file there.") from error


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, in hex, of a certificate: by which the gateway knows it again."""
    return certificate.fingerprint(SHA256()).hex()


def _sign_itself(subject: x509.Name, key: EllipticCurvePrivateKey) -> bytes:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(name: str, *, organisation: str = "") -> x509.Name:
    """Name somebody; X.509 has room for 64 characters each, one more than a name here may have."""
    above = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*above, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise DataError(f"There is no certificate {path}; make the federation with: hansa-server init") from error
