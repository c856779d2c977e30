"""The one exception of this package."""


class MediaError(ValueError):
    """A medium that cannot be used. Its text is a short, stable reason, fit to be counted.

    What a decoder said about it, which differs from file to file, is the exception's cause.
    """
