"""The one exception for a user's mistake: the command line shows its text without a traceback."""


class UserError(ValueError):
    """A mistake of the user: names the argument, the rule, what was received, the remedy."""


class MissingExtraError(UserError, ImportError):
    """An optional package is not installed; the text names the extra that installs it."""
