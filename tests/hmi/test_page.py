"""The operators' page in a real browser: what it shows, that it acts, and that it never shows old data as live."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from agent.api import serve
from agent.core.hazard import Handling
from tests.fakes import until
from tests.rows import NOW, alarm, hazard_of
from tests.servers.process import Server, free_port
from tests.view import FakeView

pytestmark = [pytest.mark.server, pytest.mark.slow]
GOLDEN = next((Path(__file__).parents[2] / "models/ppe/golden").glob("*.jpg"))
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    assert Path("/usr/bin/chromium").exists(), "chromium is missing: run tools/test-servers"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        yield await browser.new_page(viewport={"width": 1600, "height": 1000})
        await browser.close()


@pytest.fixture
def hmi(tmp_path: Path) -> Server:
    port = free_port()
    socket = str(tmp_path / "a.sock")
    return Server([sys.executable, "-m", "agent", "hmi", "--socket", socket, "--port", str(port)], port, ready=None)


async def test_the_page(page: Page, hmi: Server, tmp_path: Path) -> None:
    view, hosts = FakeView(), set[str]()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        async with serve(view, tmp_path / "a.sock"):
            hmi.start()
            await page.goto(f"http://127.0.0.1:{hmi.port}/")
            await page.get_by_text("Alarm gas.HH", exact=True).wait_for()
            await shows_what_matters(page)
            await acknowledging_works(page, view)
            await the_picture_of_an_alarm_is_shown(page, view)
            await page.reload()
            await until_operator(page, "li")
        await page.get_by_text("NO DATA FROM THE AGENT").wait_for(timeout=6000)
        async with serve(view, tmp_path / "a.sock"):
            await page.get_by_text("NO DATA FROM THE AGENT").wait_for(state="hidden", timeout=6000)
    finally:
        hmi.kill()
    assert hosts == {"127.0.0.1"}, "the page must work without any other host"
    assert faults == []


async def test_a_browser_that_hears_nothing_says_so_itself(page: Page, hmi: Server, tmp_path: Path) -> None:
    """The server cannot tell it: it is stopped."""
    try:
        async with serve(FakeView(), tmp_path / "a.sock"):
            hmi.start()
            await page.goto(f"http://127.0.0.1:{hmi.port}/", timeout=90_000)
            await page.get_by_text("Alarm gas.HH", exact=True).wait_for()
            lost = page.get_by_text("THE PAGE HAS LOST ITS SERVER")
            assert not await lost.is_visible()
            hmi.hang()
            await lost.wait_for(timeout=15_000)
    finally:
        hmi.kill()


async def test_on_a_phone_every_button_can_be_reached(page: Page, hmi: Server, tmp_path: Path) -> None:
    view = FakeView()
    view.rows[0]["name"] = {"en": "Person without a helmet while the conveyor runs"}
    await page.set_viewport_size({"width": 390, "height": 844})
    try:
        async with serve(view, tmp_path / "a.sock"):
            hmi.start()
            await page.goto(f"http://127.0.0.1:{hmi.port}/", timeout=90_000)
            for button in (page.get_by_role("button", name="Acknowledge"), page.get_by_role("button", name="More")):
                await button.first.wait_for()
                box = await button.first.bounding_box()
                assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    finally:
        hmi.kill()


async def until_operator(page: Page, name: str) -> None:
    await page.wait_for_function("name => document.querySelector('input').value === name", arg=name, timeout=5000)


async def shows_what_matters(page: Page) -> None:
    text = await page.inner_text("body")
    order = [text.index(words) for words in ("Alarm gas.HH", "Alarm bare_head", "Alarm level.L")]
    assert order == sorted(order), "most urgent first"
    for words in ("P1", "Leave the room", "acknowledged by li", "not a safety instrumented system", "does not follow"):
        assert words in text
    for words in ("room.lost", "illegal data address", "Centre offline", "less often than asked: 2.5/s < 5/s"):
        assert words in text
    assert not await page.get_by_text("NO DATA FROM THE AGENT").is_visible()


async def acknowledging_works(page: Page, view: FakeView) -> None:
    button = page.get_by_role("button", name="Acknowledge").first
    await button.click()
    await page.get_by_text("Enter your name first").wait_for()
    assert view.done == []
    await page.get_by_label("Your name").fill("li")
    await button.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Acknowledge").click()
    await page.get_by_text("Give a reason").wait_for()
    assert view.done == [], "a P1 alarm is not acknowledged without a reason"
    await dialog.get_by_label("Why?").fill("sent wang to look")
    await dialog.get_by_role("button", name="Acknowledge").click()
    await until(lambda: view.done != [])
    assert view.done[0][:2] == ("acknowledge", "gas.HH")
    who = view.done[0][2]
    assert (who.name, who.via, who.note) == ("li", "hmi", "sent wang to look")
    await dialog.wait_for(state="detached")


async def choose(page: Page, row: int, entry: str) -> None:
    """Choose from an alarm's menu; on a busy machine a click may come before the page has made the button."""
    for _ in range(5):
        await page.locator("button", has_text="more_vert").nth(row).click()
        with suppress(PlaywrightTimeout):
            await page.get_by_text(entry, exact=True).last.click(timeout=5000)
            return
    raise AssertionError(f"the menu never showed {entry}")


async def the_picture_of_an_alarm_is_shown(page: Page, view: FakeView) -> None:
    view.evidence.jpeg = GOLDEN.read_bytes()
    await choose(page, 1, "Picture")
    image = page.get_by_role("dialog").locator("img")
    await image.wait_for()
    await page.wait_for_function("document.querySelector('[role=dialog] img').naturalWidth > 0", timeout=5000)
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await image.wait_for(state="detached")


async def test_shelf_service_flood_and_figures(page: Page, hmi: Server, tmp_path: Path) -> None:
    view = FakeView("zh")
    view.rows[0]["first_out"] = view.rows[0]["chattering"] = True
    view.rows[0]["off_delay_s"] = 40.0
    view.rows[1]["hazard"] = hazard_of(Handling.RECTIFYING, "王芳")
    view.rows[1]["escalation"] = {"step": 1, "of": 2, "post": "班长", "next_post": "车间主任", "next_at": NOW}
    try:
        async with serve(view, tmp_path / "a.sock"):
            hmi.start()
            await page.goto(f"http://127.0.0.1:{hmi.port}/")
            await page.get_by_label("操作员").fill("li")
            text = await page.inner_text("body")
            for words in (
                "首出",
                "抖动 (恢复延时 40 s)",
                "已升级至 班长 (1/2)",
                "隐患 YH-31: 整改中 · 重大隐患 · 挂牌督办 · 王芳",
                "非安全仪表系统",
            ):
                assert words in text
            await shelving_works(page, view)
            await a_new_alarm_comes_forward(page, view)
            view.operations.floods = [{"zone": "press", "since": NOW, "raised": 14, "by_priority": {}}]
            await page.get_by_text("报警泛滥 – press: 14").wait_for(timeout=6000)
            await page.get_by_text("指标").click()
            for words in ("crew B", "0.3 · 12", "21s · 75s"):
                await page.get_by_text(words).first.wait_for()
    finally:
        hmi.kill()


async def shelving_works(page: Page, view: FakeView) -> None:
    await page.locator("button", has_text="more_vert").nth(1).click()
    await page.get_by_text("搁置 …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("30min").wait_for()
    assert await dialog.get_by_text("60min").count() == 0, "a P2 alarm may be shelved for 30 min at most"
    await dialog.get_by_text("15min").click()
    await dialog.get_by_label("原因").fill("换头盔")
    await dialog.get_by_role("button", name="搁置").click()
    await until(lambda: view.done != [])
    assert view.done[0][:3] == ("shelve", "bare_head", 900.0) and view.done[0][3].note == "换头盔"
    await page.get_by_text("搁置/抑制/停用 (1)").click()
    await page.get_by_text("操作人 li").wait_for()


async def a_new_alarm_comes_forward(page: Page, view: FakeView) -> None:
    assert not await page.get_by_text("报警 gas.HH").is_visible()
    view.rows.append(alarm("door", "P2", "unacknowledged", count=7))
    await page.get_by_text("报警 door").wait_for(timeout=6000)
    await page.get_by_text("搁置/抑制/停用 (1)").click()
    await page.get_by_role("button", name="取消搁置").click()
    await until(lambda: ("unshelve", "bare_head") in [act[:2] for act in view.done])
    await page.get_by_text("报警 bare_head").wait_for(timeout=6000)


def test_the_agent_never_loads_the_page_or_the_models() -> None:
    code = (
        "import agent.app.main, sys; "
        "print([name for name in ('nicegui', 'numpy', 'cv2', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
