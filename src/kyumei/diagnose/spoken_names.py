"""Word lists for reading what a person says: methods, statuses and their names, what is counted, top-level domains, words without weight.

Status codes and names follow the IANA HTTP Status Code Registry, with what the load balancers of AWS and nginx write besides
(Application Load Balancer, "Troubleshoot your Application Load Balancers": 460, 463, 464, 561; nginx's own 444 and 494 to 499) and nginx's
wording of its error pages.
"""

from __future__ import annotations


def listed(words: str) -> tuple[str, ...]:
    """The words of a list that reads better as text."""
    return tuple(words.split())


METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE")

CODES = frozenset(
    (
        *(*range(100, 104), *range(200, 209), 226, *range(300, 309), *range(400, 419), *range(421, 427), 428, 429, 431, 444, 451),
        *(460, 463, 464, 494, 495, 496, 497, 499, *range(500, 509), 510, 511, *range(520, 528), 530, 561),
    )
)
"""A bare number is a status only if it is one of these; "HTTP 599" may be any from 100 to 599."""

NAMES = {
    "moved permanently": 301,
    "bad request": 400,
    "request header or cookie too large": 400,
    "unauthorized": 401,
    "unauthorised": 401,
    "authorization required": 401,
    "payment required": 402,
    "forbidden": 403,
    "not found": 404,
    "method not allowed": 405,
    "not acceptable": 406,
    "proxy authentication required": 407,
    "request timeout": 408,
    "request time-out": 408,
    "length required": 411,
    "precondition failed": 412,
    "payload too large": 413,
    "content too large": 413,
    "request entity too large": 413,
    "uri too long": 414,
    "request-uri too large": 414,
    "unsupported media type": 415,
    "range not satisfiable": 416,
    "expectation failed": 417,
    "misdirected request": 421,
    "unprocessable entity": 422,
    "unprocessable content": 422,
    "upgrade required": 426,
    "precondition required": 428,
    "too many requests": 429,
    "request header fields too large": 431,
    "unavailable for legal reasons": 451,
    "client closed request": 499,
    "internal server error": 500,
    "internal error": 500,
    "not implemented": 501,
    "bad gateway": 502,
    "service unavailable": 503,
    "service temporarily unavailable": 503,
    "gateway timeout": 504,
    "gateway time-out": 504,
    "http version not supported": 505,
    "insufficient storage": 507,
}

COUNTED = (
    r"(?:ms|msecs?|milliseconds?|millis|us|ns|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|months?|years?"
    r"|percent|bytes?|[kmgt]i?b|bits?|[kmg]bps|px|dollars|usd|yen|eur|km|meters|rps|qps|tps|reqs|requests|calls|hits|times|x"
    r"|users|people|persons|customers|clients|visitors|members|accounts|devices|concurrent|simultaneous|instances|hosts|servers|nodes"
    r"|pods|containers|tasks|threads|workers|processes|jobs|connections|sessions|rows|lines|records|items|files|images|objects"
    r"|orders|products|tickets|transactions|queries|messages|events)\b"
    r"|(?:人|名|件|回|秒|分|時|日|月|年|円|台|個|行|本|度|倍|号|番(?!台)|ミリ|バイト|ユーザ|リクエスト|アクセス(?!エラー)|パーセント|KB|MB|GB)"
)
"""What follows a number that counts or measures something."""

COUNTED_BEFORE = (
    "port|about|around|approximately|approx|roughly|circa|over|under|nearly|almost|more than|less than|at least|at most|up to"
    "|id|pid|uid|no[.]?|nr[.]?|number|user|users|order|ticket|case|issue|incident|room|account|customer|pr|version|build|revision|rfc"
    "|took|takes|taken|within|every|top|first|next|last|limit|size|length|total|count|line|lines|page|row|worker|thread|process|job"
    "|item|product|priority|weight|step|chapter"
)
"""What stands before a number that names or measures something else than a status."""

_COUNTRIES = frozenset(
    listed("""
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci
    ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp
    gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li
    lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om
    pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc
    td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
""")
)
_GENERIC = frozenset(
    listed("""
    com net org edu gov mil int info biz name pro mobi asia jobs museum travel coop aero example test invalid localhost local
    internal intranet corp lan home arpa app dev page cloud online site store shop tech xyz web blog news media live games game
    agency digital email systems services solutions software network company team group world life space website
    host hosting club design studio tools fun health care bank finance money academy school university tokyo osaka nagoya kyoto
    yokohama berlin london paris nyc amsterdam google aws amazon vip top icu link click
""")
)
_FILE_ENDINGS = frozenset(("py", "sh", "rs", "md", "pl", "ps", "so", "tf", "cc", "ml", "mm", "pm", "do", "st", "la", "in"))
"""Endings of files that are countries as well: taken for a host only with a third label or where the text calls it a host."""
_PRODUCTS = frozenset(("asp.net", "socket.io", "vb.net", "ado.net", "java.net", "java.io"))


def plausible_host(name: str, *, labelled: bool = False) -> bool:
    """Whether a dotted name is a host: a top-level domain that exists, or one kept for private use or for examples.

    >>> [plausible_host(name) for name in ("www.example.com", "shop.example.co.jp", "access.log", "app.py", "e.g", "nginx.conf")]
    [True, True, False, False, False, False]
    """
    labels = name.split(".")
    if name.lower() == "localhost" or all(label.isdigit() for label in labels):
        return True
    top = labels[-1].lower()
    if len(labels) == 2 and labels[1][:1].isupper() and labels[0][1:].islower():  # noqa: PLR2004 - two labels: "broken.It", two sentences
        return False
    if any(label.startswith("-") or label.endswith("-") for label in labels) or name.lower() in _PRODUCTS:
        return False
    if top in _FILE_ENDINGS and len(labels) == 2 and not labelled:  # noqa: PLR2004 - two labels
        return False
    return top in _COUNTRIES or top in _GENERIC or top.startswith("xn--")


STOP = frozenset(
    listed("""
    a about access accessing after again all also always am an and answer answered answers any anyone are around as at back be
    became because been
    before began being between broken but by call calls came can cannot can't circa client clients code codes comes could
    couldn't customer customers date day did didn't do does doesn't down during each error errors every everybody everyone
    exactly fail failed failing fails failure failures for from gave get gets getting give gives got had happen happened
    happening happens has have he hello help her hi him his hour hours how http https i i'm in instead into is issue issues it
    it's its just keep keeps last later like local many me minute minutes method morning my near nearly no not now of off on
    once one only onwards open opened opening or our out over page pages past path people please problem problems query
    receive received receives receiving reported reports request requests response responses return returned returning returns
    right roughly said saw saying says second seconds see seeing seen sees she shortly show showed showing shown shows since
    site so some somebody someone soon started starting status still stopped telling tells than thank thanks that the their
    them then there they this through thru till time times to today tried tries try trying until up url us user users visit
    visited visiting was we web website went were what when where which while who why will with worked working works would you
    your ip address host hostname browser request_id id via bytes approximately approx ca broke recovered resolved almost says said
    takes took taking taken very ish oclock little bit client's user's x-amzn-trace-id x-forwarded-for responded responds tz timezone zone
""")
)
"""English words that carry nothing for a search of logs, or that have done their work where they stood."""

STOP_JAPANESE = listed("""
    エラー アクセス ブラウザー ブラウザ 画面 ページ サイト 表示 発生 確認 出 返 開 見 来 行 時刻 時間 日時 時点 頃 以降 以前 以後 前後 付近
    直後 直前 過 約 前 状態 問題 障害 原因 調査 教 願 方法 場合
    ユーザー ユーザ 客様 利用者 クライアント リクエスト レスポンス ステータス コード
    応答 以上 程度 ホスト パス メソッド 送信元 接続元 間 際 時 今 私 弊社 何 的 後 中
""")
"""Japanese words of the same kind, as they stand between kana."""
