"""The pages: both languages, no script or style in the HTML, small, and honest about what is not there."""

import re

from tests.server.web.conftest import Store

INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\sstyle=|<style|\son\w+=|javascript:", re.IGNORECASE
)


async def test_pages_render_in_both_languages_without_inline_code(store: Store) -> None:
    async with store.client() as client:
        for path, english, chinese in (
            ("/", "What happened", "發生了什麼"),
            ("/display/d-door", "To pair this screen", "配對此螢幕"),
        ):
            for accept, lang, word in (
                ("en-GB,en;q=0.9", "en", english),
                ("zh-TW,zh;q=0.9,en;q=0.1", "zh-Hant", chinese),
            ):
                answer = await client.get(path, headers={"Accept-Language": accept})
                assert answer.status_code == 200
                assert word in answer.text
                assert f'<html lang="{lang}">' in answer.text
                assert not INLINE.search(answer.text), path
            assert (
                chinese in (await client.get(path, params={"lang": "zh-Hant"}, headers={"Accept-Language": "en"})).text
            )
