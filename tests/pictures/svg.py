"""An SVG of a recording: it plays by CSS alone, so also where a page shows it as an image. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tests.pictures.recording import COLUMNS, Frame, Row, Run

_CHAR, _LINE, _MARGIN, _BAR = 8.4, 19, 16, 30
_HOLD_S = 6.0
_COLOURS = {"": "#d6deeb", "green": "#7fdb8a", "cyan": "#7fdbca", "red": "#ff6b6b"}
_COLOURS |= {"brown": "#e6c384", "blue": "#82aaff", "magenta": "#c792ea"}
_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row, and the time for which it stands there; ``until_s`` is None to the end."""

    line: int
    row: Row
    from_s: float
    until_s: float | None


def render(frames: Sequence[Frame], title: str) -> str:
    """The recording as a picture that plays again and again.

    Whoever asks for reduced motion sees its end, as does what knows no CSS animations.

    :param title: what is to be seen, for those who do not.
    """
    lines = max(line for frame in frames for line, row in enumerate(frame.screen, 1) if row)
    whole_s = frames[-1].at_s + _HOLD_S
    width, height = COLUMNS * _CHAR + 2 * _MARGIN, lines * _LINE + _BAR + _MARGIN
    shown = list(_shown(frames, lines))
    spans = sorted({(one.from_s, one.until_s) for one in shown if one.from_s}, key=repr)
    names = {span: f"k{number}" for number, span in enumerate(spans)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style(whole_s)}",
        *(_keyframes(names[span], span, whole_s) for span in spans),
        "</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#011627" stroke="#44596b"/>',
        *(
            f'<circle cx="{18 + 18 * number}" cy="16" r="5.5" fill="{colour}"/>'
            for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        *(_group(one, names.get((one.from_s, one.until_s))) for one in shown),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _shown(frames: Sequence[Frame], lines: int) -> Iterator[_Shown]:
    for line in range(lines):
        row, from_s = frames[0].screen[line], 0.0
        for frame in frames[1:]:
            if frame.screen[line] != row:
                if row:
                    yield _Shown(line, row, from_s, frame.at_s)
                row, from_s = frame.screen[line], frame.at_s
        if row:
            yield _Shown(line, row, from_s, None)


def _style(whole_s: float) -> str:
    colours = "".join(
        f".{name or 'plain'}{{fill:{value}}}" for name, value in _COLOURS.items() if name
    )
    return (
        f"text{{font:14px {_FONTS};fill:{_COLOURS['']};white-space:pre}}"
        f".b{{font-weight:bold;fill:#fff}}{colours}"
        f"g{{animation:{whole_s:.2f}s step-end infinite}}.gone{{visibility:hidden}}"
        "@media(prefers-reduced-motion:reduce){g{animation:none!important}}"
    )


def _keyframes(name: str, span: tuple[float, float | None], whole_s: float) -> str:
    from_s, until_s = span
    steps = f"0%{{visibility:hidden}}{100 * from_s / whole_s:.2f}%{{visibility:visible}}"
    if until_s is not None:
        steps += f"{100 * until_s / whole_s:.2f}%,to{{visibility:hidden}}"
    return f"@keyframes {name}{{{steps}}}"


def _group(one: _Shown, keyframes: str | None) -> str:
    y = _BAR + (one.line + 1) * _LINE - 5
    texts = "".join(_text(run, y) for run in one.row)
    gone = ' class="gone"' if one.until_s is not None else ""
    moves = f' style="animation-name:{keyframes}"' if keyframes else ""
    return f"<g{gone}{moves}>{texts}</g>"


def _text(run: Run, y: float) -> str:
    """Each run is stretched to its columns, whatever the font."""
    x = _MARGIN + run.column * _CHAR
    looks = " ".join((*([run.colour] if run.colour else []), *(["b"] if run.bold else [])))
    classes = f' class="{looks}"' if looks else ""
    length = f"{len(run.text) * _CHAR:g}"
    return f'<text x="{x:g}" y="{y:g}" textLength="{length}"{classes}>{escape(run.text)}</text>'
