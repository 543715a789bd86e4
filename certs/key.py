"""Private keys on disk: made where they are used, for their owner's eyes alone, and never sent."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurve, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_curve_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from common.disk.reading import read_file
from common.errors import ConfigError, DataError

TLS_CURVE: EllipticCurve = SECP256R1()  # of certificates
NODE_CURVE: EllipticCurve = SECP384R1()  # of Flower's node authentication, as its own tools make it


def read_or_make_curve_key(path: Path, curve: EllipticCurve) -> EllipticCurvePrivateKey:
    """Read an elliptic curve key; make it where there is no file.

    Raises
    ------
    DataError
        The file is no such key, or others may read it.
    """
    if not path.exists():
        write_key(path, generate_curve_key(curve))
    key = read_key(path)
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != curve.name:
        raise DataError(f"{path} is no key on {curve.name}; put yours there, or move it away to have one made.")
    return key


def read_or_make_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 key; make it where there is no file.

    Raises
    ------
    DataError
        The file is no such key, or others may read it.
    """
    if not path.exists():
        write_key(path, Ed25519PrivateKey.generate())
    key = read_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(f"{path} is no Ed25519 key; put yours there, or move it away to have one made.")
    return key


def write_key(path: Path, key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
    """Write a new private key as a file of mode 0600.

    Raises
    ------
    ConfigError
        There is such a file, or it cannot be written.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(pem)
    except OSError as error:
        raise ConfigError(f"Cannot write the key {path}: {error.strerror}; choose a folder of your own.") from error


def read_key(path: Path) -> object:
    """Read a private key that nobody else may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise DataError(f"Others may read the private key {path}; close it with: chmod 600 {path}")
        return load_pem_private_key(read_file(path), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no private key; put yours there, or move it away to have one made.") from error
