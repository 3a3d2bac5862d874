"""The command line's side of the owner's HTTP calls."""

import ssl
from pathlib import Path

import httpx

from broker_config.errors import ConfigError
from server.config import ServerConfig, TlsFiles
from server.secrets import read_owner_token

TIMEOUT_S = 60.0


class OwnerClient:
    """Calls a running server as its owner; the token comes from the server's data folder."""

    def __init__(self, config: ServerConfig) -> None:
        self._origin, self._tls = config.local_url, config.tls
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

    def delete(self, path: str) -> httpx.Response:
        """DELETE.

        Raises:
            ConfigError: as `get`.
        """
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, *, json: object = None, content: bytes | None = None) -> httpx.Response:
        try:
            # No proxy: the token is for this machine only.
            with httpx.Client(
                base_url=self._origin,
                headers=self._headers,
                timeout=TIMEOUT_S,
                trust_env=False,
                verify=True if self._tls is None else only(self._tls),
            ) as client:
                answer = client.request(method, path, json=json, content=content)
        except httpx.ConnectError as error:
            raise ConfigError(f"no server answers at {self._origin}; start it: tacet server --config FILE") from error
        except httpx.HTTPError as error:
            raise ConfigError(f"the server at {self._origin} did not answer: {error}") from error
        if answer.is_error:
            raise ConfigError(_reason(answer))
        return answer


def only(files: TlsFiles) -> ssl.SSLContext:
    """Trust in this server's own certificate and in no other, whatever name it is for: we are on its machine.

    Raises:
        ConfigError: the file is missing, or no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=files.certificate)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{files.certificate}: not a certificate that can be read; set [tls] right") from error
    return context


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body.get("error") or body.get("detail") if isinstance(body, dict) else None
    return f"the server said no ({answer.status_code}): {said or answer.reason_phrase}"
