"""What the description of an IDA image says it is: the vocabulary of ADNI and AIBL over twenty years.

Descriptions are free text of the scanner's operator or of the study's own
processing. The words are those of docs/data.md; a test lists them.
"""

import re

import pandas as pd

T1 = re.compile(r"mp[ _-]*rage|spgr", re.IGNORECASE)
NO_T1 = re.compile(r"localizer|calibration|average dc|scout|survey|b1[- ]|t1wa", re.IGNORECASE)
PROCESSED_T1 = re.compile(r"(MPR|MPR-R|MPR____|MT1|HarP|HHP|Spatially Normalized, Masked)\b", re.IGNORECASE)
PROCESSED = re.compile(r"; |<-|\bscaled|\bN3m?\b|\bmask|HarP|HHP", re.IGNORECASE)
WHOLE_CHAIN = re.compile(r"(MPR|MPR-R|MT1)(; ?\w[^;]*|; )*; ?(Scaled|N3m)", re.IGNORECASE)
REPEAT = re.compile(r"repeat|_rpt|\bMPR-R\b", re.IGNORECASE)


def is_t1(descriptions: pd.Series) -> pd.Series:
    """Whether each is an MPRAGE or an SPGR, or was processed from one (`MPR; GradWarp; …`, `MT1; …`)."""
    acquired = descriptions.str.contains(T1) & ~descriptions.str.contains(NO_T1)
    return acquired | descriptions.str.match(PROCESSED_T1)


def is_processed(descriptions: pd.Series) -> pd.Series:
    """Whether each says of itself that the study made it from another image."""
    return descriptions.str.contains(PROCESSED)


def ends_the_chain(descriptions: pd.Series) -> pd.Series:
    """Whether each is the last product of the study's own chain; masks and normalised brains are none."""
    return descriptions.str.fullmatch(WHOLE_CHAIN)


def is_repeat(descriptions: pd.Series) -> pd.Series:
    """Whether each is a second attempt in the same session."""
    return descriptions.str.contains(REPEAT)
