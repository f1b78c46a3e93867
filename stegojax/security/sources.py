"""Where the stegos of the security protocol come from, as configs write it."""

from __future__ import annotations

import hashlib
import pathlib
import re
from typing import NamedTuple

from stegojax import embed
from stegojax.domains import PIXELS, Domain
from stegojax.errors import InputError

SIMULATOR = "simulator"
"""The code of a sender who is simulated, in place of a real code."""

_PATTERN = re.compile(
    r"(?:(?P<column>[\w.-]+)/(?P<row>[\w. -]+)=)?"
    r"(?:(?:(?P<recipe>\w+):)?(?P<kind>run|folder):(?P<place>.+?)|(?P<plain>covers|lsb-matching)|(?P<scheme>[\w-]+))"
    r"(?:\+(?P<code>stc(?:7|8|9|10|11|12)?|polar))?(?:@(?P<payload>[0-9.]+))?"
)


class StegoSource(NamedTuple):
    """A way to come by the stegos of all covers.

    text:    as it was written.
    column:  of the table: what it builds on.
    row:     of the table: what it adds to that; "Baseline" for nothing.
    kind:    "scheme", "lsb-matching", "run", "folder" or "covers".
    name:    of the scheme; the place of a run or folder; "" of the others.
    code:    `SIMULATOR`, "stc7" to "stc12" or "polar", of schemes and of runs that embed by costs.
    payload: bits per pixel, or the covers' unit, that a run or folder has itself, if that is said.
    recipe:  that takes the place of a run's own, on the costs that the run stands on; "" for none.
    """

    text: str
    column: str
    row: str
    kind: str
    name: str
    code: str
    payload: float | None
    recipe: str = ""

    @property
    def own_payload(self) -> bool:
        """Whether the payload is not the protocol's to choose."""
        return self.kind in ("run", "folder", "covers")


class Case(NamedTuple):
    """One source at one payload, in bits per pixel; None where the source has its own and did not
    say it.
    """

    source: StegoSource
    payload: float | None

    @property
    def label(self) -> str:
        """A file name."""
        text = re.sub(r"[^\w.+-]+", "_", self.source.text)
        if text != self.source.text:
            text += "-" + hashlib.sha256(self.source.text.encode()).hexdigest()[:8]
        own = self.payload is None or self.source.own_payload
        return text if own else f"{text}@{self.payload:g}"


def parse(text: str, *, domain: Domain = PIXELS) -> StegoSource:
    """Reads a source as configs write it.

    Args:
      text: "COST" or "COST-RECIPE", either with "+stc" (or "+stc7" to "+stc12", "+polar") for real
        coding in place of the simulator; "lsb-matching" (without a code: message bits in the lowest
        bits); "run:WORKDIR", and "run:WORKDIR+stc@0.4" for real coding with a run that embeds by
        costs; "RECIPE:run:WORKDIR@0.4" for the costs that such a run stands on, under another
        recipe ("plain:run:..." for these costs alone); "folder:PATH" with a stego of every cover's
        name; or "covers" (other covers in place of stegos: nothing to detect). "@0.4" after a run
        or folder says its payload. "COLUMN/ROW=" before it names its place in the table.
      domain: of the covers; those of JPEG files take schemes, runs and "covers" alone, and a run's
        recipe is one of theirs.

    Returns:
      The source.

    Raises:
      InputError: the text is none of these.
    """
    match = _PATTERN.fullmatch(text)
    given = match.groupdict() if match else {}
    kind = given.get("kind") or given.get("plain") or "scheme"
    code, payload, rule = given.get("code"), given.get("payload"), given.get("recipe")
    placed = kind in ("run", "folder")
    wrong = (
        not match
        or (code and kind not in ("scheme", "run"))
        or (payload and not placed)
        or ((code or rule) and kind == "run" and not payload)
        or (rule and (kind != "run" or rule not in domain.recipes))
        or (domain is not PIXELS and kind not in ("scheme", "run", "covers"))
        or (domain is not PIXELS and kind == "run" and not payload)
    )
    if not wrong and kind == "scheme":
        try:
            embed.parse_scheme(given["scheme"], domain=domain)
        except InputError:
            wrong = True
    if wrong:
        raise InputError(
            f"scheme {text!r} is not understood; write COST or COST-RECIPE (costs "
            f"{', '.join(domain.costs)}; recipes {', '.join(domain.recipes)}), with +stc or +polar "
            "for real coding, covers, or run:WORKDIR@RATE and RECIPE:run:WORKDIR@RATE; of pixels "
            "lsb-matching, run:WORKDIR and folder:PATH too; COLUMN/ROW= before it and, for runs "
            "and folders, @RATE after it"
        )
    name = given["place"] or given["scheme"] or ""
    code = {"stc": "stc10", None: SIMULATOR}.get(code, code)
    base, _, recipe = name.partition("-") if kind == "scheme" else (kind, "", rule or "")
    column = f"{kind}:{pathlib.Path(name).name}" if placed else base
    added = [recipe.upper()] * (recipe not in ("", "plain")) + [code] * (code != SIMULATOR)
    return StegoSource(
        text,
        given["column"] or column,
        given["row"] or " ".join(added) or "Baseline",
        kind,
        name,
        code,
        float(payload) if payload else None,
        rule or "",
    )
