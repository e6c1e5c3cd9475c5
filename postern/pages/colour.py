"""Contrast, so that any brand colour stays readable.

An admin picks one accent colour and never sees it in dark mode, nor with an owner's eyes. So the
page takes the accent as it is only for surfaces, and derives every colour that must be read from
it. Formulas: WCAG 2.2, relative luminance and contrast ratio.
"""

import re
from dataclasses import dataclass

WHITE = "#ffffff"
BLACK = "#000000"
TEXT_CONTRAST = 4.5  # WCAG AA for text; more than the 3 that borders need

# What text lies on in style.css: page and card. A test holds the two files together.
LIGHT_SURFACES = ("#f4f5f7", WHITE)
DARK_SURFACES = ("#101318", "#191d23")

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accent:
    """The accent as a surface, the text on it, and its readable shades on light and on dark."""

    fill: str
    text: str
    on_light: str
    on_dark: str


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def accent(colour: str) -> Accent:
    """Return what the style sheet needs to use *colour* as accent.

    Raises:
        ValueError: *colour* is not `#rrggbb`. It goes into a style block, where HTML escaping
            would not stop a brace, so its form is its only guard.
    """
    if not _HEX.fullmatch(colour):
        msg = "an accent colour is written #rrggbb"
        raise ValueError(msg)
    colour = colour.lower()
    return Accent(
        fill=colour,
        # Black reaches at least 4.67 wherever white stays below 4.5.
        text=WHITE if contrast(colour, WHITE) >= TEXT_CONTRAST else BLACK,
        on_light=_readable(colour, LIGHT_SURFACES, towards=BLACK),
        on_dark=_readable(colour, DARK_SURFACES, towards=WHITE),
    )


def _readable(colour: str, surfaces: tuple[str, ...], towards: str) -> str:
    """Return the shade nearest to *colour* that can be read on all of *surfaces*."""
    shades = (_mix(colour, towards, step / 20) for step in range(21))
    return next(
        shade
        for shade in shades
        if all(contrast(shade, surface) >= TEXT_CONTRAST for surface in surfaces)
    )


def _mix(colour: str, other: str, share: float) -> str:
    mixed = (
        round(a + (b - a) * share) for a, b in zip(_channels(colour), _channels(other), strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (value / 255 for value in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
