"""Every error that kyumei raises on purpose, as one tree.

    KyumeiError            exit code 2
    ├── InputError         what the caller gave cannot be used
    │   ├── PathError      a file or folder is missing, or may not be read
    │   ├── SymptomError   the symptom cannot be understood, or is ambiguous
    │   ├── QueryError     a query is refused
    │   └── ConfigError    case.toml or an option has a wrong value
    ├── DefinitionError    a leaf of a shelf breaks its contract (a fault of ours)
    ├── MissingExtraError  an optional part is not installed
    └── UnreachableError   exit code 3: AWS, an engine or a database did not answer

A message is one line that holds the offending value; the hint says what to do about it.
"""

from __future__ import annotations


class KyumeiError(Exception):
    """The root of the tree: a message of one line and a hint of one line."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(KyumeiError):
    """What the caller gave cannot be used."""


class PathError(InputError):
    """A file or folder is missing, or may not be read."""


class SymptomError(InputError):
    """The symptom cannot be understood, or can be understood in two ways."""


class QueryError(InputError):
    """A query is refused."""


class ConfigError(InputError):
    """A setting in case.toml or an option has a wrong value."""


class DefinitionError(KyumeiError):
    """A leaf of a shelf breaks its contract; found when the shelf is read."""


class MissingExtraError(KyumeiError):
    """An optional part is not installed; the hint is the line that installs it."""


class UnreachableError(KyumeiError):
    """AWS, an engine or a database did not answer."""

    exit_code = 3
