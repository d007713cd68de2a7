"""Where each province lies, for a picture that names nothing finer. Pure.

Rounded coordinates of the provinces' towns, in tenths of a degree: (east, north) by province code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WIDTH, HEIGHT = 100, 184
_WEST, _NORTH = 972, 205  # tenths of a degree at the picture's corner
_SCALE = 1.15  # picture units for a tenth of a degree
_SMALLEST, _LARGEST = 2.2, 7.0

PLACES: Mapping[str, tuple[int, int]] = {
    "10": (1005, 138),
    "11": (1006, 136),
    "12": (1005, 139),
    "13": (1005, 140),
    "14": (1006, 144),
    "15": (1005, 146),
    "16": (1006, 148),
    "17": (1004, 149),
    "18": (1001, 152),
    "19": (1009, 145),
    "20": (1010, 134),
    "21": (1013, 127),
    "22": (1021, 126),
    "23": (1025, 122),
    "24": (1011, 137),
    "25": (1014, 141),
    "26": (1012, 142),
    "27": (1021, 138),
    "30": (1021, 150),
    "31": (1031, 150),
    "32": (1035, 149),
    "33": (1043, 151),
    "34": (1049, 152),
    "35": (1041, 158),
    "36": (1020, 158),
    "37": (1046, 159),
    "38": (1036, 184),
    "39": (1024, 172),
    "40": (1028, 164),
    "41": (1028, 174),
    "42": (1017, 175),
    "43": (1027, 179),
    "44": (1033, 162),
    "45": (1037, 161),
    "46": (1035, 164),
    "47": (1041, 172),
    "48": (1048, 174),
    "49": (1047, 165),
    "50": (990, 188),
    "51": (990, 186),
    "52": (995, 183),
    "53": (1001, 176),
    "54": (1001, 181),
    "55": (1008, 188),
    "56": (999, 192),
    "57": (998, 199),
    "58": (980, 193),
    "60": (1001, 157),
    "61": (1000, 154),
    "62": (995, 165),
    "63": (991, 169),
    "64": (998, 170),
    "65": (1003, 168),
    "66": (1004, 164),
    "67": (1012, 164),
    "70": (998, 135),
    "71": (995, 140),
    "72": (1001, 145),
    "73": (1001, 138),
    "74": (1003, 135),
    "75": (1000, 134),
    "76": (999, 131),
    "77": (998, 118),
    "80": (1000, 84),
    "81": (989, 81),
    "82": (985, 85),
    "83": (984, 79),
    "84": (993, 91),
    "85": (986, 100),
    "86": (992, 105),
    "90": (1006, 72),
    "91": (1001, 66),
    "92": (996, 76),
    "93": (1001, 76),
    "94": (1013, 69),
    "95": (1013, 65),
    "96": (1018, 64),
}


@dataclass(frozen=True)
class Spot:
    """A province in the picture; its circle's area follows its figure. `is_known`: it has communities."""

    code: str
    x: float
    y: float
    radius: float
    is_known: bool


def draw(figures: Mapping[str, int]) -> tuple[Spot, ...]:
    """Every province as a dot, those with a figure as circles by its size, the large ones first."""
    most = max(figures.values(), default=0)
    spots = []
    for code, (east, north) in PLACES.items():
        x = round((east - _WEST) * _SCALE, 1)
        y = round((_NORTH - north) * _SCALE, 1)
        figure = figures.get(code)
        radius = 0.9 if figure is None else _radius(figure, most)
        spots.append(Spot(code, x, y, radius, figure is not None))
    return tuple(sorted(spots, key=lambda spot: (spot.is_known, -spot.radius)))


def _radius(figure: int, most: int) -> float:
    part = (figure / most) ** 0.5 if most > 0 else 0
    return round(_SMALLEST + (_LARGEST - _SMALLEST) * part, 1)
