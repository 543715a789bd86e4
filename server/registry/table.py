"""The tables of a coordinator's registry, as steps from one version of the file to the next (docs/protocol.md §8.2).

The first version of hansa wrote the tables of the first step and no version: "if not exists" is for its files.
"""

from __future__ import annotations

from common.disk.database import Step

FIRST: Step = (
    """
    CREATE TABLE IF NOT EXISTS member (
        name TEXT PRIMARY KEY, size_class INTEGER NOT NULL, certificate TEXT NOT NULL UNIQUE,
        node_key TEXT NOT NULL UNIQUE, node_id TEXT, enrolled_at TEXT NOT NULL, revoked_at TEXT
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS launch (
        number INTEGER PRIMARY KEY, run_hash TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, content BLOB NOT NULL,
        signature BLOB NOT NULL, quorum INTEGER NOT NULL, round_seconds REAL NOT NULL, num_rounds INTEGER NOT NULL,
        round_number INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
        launched_at TEXT NOT NULL, changed_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS terms (
        launch INTEGER NOT NULL REFERENCES launch (number), member TEXT NOT NULL REFERENCES member (name),
        size_class INTEGER, noise_multiplier REAL, answered_at TEXT NOT NULL, PRIMARY KEY (launch, member)
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS answer (
        launch INTEGER NOT NULL REFERENCES launch (number), member TEXT NOT NULL REFERENCES member (name),
        round_number INTEGER NOT NULL, PRIMARY KEY (launch, member, round_number)
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS model (
        model_hash TEXT PRIMARY KEY, launch INTEGER NOT NULL REFERENCES launch (number), round_number INTEGER NOT NULL,
        content BLOB NOT NULL, signature BLOB NOT NULL, file TEXT NOT NULL, released_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS receipt (
        model_hash TEXT NOT NULL REFERENCES model (model_hash), member TEXT NOT NULL REFERENCES member (name),
        arrived_at TEXT NOT NULL, PRIMARY KEY (model_hash, member)
    ) STRICT
    """,
)
SPEAKS: Step = (
    """
    CREATE TABLE speaks (
        member TEXT PRIMARY KEY REFERENCES member (name), protocol INTEGER NOT NULL
    ) STRICT
    """,
)
RETURN: Step = (
    """
    CREATE TABLE revocation (
        number INTEGER PRIMARY KEY, member TEXT NOT NULL REFERENCES member (name), revoked_at TEXT NOT NULL,
        node_id TEXT
    ) STRICT
    """,
    "INSERT INTO revocation (member, revoked_at, node_id) SELECT name, revoked_at, node_id FROM member "
    "WHERE revoked_at IS NOT NULL",
    "UPDATE member SET node_id = NULL WHERE revoked_at IS NOT NULL",
    """
    CREATE TABLE request (
        member TEXT PRIMARY KEY REFERENCES member (name), made_at TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE lapsed (
        launch INTEGER NOT NULL, member TEXT NOT NULL, PRIMARY KEY (launch, member),
        FOREIGN KEY (launch, member) REFERENCES terms (launch, member)
    ) STRICT
    """,
    "INSERT INTO lapsed SELECT launch, member FROM terms WHERE member IN (SELECT member FROM revocation)",
)
RENEWS: Step = (
    """
    CREATE TABLE certificate (
        fingerprint TEXT PRIMARY KEY, member TEXT NOT NULL REFERENCES member (name), pem TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE welcome (
        member TEXT PRIMARY KEY REFERENCES member (name), content BLOB NOT NULL, welcome_hash TEXT NOT NULL,
        digest TEXT NOT NULL, taken_at TEXT
    ) STRICT
    """,
    """
    CREATE TABLE succession (number INTEGER PRIMARY KEY, content BLOB NOT NULL, signature BLOB NOT NULL) STRICT
    """,
    """
    CREATE TABLE rotation (number INTEGER PRIMARY KEY, what TEXT NOT NULL, at TEXT NOT NULL) STRICT
    """,
)
PEERS: Step = (
    """
    CREATE TABLE peer (
        member TEXT PRIMARY KEY REFERENCES member (name), key TEXT NOT NULL, noted_at TEXT NOT NULL
    ) STRICT
    """,
)
STEPS = (FIRST, SPEAKS, RETURN, RENEWS, PEERS)
