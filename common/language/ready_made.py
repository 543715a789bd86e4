"""Sentences that stand within errors or beside them and are not raised: pydantic's, the system's, a calendar's."""

from __future__ import annotations

READY_MADE = (  # as patterns, each place a number
    "unknown key {0}",
    "unknown key {0} (did you mean {1}?)",
    "key {0} is missing",
    "input should be greater than or equal to {0}",
    "input should be greater than {0}",
    "input should be less than or equal to {0}",
    "input should be less than {0}",
    "input should be a valid integer",
    "input should be a valid number",
    "input should be a valid string",
    "input should be a valid boolean",
    "input should be a valid date",
    "input should be a finite number",
    "input should be {0}",
    "string should match pattern {0}",
    "string should have at least {0} character",
    "string should have at least {0} characters",
    "string should have at most {0} characters",
    "No space left on device",
    "Permission denied",
    "No such file or directory",
    "Read-only file system",
    "Is a directory",
    "Address already in use",
    "Connection refused",
    "public holidays of the country {0} are not known; write its code of two letters, as DE or CN",
    "{0} has no part {1} whose public holidays are known; there are {2}",
    "{0} public holidays of {1} hang on the moon and are estimated, the first on {2} ({3}); they may be a day off.",
    "{0} days, the first on {1}, are public holidays in parts of {2} only and count as ordinary days; name the part, "
    "one of {3}.",
    "Covariate {0} is not told by {1} on {2} of the open days from {3} on, the first {4}, the last {5}, "
    "{6} ({7}); {8}.",
    "it is absolute",
    "it names a drive",
    "it has a backslash",
    "it has a zero byte",
    "it leads upwards",
    "a part of it is empty",
)
