"""Let a merchant in: check its request, sign its certificate, write what is handed back to it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from certs.authority import Authority, fingerprint, read_certificate
from certs.key import read_or_make_signing_key
from certs.request import JoinRequest, check_date, make_welcome, write_document
from server.folder import CoordinatorFolder
from server.opening import open_registry


def admit(home: CoordinatorFolder, request: JoinRequest, target: Path) -> None:
    """Enroll a merchant and write its welcome into a file; a request is used once.

    Raises
    ------
    HansaError
        It may not be let in; nothing is used then.
    """
    settings = home.read_settings()
    authority = Authority(home.authority)
    pem = authority.sign_merchant(request)
    check_date(request, now=datetime.now(UTC))
    welcome = make_welcome(
        request,
        federation=settings.name,
        address=settings.address,
        authority=authority.pem.decode(),
        certificate=pem.decode(),
        key=read_or_make_signing_key(home.signing_key),
    )
    with closing(open_registry(home)) as registry:
        registry.require_enrollable(request)
        write_document(welcome, target)  # before the request is used, since that cannot be done again
        name = fingerprint(read_certificate(pem, origin="the new certificate"))
        registry.enroll(request, certificate=name, pem=pem.decode())
