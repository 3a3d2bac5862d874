"""Server errors and the HTTP status each one means."""


class ServerError(Exception):
    """Root; carries the status that `server.app` answers with."""

    status_code = 500


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
    """Asked too often; again in a minute."""

    status_code = 429
