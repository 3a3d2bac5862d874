"""Templates filled in: the only place that makes HTML."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from broker_config.site import Site
from server.web.i18n import Catalogue, Catalogues, load_catalogues

TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Language"}


@dataclass(frozen=True, slots=True)
class Pages:
    """Renders the pages of one site."""

    site: Site
    catalogues: Catalogues
    environment: Environment = field(default_factory=lambda: make_environment())

    def language_of(self, request: Request) -> Catalogue:
        """The texts for a request."""
        return self.catalogues.choose(request.query_params.get("lang"), request.headers.get("accept-language"))

    def render(self, template: str, catalogue: Catalogue, status: int = 200, **values: object) -> HTMLResponse:
        """A page in the catalogue's language; templates call `t(key)` for texts and `pick(text)` for the site's own."""
        html = self.environment.get_template(template).render(
            t=catalogue.text,
            t_or=catalogue.text_or,
            pick=catalogue.pick,
            language=catalogue.language,
            languages=self.catalogues.names,
            site=self.site,
            **values,
        )
        return HTMLResponse(html, status, HEADERS)


def make_pages(site: Site) -> Pages:
    """The pages of a site, with every language there is.

    Raises:
        ConfigError: a catalogue is missing or damaged.
    """
    return Pages(site, load_catalogues(site.language))


def make_environment() -> Environment:
    """Templates that escape everything and know no silent blanks."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_data(values: Mapping[str, object]) -> Markup:
    """JSON for a `<script type="application/json">`: no text in it can end the element."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704
