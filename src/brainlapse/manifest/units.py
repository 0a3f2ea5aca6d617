"""What all readers mean by a year and by a field strength."""

DAYS_PER_YEAR = 365.25
STRONGEST_T = 30  # tesla; a larger number is told in other units, or by mistake
