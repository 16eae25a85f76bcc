"""The few forms of PromQL that the dashboards are made of.

Each of them is empty and never NaN where nothing happened: a panel then says in words what that
means, and no alarm or threshold sees a value that is none.
"""

from __future__ import annotations

ROUTER = 'job=~"$job", instance=~"$instance"'
BROKER = 'job=~"$broker"'
QUEUE = f'{BROKER}, queue=~"$queue"'

RECENT = "$__rate_interval"
"""For what is drawn over time."""
SHOWN = "$__range"
"""For one number on all of the time that the dashboard shows."""


def of(metric: str, where: str = "", *, scope: str = ROUTER) -> str:
    """The series of a metric, of the routers (or brokers) that are chosen."""
    return f"{metric}{{{scope}, {where}}}" if where else f"{metric}{{{scope}}}"


def total(gauge: str, by: str = "", where: str = "") -> str:
    """The sum of a gauge."""
    return f"sum{_by(by)}({of(gauge, where)})"


def rate(counter: str, by: str = "", where: str = "") -> str:
    """How often a second."""
    return f"sum{_by(by)}(rate({of(counter, where)}[{RECENT}]))"


def per_minute(counter: str, by: str = "", where: str = "") -> str:
    """How often a minute, for what is too seldom to be read by the second."""
    return f"60 * {rate(counter, by, where)}"


def increase(counter: str, by: str = "", where: str = "") -> str:
    """How often in the time shown."""
    return f"sum{_by(by)}(increase({of(counter, where)}[{SHOWN}]))"


def share(counter: str, part: str, by: str = "") -> str:
    """Which share of a counter in the time shown has the labels `part`; 0 where none of it has."""
    whole = increase(counter, by)
    # a label that was never seen has no series, and would hide who has failed all the time
    some = f"({increase(counter, by, part)} or 0 * {whole})"
    return f"{some} / ({whole} > 0)"


def quantile(q: float, histogram: str, by: str = "", where: str = "", *, over: str = RECENT) -> str:
    """A quantile of a histogram; nothing (for NaN is not >= 0) where nothing was observed."""
    labels = f"le, {by}" if by else "le"
    function = "rate" if over == RECENT else "increase"
    buckets = f"{function}({of(f'{histogram}_bucket', where)}[{over}])"
    return f"histogram_quantile({q}, sum by ({labels}) ({buckets})) >= 0"


def mean(histogram: str, by: str = "", where: str = "") -> str:
    """The mean of what a histogram observed."""
    return f"{rate(f'{histogram}_sum', by, where)} / ({rate(f'{histogram}_count', by, where)} > 0)"


def age(timestamp: str, by: str = "", where: str = "") -> str:
    """Seconds since the oldest of the times in a gauge in which 0 means that there is none."""
    moment = of(timestamp, where)
    return f"max{_by(by)}((time() - {moment}) * ({moment} > bool 0))"


def named_recipients(expression: str) -> str:
    """The names of those that have a series there, by recipient."""
    info = of("hubherald_service_user_info")
    return f"max by (recipient, name) ({info}) and on (recipient) ({expression})"


def of_routers(expression: str) -> str:
    """Leaves only routers of what every process has, where all jobs are chosen."""
    return f"{expression} and on (job, instance) {of('hubherald_build_info')}"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
