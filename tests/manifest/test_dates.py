"""Dates in every form that studies and spreadsheets write, and columns that could be read two ways."""

import time
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainlapse.errors import Refused
from brainlapse.manifest.dates import DAY_FIRST, MONTH_FIRST, parse_dates

DATES = st.dates(date(1980, 1, 1), date(2079, 12, 31))
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

CLEAR = {
    "iso": lambda day: f"{day}",
    "iso with a time": lambda day: f"{day} 08:15:30",
    "iso with parts of a second": lambda day: f"{day} 08:15:30.0",
    "iso with T": lambda day: f"{day}T08:15:30",
    "iso with a time zone": lambda day: f"{day}T08:15:30+01:00",
    "slashes": lambda day: f"{day:%Y/%m/%d}",
    "without padding": lambda day: f"{day.year}-{day.month}-{day.day}",
    "folder": lambda day: f"{day}_08_15_30.0",
    "compact": lambda day: f"{day:%Y%m%d}",
    "month by name": lambda day: f"{day.day:02}{MONTHS[day.month - 1]}{day.year}",
    "dashes": lambda day: f"{day.day}-{MONTHS[day.month - 1].upper()}-{day.year}",
    "spaces": lambda day: f"{day.day} {MONTHS[day.month - 1].lower()} {day.year}",
    "month first by name": lambda day: f"{MONTHS[day.month - 1]} {day.day}, {day.year}",
    "surrounded": lambda day: f"  {day}\t",
}
NUMBERS = {  # of the first and the second number, and the year
    "slashes": "{}/{}/{}",
    "dots": "{:02}.{:02}.{}",
    "dashes": "{:02}-{:02}-{}",
    "padded": "{:02}/{:02}/{}",
    "with Excel's midnight": "{}/{}/{} 0:00",
    "with a time": "{}/{}/{} 8:15:30 AM",
}


def column_of(*texts, first_line: int = 2) -> pd.Series:
    return pd.Series(texts, index=range(first_line, first_line + len(texts)), dtype=object)


def parsed(*texts, **how) -> list[date | None]:
    return list(parse_dates(column_of(*texts), "table.csv", "Acq Date", **how)["date"])


def problem(text, **how) -> str | None:
    found = parse_dates(column_of(text), "table.csv", "Acq Date", **how).iloc[0]
    assert found["date"] is None
    return found["problem"]


def refusal(*texts, **how) -> str:
    with pytest.raises(Refused) as refused:
        parsed(*texts, **how)
    return str(refused.value)


def written(day: date, form: str, date_format: str) -> str:
    first, second = (day.month, day.day) if date_format == MONTH_FIRST else (day.day, day.month)
    return NUMBERS[form].format(first, second, day.year)


@pytest.mark.parametrize("form", CLEAR)
@given(days=st.lists(DATES, max_size=5))
def test_a_form_that_is_clear_is_read_back(form, days):
    assert parsed(*map(CLEAR[form], days)) == days


@pytest.mark.parametrize("date_format", [MONTH_FIRST, DAY_FIRST])
@pytest.mark.parametrize("form", NUMBERS)
@given(days=st.lists(DATES, max_size=5))
def test_with_the_format_said_every_date_is_read_back(form, date_format, days):
    texts = [written(day, form, date_format) for day in days]
    assert parsed(*texts, date_format=date_format) == days


@pytest.mark.parametrize("date_format", [MONTH_FIRST, DAY_FIRST])
@given(days=st.lists(DATES, max_size=5), place=st.integers(0, 5))
def test_one_day_over_twelve_decides_for_the_whole_column(date_format, days, place):
    days.insert(place, date(2009, 4, 30))
    assert parsed(*[written(day, "slashes", date_format) for day in days]) == days


@given(days=st.lists(DATES, min_size=1, max_size=8), date_format=st.sampled_from([MONTH_FIRST, DAY_FIRST]))
def test_a_column_is_never_read_wrongly_without_being_told(days, date_format):
    texts = [written(day, "slashes", date_format) for day in days]
    try:
        found = parsed(*texts)
    except Refused:
        assert all(day.day <= 12 for day in days)
        assert any(day.day != day.month for day in days)
    else:
        assert found == days


def test_clear_forms_may_stand_in_one_column_and_do_not_decide_for_the_others():
    texts = ["2006-03-20", "20060302", "15Aug2026", "Aug 15, 2026", "3/2/2006"]
    expected = [date(2006, 3, 20), date(2006, 3, 2), date(2026, 8, 15), date(2026, 8, 15), date(2006, 2, 3)]
    assert parsed(*texts, date_format=DAY_FIRST) == expected
    assert "3/2/2006" in refusal(*texts)


def test_lines_and_order_are_kept():
    texts = pd.Series(["2006-03-02", "", "x", "2006-03-02"], index=[7, 3, 9, 20])
    found = parse_dates(texts, "table.csv", "Acq Date")
    assert list(found.columns) == ["date", "problem"]
    assert list(found.index) == [7, 3, 9, 20]
    assert list(found["date"]) == [date(2006, 3, 2), None, None, date(2006, 3, 2)]
    assert list(found["problem"]) == [None, None, "'x' is no date", None]


@pytest.mark.parametrize("text", ["", "  ", "-1", "-4", "NA", "n/a", "None", "NaN", "xx", None, np.nan])
def test_a_missing_date_is_no_problem(text):
    assert problem(text) is None


def test_a_column_of_no_rows_is_no_rows():
    assert parse_dates(pd.Series([], dtype=object), "table.csv", "Acq Date").shape == (0, 2)


@pytest.mark.parametrize(
    "text",
    ["2/30/2010", "13/13/2010", "0/3/2010", "45/3/2010", "2010-02-30", "2010-13-01", "20100230", "31Apr2010",
     "Foo 12, 2010", "12Foo2010", "baseline", "2010", "3/2010", "38778", "2010-03-02x", "1/2-2010",
     "٣/٢/٢٠١٠"],
)  # fmt: skip
def test_what_is_no_date_is_a_problem_of_its_row(text):
    assert problem(text) == f"{text!r} is no date"


@pytest.mark.parametrize("text", ["3/2/06", "13.02.06", "03-02-06", "15-Aug-06", "15Aug06", "3/2/06 8:15"])
def test_a_year_of_two_digits_is_a_problem_of_its_row(text):
    assert problem(text) == f"{text!r} has a two-digit year"


@pytest.mark.parametrize("text", ["1/1/1900", "1900-01-01", "1/2/1900", "01Jan1900", "1/30/1900"])
def test_a_year_without_mri_is_a_problem_of_its_row(text):
    assert problem(text) == "the year 1900 is impossible"


@pytest.mark.parametrize(("year", "possible"), [(1979, False), (1980, True), (2079, True), (2080, False)])
def test_the_years_that_are_possible(year, possible):
    assert (parsed(f"{year}-03-02") == [date(year, 3, 2)]) is possible


@pytest.mark.parametrize(
    ("text", "date_format"),
    [("13/2/2010", MONTH_FIRST), ("2/13/2010", DAY_FIRST), ("31.4.2010", MONTH_FIRST)],
)
def test_a_date_that_the_format_said_cannot_hold_is_a_problem_of_its_row(text, date_format):
    assert problem(text, date_format=date_format) == f"{text!r} is no date in {date_format}"


def test_both_kinds_in_one_column_are_refused_with_a_line_of_each():
    said = refusal("3/2/2006", "1/13/2006", "", "14/1/2006", "1/15/2006")
    assert said.startswith("table.csv, column Acq Date: ")
    assert "'1/13/2006' (line 3) has its month first and '14/1/2006' (line 5) its day" in said
    assert "a spreadsheet may have rewritten part of the file" in said
    assert "`date_format: month/day/year` (or `day/month/year`) for the cohort in config.yaml" in said


def test_the_format_said_is_obeyed_where_a_column_holds_both_kinds():
    assert parsed("1/13/2006", "14/1/2006", "3/2/2006", date_format=MONTH_FIRST) == [
        date(2006, 1, 13), None, date(2006, 3, 2)
    ]  # fmt: skip


def test_a_column_that_stays_open_is_refused_with_both_readings_and_the_key():
    said = refusal("5/5/2006", "3/2/2006", "4/1/2007")
    assert said.startswith("table.csv, column Acq Date: '3/2/2006' (line 3) is 2006-03-02 if the month")
    assert "and 2006-02-03 if the day does" in said
    assert "`date_format: month/day/year` (or `day/month/year`) for the cohort in config.yaml" in said


def test_an_open_column_in_which_it_does_not_matter_is_read():
    assert parsed("5/5/2006", "1/2/1900", "", "06.06.2007") == [
        date(2006, 5, 5),
        None,
        None,
        date(2007, 6, 6),
    ]


@pytest.mark.parametrize(
    ("answer", "expected"), [(MONTH_FIRST, date(2006, 3, 2)), (DAY_FIRST, date(2006, 2, 3))]
)
def test_who_asks_may_settle_an_open_column_from_its_two_readings(answer, expected):
    asked = []

    def settle(month_first, day_first):
        asked.append((month_first, day_first))
        return answer

    assert parsed("3/2/2006", "", "2007-01-02", settle=settle)[0] == expected
    [(month_first, day_first)] = asked
    assert list(month_first.index) == list(day_first.index) == [2, 3, 4]
    assert list(month_first) == [date(2006, 3, 2), None, date(2007, 1, 2)]
    assert list(day_first) == [date(2006, 2, 3), None, date(2007, 1, 2)]


def test_who_cannot_settle_it_leaves_it_open():
    assert "'3/2/2006' (line 2)" in refusal("3/2/2006", settle=lambda month_first, day_first: None)


@pytest.mark.parametrize("texts", [["3/2/2006", "1/13/2006"], ["5/5/2006"], ["2006-03-02"], ["x"], []])
def test_nobody_is_asked_where_the_column_itself_tells(texts):
    def settle(month_first, day_first):
        raise AssertionError("asked")

    assert len(parsed(*texts, settle=settle)) == len(texts)


SWAPPED = [
    "2006-02-03",
    "2006-05-04",
    "2/13/2006",
    "12/31/2006",
]  # as a British Excel keeps an American column


def test_a_column_of_which_a_spreadsheet_understood_a_part_is_refused():
    said = refusal(*SWAPPED)
    assert (
        "beside '2/13/2006' (line 4) stand dates such as '2006-02-03' (line 2), all with days up to 12"
        in said
    )
    assert parsed(*SWAPPED, date_format=MONTH_FIRST)[0] == date(2006, 2, 3)


@pytest.mark.parametrize("clear", ["2006-03-20", "3/2/2006"])
def test_mixed_forms_that_no_spreadsheet_would_leave_are_read(clear):
    assert None not in parsed(*SWAPPED, clear)


def test_a_hundred_thousand_dates_take_well_under_a_second():
    days = [date(2005, 1, 1) + timedelta(days=place % 6000) for place in range(100_000)]
    texts = column_of(*[written(day, "slashes", MONTH_FIRST) for day in days])
    start = time.process_time()
    found = parse_dates(texts, "table.csv", "Acq Date")
    assert time.process_time() - start < 1
    assert list(found["date"]) == days
