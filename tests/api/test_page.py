"""The page: three files from this PC alone, let in once by a path, then by a cookie that goes nowhere else."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from p2psync.api.page import FILES, content
from p2psync.core.problem import Code
from tests.api.serving import served


@pytest.mark.parametrize("path", FILES)
def test_nothing_foreign_is_loaded(path: str) -> None:
    text = content(FILES[path].name).decode()
    addresses = set(re.findall(r"https?://[^\s\"']+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert "innerHTML" not in text
    assert "style=" not in text
    assert not re.search(r"\son[a-z]+=", text)


def test_every_file_is_served() -> None:
    present = {file.name for file in files("p2psync.api").joinpath("static").iterdir()}
    assert present == {file.name for file in FILES.values()}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to read JavaScript")
def test_the_script_can_be_read() -> None:
    script = content("page.js")
    done = subprocess.run(["node", "--check", "-"], input=script, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.asyncio
async def test_files_come_with_their_type_and_policy() -> None:
    async with served() as client:
        for path, file in FILES.items():
            status, body, headers = await client.get(path)
            assert status == 200
            assert headers["Content-Type"].startswith(file.content_type)
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert body


@pytest.mark.asyncio
async def test_a_login_lets_one_browser_in_once() -> None:
    async with served() as client:
        address = client.server.login_url()
        async with client.session.get(address, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.cookies[client.server.guard.cookie]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        sent = {"Cookie": f"{cookie.key}={cookie.value}"}
        async with client.session.get(client.url("/api/status"), headers=sent) as response:
            assert response.status == 200
        async with client.session.get(address, allow_redirects=False) as response:
            assert response.status == 403
            assert "p2psync web" in await response.text()


@pytest.mark.asyncio
async def test_looking_at_a_login_does_not_use_it_up() -> None:
    async with served() as client:
        address = client.server.login_url()
        async with client.session.head(address, allow_redirects=False) as response:
            assert response.status == 405
        async with client.session.get(address, allow_redirects=False) as response:
            assert response.status == 303


@pytest.mark.asyncio
async def test_all_problems_have_their_words() -> None:
    async with served() as client:
        _, body, _ = await client.get("/api/words")
        assert set(body["problems"]) == {code.value for code in Code}
        assert all(set(words) == {"sentence", "remedy"} for words in body["problems"].values())


@pytest.mark.asyncio
async def test_without_a_page_programs_are_served_all_the_same() -> None:
    async with served(page=False) as client:
        assert (await client.get("/"))[0] == 404
        assert (await client.post("/api/web"))[0] == 404
        assert (await client.get("/api/status"))[0] == 200
