"""What a person says they saw where it was no status: slow answers, time-outs, connections that fail, certificates that are refused.

A trouble is taken only from words that name one by themselves; "failed" or "does not work" says nothing of its kind. How long it took is
taken only where the words say that it was waited for, so that "30 seconds ago" stays a time.
"""

from __future__ import annotations

import re

from kyumei.diagnose.spoken_dates import READ, blank
from kyumei.model.symptom import Trouble

MOST_SECONDS = 86_400.0
"""Nobody waits longer for an answer; a greater number measures something else."""


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_ABOUT = r"(?:(?:about|around|over|more than|up to|at least|almost|nearly|roughly|approximately|some|like|another|for|~) ?){0,2}"
_LENGTH = r"(?P<number>\d{1,6}(?:\.\d{1,3})?) ?-?(?P<unit>milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|min|m)(?![\w-])(?! ago\b)"
_WAITED = (
    r"(?:takes?|took|taking|taken|needs?|needed|hangs?|hung|hanging|waits?|waited|waiting|spins?|loads?|loading|loaded"
    r"|(?:responds?|responded|answers?|answered|finishe[sd]|returns?|returned|opens?|opened|came back) (?:only )?(?:after|in)"
    r"|time[ds]?[ -]?outs? (?:after|of|in)|(?:load(?:ing)?|response|waiting)[ -]times? (?:of|is|was)|latency(?: of| is| was)?"
    r"|slow,? (?:after|with))"
)
_TOOK = _compiled(rf"(?<![\w-]){_WAITED} {_ABOUT}{_LENGTH}")
_TOOK_AFTER = _compiled(
    rf"(?<![\w.,:/+-]){_LENGTH} (?:to (?:load|respond|answer|open|finish|return|complete|render|get an? (?:answer|response|reply))"
    r"|delays?|waits?|(?:load(?:ing)? |response |waiting )times?|time-?outs?|latency|until (?:the|an?|it) )"
)
_TOOK_JAPANESE = re.compile(
    r"(?P<number>[0-9]{1,6}(?:\.[0-9]{1,3})?) ?(?P<unit>ミリ秒|秒|分)"
    r"(?:間|以上|くらい|ぐらい|ほど|近く|程度|も|は|経っても|たっても|ずっと|待|して|で){0,4}"
    r"(?:かか|掛か|待|応答|返|表示され|開か|終わら|タイムアウト)"
)
_UNITS = ((re.compile(r"ms|milli|ミリ"), 0.001), (re.compile(r"m|分"), 60.0))
"""Units by how they begin, the longer ones first; all others are seconds."""

_VERY = r"(?:(?:very|so|too|extremely|really|quite|terribly|awfully|unusually|painfully|incredibly|rather|unbearably) ){0,2}"
_CANNOT = r"(?:can(?: ?not|'?t)|(?:could|does|did)(?: ?not|n'?t)|won'?t|(?:un|not )able to|fail(?:ed|s|ing)? to)"
_SECURE = r"(?:TLS|SSL)"
_BAD_CERTIFICATE = r"(?: (?:errors?|warnings?|problems?|has|had|expired|required|unknown|invalid|verify failed)){0,4}"
_ENDED = r"(?:reset|refused|closed|aborted|dropped|cut|broken|lost|failed|failures?|fails|errors?|interrupted|terminated)"
_NOT_COMING = r"返って(?:こない|きません|来ない|来ません)"
_ANSWER = r"(?:応答|反応|レスポンス|返事)(?:が|は|も)?"

_AROUND = (
    r"(?:in (?:a |an )?(?:(?:infinite |endless )?loop|circles?)|endlessly|forever|infinitely|repeatedly|again and again|over and over)"
)

_WORDS: tuple[tuple[Trouble, tuple[str, ...]], ...] = (
    (
        Trouble.CROSS_ORIGIN,
        (
            r"\bCORS(?:[ -](?:policy|preflights?|requests?|headers?|errors?|failures?|problems?|issues?|blocked|failed|fails))*\b",
            r"\bcross[- ]origin(?: (?:requests?|resource sharing|errors?|policy|blocked))*\b|\bpre-?flights?(?: requests?| responses?)?\b",
            r"'?\bAccess-Control-(?:Allow|Request)-(?:Origin|Methods?|Headers?|Credentials)\b'?",
        ),
    ),
    (
        Trouble.REDIRECT_LOOP,
        (
            r"ERR_TOO_MANY_REDIRECTS|\bTooManyRedirects\b|\b(?:too|so) many (?:HTTP )?(?:redirects|redirections)\b",
            r"\bredirected (?:you |me |us |them )?(?:too many|several|many) times\b|\b(?:exceeded|stopped after) \d{1,3} redirects\b",
            r"\b(?:infinite |endless |permanent )?(?:redirect(?:s|ion|ing)?|log-?in|sign-?in|auth(?:entication)?)(?: |-)loops?\b",
            rf"\b(?:is |are |was |were |keeps? |gets? |being )*redirect(?:s|ed|ing|ions?)?(?: me| us| to itself| back)? {_AROUND}\b",
            r"\bkeeps? (?:on )?redirecting\b|\b(?:isn'?t|not) redirecting properly\b|\bmaximum \(?\d{0,3}\)? ?redirects\b",
        ),
    ),
    (
        Trouble.TLS,
        (
            r"(?:NET::)?ERR_(?:CERT|SSL|BAD_SSL)\w*|(?:SSL|SEC|MOZILLA_PKIX)_ERROR_\w+|\bPKIX path\b|\bx509\b",
            (
                rf"\b{_SECURE}(?:/{_SECURE})? (?:handshakes?|negotiation|certificates?|alerts?|errors?|failures?|connections?|problems?)"
                r"(?: (?:errors?|failures?|alerts?))?\b"
            ),
            rf"\b(?:m(?:utual )?TLS|handshakes?)(?:[ _](?:errors?|failures?))?(?!\w)|\b{_SECURE}(?= (?:fail|broke|is broken|doesn?'?t))",
            rf"\b(?:client |server )?cert(?:ificate)?s?{_BAD_CERTIFICATE}(?!\w)",
        ),
    ),
    (
        Trouble.NOT_CONNECTED,
        (
            r"ERR_(?:CONNECTION_(?:RESET|REFUSED|CLOSED|ABORTED|FAILED)|EMPTY_RESPONSE|ADDRESS_UNREACHABLE|NAME_NOT_RESOLVED)",
            r"\bE(?:CONNREFUSED|CONNRESET|PIPE|HOSTUNREACH|NETUNREACH)\b|\bno connection\b|\bsocket hang ?up\b",
            (
                r"\bconnections? (?:(?:was|were|is|are|has|have|been|gets?|got|being|unexpectedly|suddenly) ){0,3}"
                rf"{_ENDED}(?: by (?:the )?peer)?\b"
            ),
            rf"\b{_CANNOT} (?:be )?(?:connect(?:ed)?|reach(?:ed)?|establish)(?: (?:an?|the|any) (?:secure )?connection)?\b",
            (
                r"\b(?:dropped|closed|reset|refused|aborted|cut|interrupted|terminated) the connection\b|\brefused to connect\b"
                r"|\bPR_(?:END_OF_FILE|CONNECT_RESET)_ERROR\b|\bNS_ERROR_(?:NET_RESET|NET_INTERRUPT|CONNECTION_REFUSED|UNKNOWN_HOST)\b"
            ),
            (
                r"\bDNS_PROBE_\w+|\bNXDOMAIN\b|\bSERVFAIL\b|\bENOTFOUND\b|\bEAI_AGAIN\b"
                r"|\b(?:could|can) ?(?:not|n'?t) resolve(?= ?(?:(?:the )?(?:host|(?:dns |domain )?name|domain|dns)|[\0:]|$))"
                r"|\bname or service not known\b|\b(?:the )?(?:host|domain|server)(?: name)?(?:'s (?:IP|DNS) address)? "
                r"(?:could not be found|was not found|does not resolve|cannot be resolved)\b|\bgetaddrinfo\b"
            ),
            r"\b(?:is|was|are|were) (?:un|not )reachable\b|\bempty reply(?: from(?: the)? server)?\b",
        ),
    ),
    (
        Trouble.TIMED_OUT,
        (
            r"ERR_(?:CONNECTION_)?TIMED_OUT|\bNS_ERROR_NET_TIMEOUT\b|\bETIMEDOUT\b|\bdeadline exceeded\b|\bno (?:response|answer|reply)\b",
            r"\b(?:(?:read|connect|connection|client|socket|request|operation)[ -])?(?:time[ds]?|timing)[ -]?outs?\b",
            r"\b(?:does|do|did|is|was|are|were)(?: not|n'?t) (?:respond|responding|answer|answering|reply|replying|return)\b",
            r"\bnever (?:responds?|responded|answers?|answered|returns?|returned|loads?|loaded|finishe[sd]|comes? back|came back)\b",
        ),
    ),
    (
        Trouble.SLOW,
        (
            rf"\b{_VERY}(?:slow(?:er|ly|ness|est|s|ed)?(?: down)?|sluggish|laggy|lagging)\b",
            (
                rf"\b(?:takes?|took|taking) (?:forever|ages|{_VERY}long(?:er)?|much longer|(?:a )?(?:very )?long time)"
                r"(?: to (?:load|respond|answer|open|finish))?\b"
            ),
            r"\b(?:(?:high|huge|bad|increased) )?latency\b|\b(?:hangs?|hung|hanging|freezes|frozen)\b",
            r"\b(?:keeps? )?(?:loading|spinning) (?:forever|endlessly)\b|\bstuck(?: (?:on )?loading)?\b",
        ),
    ),
)
_WORDS_JAPANESE: tuple[tuple[Trouble, tuple[str, ...]], ...] = (
    (Trouble.CROSS_ORIGIN, (r"(?:CORS(?:の)?|クロスオリジン(?:の)?|プリフライト(?:リクエスト)?(?:の)?)(?:エラー|制約|ポリシー)?",)),
    (
        Trouble.REDIRECT_LOOP,
        (
            r"(?:無限)?リダイレクト(?:の)?ループ|無限リダイレクト|ログイン(?:の)?ループ",
            (
                r"リダイレクト(?:の回数|回数)?(?:が|を|は)?"
                r"(?:何度も|何回も|ずっと|無限に)?(?:繰り返|くり返|多すぎ|多過ぎ|ループ|止まら|終わら|続)(?:[し続けされてるたいまぎ]{0,8})"
            ),
            r"(?:何度も|何回も|繰り返し|無限に)リダイレクト(?:[しされてるたいま]{0,6})|正しくリダイレクト(?:されない|されません)",
        ),
    ),
    (
        Trouble.TLS,
        (
            r"(?:クライアント|サーバー?|SSL|TLS)?(?:証明書|ハンドシェイク)(?:の)?(?:エラー|失敗|期限切れ|検証)?",
            r"(?:SSL|TLS)(?:の)?(?:接続)?(?:エラー|失敗)",
        ),
    ),
    (
        Trouble.NOT_CONNECTED,
        (
            (
                r"(?:接続|通信|コネクション)(?:が|を|に|は|も)?"
                r"(?:でき(?:ない|ません|ず|なかった|なく)|拒否|切断|リセット|切れ|切ら|失敗|断|エラー)"
            ),
            r"(?:繋が|つなが)(?:ら(?:ない|なかった|ず)|りません)",
        ),
    ),
    (
        Trouble.TIMED_OUT,
        (
            r"タイム ?アウト",
            rf"{_ANSWER}(?:ない|無い|ありません|なし|無し|しない|しません|{_NOT_COMING})|{_NOT_COMING}",
        ),
    ),
    (
        Trouble.SLOW,
        (
            r"(?:非常に|異常に|極端に)?(?:遅(?:い|く|か|過|す|延)|重(?:い|く|か|た)|もっさり|固ま|フリーズ)",
            rf"時間(?:が|も)(?:かか|掛か)|読み込み(?:中の)?まま|{_ANSWER}悪",
        ),
    ),
)
_TROUBLES = (
    *((trouble, _compiled("|".join(words))) for trouble, words in _WORDS),
    *((trouble, re.compile("|".join(words))) for trouble, words in _WORDS_JAPANESE),
)
_RANK = (
    Trouble.REDIRECT_LOOP,
    Trouble.TLS,
    Trouble.CROSS_ORIGIN,
    Trouble.NOT_CONNECTED,
    Trouble.TIMED_OUT,
    Trouble.SLOW,
)
"""Of several troubles the one that says most: a handshake that timed out is a matter of TLS."""


def read_took(text: str) -> tuple[float | None, str]:
    """How long an answer took or was waited for, in seconds, and the text with the number and its unit marked as read.

    Read before times are, which would take the number for one.
    """
    took: float | None = None
    for pattern in (_TOOK, _TOOK_AFTER, _TOOK_JAPANESE):
        for found in pattern.finditer(text):
            seconds = float(found["number"]) * next((scale for unit, scale in _UNITS if unit.match(found["unit"].lower())), 1.0)
            if seconds <= MOST_SECONDS:
                took = round(seconds, 6) if took is None else took
                text = blank(text, found.start("number"), found.end("unit"))
    return took, text


def read_trouble(text: str) -> tuple[Trouble | None, str]:
    """The trouble that the words name, and the text with all such words marked as read."""
    named: set[Trouble] = set()
    for trouble, pattern in _TROUBLES:
        for found in pattern.finditer(text):
            if READ not in found[0]:
                named.add(trouble)
                text = blank(text, found.start(), found.end())
    return next((one for one in _RANK if one in named), None), text
