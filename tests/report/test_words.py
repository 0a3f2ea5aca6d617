"""Numbers are written short and honest."""

import numpy as np
import pytest

from brainlapse.report.words import number, plural, significant, with_interval


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (0.9234, 3, False, "0.923"),
        (-0.5, 1, False, "−0.5"),
        (0.01, 2, True, "+0.01"),
        (-0.0001, 2, True, "0.00"),
        (np.nan, 2, False, "n/a"),
        (np.inf, 2, False, "∞"),
    ],
)
def test_numbers(value, digits, sign, text):
    assert number(value, digits, sign) == text


def test_an_interval_without_bounds_is_a_number():
    assert with_interval(0.5, 0.4, 0.6, 2) == "0.50 [0.40, 0.60]"
    assert with_interval(0.5, np.nan, np.nan, 2) == "0.50"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00482, "0.00482"), (1.5, "1.50"), (846.5, "846"), (2878.8, "2879"), (np.nan, "n/a")],
)
def test_significant_digits(value, text):
    assert significant(value) == text


def test_plurals():
    assert plural(1, "person") == "1 person"
    assert plural(8, "person") == "8 people"
    assert plural(2000, "scan") == "2,000 scans"
