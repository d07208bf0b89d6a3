"""One page to look at and to listen to: the parts of a recording in step, with solo and mute.

The page is a single file of HTML. It stands in the folder of the sounds and pictures that it shows and names them
relative to itself, so that the folder can be moved, mailed or put on a disc; it needs no server and nothing from
outside. Every text is escaped, every file name is escaped for an address, and nothing in it depends on the clock: the
same input gives the same bytes.

How it plays. A page that was opened from a disc may not read other files, so the sounds cannot be mixed by the
browser's own mixer (Web Audio); they are ordinary players that are started together and held to the first of them
(`page.js`). Solo is that of a mixing desk: while any part is soloed, only soloed parts sound. The original, where it
is in the folder, takes the place of all parts for comparison.

Conventions: names of files are relative to the folder of the page, with ``/`` between folders, and not escaped.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import PurePath
from urllib.parse import quote

from unweave.errors import InvalidInput
from unweave.files import write_whole

__all__ = ["Part", "page", "write_page"]


@dataclass(frozen=True, slots=True)
class Part:
    """A row of the page: one component.

    Parameters
    ----------
    label : str
        What it is called.
    file_name : str or path
        Its sound, relative to the folder of the page.
    color : str
        ``#rrggbb``, the colour that it has in the pictures: `unweave.plot.color`.
    level_db : float, optional
        Level in dB (full scale); minus infinity for silence.
    centroid_hz : float, optional
        Centre of gravity of its spectrum in Hz.
    energy_share : float, optional
        Its share of the energy of all parts, 0 to 1.
    picture : str or path, optional
        A strip whose left edge is the beginning of the recording and whose right edge is its end
        (`unweave.plot.strip`): the page moves a line over it, and a click on it goes there.
    """

    label: str
    file_name: str | PurePath
    color: str
    level_db: float | None = None
    centroid_hz: float | None = None
    energy_share: float | None = None
    picture: str | PurePath | None = None


def page(
    title: str,
    parts: Sequence[Part],
    *,
    summary: Sequence[str] = (),
    pictures: Sequence[tuple[str, str | PurePath]] = (),
    settings: Mapping[str, object] | None = None,
    original: str | PurePath | None = None,
    downloads: Sequence[tuple[str, str | PurePath]] = (),
) -> str:
    """The page as a text.

    Parameters
    ----------
    title : str
        Name of the recording.
    parts : sequence of Part
        A row each.
    summary : sequence of str
        Sentences below the title: length, rate, channels, how it was made, why it stopped.
    pictures : sequence of (caption, file name)
        Shown below the parts.
    settings : mapping
        A table of names and values: settings, seed, divergence. Values may be numbers, truth values, texts, None, or
        sequences of these.
    original : str or path, optional
        A copy of the recording in the folder, for comparison.
    downloads : sequence of (caption, file name)
        Other files in the folder that are worth a link: the manifest, the bases, the decomposition.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InvalidInput
        A file name leads out of the page's folder, or a colour is none.

    Examples
    --------
    >>> text = page("loop.wav", [Part("kick", "kick #1.wav", "#684ff7", level_db=-12.3)])
    >>> 'src="kick%20%231.wav"' in text
    True
    """
    rows = [_row(part) for part in parts]
    if original is not None:
        rows.insert(0, _original_row(original))
    body = [
        f"<h1>{_text(title)}</h1>",
        *(f'<p class="summary">{_text(sentence)}</p>' for sentence in summary),
        _TRANSPORT,
        f'<ul class="parts">\n{"".join(rows)}</ul>',
        f'<p class="note">{_HINT}{_WITH_ORIGINAL if original is not None else _WITHOUT_ORIGINAL}</p>',
        _pictures(pictures),
        _table(settings or {}),
        _downloads(downloads),
    ]
    return _PAGE.format(
        title=_text(title), style=_resource("page.css"), body="\n".join(filter(None, body)), script=_resource("page.js")
    )


def write_page(
    path: str | PathLike[str],
    title: str,
    parts: Sequence[Part],
    *,
    summary: Sequence[str] = (),
    pictures: Sequence[tuple[str, str | PurePath]] = (),
    settings: Mapping[str, object] | None = None,
    original: str | PurePath | None = None,
    downloads: Sequence[tuple[str, str | PurePath]] = (),
) -> None:
    """Write `page` to ``path`` (``…/index.html``), under another name first, so that a failure leaves no half of it.

    Raises
    ------
    InvalidInput
        As `page` does.
    WriteError
        The file cannot be written; an older one is left as it was.
    """
    text = page(
        title,
        parts,
        summary=summary,
        pictures=pictures,
        settings=settings,
        original=original,
        downloads=downloads,
    )
    write_whole(path, text.encode())


# ---------------------------------------------------------------- the pieces of the page

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – unweave</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>
{script}</script>
</body>
</html>
"""

_TRANSPORT = """\
<div class="transport" role="group" aria-label="Transport">
<button type="button" id="play" aria-pressed="false">Play</button>
<button type="button" id="loop" aria-pressed="false">Loop</button>
<input type="range" id="position" min="0" max="1000" value="0" step="1" aria-label="Position">
<span class="time"><span id="now">0:00.0</span> / <span id="total">0:00.0</span></span>
</div>
<p id="status" class="problem" role="status" hidden></p>"""

_HINT = (
    "Beside each part: its level, spectral centroid and share of the energy. Space plays and pauses. Solo and mute "
    "work as on a mixing desk"
)
_WITH_ORIGINAL = "; the recording, when it is switched on, takes the place of all parts."
_WITHOUT_ORIGINAL = ". All parts together are the recording."


def _row(part: Part) -> str:
    label = _text(part.label)
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", part.color):
        raise InvalidInput(f"color={part.color!r}, but #rrggbb is needed, such as #684ff7.")
    mute = f'<button type="button" class="mute" aria-pressed="false" aria-label="Mute {label}">Mute</button>\n'
    solo = f'<button type="button" class="solo" aria-pressed="false" aria-label="Solo {label}">Solo</button>\n'
    return _item(
        "part", label, part.file_name, buttons=solo + mute, facts=_facts(part), picture=part.picture, color=part.color
    )


def _original_row(name: str | PurePath) -> str:
    button = (
        '<button type="button" class="solo" aria-pressed="false" '
        'aria-label="Listen to the recording instead of the parts">Compare</button>\n'
    )
    return _item("part original", "Recording", name, buttons=button, facts="", picture=None, color="#808590")


def _item(
    kind: str, label: str, name: str | PurePath, *, buttons: str, facts: str, picture: str | PurePath | None, color: str
) -> str:
    """One row; ``label`` and ``facts`` are HTML already."""
    address = _address(name)
    suffix = PurePath(name).suffix.lstrip(".").lower()
    blank = "" if picture is not None else " blank"
    image = "" if picture is None else f'<img src="{_address(picture)}" alt="Waveform and activation of {label}">'
    problem = f"This browser cannot play this file{f' (.{_text(suffix)})' if suffix else ''}: download it to listen."
    return f"""\
<li class="{kind}" style="--c: {color}">
<div>
<div class="name"><span class="chip"></span><span>{label}</span></div>
{facts}</div>
<div class="strip{blank}">{image}</div>
<div class="controls">
{buttons}<input type="range" class="volume" min="0" max="100" value="100" aria-label="Volume of {label}">
<a href="{address}" download aria-label="Download {label}">{_text(suffix) or "file"} ↓</a>
</div>
<p class="problem" role="status" hidden>{problem}</p>
<audio src="{address}" preload="auto" controls></audio>
</li>
"""


def _facts(part: Part) -> str:
    """Level, centroid and share, as far as they are known; the words stand in the tooltips."""
    known = []
    if part.level_db is not None and not math.isnan(part.level_db):
        level = f"{_minus(f'{part.level_db:.1f}')} dB" if math.isfinite(part.level_db) else "silent"
        known.append(("level", level))
    if part.centroid_hz is not None and math.isfinite(part.centroid_hz):
        known.append(("spectral centroid", _hertz(part.centroid_hz)))
    if part.energy_share is not None and math.isfinite(part.energy_share):
        known.append(("share of the energy", _percent(part.energy_share)))
    inner = " · ".join(f'<span title="{title}">{fact}</span>' for title, fact in known)
    return f'<p class="facts">{inner}</p>\n' if known else ""


def _hertz(value: float) -> str:
    return f"{value / 1000:.2f} kHz" if value >= 1000 else f"{value:.0f} Hz"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"


def _minus(number: str) -> str:
    """A real minus sign; no minus before zero."""
    return number.replace("-0.0", "0.0").replace("-", "−") if float(number) == 0 else number.replace("-", "−")


def _pictures(pictures: Sequence[tuple[str, str | PurePath]]) -> str:
    if not pictures:
        return ""
    figures = "\n".join(
        f"<figure><figcaption>{_text(caption)}</figcaption>"
        f'<a href="{_address(name)}"><img src="{_address(name)}" alt="{_text(caption)}" loading="lazy"></a></figure>'
        for caption, name in pictures
    )
    return f"<h2>Pictures</h2>\n{figures}"


def _table(settings: Mapping[str, object]) -> str:
    if not settings:
        return ""
    rows = "\n".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(_value(value))}</td></tr>'
        for name, value in settings.items()
    )
    return f"<h2>Settings</h2>\n<table>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _value(value: object) -> str:
    """A setting in words."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return str(value)


def _downloads(downloads: Sequence[tuple[str, str | PurePath]]) -> str:
    if not downloads:
        return ""
    items = "\n".join(
        f'<li><a href="{_address(name)}">{_text(str(PurePath(name).as_posix()))}</a> – {_text(caption)}</li>'
        for caption, name in downloads
    )
    return f'<h2>Files</h2>\n<ul class="files">\n{items}\n</ul>'


def _text(value: str) -> str:
    """Escaped for HTML, in texts and in attributes."""
    # Names of files may hold bytes that are no characters; they are shown as question marks.
    return escape(value.encode("utf-8", "replace").decode(), quote=True)


def _address(name: str | PurePath) -> str:
    """A file below the page's folder, escaped for an attribute that holds an address."""
    path = name.as_posix() if isinstance(name, PurePath) else name
    if not path or path.startswith("/") or ".." in path.split("/") or PurePath(path).is_absolute():
        raise InvalidInput(f"{str(name)!r} is not a file below the page's folder: names are relative to the page.")
    # Colons are escaped, too, so that no name is taken for a scheme; bytes that are no characters stay what they are.
    return quote(os.fsencode(path), safe="/")


def _resource(name: str) -> str:
    return (files("unweave") / name).read_text("utf-8")
