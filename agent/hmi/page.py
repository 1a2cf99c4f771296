"""The one page: alarms first, then outputs and pictures, then live points. Colour is never the only sign."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from nicegui import ui

from agent.hmi.alarms import draw_alarms, draw_removed, split
from agent.hmi.dialogs import ask_reason, ask_service, ask_shelf, show_picture
from agent.hmi.figures import draw_figures, flood_text
from agent.hmi.source import PERIOD_S, Snapshot, Source
from agent.hmi.texts import say
from agent.hmi.vital import Vital, sees, vital
from agent.hmi.words import number

_PATHS = {"acknowledge": "acknowledge", "unshelve": "unshelve", "bring_back": "in-service"}
_LAMPS = {"red": "#ff3b30", "yellow": "#ffc400", "green": "#4caf50", "blue": "#4aa3ff"}
_DARK = "#56616e"
_LANG = {"zh": "zh-CN"}
_CHIPS = {True: ("blue-grey-9", "✓"), False: ("red-9", "✗"), None: ("blue-grey-9", "?")}
_CSS = """
body { background: #10151c; color: #e8edf2; }
.q-card { background: #19212b; box-shadow: none; border: 1px solid #2a3542; }
.stale { filter: grayscale(1) opacity(.45); }
.alarm { border-left: 10px solid var(--colour); }
.new .alarm-sign { animation: attention 1s steps(2) infinite; }
@keyframes attention { 50% { opacity: .55; } }
@media (prefers-reduced-motion: reduce) { .new .alarm-sign { animation: none; } }
.sides { display: flex; align-items: flex-start; }
.calls { flex: 1 1 58%; min-width: 0; }
.sights { flex: 0 1 40%; min-width: 0; }
.chips { flex: 1 1 0; min-width: 0; }
.alarm-head { flex-wrap: nowrap; }
@media (max-width: 900px) {
  .sides { flex-direction: column; }
  .calls, .sights { flex: none; width: 100%; }
  .q-header { position: absolute; }
  .chips { flex-basis: 100%; }
}
@media (max-width: 600px) { .alarm-head { flex-wrap: wrap; } .alarm-head .alarm-name { flex: 1 1 60%; } }
#lost { display: none; position: fixed; inset: 0 0 auto 0; z-index: 9999; }
body.lost #lost { display: block; }
body.lost .q-layout { filter: grayscale(1) opacity(.45); }
.lost-words { background: #b00020; color: white; text-align: center; padding: 1rem; font: bold 1.9rem sans-serif; }
.dim { color: #8d9aa8; }
.q-table { font-variant-numeric: tabular-nums; }
"""
_LOST_AFTER_MS = 4000
# The server cannot tell a browser that it is gone, or that the network is: the browser watches for itself. Its own
# clock, which no change of the time of day moves; a page in the background is judged when it is looked at again.
_WATCH = f"""
<script>
(() => {{
  let heard = performance.now();
  window.anshaoHeard = () => {{ heard = performance.now(); }};
  setInterval(() => document.body.classList.toggle('lost', performance.now() - heard > {_LOST_AFTER_MS}), 500);
}})();
</script>
"""


class Page:
    """One browser's page."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shown: dict[str, Any] = {}
        ui.dark_mode(True)
        ui.add_css(_CSS)
        ui.add_head_html(_WATCH)
        words = f"⚠ {say('page_lost', 'en')}<br>{say('page_lost', 'zh')}"  # in both: nobody is there to be asked
        ui.add_body_html(f'<div id="lost" class="lost-words" role="alert">{words}</div>')
        with ui.header().classes("items-center gap-4 px-4 py-2").style("background: #0b0f14"):
            self._title = ui.label().classes("text-2xl font-bold")
            self._chips = ui.row().classes("gap-2 items-center chips")
            self._operator = ui.input(on_change=self._keep_operator).props("dense outlined dark").classes("w-44")
            self._silence = ui.button(on_click=self._on_silence).props("color=blue-grey-8 icon=volume_off")
        self._banner = ui.label().classes("w-full text-center text-3xl font-bold py-4")
        self._banner.style("background: #b00020; color: white").props("role=alert")
        self._flood = ui.label().classes("w-full text-center text-2xl font-bold py-2")
        self._flood.style("background: #8a5a00; color: white")
        with ui.column().classes("w-full p-2 gap-3") as self._body:
            with ui.element().classes("w-full gap-3 sides"):
                self._make_tabs()
                with ui.column().classes("gap-3 sights"):
                    self._outputs = ui.column().classes("w-full gap-2")
                    self._cameras = ui.column().classes("w-full gap-2")
            self._points = self._make_points()
        with ui.footer().classes("px-4 py-1").style("background: #0b0f14"):
            self._note = ui.label().classes("dim text-sm")
        self._dialogs = ui.element()
        self._pictures: dict[str, ui.image] = {}
        self._calling: set[tuple[str, int]] = set()
        ui.timer(PERIOD_S, self._update)
        ui.timer(0.1, self._recall_operator, once=True)
        self._update()

    def _update(self) -> None:
        snapshot = self._source.snapshot
        live = snapshot.is_live(time.monotonic())
        language = self._language()
        self._banner.set_text(_old(snapshot, language))
        self._banner.set_visibility(not live)
        self._body.classes(remove="stale") if live else self._body.classes(add="stale")
        self._silence.set_enabled(live)
        ui.run_javascript("window.anshaoHeard && anshaoHeard()")
        if not snapshot.status:
            return
        gateway = snapshot.status["gateway"]
        self._title.set_text(f"安哨 {gateway['id']} · {gateway['site']}/{gateway['area']}")
        self._operator.props(f'label="{say("operator", language)}"')
        self._silence.set_text(say("silence", language))
        self._note.set_text(say("not_a_sis", language))
        self._redraw("chips", self._chips, vital(snapshot, live), self._draw_chips)
        flood = flood_text(snapshot.kpi, language)
        self._flood.set_text(flood)
        self._flood.set_visibility(bool(flood))
        calling, removed = split(snapshot.alarms)
        self._come_forward(calling)
        self._redraw("alarms", self._panels["alarms"], [*calling, _minute()], self._draw_alarms)
        self._redraw("removed", self._panels["removed"], removed, self._draw_removed)
        figures = {key: value for key, value in snapshot.kpi.items() if key != "at"}
        self._redraw("figures", self._panels["figures"], figures, self._draw_figures)
        self._redraw("outputs", self._outputs, _still(snapshot.status["outputs"]), self._draw_outputs)
        self._redraw("cameras", self._cameras, _sight(snapshot.status["cameras"]), self._draw_cameras)
        if self._shown.get("columns") != language:
            self._shown["columns"] = language
            self._points.columns = _columns(language)
            ui.run_javascript(f"document.documentElement.lang = {json.dumps(_LANG.get(language, language))}")
        for camera, image in self._pictures.items():
            image.set_source(f"/picture/{camera}?{time.monotonic():.1f}")
        self._points.rows = [_point_row(point, language) for point in snapshot.points]

    def _come_forward(self, calling: list[dict[str, Any]]) -> None:
        """Show the alarms when a new one calls, whatever somebody was looking at."""
        new = {(alarm["id"], alarm["count"]) for alarm in calling if alarm["state"] == "unacknowledged"}
        if new - self._calling:
            self._tab_bar.set_value("alarms")
        self._calling = new

    def _language(self) -> str:
        status = self._source.snapshot.status
        return str(status["gateway"]["language"]) if status else "en"

    def _redraw(self, name: str, where: Any, what: Any, draw: Callable[[Any, str], None]) -> None:
        """Draw a part anew only when it changed, so that a click never hits a thing that was just replaced."""
        if self._shown.get(name) == what:
            return
        self._shown[name] = what
        where.clear()
        with where:
            draw(what, self._language())

    def _draw_chips(self, found: Vital, language: str) -> None:
        """What is well is grey: colour is for what wants somebody."""
        for key, (good, words) in found.items():
            colour, sign = _CHIPS[good]
            text = f"{sign} {say(key, language)} {' '.join(say(word, language) for word in words)}"
            ui.badge(text, color=colour).classes("text-base px-3 py-1")

    def _draw_alarms(self, alarms: list[Any], language: str) -> None:
        rows = [alarm for alarm in alarms if isinstance(alarm, dict)]
        self._tabs["alarms"].props(f'label="{say("alarms", language)} ({len(rows)})"')
        draw_alarms(rows, language, self._doer)

    def _draw_removed(self, rows: list[dict[str, Any]], language: str) -> None:
        self._tabs["removed"].props(f'label="{say("removed", language)} ({len(rows)})"')
        draw_removed(rows, language, self._doer)

    def _draw_figures(self, kpi: dict[str, Any], language: str) -> None:
        self._tabs["figures"].props(f'label="{say("figures", language)}"')
        draw_figures(kpi, language)

    def _draw_outputs(self, outputs: list[dict[str, Any]], language: str) -> None:
        ui.label(say("outputs", language)).classes("text-xl")
        for output in outputs:
            good = output["confirmed"]
            with ui.card().classes("w-full py-2"), ui.row().classes("w-full items-center gap-3"):
                lit = (output["seen"] or "off") != "off"
                colour = _LAMPS.get(output["kind"], "#ff6b4a") if lit else _DARK
                ui.icon("campaign" if output["kind"] == "siren" else "lightbulb", size="28px").style(f"color: {colour}")
                ui.label(output["id"]).classes("text-lg font-bold grow")
                seen = say(output["seen"] or "–", language)
                ui.label(
                    f"{say('wanted', language)} {say(output['wanted'], language)} · {say('seen', language)} {seen}"
                )
                ui.label("✓" if good else f"✗ {say('unconfirmed', language)}").style(
                    f"color: {'#4caf50' if good else '#ff3b30'}"
                )

    def _draw_cameras(self, cameras: list[tuple[str, bool, str, str]], language: str) -> None:
        """A camera that does not see shows why, and no old picture."""
        self._pictures.clear()
        for camera, is_seeing, reason, pace in cameras:
            with ui.card().classes("w-full p-2"):
                with ui.row().classes("items-center gap-2"):
                    ui.icon("videocam" if is_seeing else "videocam_off", size="24px")
                    ui.label(camera).classes("text-lg")
                    if is_seeing and pace:
                        ui.label(f"{say('fewer_pictures', language)}: {pace}").classes("text-amber-5")
                if is_seeing:
                    picture = ui.image().classes("w-full").props("no-spinner no-transition")
                    self._pictures[camera] = picture.props(f'alt="{say("picture", language)} {camera}"')
                else:
                    ui.label(f"✗ {say('no_picture', language)}. {reason}").classes("text-xl text-red-5 p-4")

    def _make_tabs(self) -> None:
        names = ("alarms", "removed", "figures")
        self._tabs: dict[str, ui.tab] = {}
        self._panels: dict[str, ui.column] = {}
        with ui.column().classes("gap-0 calls"):
            with ui.tabs().props("dense align=left no-caps").classes("w-full") as self._tab_bar:
                for name in names:
                    self._tabs[name] = ui.tab(name, say(name, "en"))
            with (
                ui.tab_panels(self._tab_bar, value="alarms", animated=False).classes("w-full").style("background: none")
            ):
                for name in names:
                    with ui.tab_panel(name).classes("p-0 pt-2"):
                        self._panels[name] = ui.column().classes("w-full gap-2")

    def _make_points(self) -> ui.table:
        table = ui.table(columns=_columns("en"), rows=[], row_key="point", pagination=20).classes("w-full")
        table.props("dense flat dark")
        table.add_slot("body-cell-quality", _QUALITY_CELL)
        return table

    def _doer(self, alarm: dict[str, Any], what: str) -> Callable[[], Any]:
        """Return what a button of an alarm does."""

        async def look() -> None:
            there = await self._source.evidence(alarm["occurrence"]) is not None
            show_picture(self._dialogs, alarm, there, self._language())

        async def do() -> None:
            operator = self._named_operator()
            if not operator:
                return
            fault = await self._act(alarm, what, operator)
            with self._dialogs:  # the button may have been drawn anew meanwhile
                _tell(fault)
            self._update()

        return look if what == "picture" else do

    async def _act(self, alarm: dict[str, Any], what: str, operator: str) -> str:
        """Ask for what is missing, then act; return why not, or nothing."""
        id_, language, act = alarm["id"], self._language(), self._source.act
        if what == "shelve":
            shelf = await ask_shelf(self._dialogs, alarm, language)
            return await act(id_, "shelve", operator, shelf[1], seconds=shelf[0]) if shelf else ""
        if what == "take_out":
            service = await ask_service(self._dialogs, alarm, language)
            return await act(id_, "out-of-service", operator, service[1], second=service[0]) if service else ""
        if what == "acknowledge" and alarm["ack_needs_reason"]:
            reason = await ask_reason(self._dialogs, alarm, language)
            return await act(id_, "acknowledge", operator, reason) if reason else ""
        return await act(id_, _PATHS[what], operator)

    async def _on_silence(self) -> None:
        operator = self._named_operator()
        if operator:
            _tell(await self._source.silence(operator))
            self._update()

    def _keep_operator(self) -> None:
        """Keep the name in the browser: asked once, not at every visit."""
        ui.run_javascript(f"localStorage.setItem('operator', {json.dumps(self._operator.value or '')})")

    async def _recall_operator(self) -> None:
        kept = await ui.run_javascript("localStorage.getItem('operator')", timeout=3.0)
        if kept and not self._operator.value:
            self._operator.set_value(str(kept))

    def _named_operator(self) -> str:
        operator = str(self._operator.value or "").strip()
        if not operator:
            ui.notify(say("operator_needed", self._language()), type="warning", position="top")
            self._operator.run_method("focus")
        return operator


_QUALITY_CELL = """
<q-td :props="props">
  <span :style="{color: props.value === 'good' ? '#8d9aa8' : props.value === 'bad' ? '#ff6b4a' : '#ffc400'}">
    {{ props.value === 'good' ? '✓' : props.value === 'bad' ? '✗' : '?' }} {{ props.row.quality_words }}
  </span>
</q-td>
"""


def _old(snapshot: Snapshot, language: str) -> str:
    """Return the words over what is not the present any more: since when."""
    heard = f" ({say('since', language)} {snapshot.heard_at.astimezone():%H:%M:%S})" if snapshot.heard_at else ""
    return f"⚠ {say('no_data', language)}{heard}"


def _sight(cameras: list[dict[str, Any]]) -> list[tuple[str, bool, str, str]]:
    """Return of each camera whether it sees, and why not; and how much less often it looks than it should."""
    return [(row["id"], sees(row), row["reason"], _short(row)) for row in cameras]


def _short(camera: dict[str, Any]) -> str:
    asked, granted = camera["fps_asked"], camera["fps_granted"]
    return "" if asked is None or granted is None or granted >= asked else f"{granted:.2g}/s < {asked:g}/s"


def _columns(language: str) -> list[dict[str, str]]:
    names = ("point", "value", "quality", "age", "reason")
    return [{"name": name, "label": say(name, language), "field": name, "align": "left"} for name in names]


def _still(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in output.items() if key != "confirmed_age_s"} for output in outputs]


def _minute() -> int:
    """Ages of alarms are drawn anew once a minute."""
    return int(time.monotonic() // 60)


def _point_row(point: dict[str, Any], language: str) -> dict[str, Any]:
    value = "–" if point["value"] is None else f"{number(point['value'])} {point['unit']}"
    age = "" if point["age_s"] is None else f"{point['age_s']:.1f} s"
    return {
        "point": point["id"],
        "value": value,
        "quality": point["quality"],
        "quality_words": say(point["quality"], language),
        "age": age,
        "reason": point["reason"] or "",
    }


def _tell(fault: str) -> None:
    if fault:
        ui.notify(fault, type="negative", position="top")
