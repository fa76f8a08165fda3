"""The comparison of outages runs, and what it says of Keybound is what the README promises."""

from __future__ import annotations

import outages


def test_an_outage_of_the_issuer_is_none_of_keybound() -> None:
    table = outages.measure((outages.Keybound,), hang=0.2)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    figures = dict(cells)
    assert figures["fetches for 1,000 unknown kids, endpoint up"] == "1"
    assert figures["fetches for 1,000 unknown kids, endpoint 503"] == "1"
    assert figures["known kid accepted, keys due, endpoint 503"] == "20 of 20"
    assert figures["fetches for that"] == "1"
    assert figures["token of a withdrawn key, after a refresh"] == "rejected"
    assert len(figures) == 16
