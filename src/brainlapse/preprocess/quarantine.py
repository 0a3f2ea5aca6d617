"""What sets one scan aside without stopping the others."""


class Quarantined(Exception):
    """This scan is not usable. `reason` is one of a few short phrases; `detail` says what was seen."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
