"""The flow from the download to the splits, as CONSORT has it: what is kept, beside what is lost and why."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from brainlapse.report.people import Flow, Step
from brainlapse.report.style import ACCENT, INK, MUTED, as_svg, new_figure
from brainlapse.report.words import plural

# All lengths are in points; the page is 360 wide, so that it can be read on a telephone.
WIDTH, BOX, GAP, PAD, LINE, SIZE = 360, 170, 18, 6, 12.5, 9
REASONS_SHOWN = 5


@dataclass(frozen=True)
class Box:
    """Lines of text in a frame; `top` counts down from the figure's upper edge."""

    lines: list[str]
    left: float
    width: float
    top: float = 0.0

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 2 * PAD

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def draw(flow: Flow) -> str:
    """The figure. A step that took nothing away has no box, unless it is the first or the last."""
    kept, lost = _placed(_shown(flow))
    ends = [replace(box, top=kept[-1].bottom + 1.5 * GAP) for box in _ends(flow)]
    axes = _canvas(max(box.bottom for box in [*kept, *lost, *ends]))
    for box in kept:
        _frame(axes, box, ACCENT)
    for box in ends:
        _frame(axes, box, ACCENT, strong=True)
    for box in lost:
        _frame(axes, box, MUTED)
    _arrows(axes, kept, lost, ends)
    return as_svg(axes.figure)


def describe(flow: Flow) -> str:
    """The figure in words."""
    steps = "; ".join(f"{step.name}: {_count(step)}" for step in _shown(flow))
    ends = "".join(
        f"; {split}: {plural(n, 'person')}, {plural(pairs, 'pair')}" for split, n, pairs in flow.ends
    )
    return f"Flow of the cohort {flow.cohort}: {steps}{ends}."


def _shown(flow: Flow) -> list[Step]:
    ends = (flow.steps[0], flow.steps[-1])
    return [step for step in flow.steps if step in ends or step.lost or step.lost_people]


def _count(step: Step) -> str:
    return f"{plural(step.rows, step.unit)} of {plural(step.people, 'person')}"


def _placed(steps: list[Step]) -> tuple[list[Box], list[Box]]:
    """What is kept, down the left; what is lost at a step, on the right at the height of its arrow."""
    kept, lost = [], []
    for step in steps:
        box = _box([step.name, _count(step)], 0, BOX)
        arrow = kept[-1].bottom + GAP / 2 if kept else 0.0
        if step.lost or step.lost_people:
            aside = _box(_lost(step), BOX + GAP, WIDTH - BOX - GAP)
            arrow = max(arrow, (lost[-1].bottom + PAD if lost else 0.0) + aside.height / 2)
            lost.append(replace(aside, top=arrow - aside.height / 2))
        kept.append(replace(box, top=arrow + GAP / 2 if kept else 0.0))
    return kept, lost


def _lost(step: Step) -> list[str]:
    """What a step took away, the most frequent reasons first."""
    scans = [plural(step.lost, step.lost_unit)] if step.lost else []
    people = [plural(step.lost_people, "person")] if step.lost_people else []
    shown, others = step.reasons[:REASONS_SHOWN], step.reasons[REASONS_SHOWN:]
    if others:
        shown = [*shown, (plural(len(others), "other reason"), sum(count for _, count in others))]
    return [f"lost: {', '.join(scans + people)}", *(f"– {reason}:\u00a0{count:,}" for reason, count in shown)]


def _ends(flow: Flow) -> list[Box]:
    width = (WIDTH - GAP) / 3
    return [
        _box([split, plural(people, "person"), plural(pairs, "pair")], place * (width + GAP / 2), width)
        for place, (split, people, pairs) in enumerate(flow.ends)
    ]


def _box(texts: list[str], left: float, width: float) -> Box:
    return Box([line for text in texts for line in _wrapped(text, width - 2 * PAD)], left, width)


def _wrapped(text: str, width: float) -> list[str]:
    """The text in lines that fit; a word that is wider than a line is cut."""
    lines, line = [], ""
    for word in text.split(" "):  # a no-break space holds a reason and its number together
        while _wide(word) > width:
            ends = range(1, len(word))
            fits = max(1, bisect_right(ends, width, key=lambda end, word=word: _wide(word[:end])))
            lines += [line] * bool(line) + [word[:fits]]
            line, word = "", word[fits:]
        if line and _wide(f"{line} {word}") > width:
            lines, line = [*lines, line], word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


@cache
def _wide(text: str) -> float:
    plain = text.replace("$", "S").strip()  # a dollar would begin a formula
    return TextPath((0, 0), plain, size=SIZE).get_extents().width if plain else 0.0


def _canvas(height: float) -> Axes:
    """Axes that fill the figure, in points, with the origin at its upper left."""
    figure = new_figure((WIDTH + 2) / 72, (height + 2) / 72)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1, WIDTH + 1), ylim=(height + 1, -1))
    axes.set_axis_off()
    return axes


def _frame(axes: Axes, box: Box, edge: str, strong: bool = False) -> None:
    axes.add_patch(
        Rectangle(
            (box.left, box.top), box.width, box.height,
            facecolor="white", edgecolor=edge, linewidth=1.6 if strong else 0.9,
        )
    )  # fmt: skip
    for number, line in enumerate(box.lines):
        middle = box.top + PAD + LINE * (number + 0.5)
        axes.text(
            box.left + PAD, middle, line, color=INK, fontsize=SIZE, va="center_baseline", parse_math=False
        )


def _arrows(axes: Axes, kept: list[Box], lost: list[Box], ends: list[Box]) -> None:
    """Down the left side, out to what was lost, and from the last box to the splits."""
    trunk = kept[0].middle
    for above, below in pairwise(kept):
        _arrow(axes, (trunk, above.bottom), (trunk, below.top))
    for box in lost:
        middle = box.top + box.height / 2
        _arrow(axes, (trunk, middle), (box.left, middle))
    bus = kept[-1].bottom + GAP / 2
    for box in ends:
        axes.plot([trunk, trunk, box.middle], [kept[-1].bottom, bus, bus], color=MUTED, linewidth=0.9)
        _arrow(axes, (box.middle, bus), (box.middle, box.top))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
