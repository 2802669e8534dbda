"""A lifetime in words and numbers, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikeloom.sw.common.readable import decimal, duration, number, percent, si, span
from spikeloom.sw.datasets.image_set import ImageSet, images_in_words

__all__ = ["lifetime_rows"]


def lifetime_rows(lifetime: Mapping[str, Any]) -> dict[str, str]:
    """Rows of a table from what `measure_lifetime` has found."""
    refresh = lifetime["refresh"]
    never = f"not within {number(lifetime['limit'])} images"
    rows = {
        "accuracy, fresh cells": percent(lifetime["points"][0]["accuracy"]),
        "accuracy to keep": percent(lifetime["threshold"]),
        "measured on": images_in_words(
            lifetime.get("measured_on", ImageSet("test images").facts(lifetime["test_images"]))
        ),
        "acceleration of the drift": f"{lifetime['acceleration']:g}",
        "lifetime, images": never if lifetime["images"] is None else number(lifetime["images"]),
    }
    if lifetime["images"] is not None:
        rows["lifetime, reads of the most driven row"] = number(lifetime["reads_max"])
        rows["lifetime, mean reads per row"] = decimal(lifetime["reads_mean"], 1)
        pace = "back to back" if lifetime["images_per_s"] is None else f"{lifetime['images_per_s']:g} images per second"
        rows[f"lifetime, {pace}"] = duration(lifetime["seconds"])
    rows["clock cycles per image, fresh cells"] = decimal(lifetime["cycles_per_image"], 1)
    if refresh["interval"] is None:
        rows["refresh every"] = "never: " + never
    elif refresh["interval"] == 0:
        rows["refresh every"] = "not possible: fresh cells are not accurate enough"
    else:
        rows["refresh every"] = f"{number(refresh['interval'])} images ({duration(refresh['seconds'])})"
        known = refresh["programming_s"] is not None
        rows["programming, time (without the host)"] = si(refresh["programming_s"], "s") if known else "not counted"
        rows["programming, energy (modelled)"] = span(refresh["programming_J"], "J") if known else "not counted"
        if known:
            rows["time spent programming"] = f"{refresh['time_share']:.3g} of 1"
            rows["programming, energy per image"] = span(refresh["energy_per_image_J"], "J")
    return rows
