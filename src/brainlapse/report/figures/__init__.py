"""The figures of numbers, one a file: `draw` takes rows of the tables and gives a data URI, or None."""
