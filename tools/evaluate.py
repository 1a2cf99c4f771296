"""Measure a PPE bundle: ``python -m tools.evaluate [--data FOLDER] [--choose] [--bundle FOLDER] [--empty FOLDER …]``.

``--detector`` and ``--classifier`` put other networks in the place of the bundle's own, to compare before shipping.

Always on the bundle's golden cases and the demo's footage. With ``--data`` on the held-out pictures of that folder
(data/split.json, YOLO labels), one picture at a time: the reporting half at the bundle's own thresholds, or with
``--choose`` the choosing half at many, or with ``--crop`` what ``crop: zones`` gains for people far away. Folders
named with ``--empty`` hold pictures and clips that show nobody.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from models.bundle import Belief, Bundle, load_bundle
from models.inference import Picture, Vision, golden_faults
from models.options import BUNDLED
from models.vocabulary import Gear, Thing
from tools.behaviours import compared
from tools.footage import Watched, bare_parts, clip, empty_parts, empty_scenes, read, still, watch
from tools.labels import SETS, Half, Labelled, held_out, of_anybody
from tools.measure import BANDS, GOALS, SURES, Case, Figure, Sheet, Sight, Thresholds, choose, most_per_hour, share
from tools.zooming import LINES, gain, tries

FOOTAGE = Path(__file__).parents[1] / "agent/demo/footage"
BELIEF_SCORES, BELIEF_BELOWS = (0.25, 0.3, 0.35, 0.4), (0.02, 0.03, 0.05, 0.1, 0.2)
JUDGED = (Figure.PRECISION, Figure.RECALL, Figure.FALSE, Figure.UNKNOWN)
LOST = (Figure.NOT_FOUND, Figure.UNJUDGED, Figure.TAKEN_WORN)


def thresholds(bundle: Bundle) -> Thresholds:
    """Return what the bundle is shipped with."""
    classifier = bundle.manifest.classifier
    limits = classifier.limits if classifier else {}
    return Thresholds(
        bundle.manifest.detector.sure,
        {gear: limit.missing_below for gear, limit in limits.items()},
        {gear: limit.worn_from for gear, limit in limits.items()},
    )


def with_networks(bundle: Bundle, detector: Path | None, classifier: Path | None) -> Bundle:
    """Return the bundle with other networks of the same layouts, of which its manifest knows no hash."""
    manifest = bundle.manifest
    if detector:
        spec = manifest.detector.model_copy(update={"file": str(detector.absolute())})
        manifest = manifest.model_copy(update={"detector": spec})
    if classifier and manifest.classifier:
        other = manifest.classifier.model_copy(update={"file": str(classifier.absolute())})
        manifest = manifest.model_copy(update={"classifier": other})
    return Bundle(bundle.folder, manifest)


def sights(picture: Picture, vision: Vision) -> list[Sight]:
    """Return every person box as a camera's worker takes it up, with what the classifier says of it."""
    return [Sight(item.box, item.score, shares) for item, shares in vision.see(picture) if item.thing is Thing.PERSON]


def given(case: Labelled, picture: Picture, vision: Vision) -> list[Sight]:
    """Return the labelled persons as if a perfect detector had found them."""
    return [Sight(truth.box, 1.0, vision.weigh(picture, truth.box)) for truth in case.persons]


def looked_at(labelled: Iterable[Labelled], vision: Vision) -> tuple[list[Case], list[Case]]:
    """Return what is seen on the pictures, and what the classifier alone says of the labelled persons."""
    cases, alone = [], []
    for case in labelled:
        picture = read(case.picture)
        cases.append(Case(case.source, case.persons, sights(picture, vision)))
        alone.append(Case(case.source, case.persons, given(case, picture, vision)))
    return cases, alone


def persons(sheet: Sheet, sources: Sequence[str], count: int) -> Table:
    """Return a table of persons found and boxes on nobody."""
    columns = (Figure.FOUND, Figure.NOBODY, Figure.STRAY, Figure.EMPTY)
    table = Table("set", *columns, title=f"Persons on {count} pictures")
    for source in (*sources, None):
        table.add_row(source or "all", *(str(sheet.share(figure, source=source)) for figure in columns))
    return table


def gear(sheet: Sheet, sources: Sequence[str], figures: Sequence[Figure], title: str) -> Table:
    """Return a table of equipment, by set."""
    table = Table("set", "missing", *figures, title=title)
    for piece in GOALS:
        for source in (*sources, None):
            shares = [sheet.share(figure, piece, source) for figure in figures]
            if any(share.whole for share in shares):
                table.add_row(source or "all", piece, *map(str, shares))
    return table


def by_height(sheet: Sheet) -> Table:
    """Return a table of found and judged, by the person's height in the picture."""
    table = Table("px", Figure.FOUND, "helmet precision", "helmet recall", "vest precision", "vest recall")
    table.title = "By height of the person in pixels"
    for band, end in zip(BANDS, (*BANDS[1:], None), strict=True):
        cells = [sheet.share(Figure.FOUND, band=band)]
        cells += [sheet.share(figure, piece, band=band) for piece in GOALS for figure in JUDGED[:2]]
        table.add_row(f"{band}-{end}" if end else f"{band} and more", *map(str, cells))
    return table


def report(data: Path, bundle: Bundle, vision: Vision) -> list[Table]:
    """Return the tables of the reporting half at the bundle's thresholds."""
    labelled = [case for case in held_out(data) if case.half is Half.REPORT]
    cases, alone = looked_at(labelled, vision)
    at = thresholds(bundle)
    sheet, sources = Sheet(cases, at), sorted({case.source for case in cases})
    return [
        persons(sheet, sources, len(cases)),
        gear(sheet, sources, JUDGED, "Equipment, one picture at a time; recall of all labelled"),
        gear(sheet, sources, LOST, "Why missing equipment was not told"),
        gear(Sheet(alone, at), sources, JUDGED, "Classifier alone, on the labelled boxes"),
        by_height(sheet),
    ]


def chosen(data: Path, at: Thresholds, vision: Vision) -> list[Table]:
    """Return what each person threshold would give on the choosing half, and the limits that hold the goals there."""
    vision.tune(min(SURES), None, None)
    cases, _ = looked_at((case for case in held_out(data) if case.half is Half.CHOOSE), vision)
    return [_by_sure(cases), _by_belief(cases, at)]


def _by_sure(cases: Sequence[Case]) -> Table:
    table = Table("sure", "found", "on nobody", "empty", "below", "precision", "recall", "false alarm")
    table.title = f"Choosing half, {len(cases)} pictures; helmet and vest"
    for sure in SURES:
        at = choose(cases, sure)
        sheet = Sheet(cases, at)
        cells = [f"{sheet.share(Figure.FOUND).value:.3f}", f"{sheet.share(Figure.NOBODY).value:.3f}"]
        cells.append(f"{sheet.share(Figure.EMPTY).value:.3f}")
        cells.append(" ".join(f"{at.missing[piece]:.2f}" for piece in GOALS))
        for figure in JUDGED[:3]:
            cells.append(" ".join(f"{sheet.share(figure, piece).value:.3f}" for piece in GOALS))
        table.add_row(f"{sure:.2f}", *cells)
    return table


def _by_belief(cases: Sequence[Case], at: Thresholds) -> Table:
    """Return what ``believes: helmet`` would give, the bundle's other thresholds left as they are."""
    table = Table("score", "missing below", "found", "on nobody", "of boxes", "told", "rightly", "on nobody ")
    table.title = "Choosing half: persons believed by a missing helmet"
    for score in (at.sure, *BELIEF_SCORES):
        for below in BELIEF_BELOWS if score < at.sure else BELIEF_BELOWS[:1]:
            sheet = Sheet(cases, replace(at, believes={Gear.HELMET: Belief(score=score, missing_below=below)}))
            found, nobody, stray = (sheet.share(figure) for figure in (Figure.FOUND, Figure.NOBODY, Figure.STRAY))
            told, right = (sheet.share(figure, Gear.HELMET) for figure in (Figure.RECALL, Figure.PRECISION))
            numbers = (found.part, nobody.part, nobody.whole, told.part, f"{right.value:.3f}", stray.part)
            table.add_row(f"{score:.2f}", f"{below:.2f}" if score < at.sure else "-", *map(str, numbers))
    return table


def parts(data: Path, half: Half, at: Thresholds, vision: Vision) -> Table:
    """Return what one look sees on parts of held-out pictures where nobody is: the backgrounds of real sites."""
    table = Table(
        "parts", "with somebody", "called missing", title="Parts of css pictures without anybody, one look each"
    )
    somebody, missing = [], []
    for case in (case for case in held_out(data) if case.half is half):
        anybody = of_anybody(case.picture, SETS[case.source])
        shown = list(bare_parts(read(case.picture), anybody)) if anybody is not None else []
        seen = [[sight for sight in sights(part, vision) if at.takes(sight)] for part in shown]
        somebody.append((sum(bool(found) for found in seen), len(seen)))
        missing.append((sum(any(at.misses(sight) for sight in found) for found in seen), len(seen)))
    table.add_row(str(share(missing).whole), str(share(somebody)), str(share(missing)))
    return table


def emptiness(data: Path | None, folders: Sequence[Path], vision: Vision) -> list[Table]:
    """Return what a camera would report, with votes, of scenes that show nobody."""
    clips = [watch("empty.mp4", clip(FOOTAGE / "empty.mp4"), vision)]
    stills: list[Watched] = []
    if data:
        parts = empty_parts(data / "clips" / "one-by-one-person-detection.mp4")
        clips += [watch(name, pictures, vision) for name, pictures in parts]
        nobody = [case.picture for case in held_out(data) if case.half is Half.REPORT and not case.persons]
        stills = [watch(path.name, still(read(path)), vision) for path in nobody]
    for name, pictures in empty_scenes(folders):
        clips.append(watch(name, pictures, vision))
    table = Table("shown", "scenes", "minutes", "with persons", "with alarms", "alarms per hour, 95 % at most")
    table.title = "Nobody there, with votes"
    for name, scenes in (("clips", clips), ("still pictures, 3 s each", stills)):
        if scenes:
            table.add_row(name, *_rates(scenes))
    loud = Table("scene", "persons turned up", "alarms", title="Where somebody was seen")
    for scene in (scene for scene in (*clips, *stills) if scene.persons):
        loud.add_row(scene.name, str(scene.persons), str(scene.alarms))
    return [table, loud] if loud.rows else [table]


def _rates(scenes: Sequence[Watched]) -> list[str]:
    hours = sum(scene.seconds for scene in scenes) / 3600
    people, alarmed = (sum(bool(number) for number in counts) for counts in _events(scenes))
    bound = most_per_hour(sum(scene.alarms for scene in scenes), hours)
    return [str(len(scenes)), f"{hours * 60:.1f}", str(people), str(alarmed), f"{bound:.0f}"]


def _events(scenes: Sequence[Watched]) -> tuple[list[int], list[int]]:
    return [scene.persons for scene in scenes], [scene.alarms for scene in scenes]


def demo(vision: Vision) -> Table:
    """Return a table of what a camera would report of the demo's people."""
    table = Table("clip", "judged", "with no_helmet > 0", "with no_vest > 0", "most persons", title="Demo, with votes")
    counts = watch("yard.mp4", clip(FOOTAGE / "yard.mp4"), vision).counts
    bare, plain = (sum(count.missing[piece] > 0 for count in counts) for piece in (Gear.HELMET, Gear.VEST))
    table.add_row("yard.mp4", str(len(counts)), str(bare), str(plain), str(max(count.persons for count in counts)))
    return table


def behaviours(data: Path | None, vision: Vision) -> Table:
    """Return a table of lines and zones against what people saw on the same clips."""
    table = Table("clip", "fact", "right, sure", "right, unsure", "wrong, unsure", "wrong, sure")
    table.title = "Lines and zones against the eye, pictures; crossings"
    for column in ("crossings found", "missed", "too many"):
        table.add_column(column)
    folders = [FOOTAGE, data / "clips"] if data else []
    for name, fact, tally in compared(folders, vision):
        cells = [*tally.right.values(), *reversed(tally.wrong.values())]
        events = [tally.found, len(tally.missed), len(tally.extra)] if fact.endswith(".crossed") else []
        table.add_row(name, fact, *map(str, (*cells, *events)))
    return table


def main() -> int:
    """Print the tables; 1 when a golden case fails."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with data/split.json, pictures and YOLO labels")
    parser.add_argument("--bundle", type=Path, default=BUNDLED / "ppe", help="default: the shipped one")
    parser.add_argument("--detector", type=Path, help="this ONNX file in place of the bundle's")
    parser.add_argument("--classifier", type=Path, help="this ONNX file in place of the bundle's")
    parser.add_argument("--choose", action="store_true", help="show thresholds on the choosing half instead")
    parser.add_argument("--empty", type=Path, nargs="*", default=[], help="folders of pictures and clips of nobody")
    parser.add_argument("--crop", action="store_true", help="show what 'crop: zones' gains for far people instead")
    options = parser.parse_args()
    if options.data and not (options.data / "data/split.json").is_file():
        parser.error(f"{options.data} holds no data/split.json; name a folder such as ../shared/ppe, or leave it out")
    if (options.choose or options.crop) and not options.data:
        parser.error("--choose and --crop need --data")
    console = Console(width=150)
    bundle = with_networks(load_bundle(options.bundle), options.detector, options.classifier)
    vision = Vision(bundle)
    faults = golden_faults(bundle, vision)
    console.print(f"{bundle.title}: {len(bundle.manifest.golden)} golden cases, {len(faults)} wrong {faults or ''}")
    for table in _tables(options, bundle, vision):
        console.print(table)
    return 1 if faults else 0


def _tables(options: argparse.Namespace, bundle: Bundle, vision: Vision) -> list[Table]:
    if options.crop:
        sure, cases = bundle.manifest.detector.sure, list(held_out(options.data))
        return [gain(list(tries(cases, vision, sure, lines)), lines) for lines in LINES]
    if options.choose:
        return chosen(options.data, thresholds(bundle), vision)
    tables = report(options.data, bundle, vision) if options.data else []
    if options.data:
        tables.append(parts(options.data, Half.REPORT, thresholds(bundle), vision))
    empty = emptiness(options.data, options.empty, vision)
    return [*tables, *empty, behaviours(options.data, vision), demo(vision)]


if __name__ == "__main__":
    sys.exit(main())
