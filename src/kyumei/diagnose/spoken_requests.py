"""What a person says about the request: ids, addresses, hosts, paths, methods, the status, the browser, the words on the page.

Every reader takes the text and gives what it found and the text with that marked as read, so that no word is taken twice: the digits of
an address never become a time, those of a time never a status. A number is taken for a status only where nothing says that it counts
something else.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import quote

from kyumei.diagnose.spoken_dates import JAPANESE, READ, blank
from kyumei.diagnose.spoken_names import CODES, COUNTED, COUNTED_BEFORE, METHODS, NAMES, plausible_host

_URL_TEXT = r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]"
_METHOD = rf"(?:(?<![\w/-])(?P<method>{'|'.join(METHODS)})(?: requests?)?(?: ?:)?(?: (?:to|on|for|at|against))? )?"
_HOST = r"(?:(?:[A-Za-z0-9_-]{1,63}\.){1,10}[A-Za-z][A-Za-z0-9-]{1,23}|\d{1,3}(?:\.\d{1,3}){3}|localhost)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_URL = _compiled(rf"{_METHOD}(?:https?|wss?)://(?P<address>{_URL_TEXT}+)")
_BARE_URL = _compiled(rf"{_METHOD}(?<![\w@/.-])(?P<address>{_HOST}(?::\d{{1,5}})?/(?!\d{{1,2}}(?![\w/])){_URL_TEXT}*)")
_PATH = _compiled(rf"{_METHOD}(?<![\w./\\~<-])(?<!::)(?P<address>/(?!/){_URL_TEXT}*)")
_URL_PARTS = re.compile(
    r"(?:[^/?#@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)?(?::\d{1,5})?(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?", re.ASCII
)
_PROTOCOL = _compiled(r"(?<!\w)(?P<name>HTTP)/[0-3](?:\.\d)?(?!\w)(?P<answered>(?= {1,3}[1-5]\d\d(?!\d)))?")
_WENT_WELL = _compiled(
    r"[\s\"'),]{0,3}(?:(?:HTTP/[0-3](?:\.\d)?|->|=>|→|gives?|gave|returns?|returned|gets?|got|is|was|still|an?|with|status|code|answers?"
    r"|answered)[\s\"':]{1,3}){0,4}(?:(?:20[0-8]|30[1-8])(?!\d)|(?:ok|fine|works|worked|working)\b)|は ?(?:正常|200|問題な|OK)"
)
_ROOT_LABEL = _compiled(r"(?:\b(?:path|page|root|on|at|to|for|url)|パス) ?[:=]? ?$")
_FILE_SYSTEM = ("/var/", "/etc/", "/usr/", "/opt/")

TRACE_ROOT = _compiled(r"(?<![\w/-])(?:(?:Root|Self)=)?(1-[0-9a-f]{8}-[0-9a-f]{24})(?!\w)(?:[;,](?:Parent|Sampled|Lineage|Self)=[\w:.-]*)*")
_LABELLED_ID = _compiled(
    r"(?:(?<![\w?&/.-])(?:x-amzn-trace-id|x-amzn-request-?id|x-amz-request-id|x-amz-id-2|x-amz-cf-id|x-edge-request-id|x-request-id"
    r"|(?:request|req|trace|correlation)[ _-]?id)|リクエスト ?ID)(?P<mark> ?[:=] ?| is | was | ?は ?| )"
    r"(?P<id>[A-Za-z0-9_-][A-Za-z0-9_.:+/=-]{2,199})"
)
_UUID = _compiled(r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])")
_CLOUDFRONT_ID = re.compile(r"(?<![\w=-])[A-Za-z0-9_-]{52,56}={1,2}(?![\w=])", re.ASCII)

_IPV6 = _compiled(
    r"(?<![\w:.])\[?(?P<ip>[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:\.\d{1,3}){0,3})(?:%\w{1,20})?\]?"
    r"(?P<net>/\d{1,3})?(?![\w:])"
)
_IPV4 = _compiled(r"(?<![\w./-])(?P<ip>\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?(?P<net>/\d{1,2})?(?![\w/]|\.\d)")
_SERVER_BEFORE = _compiled(
    r"(?:\b(?:to|on|server|host|target|upstream|backend|instance|node|pod|endpoint|reach|trying|calling|ping|via|through|behind|against)s?"
    r"|サーバー?|ホスト) ?[:=]? ?(?:ip )?$"
)
_SERVICE_PORT = re.compile(r":(?:\d{1,4})$")
"""A port below 10000 is one that somebody serves on: clients get theirs from further up."""
_CLIENT_BEFORE = _compiled(
    r"(?:\b(?:from|client|user|visitor|source|src|remote|x-forwarded-for)(?: ip)?(?: address)?|クライアント|送信元|アクセス元|接続元)"
    r"(?:IP)? ?(?:[:=]|は|is)? ?$"
)

_EMAIL = _compiled(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_BARE_HOST = _compiled(
    r"(?P<label>\bhost(?:name)? ?[:=]? ?)?(?<![\w@/.-])(?P<host>(?:[A-Za-z0-9_-]{1,63}\.){1,10}[A-Za-z][A-Za-z0-9-]{1,23})"
    r"(?::\d{1,5})?(?![\w@-]|\.\w)"
)

_STATUS_CLASS = _compiled(
    r"(?:(?<![\w.])|(?<=HTTPCode_ELB_)|(?<=HTTPCode_Target_)|(?<=HTTPCode_Backend_))([45])(?:xx|\*\*|00番台)(?:_Count|Error(?:Rate)?|s)?(?!\w)"
)
_STATUS = _compiled(r"(?:(?<![\w.,/#$+-])|(?<=http)|(?<=http[/_-]))(?<!\d:)(?<![¥€£])([1-5]\d\d|(?<!\d )000)(?:'?s)?(?!\w|[.,:/-]\d|%|\+)")
_STATUS_LABEL = _compiled(
    r"(?:\b(?:https?|status|code|response|error)|ステータス|コード|エラー|レスポンス)(?: (?:code|error|status|of|is|was)){0,4}"
    r"(?: ?[:=] ?|[ /_-]?)(?:は ?)?$"
)
_STATUS_VERB = _compiled(
    r"\b(?:got|gets?|getting|returned|returns?|returning|gave|gives|saw|sees?|seeing|received|answered(?: with)?|respond(?:ed|s) with)"
    r"(?: an?)? $"
)
_NOT_SEEN = _compiled(
    r"\b(?:expected|expecting|expects?|instead of|not|rather than|should (?:be|return|get|have been)|no longer)"
    r"(?: an?| the)?(?: http)?(?: status)?(?: code)? $"
)
_MENDED = _compiled(
    r"(?:'?s)?(?: errors?)? (?:(?:was|were|is|are|got|has been|have been) ){0,2}(?:fixed|resolved|solved|gone)\b|は(?:解消|直っ|治っ)"
)
"""What follows a status that is seen no more."""
_COUNTED = _compiled(rf" ?-?(?:(?:concurrent|different|active|affected|distinct|unique|other|more|total|internal) )?(?:{COUNTED})")
_COUNTED_BEFORE = _compiled(rf"(?:(?<![\w-])(?:{COUNTED_BEFORE})s?|[~≈約#]|およそ|ポート|番号) ?[:=#]? ?$")
_LASTED_BEFORE = _compiled(
    r"\b(?:after|(?<!looking )(?<!alert )(?<!alerts )(?<!search )(?<!errors )for"
    r"|(?<!increase )(?<!rise )(?<!spike )(?<!jump )(?<!uptick )(?<!surge )in"
    r"|within|(?:timeout|limit|delay|time|latency|max|maximum|average) of|timeout|every|than) $"
)
"""Before "503s", which then are seconds."""
_NAMES = _compiled(rf"\b(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})s?\b")

_METHOD_CAPITALS = re.compile(rf"(?<![\w/-])({'|'.join(METHODS)})(?![\w/-])", re.ASCII)
_METHOD_SPOKEN = _compiled(
    rf"(?<![\w/-])(?:method ?[:=]? ?({'|'.join(METHODS)})(?!\w)"
    rf"|({'|'.join(METHODS)})(?= requests?\b| calls?\b| method\b| ?リクエスト| ?メソッド))"
)
_BROWSER = re.compile(
    r"(?i:\b(?:web ?)?browsers?\b|\bchrome\b|\bfirefox\b|\bsafari\b|\bmozilla\b)"
    r"|(?<!@)\b(?:MS)?Edge\b(?! (?:location|function))|(?i:web ?)?ブラウザー?",
    re.ASCII,
)


def _closes(found: str) -> bool:
    """Whether the last character is a bracket that was opened before the address."""
    return (found[-1] == ")" and found.count(")") > found.count("(")) or (found[-1] == "]" and found.count("]") > found.count("["))


def trimmed(found: str) -> str:
    """A path or URL without the punctuation of the sentence around it; a bracket stays where it has its partner."""
    while found and (found[-1] in ".,;:!?'([" or _closes(found)):
        found = found[:-1]
    return found


_ADDRESS_IN_SCRIPT = re.compile(r"(?P<scheme>(?:https?|wss?)://)(?P<host>[^\s/?#:\"'<>()@]{1,253})(?=[/:?#\s]|$)", re.IGNORECASE)
_LETTERS_OF_A_PATH = re.compile(r"(?<=[\w.:-])/[^\s\"'<>]{1,500}|(?<!\S)/[^\s\"'<>/][^\s\"'<>]{0,500}")
_LATIN_GREEK_CYRILLIC = re.compile(r"[\u00c0-\u024f\u0370-\u052f]+")
_WHOLE_PART = re.compile(r"(?<=/)[^\x00-\x7f\u3000-\u309f\uff00-\uffef]+(?=[/?#]|$)")


def with_ascii_addresses(text: str) -> str:
    """Names and paths in other scripts as logs write them: the host in punycode, the path percent-encoded.

    Japanese that stands right behind an address is a sentence that goes on; it belongs to a path only as a whole part of one.

    >>> with_ascii_addresses("https://bücher.example/straße 502")
    'https://xn--bcher-kva.example/stra%C3%9Fe 502'
    """
    if text.isascii():
        return text
    return _LETTERS_OF_A_PATH.sub(_ascii_path, _ADDRESS_IN_SCRIPT.sub(_ascii_host, text))


def _ascii_host(found: re.Match[str]) -> str:
    host = found["host"]
    if not host or host.isascii() or not host.rpartition(".")[2].isascii() or "." not in host:
        return found[0]
    try:
        return found["scheme"] + host.encode("idna").decode("ascii")
    except UnicodeError:
        return found[0]


def _ascii_path(found: re.Match[str]) -> str:
    return _WHOLE_PART.sub(lambda part: quote(part[0]), _LATIN_GREEK_CYRILLIC.sub(lambda letters: quote(letters[0]), found[0]))


def read_labelled_ids(text: str) -> tuple[list[str], str]:
    """Ids that the text calls so, and X-Amzn-Trace-Id roots (without ``Root=``); read before paths, as they may hold slashes."""
    ids: list[str] = []
    for found in TRACE_ROOT.finditer(text):
        ids.append(found[1].lower())
        text = blank(text, found.start(), found.end())
    for found in _LABELLED_ID.finditer(text):
        value = found["id"].rstrip(".:")
        if ":" in found["mark"] or "=" in found["mark"] or re.search(r"\d", value):
            ids.append(value)
            text = blank(text, found.start(), found.start("id") + len(value))
    return ids, text


def read_loose_ids(text: str) -> tuple[list[str], str]:
    """UUIDs and CloudFront's x-edge-request-id, which are plain by their shape; read after paths, which may hold them."""
    ids: list[str] = []
    for pattern in (_UUID, _CLOUDFRONT_ID):
        for found in pattern.finditer(text):
            ids.append(found[0].lower() if pattern is _UUID else found[0])
            text = blank(text, found.start(), found.end())
    return ids, text


class Target(NamedTuple):
    """Where a request went, as far as it was said; empty text where not."""

    start: int
    method: str
    host: str
    path: str
    query: str
    well: bool = False
    """Whether the text says right behind it that this one was answered well."""


def read_targets(text: str) -> tuple[list[Target], str]:
    """URLs, hosts with a path, and paths, in their order; a method right before belongs to it."""
    told: list[Target] = []
    for pattern in (_URL, _BARE_URL, _PATH):
        for found in pattern.finditer(text):
            address = trimmed(found["address"])
            parts = _URL_PARTS.fullmatch(address)
            if not parts or not _is_target(pattern, found, address, text):
                continue
            host = (parts["host"] or "").strip("[]").rstrip(".").lower()
            well = bool(_WENT_WELL.match(text, found.start("address") + len(address)))
            told.append(Target(found.start(), (found["method"] or "").upper(), host, parts["path"] or "", parts["query"] or "", well))
            text = blank(text, found.start(), found.start("address") + len(address))
    # What follows it at once is the status: the word is kept as its label.
    text = _PROTOCOL.sub(lambda found: (found["name"] if found["answered"] is not None else "").rjust(len(found[0]), READ), text)
    return sorted(told, key=lambda one: one.start), text


def _is_target(pattern: re.Pattern[str], found: re.Match[str], address: str, text: str) -> bool:
    """Whether it is part of a request: not a file on a server, not the slash of "403 / 502", not "フロント/API"."""
    before, after = text[: found.start("address")], text[found.start("address") + len(address) :]
    if pattern is _URL:
        return True
    if pattern is _BARE_URL:
        return plausible_host(address.partition("/")[0].partition(":")[0], labelled=True)
    if found["method"]:
        return True
    if address == "/":
        return bool(_ROOT_LABEL.search(before[-12:])) and not re.match(r"[\u30a0-\u30ff\u4e00-\u9fff]", after)
    if JAPANESE.match(before[-1:]) and address[1:].isupper():
        return False
    return not address.startswith(_FILE_SYSTEM)


def read_clients(text: str) -> tuple[list[str], list[str], str]:
    """(addresses that may be the client's, likeliest first; addresses of networks and servers; the text)."""
    labelled: list[str] = []
    plain: list[str] = []
    others: list[str] = []
    for pattern in (_IPV6, _IPV4):
        for found in pattern.finditer(text):
            ip = _address(found["ip"])
            if ip is None:
                continue
            before, after = text[max(0, found.start() - 40) : found.start()], text[found.end() : found.end() + 3]
            serving = _SERVER_BEFORE.search(before) or (
                _SERVICE_PORT.search(found[0]) and pattern is _IPV4 and not _CLIENT_BEFORE.search(before)
            )
            if found["net"] or (serving and not after.startswith("から")):
                others.append(found[0])
            elif _CLIENT_BEFORE.search(before) or after.lstrip().startswith("から"):
                labelled.append(ip)
            else:
                plain.append(ip)
            text = blank(text, found.start(), found.end())
    return list(dict.fromkeys(labelled + plain)), others, text


def _address(said: str) -> str | None:
    """The address as logs write it (IPv6 compressed, IPv4 in IPv6 as IPv4), or null."""
    try:
        ip = ip_address(said)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if said.strip(":") == "":
            return None
        return str(ip.ipv4_mapped or ip)
    return str(ip)


def read_hosts(text: str) -> tuple[list[str], list[str], str]:
    """(bare domain names; mail addresses, which are passed over; the text)."""
    mails = [found[0] for found in _EMAIL.finditer(text)]
    text = _EMAIL.sub(lambda found: READ * len(found[0]), text)
    hosts: list[str] = []
    for found in _BARE_HOST.finditer(text):
        if plausible_host(found["host"], labelled=bool(found["label"])):
            hosts.append(found["host"].lower())
            text = blank(text, found.start(), found.end())
    return list(dict.fromkeys(hosts)), mails, text


def read_status(text: str) -> tuple[list[int], list[int], str]:
    """(statuses that were seen, likeliest first; classes such as 5 for "5xx"; the text).

    A labelled number ("HTTP 403", "status code 403") comes before a bare one, an error before a success, a number before a name.
    """
    ranked: list[tuple[int, int, int]] = []
    classes = []
    for found in _STATUS_CLASS.finditer(text):
        classes.append(int(found[1]))
        text = blank(text, found.start(), found.end())
    for found in _STATUS.finditer(text):
        rank = _status_rank(text, found, int(found[1]))
        if rank is None:
            continue
        ranked.append((rank, found.start(), int(found[1])))
        text = blank(text, found.start(), found.end())
    for found in _NAMES.finditer(text):
        name = found[0].lower()
        ranked.append((4, found.start(), NAMES[name if name in NAMES else name[:-1]]))
        text = blank(text, found.start(), found.end())
    return list(dict.fromkeys(code for rank, _, code in sorted(ranked) if rank < _UNSEEN)), classes, text


_UNSEEN = 9
"""The rank of a status that was expected but not seen."""


_ASKED_AFTER = re.compile(r" on (?:[A-Z]{3,7}\b|\W)| ?(?:エラー|errors?\b)")
"""What follows a number that is a status, even one that is no error: what was asked for, or the word itself."""


def _status_rank(text: str, found: re.Match[str], code: int) -> int | None:
    """How sure a number is a status (0 is surest), or null where it is something else."""
    before, after = text[max(0, found.start() - 40) : found.start()], text[found.end() : found.end() + 24]
    label = bool(_STATUS_LABEL.search(before))
    named = bool(_NAMES.match(after.lstrip(" -:,("))) or bool(re.match(r" (?:OK|redirects?)\b", after))
    http = bool(re.search(r"(?:https?|status)(?: code)?[ :=/_-]*$", before, re.IGNORECASE))
    if found[0].endswith("s") and _LASTED_BEFORE.search(before):
        return None
    if _COUNTED.match(after) and not http and not named:
        return None
    if code == 0 and not label and _COUNTED_BEFORE.search(before):
        return None
    if code == 0:
        return 0 if label else 1
    if not label and not named and (code not in CODES or _COUNTED_BEFORE.search(before)):
        return None
    if _NOT_SEEN.search(before) or _MENDED.match(after):
        return _UNSEEN
    if code < 400:  # noqa: PLR2004 - below are the statuses that are no errors
        return 5 if label or named or _STATUS_VERB.search(before) or _ASKED_AFTER.match(after) else None
    return 0 if label else 1


def read_method(text: str) -> tuple[list[str], str]:
    """Methods in capitals, and in small letters before "request" or after "method"."""
    methods: list[str] = []
    shouting = not any("a" <= char <= "z" or "\u3040" <= char <= "\u9fff" for char in text) and len(re.findall(r"[A-Z]{2,}", text)) > 3  # noqa: PLR2004 - a few capitals are usual
    for pattern in (_METHOD_SPOKEN, *(() if shouting else (_METHOD_CAPITALS,))):
        for found in pattern.finditer(text):
            methods.append(next(group for group in found.groups() if group).upper())
            text = blank(text, found.start(), found.end())
    return list(dict.fromkeys(methods)), text


def read_browser(text: str) -> tuple[list[str], str]:
    """The words that speak of a browser."""
    words = [found[0] for found in _BROWSER.finditer(text)]
    return words, _BROWSER.sub(lambda found: READ * len(found[0]), text)
