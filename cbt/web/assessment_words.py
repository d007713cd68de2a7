"""The names of the standard's domains and criteria, and what assessments say in words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from cbt.audit.assessment import Assessor, EditionProblem, Level
from cbt.i18n import _l

ASSESSMENT_LABELS: dict[type[StrEnum], dict[Any, Any]] = {
    Assessor: {
        Assessor.SELF: _l("Self-assessment"),
        Assessor.COMMITTEE: _l("Assessment by the committee"),
    },
    Level: {
        Level.IMPROVE: _l("needs improvement"),
        Level.FAIR: _l("fair"),
        Level.GOOD: _l("good"),
        Level.EXCELLENT: _l("excellent"),
    },
    EditionProblem: {
        EditionProblem.SHAPE: _l(
            "it takes four parts: criterion, number, wording, number of indices"
        ),
        EditionProblem.CRITERION: _l("there is no such criterion; they run from 1.1 to 5.7"),
        EditionProblem.NUMBER: _l("the item's number is a whole number from 1 to 99"),
        EditionProblem.TWICE: _l("this item stands there twice"),
        EditionProblem.WORDING: _l(
            "the wording is missing, too long, or holds signs that cannot be shown"
        ),
        EditionProblem.INDICES: _l("the number of indices is a whole number from 1 to 20"),
        EditionProblem.EMPTY: _l("nothing was entered"),
        EditionProblem.TOO_MANY: _l("these are more items than an edition has"),
    },
}

DOMAIN_NAMES: Mapping[int, Any] = {
    1: _l("Management of community-based tourism"),
    2: _l("Economy, society and quality of life"),
    3: _l("Cultural heritage"),
    4: _l("Natural resources and environment"),
    5: _l("Service and safety"),
}

CRITERION_NAMES: Mapping[str, Any] = {
    "1.1": _l("Effective management"),
    "1.2": _l("Common agreements"),
    "1.3": _l("Visitor code of conduct"),
    "1.4": _l("People development"),
    "1.5": _l("Participation of all"),
    "1.6": _l("Network partners"),
    "1.7": _l("Marketing and public relations"),
    "1.8": _l("Accounting and finance"),
    "1.9": _l("Youth"),
    "2.1": _l("Income allocation"),
    "2.2": _l("Better quality of life"),
    "2.3": _l("Community products"),
    "2.4": _l("Human rights in tourism"),
    "3.1": _l("Records of cultural heritage"),
    "3.2": _l("Passing heritage on"),
    "3.3": _l("Keeping and reviving heritage"),
    "4.1": _l("Management of the area"),
    "4.2": _l("Records of nature and environment"),
    "4.3": _l("Passing local knowledge on"),
    "4.4": _l("Conservation and restoration"),
    "4.5": _l("Awareness of the environment"),
    "5.1": _l("Service and its safety"),
    "5.2": _l("Interpreters"),
    "5.3": _l("Safe routes and activities"),
    "5.4": _l("Places that serve visitors"),
    "5.5": _l("Ways to get there"),
    "5.6": _l("Emergencies"),
    "5.7": _l("Contact and coordination"),
}

RECORD_NAMES: Mapping[str, Any] = {
    "closed_months": _l("Closed months with their signatures"),
    "policies": _l("Split policies and the meetings that adopted them"),
    "funds": _l("Funds: what came in and what they were used for"),
    "statements": _l("Household statements of the last closed month"),
}

RECORDS_FOR: Mapping[str, tuple[str, ...]] = {
    "1.8": ("closed_months", "statements"),
    "2.1": ("policies", "closed_months"),
    "2.2": ("funds",),
}
"""Which of the platform's records are offered as evidence for which criterion."""
