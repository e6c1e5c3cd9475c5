"""The one way to say at start-up that the worker or the host would not take this app."""


class Refused(Exception):
    """Ends the start; the text is one line that names the function and the rule."""

    def __init__(self, who: str, rule: str) -> None:
        super().__init__(" ".join(f"{who}: {rule}".split()))
