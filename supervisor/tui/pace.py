"""When the next paint of changed data is due: one rule for every screen.

Data that arrives only sets flags; the first change arms one timer, and what gathers until then is painted at once. A terminal that
cannot keep up is not fed: while the driver's writer still holds frames, the paint is put off, and after two refusals in a row the
rate is halved until it kept up for a while. Without this, a slow line shows every key press seconds late. A terminal without focus
gets two paints a second. Keys are painted at once and do not come through here.
"""

FULL_RATE_HZ = 12
BUSY_RATE_HZ = 6
UNFOCUSED_RATE_HZ = 2
TICK_S = 1.0
_LEAST_WAIT_S = 0.01  # less is none
_COMPANY_SLACK_S = 0.1  # by which what comes once a second may be late
_REFUSALS_UNTIL_BUSY = 2
_CALM_PAINTS_UNTIL_FULL = 12


class Pace:
    """Decides; holds no timer. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._painted_s = float("-inf")
        self._refusals = 0
        self._calm = 0
        self._is_busy = False

    def delay_s(self, now_s: float, has_focus: bool) -> float:
        """How long to wait from now until the next try."""
        rate_hz = BUSY_RATE_HZ if self._is_busy else FULL_RATE_HZ
        interval_s = 1 / min(rate_hz, FULL_RATE_HZ if has_focus else UNFOCUSED_RATE_HZ)
        return min(interval_s, max(0.0, self._painted_s + interval_s - now_s))

    def may_paint(self, now_s: float, frames_waiting: int) -> bool:
        """Whether to paint now; tells the rule what became of this try."""
        if frames_waiting > 0:
            self._refusals += 1
            self._calm = 0
            self._is_busy = self._is_busy or self._refusals >= _REFUSALS_UNTIL_BUSY
            self._painted_s = now_s  # a refusal counts as a try: the next one is an interval away
            return False
        self._refusals = 0
        self._calm += 1
        if self._calm >= _CALM_PAINTS_UNTIL_FULL:
            self._is_busy = False
        self._painted_s = now_s
        return True


class Tick:
    """When the time on the screen is painted for its own sake: each second, but not where something else is painted each second.

    Figures come once a second too; whatever lies between them and us, it is one frame a second and not two.
    """

    def __init__(self) -> None:
        self._painted_s = float("-inf")
        self._paints = 0  # since it was last time

    def painted(self, now_s: float) -> None:
        """Something was painted, and the time with it."""
        self._painted_s = now_s
        self._paints += 1

    def wait_s(self, now_s: float) -> float:
        """How long to wait until this is asked again; 0: it is time."""
        has_company = self._paints > 1  # the first was our own
        wait_s = TICK_S + _COMPANY_SLACK_S - (now_s - self._painted_s)
        if has_company and wait_s > _LEAST_WAIT_S:
            return wait_s
        self._paints = 0
        return 0.0
