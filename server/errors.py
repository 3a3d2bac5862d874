"""Server errors and the HTTP status each one means."""


class ServerError(Exception):
    """Root; carries the status that `server.app` answers with.

    Args:
        code: names the reason for pages, which say it in the reader's language.
    """

    status_code = 500

    def __init__(self, why: str, *, code: str = "") -> None:
        super().__init__(why)
        self.code = code


class NotFound(ServerError):
    """The thing asked for is not there."""

    status_code = 404


class Refused(ServerError):
    """The caller may not do this."""

    status_code = 403


class Unauthenticated(ServerError):
    """The caller showed no credential, or a wrong one."""

    status_code = 401


class Conflict(ServerError):
    """The thing is in another state than the caller assumes."""

    status_code = 409


class Unprocessable(ServerError):
    """The payload is malformed; says how."""

    status_code = 422


class Unavailable(ServerError):
    """Something this needs is away; again when it is back."""

    status_code = 503


class TooMany(ServerError):
    """Asked too often; again after `retry_after_s`."""

    status_code = 429

    def __init__(self, why: str, *, retry_after_s: float = 60.0) -> None:
        super().__init__(why, code="too_many")
        self.retry_after_s = retry_after_s


class TooSlow(ServerError):
    """The body did not come in time."""

    status_code = 408


class TooLarge(ServerError):
    """The body is larger than this call takes."""

    status_code = 413
