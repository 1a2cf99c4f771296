"""``anshao models import`` and ``evaluate``: a bundle from an exported network, shown on pictures and confirmed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.asking import AsJson
from agent.cli.printing import lines, tell
from agent.core.errors import NotAllowed

if TYPE_CHECKING:
    from models.importing import Imported

_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


def add_import(app: typer.Typer) -> None:
    """Add the commands to the group ``models``."""
    app.command("import")(import_model)
    app.command("evaluate")(evaluate)


def import_model(
    file: Annotated[Path | None, typer.Argument(help="an exported network, such as best.onnx")] = None,
    name: Annotated[str, typer.Option(help="of the bundle; default: the file's")] = "",
    version: Annotated[str, typer.Option(help="of the bundle")] = "1.0.0",
    labels: Annotated[str, typer.Option(help="a,b,c or a file with one label in a line; default: the file's own")] = "",
    means: Annotated[list[str] | None, typer.Option(help="LABEL=MEANING for a label that is not known")] = None,
    layout: Annotated[str, typer.Option(help="how to read its outputs, where the file leaves two readings")] = "",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of its input, where the file does not fix it")] = "",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of its input: colour, divisor …")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the bundle; default: its name")] = None,
    pictures: Annotated[Path | None, typer.Option(help="folder of pictures to show it on")] = None,
    confirmed: Annotated[Path | None, typer.Option("--confirm", help="bundle whose shown pictures are right")] = None,
    only: Annotated[list[str] | None, typer.Option(help="of --confirm: this picture only; may be repeated")] = None,
) -> None:
    """Make a bundle of an exported network; or, with --confirm, take what it showed as its golden cases."""
    from models.importing import Wish, confirm
    from models.importing import import_model as make

    try:
        if confirmed is not None:
            golden = confirm(confirmed, only or ())
            print(f"{confirmed}: {len(golden)} golden cases; cameras can use it now: model: {confirmed}")
            return
        if file is None:
            raise typer.BadParameter("name a network, or a bundle with --confirm")
        name = name or file.stem
        wish = Wish(
            file=file,
            out=out or Path(name),
            name=name,
            version=version,
            labels=_labels(labels),
            means=dict(_pairs(means)),
            layout=layout,
            size=_size(size),
            feed={key: json.loads(value) if value[:1] in "[0123456789" else value for key, value in _pairs(setting)},
            pictures=pictures,
        )
        _tell(make(wish))
    except NotAllowed as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(1) from refusal


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="folder of the bundle")],
    pictures: Annotated[Path | None, typer.Option(help="folder of pictures")] = None,
    out: Annotated[Path | None, typer.Option(help="where to draw what is seen")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a bundle on its golden cases and on pictures; exit with 1 when a golden answer differs."""
    from models.importing import evaluate as run

    try:
        answer = run(bundle, pictures, out)
    except NotAllowed as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(1) from refusal
    told = [f"{case['picture']}: {_seen(case)}" for case in answer["cases"]]
    told += answer["golden_faults"] or ["golden cases: as they should be"]
    tell(answer, as_json, lambda answer: lines([*told, f"one look: {answer['look_ms']:g} ms (median)"]))
    raise typer.Exit(bool(answer["golden_faults"]))


def _tell(made: Imported) -> None:
    found = made.inspection
    print(f"{made.folder}: layout {found.layout} (by {found.decided_by}), {found.run_ms:g} ms a picture")
    print(f"judges: {', '.join([*sorted(made.offer.things), *(f'no_{gear}' for gear in sorted(made.offer.gear))])}")
    if made.half:
        print(f"cannot be demanded, since either worn or missing is not among its classes: {', '.join(made.half)}")
    if made.unknown:
        print(f"mean nothing here: {', '.join(made.unknown)}; say what they stand for with --means LABEL=MEANING")
    if found.decided_by != "metadata":
        fed = ", ".join(f"{key} {value}" for key, value in found.feed.items())
        print(f"fed as is usual for this layout: {fed}; if it was trained with other input, give --set KEY=VALUE")
    for case in made.shown:
        print(f"  {case['picture']}: {_seen(case)}")
    if made.shown:
        print(f"look at {made.folder}/shown, then: anshao models import --confirm {made.folder} [--only PICTURE …]")
    else:
        print("no camera takes it before it has golden cases: import it with --pictures FOLDER")


def _seen(case: dict[str, Any]) -> str:
    if "fault" in case:
        return str(case["fault"])
    persons = [
        "person" + "".join(f", {gear} {said}" for gear, said in person.items() if gear != "box")
        for person in case["persons"]
    ]
    return "; ".join([*persons, *(str(item["thing"]) for item in case.get("things", []))]) or "nothing"


def _labels(text: str) -> tuple[str, ...]:
    path = Path(text)
    lines = path.read_text(encoding="utf-8").splitlines() if text and path.is_file() else text.split(",")
    return tuple(line.strip() for line in lines if line.strip())


def _size(text: str) -> tuple[int, ...]:
    match = _SIZE.fullmatch(text)
    if text and not match:
        raise typer.BadParameter(f"{text!r} is no size; write WIDTHxHEIGHT, such as 640x384")
    return (int(match[1]), int(match[2])) if match else ()


def _pairs(items: list[str] | None) -> list[tuple[str, str]]:
    for item in items or []:
        if "=" not in item:
            raise typer.BadParameter(f"{item!r}: write NAME=VALUE")
    return [(item.partition("=")[0], item.partition("=")[2]) for item in items or []]
