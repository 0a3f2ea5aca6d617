"""The one exception that is meant for the user's eyes."""


class Refused(Exception):
    """Something outside the code is wrong: a file, a table, a setting.

    The message names the file, the line or key, what is wrong and what to do.
    The command line prints it without a stack trace and exits with status 2.
    """


class Failed(Exception):
    """Part of the work could not be done, for a reason that lies not in the input: memory, disk, a defect."""
