"""What sets one scan aside without stopping the others."""


class Quarantined(Exception):
    """This scan is not usable.

    `reason` is one of a few short phrases, `detail` says what was seen, and
    `figures` holds what had been measured by then, by the columns of quality.tsv.
    """

    def __init__(self, reason: str, detail: str, figures: dict[str, float] | None = None):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.figures = figures or {}
