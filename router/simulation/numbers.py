"""Numbers that look like the industry's: Device IDs, User IDs, MPANs and MPRNs.

Check digits are worked out here once more, on purpose: an estate that took them from the reader
of facts could never show that the reader is wrong.
"""

from __future__ import annotations

_MPAN_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_HUB_PREFIX = "00-DB-12-34"
_USER_PREFIX = "90-B3-D5-1F-30-01"
_OUTSIDER_PREFIX = "90-B3-D5-1F-30-7F"


def device_id(index: int) -> str:
    """The EUI-64 of a hub; ascending, as makers give them out, and unique below 600 million."""
    return f"{_HUB_PREFIX}-{_octets(index * 7 + index % 5, 4)}"


def user_id(index: int) -> str:
    """The EUI-64 of a Service User."""
    return f"{_USER_PREFIX}-{_octets(index + 1, 2)}"


def outsider_id(index: int) -> str:
    """The EUI-64 of a company that is registered for homes but is no Service User."""
    return f"{_OUTSIDER_PREFIX}-{_octets(index + 1, 2)}"


def _octets(number: int, count: int) -> str:
    return number.to_bytes(count, "big").hex("-").upper()


def mpan(area: int, number: int) -> str:
    """A valid MPAN of distribution area 10 to 23; unique for each `number` below 10^10."""
    # An odd factor that 5 does not divide scatters the numbers without making two the same.
    body = f"{area:02d}{number * 1_234_567_891 % 10**10:010d}"
    total = 0
    for digit, weight in zip(body, _MPAN_WEIGHTS, strict=True):
        total += int(digit) * weight
    return f"{body}{total % 11 % 10}"


def mprn(number: int) -> str:
    """A valid MPRN of ten digits; unique for each `number` below 90 million."""
    body = str(10**7 + number * 7_654_321 % (9 * 10**7))
    total = 0
    for place, digit in enumerate(body):
        total += int(digit) * (8 - place)
    return f"{body}{total % 11:02d}"
