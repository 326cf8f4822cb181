"""The errors that the demo shows to a person."""


class DemoError(Exception):
    """Something of the demo did not work; the text says what happened and what to do, and is shown as it is."""
