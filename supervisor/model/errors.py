"""The one error tree. Libraries raise these with their data; only a `main` turns one into text and an exit status."""


class SupdError(Exception):
    """Base of every error a person may see. `str()` is a whole sentence: `cannot <verb> <object>: <cause>`."""


class QuantityError(SupdError, ValueError):
    """A time span, size or other quantity that does not follow systemd's syntax."""


class UnitNameError(SupdError, ValueError):
    """A string that cannot be a unit's name."""


class TransactionError(SupdError):
    """A request that cannot become jobs. `code` is one of the words of `TRANSACTION_CODES`."""

    def __init__(self, code: str, message: str, unit: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.unit = unit


TRANSACTION_CODES = (
    "no-such-unit",
    "bad-setting",
    "masked",
    "not-applicable",  # reload of a unit that cannot reload
    "refused",  # refuse_manual_start, refuse_manual_stop, no allow_isolate
    "destructive",
    "cyclic",
    "contradictory",
    "shutting-down",
)


class ImpossibleEvent(SupdError):
    """An event that no world with a correct keeper can produce: raised in tests, counted and dropped in production."""
