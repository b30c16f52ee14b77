"""What stands in an exported picture and where its lines lead, read from the SVG."""

import dataclasses
import re
import xml.etree.ElementTree

SVG = "{http://www.w3.org/2000/svg}"
BOX_WIDTH, BOX_HEIGHT = 232, 90
# Between rows of one level, and between levels.
ROW_GAP, LEVEL_GAP = 26, 66
STEPS = 24
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclasses.dataclass
class Box:
    kind: str
    left: int
    top: int
    text: str
    id: str | None

    @property
    def right(self):
        return self.left + BOX_WIDTH

    @property
    def bottom(self):
        return self.top + BOX_HEIGHT


@dataclasses.dataclass
class Picture:
    boxes: list
    lines: list  # of points, curves in pieces
    titles: list  # what each line says
    labels: list  # (text, x of its middle, y)
    width: int
    height: int  # below the head

    def levels(self):
        """The ids on each level, from above, left to right."""
        found = {}
        for box in self.boxes:
            found.setdefault(box.top, []).append(box)
        levels, last = [], None
        for top in sorted(found):
            if last is None or top - last > BOX_HEIGHT + (ROW_GAP + LEVEL_GAP) // 2:
                levels.append([])
            levels[-1] += found[top]
            last = top
        return [[box.id for box in sorted(level, key=lambda box: (box.left, box.top))] for level in levels]

    def hidden(self):
        """Pieces of lines that lead through the inner part of a box, each with the box."""
        by_row = {}
        for box in self.boxes:
            for row in range(box.top // BOX_HEIGHT, box.bottom // BOX_HEIGHT + 1):
                by_row.setdefault(row, []).append(box)
        return [(piece, box) for line in self.lines for piece in zip(line, line[1:])
                for box in {id(b): b for row in rows_of(piece) for b in by_row.get(row, [])}.values() if leads_through(piece, box)]


def rows_of(piece):
    ys = [int(y) // BOX_HEIGHT for _, y in piece]
    return range(min(ys), max(ys) + 1)


def leads_through(piece, box):
    """Liang and Barsky: which part of the piece lies inside each border."""
    (x1, y1), (x2, y2) = piece
    start, end = 0.0, 1.0
    for p, q in ((x1 - x2, x1 - box.left - 1), (x2 - x1, box.right - 1 - x1), (y1 - y2, y1 - box.top - 1), (y2 - y1, box.bottom - 1 - y1)):
        if p == 0 and q < 0:
            return False
        if p < 0:
            start = max(start, q / p)
        if p > 0:
            end = min(end, q / p)
    return start < end


def bend(ends, t):
    while len(ends) > 1:
        ends = [tuple(a + (b - a) * t for a, b in zip(p, q)) for p, q in zip(ends, ends[1:])]
    return ends[0]


def points_of(path):
    """Points along what a path draws: its lines, and curves in so many steps each."""
    found = []
    for command, numbers in re.findall(r"([MLQC])([-0-9, ]+)", path):
        values = [int(n) for n in re.findall(r"-?\d+", numbers)]
        piece = [*found[-1:], *zip(values[::2], values[1::2])]
        found += [bend(piece, step / STEPS) for step in range(STEPS + 1)] if command in "QC" else piece
    return found


def read_picture(body):
    root = xml.etree.ElementTree.fromstring(body)
    head = next(int(g.get("transform")[len("translate(0 "):-1]) for g in root.iter(f"{SVG}g") if g.get("transform"))
    boxes = []
    for g in root.iter(f"{SVG}g"):
        if g.get("class"):
            rect, ids = g.find(f"{SVG}rect"), re.findall(UUID, g.find(f"{SVG}title").text.split(", id ")[-1])
            boxes.append(Box(g.get("class"), int(rect.get("x")), int(rect.get("y")), "".join(t.text or "" for t in g.iter(f"{SVG}text")), ids[0] if ids else None))
    drawn = [path for path in root.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    labels = [(t.text, int(t.get("x")), int(t.get("y"))) for t in root.iter(f"{SVG}text") if t.get("class") == "label"]
    return Picture(boxes, [points_of(path.get("d")) for path in drawn], [path.find(f"{SVG}title").text for path in drawn], labels, int(root.get("width")), int(root.get("height")) - head)
