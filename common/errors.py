"""Every error a user can cause, drawn as a tree; each message is one sentence: what, where, what to do.

HansaError
├── ConfigError         a plan or an option is wrong
├── DataError           a file, a column or a value is wrong
├── MessageError        something arrived that the wire format does not allow
└── PrivacyError        a privacy promise would break
    └── BudgetExhausted     the lifetime budget would be passed

Raised where the fault is found, caught only at the edge (a command line, a Flower handler).
"""


class HansaError(Exception):
    """Report a fault that a user can mend."""


class ConfigError(HansaError):
    """Report a plan or an option that cannot be used."""


class DataError(HansaError):
    """Report a file, a column or a value that cannot be used."""


class MessageError(HansaError):
    """Report a message that the wire format does not allow."""


class PrivacyError(HansaError):
    """Report a step that would break a privacy promise."""


class BudgetExhausted(PrivacyError):
    """Report a spend that would pass the lifetime budget."""
