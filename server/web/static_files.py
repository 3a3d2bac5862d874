"""What the browser loads besides pages: compressed, and asked for again after every upgrade."""

import os
from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

FOLDER = Path(__file__).parent / "static"
LEAST_BYTES = 1024


class FreshFiles(StaticFiles):
    """Files that a browser may keep but must ask about, so that no page runs with yesterday's script."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or 304."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> ASGIApp:
    """The application for `/static`."""
    return GZipMiddleware(FreshFiles(directory=FOLDER), minimum_size=LEAST_BYTES)
