"""Whose fault it is decides the class; the class decides the exit code.

Every message says what was got, what was wanted, and where, in one sentence.
"""

from __future__ import annotations

from pipeline.plain_text import shown


class EegscribeError(Exception):
    """A fault of an input or of the world, told to the user in one sentence.

    Subclasses carry the process exit code in :attr:`exit_code`.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Return the sentence; of names from foreign files nothing that a terminal would obey."""
        return shown(super().__str__())


class UsageError(EegscribeError):
    """The command line asked for something that cannot be (exit 2)."""

    exit_code = 2


class ConfigError(EegscribeError):
    """The configuration is wrong (exit 78); a restart does not help."""

    exit_code = 78


class BundleError(EegscribeError):
    """The bundle is damaged, not trusted, or does not fit the stream (exit 65)."""

    exit_code = 65


class RecordingError(EegscribeError):
    """The recording or layout cannot be used (exit 65)."""

    exit_code = 65


class StreamLost(EegscribeError):  # noqa: N818 - the field's word; the world's fault, not an error of ours
    """The stream is not there, or went away (exit 69); retry with back-off."""

    exit_code = 69
