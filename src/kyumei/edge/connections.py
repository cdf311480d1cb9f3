"""What VPC flow logs say of connections to one port of a server: dropped on the way, not answered, refused, or made.

A record is one direction of one connection at one network interface. An ACCEPT means that security groups and network ACLs let it pass,
not that anybody answered; only the other direction tells that. A REJECT of packets that begin no connection came after its end, and means
nothing. Where the log keeps no flags, sizes tell a mere attempt from a conversation, and what they leave open stays open.

Follows "Flow log records", "Flow log record examples" and "Flow log limitations" in the Amazon VPC user guide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View

Row = dict[str, Any]
TCP = 6
SYN, RST, SYN_ACK = 2, 4, 18
ATTEMPT_BYTES = 80
"""The most that a packet holds, on the average of a record, which only asks for a connection or refuses one."""
ATTEMPT_PACKETS = 7
"""The most attempts in one record: a system repeats a SYN after 1, 3, 7, 15... seconds."""
REFUSAL_BYTES = 40.5
"""A packet with RST has no options: IPv4's header and TCP's. One that answers has some."""
SLACK = timedelta(seconds=2)
"""Clocks of log and balancer, and whole seconds of the record."""
MOST = 5000


class Fate(StrEnum):
    """What became of a connection. ``UNTOLD``: the records do not tell."""

    REJECTED = "rejected"
    REPLY_REJECTED = "reply rejected"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    MADE = "made"
    UNTOLD = "untold"


class Attempt(NamedTuple):
    """One connection, or the attempt to make one: who asked, what became of it, and its records."""

    client: str
    port: int | None
    fate: Fate
    rows: tuple[Row, ...]
    begun: bool
    """Whether it began in the time that was asked for."""
    let_in: bool
    """Whether a record of the server's own interface has it accepted."""


@dataclass(frozen=True)
class Home:
    """The network that records must be of, as far as it is known: private addresses are the same in many networks."""

    account: str = ""
    vpcs: frozenset[str] = frozenset()
    interfaces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By address: the network interfaces that have it."""

    def has(self, row: Row) -> bool:
        """Whether a record can be of this network: of its account and VPC, and of an interface of one of both ends where both are known."""
        if (self.account and row["account"] and row["account"] != self.account) or (
            self.vpcs and row["vpc"] and row["vpc"] not in self.vpcs
        ):
            return False
        ends = [self.interfaces.get(str(row[end])) for end in ("src_ip", "dst_ip")]
        return not row["interface"] or None in ends or any(row["interface"] in (one or ()) for one in ends)


ANYWHERE = Home()


def attempts(  # noqa: PLR0913 - who asked whom, when and where
    view: View, clients: Collection[str], server: str, port: int, span: tuple[datetime, datetime], home: Home = ANYWHERE
) -> list[Attempt]:
    """The connections of these clients to a server's port whose records touch a span of time (naive UTC)."""
    if not view.has("vpc_flow") or not clients:
        return []
    start, end = span[0] - SLACK, span[1] + SLACK
    rows = view.rows(
        "SELECT _artifact, _line, time, end_time, interface, src_ip, dst_ip, src_port, dst_port, packets, bytes, action, tcp_flags, "
        "account, vpc "
        f"FROM vpc_flow WHERE protocol = {TCP} AND time <= ?::TIMESTAMP AND end_time >= ?::TIMESTAMP AND ((dst_ip = ? AND dst_port = ? AND "
        "list_contains(?::VARCHAR[], src_ip)) OR (src_ip = ? AND src_port = ? AND list_contains(?::VARCHAR[], dst_ip))) "
        f"ORDER BY time, _artifact, _line LIMIT {MOST}",
        *(end, start),
        *(server, port, sorted(clients)),
        *(server, port, sorted(clients)),
    )
    rows = [row for row in rows if home.has(row)]
    groups: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        there = row["dst_ip"] == server and row["dst_port"] == port
        groups.setdefault((row["src_ip"], row["src_port"]) if there else (row["dst_ip"], row["dst_port"]), []).append(row)
    lost = _lost(view, start, end)
    own = _own(view, server, {row["interface"] for row in rows})
    found = []
    for key, told in groups.items():
        let_in = any(row["action"] == "ACCEPT" and row["dst_ip"] == server and row["interface"] in own for row in told)
        found.append(_attempt(key, server, told, start, lost, let_in=let_in))
    return found


def _attempt(  # noqa: PLR0913 - what it is made of
    key: tuple[str, int | None], server: str, rows: Sequence[Row], start: datetime, lost: Collection[str | None], *, let_in: bool
) -> Attempt:
    there = [row for row in rows if row["dst_ip"] == server]
    back = [row for row in rows if row["dst_ip"] != server]
    fate = _fate(there, back)
    if fate is Fate.UNANSWERED and any(row["interface"] in lost for row in rows):
        fate = Fate.UNTOLD
    first = min(row["time"] for row in rows)
    begun = first >= start and any(_asks(row) is not False for row in there)
    return Attempt(key[0], key[1], fate, tuple(rows), begun, let_in)


def _fate(there: Sequence[Row], back: Sequence[Row]) -> Fate:
    """What the two directions together tell."""
    taken = [row for row in there if row["action"] == "ACCEPT"]
    rejected = [row for row in there if row["action"] == "REJECT"]
    answers = [row for row in back if row["action"] == "ACCEPT"]
    if any(_accepts(row) for row in answers):
        return Fate.MADE
    if rejected and not answers:
        # At the asker's own interface the attempt was let out; at the server's it was not let in.
        return Fate.REJECTED if any(_asks(row) for row in rejected) else Fate.UNTOLD
    if any(row["action"] == "REJECT" for row in back) and not answers:
        return Fate.REPLY_REJECTED if any(_asks(row) for row in taken) else Fate.UNTOLD
    if not back:
        return Fate.UNANSWERED if taken and all(_asks(row) and row["tcp_flags"] in {None, SYN} for row in taken) else Fate.UNTOLD
    return Fate.REFUSED if taken and all(_refuses(row) for row in answers) else Fate.UNTOLD


def _asks(row: Mapping[str, Any]) -> bool | None:
    """Whether a record of the way there only asks for a connection; null where neither flags nor sizes tell."""
    if row["tcp_flags"]:
        return bool(row["tcp_flags"] & SYN) and row["tcp_flags"] & SYN_ACK != SYN_ACK
    if row["tcp_flags"] is None and row["packets"] and row["bytes"] is not None:
        small = row["bytes"] / row["packets"] <= ATTEMPT_BYTES and row["packets"] <= ATTEMPT_PACKETS
        return small or None
    return None if row["tcp_flags"] is None else False


def _accepts(row: Mapping[str, Any]) -> bool:
    """Whether a record of the way back says that the server took the connection."""
    if row["tcp_flags"]:
        return bool(row["tcp_flags"] & SYN_ACK == SYN_ACK)
    large = bool(row["packets"]) and row["bytes"] is not None and row["bytes"] / row["packets"] > ATTEMPT_BYTES
    return large and row["packets"] > 1


def _refuses(row: Mapping[str, Any]) -> bool:
    """Whether a record of the way back only refuses; without flags by its size, which a reply with data exceeds."""
    if row["tcp_flags"]:
        return bool(row["tcp_flags"] & RST) and row["tcp_flags"] & SYN_ACK != SYN_ACK
    if row["tcp_flags"] == 0 or not row["packets"] or row["bytes"] is None:
        return False
    return bool(row["bytes"] / row["packets"] <= REFUSAL_BYTES)


def _lost(view: View, start: datetime, end: datetime) -> set[str | None]:
    """Interfaces of which AWS lost records in the span: there silence means nothing."""
    rows = view.rows(
        "SELECT DISTINCT interface FROM vpc_flow WHERE log_status = 'SKIPDATA' AND time <= ?::TIMESTAMP AND end_time >= ?::TIMESTAMP",
        end,
        start,
    )
    return {row["interface"] for row in rows}


def _own(view: View, server: str, interfaces: Collection[str | None]) -> set[str | None]:
    """Those of some interfaces that are the server's: every record of them has it as one of its ends, and not always the same other one."""
    rows = view.rows(
        "SELECT interface, bool_and(src_ip = ? OR dst_ip = ?) AS always, count(DISTINCT CASE WHEN src_ip = ? THEN dst_ip ELSE src_ip END) "
        "AS others FROM vpc_flow WHERE list_contains(?::VARCHAR[], interface) AND src_ip IS NOT NULL GROUP BY interface",
        *(server, server, server),
        sorted(one for one in interfaces if one),
    )
    return {row["interface"] for row in rows if row["always"] and row["others"] > 1}
