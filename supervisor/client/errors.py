"""What can go wrong between a client and supd."""

from supervisor.model.errors import SupdError


class NoDaemon(SupdError):
    """No supd answers. `str()` says what was tried and what to type."""


class Unreachable(NoDaemon):
    """The other host, or the supd on it, cannot be reached; what to type here to start one is no help."""


class ApiError(SupdError):
    """supd answered, and refused. The fields are the API's (`{"error": {...}}`)."""

    def __init__(self, status: int, code: str, message: str, unit: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.unit = unit
        self.hint = hint


class BrokenAnswer(SupdError):
    """The connection ended before the answer did: the manager went away meanwhile, or what answers is not supd."""
