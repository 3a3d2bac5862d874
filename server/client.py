"""The command line's side of the owner's HTTP calls."""

from pathlib import Path

import httpx

from broker_config.errors import ConfigError
from server.config import ServerConfig
from server.secrets import read_owner_token

TIMEOUT_S = 60.0


class OwnerClient:
    """Calls a running server as its owner; the token comes from the server's data folder."""

    def __init__(self, config: ServerConfig) -> None:
        self._origin = config.origin
        self._headers = {"Authorization": f"Bearer {read_owner_token(Path(config.data))}"}

    def get(self, path: str) -> httpx.Response:
        """GET.

        Raises:
            ConfigError: the server is not there, or said no.
        """
        return self._call("GET", path)

    def post(self, path: str, *, json: object = None, content: bytes | None = None) -> httpx.Response:
        """POST.

        Raises:
            ConfigError: as `get`.
        """
        return self._call("POST", path, json=json, content=content)

    def _call(self, method: str, path: str, *, json: object = None, content: bytes | None = None) -> httpx.Response:
        try:
            # No proxy: the token is for this machine only.
            with httpx.Client(
                base_url=self._origin, headers=self._headers, timeout=TIMEOUT_S, trust_env=False
            ) as client:
                answer = client.request(method, path, json=json, content=content)
        except httpx.ConnectError as error:
            raise ConfigError(f"no server answers at {self._origin}; start it: tacet server --config FILE") from error
        except httpx.HTTPError as error:
            raise ConfigError(f"the server at {self._origin} did not answer: {error}") from error
        if answer.is_error:
            raise ConfigError(_reason(answer))
        return answer


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body.get("error") or body.get("detail") if isinstance(body, dict) else None
    return f"the server said no ({answer.status_code}): {said or answer.reason_phrase}"
