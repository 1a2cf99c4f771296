"""What the page asks before it acts: a reason, a time, a second person."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from agent.hmi.texts import named, say
from agent.hmi.words import span

_TIMES_S = (300, 900, 1800, 3600, 7200, 14_400, 28_800)
_REASONS = ("reason_going", "reason_known", "reason_false", "reason_work")


async def ask_reason(where: ui.element, alarm: dict[str, Any], language: str) -> str | None:
    """Ask why an alarm is acknowledged; None when it is cancelled."""
    with where, ui.dialog() as dialog, _card(alarm, "acknowledge", language):
        reason = _reason(language)
        for key in _REASONS:
            text = say(key, language)
            ui.button(text, on_click=lambda text=text: dialog.submit(text)).props("color=blue-grey-8 size=lg").classes(
                "w-full"
            )
        _buttons(dialog, say("acknowledge", language), language, lambda: _filled(reason, "why_needed", language))
    found: str | None = await _answer(dialog)
    return found


async def ask_shelf(where: ui.element, alarm: dict[str, Any], language: str) -> tuple[float, str] | None:
    """Ask for how long and why an alarm is shelved."""
    times = {each: span(each) for each in _TIMES_S if each <= alarm["longest_shelf_s"]}
    times = times or {alarm["longest_shelf_s"]: span(alarm["longest_shelf_s"])}
    with where, ui.dialog() as dialog, _card(alarm, "shelve", language):
        ui.label(say("how_long", language)).classes("text-base")
        time = ui.toggle(times, value=next(iter(times))).props("size=lg no-caps")
        reason = _reason(language)

        def answer() -> tuple[float, str] | None:
            text = _filled(reason, "why_needed", language)
            return (float(str(time.value)), text) if text else None

        _buttons(dialog, say("shelve", language), language, answer)
    found: tuple[float, str] | None = await _answer(dialog)
    return found


async def ask_service(where: ui.element, alarm: dict[str, Any], language: str) -> tuple[str, str] | None:
    """Ask who agrees and why an alarm goes out of service."""
    with where, ui.dialog() as dialog, _card(alarm, "take_out", language):
        second = ui.input(say("second", language)).props("outlined dark").classes("w-full")
        reason = _reason(language)

        def answer() -> tuple[str, str] | None:
            text = _filled(reason, "why_needed", language)
            other = _filled(second, "second_needed", language)
            return (other, text) if text and other else None

        _buttons(dialog, say("take_out", language), language, answer)
    found: tuple[str, str] | None = await _answer(dialog)
    return found


def show_picture(where: ui.element, alarm: dict[str, Any], there: bool, language: str) -> None:
    """Show what the camera saw as the alarm was raised."""
    with where, ui.dialog(value=True) as dialog, _card(alarm, "picture", language).classes("max-w-none w-[60rem]"):
        if there:
            ui.image(f"/evidence/{alarm['occurrence']}").classes("w-full").props(
                f'no-spinner no-transition alt="{say("picture", language)}"'
            )
        else:
            ui.label(say("no_evidence", language)).classes("text-xl")
        ui.button(say("close", language), on_click=dialog.close).props("flat color=white size=lg").classes("self-end")


def _card(alarm: dict[str, Any], what: str, language: str) -> ui.card:
    card = ui.card().classes("w-[34rem] gap-3")
    with card:
        title = f"{say(what, language)}: {alarm['priority']} {named(alarm['name'], language)}"
        ui.label(title).classes("text-xl font-bold")
    return card


def _reason(language: str) -> ui.input:
    return ui.input(say("why", language)).props("outlined dark autofocus maxlength=500").classes("w-full")


def _buttons(dialog: ui.dialog, text: str, language: str, answer: Any) -> None:
    def done() -> None:
        found = answer()
        if found:
            dialog.submit(found)

    with ui.row().classes("w-full justify-end gap-3"):
        ui.button(say("cancel", language), on_click=lambda: dialog.submit(None)).props("flat color=white size=lg")
        ui.button(text, on_click=done).props("color=primary size=lg").mark("confirm")


def _filled(field: ui.input, what: str, language: str) -> str:
    text = str(field.value or "").strip()
    if not text:
        ui.notify(say(what, language), type="warning", position="top")
        field.run_method("focus")
    return text


async def _answer(dialog: ui.dialog) -> Any:
    dialog.open()
    found = await dialog
    dialog.delete()
    return found
