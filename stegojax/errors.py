"""The one exception that stands for a mistake in what a person gave, not in the program."""


class InputError(ValueError):
    """Something a person gave cannot be used; the message is one line saying what is wrong and what
    to do.

    `main.py` and the `stegojax` command print the message without a traceback and exit with a
    non-zero code.
    """
