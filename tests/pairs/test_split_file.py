"""A user's own splits are read in any usual form; what is wrong with them is told with its line."""

import pandas as pd
import pytest

from brainlapse.errors import Refused
from brainlapse.pairs.persons import persons
from brainlapse.pairs.split_file import decided_by

PEOPLE_OF = {"adni": "adni", "aibl": "aibl", "out": "out"}
ROWS = [
    ("adni", "002_S_0295"), ("adni", "003_S_0001"), ("adni", "004_S_0002"), ("aibl", "295"), ("aibl", "8"),
    ("out", "X1"),
]  # fmt: skip
WANTED = {"adni:295": "train", "adni:1": "validation", "adni:2": "test"}


def decided(tmp_path, content: str | bytes) -> dict[str, str]:
    people = pd.DataFrame(ROWS, columns=["cohort", "subject"])
    people = people.assign(person=persons(people, PEOPLE_OF), external=people["cohort"] == "out")
    path = tmp_path / "mine.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return decided_by(path, people, PEOPLE_OF)


FORMS = {
    "tabs": "subject\tsplit\n002_S_0295\ttrain\n003_S_0001\tvalidation\n004_S_0002\ttest\n",
    "commas": "subject,split\n002_S_0295,train\n003_S_0001,validation\n004_S_0002,test\n",
    "semicolons and more columns": "n;SPLIT;Subject\n1;Train;002_S_0295\n2;VAL;RID1\n3;testing;RID2",
    "a byte order mark and CRLF": "\ufeffSubject,Split\r\n002_S_0295,training\r\n003_S_0001,dev\r\n,\r\n"
    "004_S_0002,test\r\n",
    "quotes": '"subject","split"\n"002_S_0295"," train "\n"003_S_0001","validation"\n"004_S_0002","test"\n',
    "other spellings": "subject,split\nsub-ADNI002S0295,train\n130S0001,validation\nRID 2,test\n",
    "numbers with their cohort": "cohort,subject,split\nADNI,0295,train\nadni,1,val\nadni,2,test\n",
    "a person twice": "subject,split\n002_S_0295,train\nRID295,train\nRID1,dev\nRID2,test\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_says_the_same(tmp_path, form):
    assert decided(tmp_path, FORMS[form]) == WANTED


MISTAKES = {
    "an unknown word": (
        "subject,split\nRID1,train\nRID2,tets\n",
        r"mine.csv, line 3, column split: 'tets' is",
    ),
    "no word": ("subject,split\nRID1\n", "line 2, column split: '' is none of train"),
    "no subject": ("subject,split\n,train\n", "line 2, column subject: is empty"),
    "a person in two splits": (
        "subject,split\n002_S_0295,train\nRID1,test\n130_S_0295,test\n",
        r"lines 2 and 4: 002_S_0295 and 130_S_0295 are one person, who cannot be in train and in test",
    ),
    "a column is missing": (
        "id,split\nRID1,train\n",
        r"lacks the column\(s\) subject; its first line is: id, s",
    ),
    "an empty file": ("", r"lacks the column\(s\) subject, split"),
    "an external person in training": ("subject,split\nX1,train\n", "line 2: X1 is in an external cohort"),
    "a number of two studies": (
        "subject,split\n295,train\n",
        "line 2: 295 may be adni:295 or aibl:295.*`cohort`",
    ),
    "nobody": ("subject,split\nRID77,train\nRID78,test\n", "names nobody who has a scan.*begins with RID77"),
    "a cohort that is not there": ("cohort,subject,split\nadmi,RID1,train\n", "names nobody"),
    "no rows": ("subject,split\n", "names nobody"),
    "a workbook": (b"PK\x03\x04\xff\xfe", "is not text in UTF-8"),
    "UTF-16": ("subject,split\nRID1,train\n".encode("utf-16"), "is not text in UTF-8"),
    "a quote that stays open": ('subject,split\nRID1,train\n"RID2,test\n', "is no row of a table"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path, mistake):
    content, message = MISTAKES[mistake]
    with pytest.raises(Refused, match=message):
        decided(tmp_path, content)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Refused, match=r"splits.file: .*other.csv cannot be read \(No such file"):
        decided_by(tmp_path / "other.csv", pd.DataFrame(columns=["person", "external"]), PEOPLE_OF)


def test_strangers_are_counted_and_named(tmp_path, caplog):
    assert decided(tmp_path, "subject,split\nRID1,train\nRID77,test\nRID78,test\n") == {"adni:1": "train"}
    assert "names 2 people who have no scan, such as RID77, RID78" in caplog.text
