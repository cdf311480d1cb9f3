"""``python -m bench.formats``: how fast logs of AWS become typed rows with lineage, and what peers take for the same.

    python -m bench.formats [--megabytes N] [--folder DIR]

For each log files of random but believable records are written once. Measured is what ``kyumei tables`` does: telling what the files are,
every check, the rows with the file and line of each. Beside it, in the same run and on the same bytes, flowlogs-reader, if installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

import duckdb

from bench.measure import Row, table
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "123456789012"
START = datetime(2025, 2, 6, tzinfo=UTC)
MEGABYTE = 1_000_000
FLOW_HEADER = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
LEAST = {"vpc_flow": 150, "s3_access": 150, "cloudfront_access": 150, "nlb_access": 150, "cloudtrail": 100, "route53_resolver": 100}
"""Megabytes a second that a format is to reach on two cores."""
TIMES_FLOWLOGS_READER = 30
RUNS = 5
"""How often each is measured; the best counts, for what else the machine does meanwhile only ever takes away from a speed."""
FLOW_NUMBERS = ("version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end")
HEADINGS = {"vpc_flow": 1, "cloudfront_access": 2}
"""Lines at the start of each file that name the fields."""


def flows(chance: Random) -> Iterator[str]:
    """VPC flow log records of the default format, its header first."""
    yield FLOW_HEADER
    interfaces = [f"eni-{chance.randrange(16**17):017x}" for _ in range(40)]
    while True:
        start = int(START.timestamp()) + chance.randrange(86_400)
        port, size = chance.choice((443, 5432, 22, 6379, 8080)), chance.randrange(1, 900)
        action = "REJECT" if chance.random() < 0.03 else "ACCEPT"  # noqa: PLR2004 - a share of rejects
        yield (
            f"2 {ACCOUNT} {chance.choice(interfaces)} 10.0.{chance.randrange(4)}.{chance.randrange(256)} "
            f"203.0.113.{chance.randrange(256)} {chance.randrange(1024, 65536)} {port} 6 "
            f"{size} {size * 600} {start} {start + 60} {action} OK"
        )


def objects(chance: Random) -> Iterator[str]:
    """S3 server access log records with 26 columns."""
    owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    while True:
        moment = START + timedelta(seconds=chance.randrange(86_400))
        key = f"photos/2025/{chance.randrange(10_000)}/{chance.randrange(16**8):08x}.jpg"
        status = chance.choice((200, 200, 200, 206, 304, 403, 404))
        size, taken = chance.randrange(1_000_000), chance.randrange(400)
        yield (
            f"{owner} example-bucket [{moment:%d/%b/%Y:%H:%M:%S} +0000] 203.0.113.{chance.randrange(256)} "
            f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0abc {chance.randrange(16**16):016X} REST.GET.OBJECT {key} "
            f'"GET /{key} HTTP/1.1" {status} - {size} {size} {taken} {taken // 2} "-" "aws-sdk-java/2.20 Linux/5.10" - '
            f"{chance.randrange(16**40):040x}= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader example-bucket.s3.amazonaws.com TLSv1.3 - -"
        )


def edges(chance: Random) -> Iterator[str]:
    """CloudFront standard log records."""
    yield "#Version: 1.0"
    yield (
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query "
        "cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol "
        "ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
        "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
    )
    while True:
        moment = START + timedelta(seconds=chance.randrange(86_400))
        size, hit = chance.randrange(100_000), chance.choice(("Hit", "Miss", "RefreshHit", "Error"))
        taken = f"{chance.random():.3f}"
        yield "\t".join(
            (
                *(f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}", "NRT57-P3", str(size), f"203.0.113.{chance.randrange(256)}", "GET"),
                *("d111111abcdef8.cloudfront.net", f"/images/{chance.randrange(5000)}.png", "502" if hit == "Error" else "200", "-"),
                *("Mozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)", "-", "-", hit, f"{chance.randrange(16**40):040x}=="),
                *("www.example.com", "https", "431", taken, "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", hit, "HTTP/2.0", "-", "-"),
                *(str(chance.randrange(1024, 65536)), taken, hit, "image/png", str(size), "-", "-"),
            )
        )


def listeners(chance: Random) -> Iterator[str]:
    """Network Load Balancer records of a TLS listener."""
    while True:
        moment = START + timedelta(seconds=chance.randrange(86_400))
        yield (
            f"tls 2.0 {moment:%Y-%m-%dT%H:%M:%S} net/shop/c6e77e28c25b2234 g3d4b5e8bb8464cd 203.0.113.{chance.randrange(256)}:"
            f"{chance.randrange(1024, 65536)} 10.0.1.{chance.randrange(256)}:443 {chance.randrange(9999)} {chance.randrange(99)} "
            f"{chance.randrange(9999)} {chance.randrange(99_999)} - "
            f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/2a108f19-aded-46b0-8493-c63eb1ef4a99 "
            '- ECDHE-RSA-AES128-SHA tlsv12 - shop.example.com h2 h2 "h2","http/1.1" '
            f"{moment - timedelta(seconds=9):%Y-%m-%dT%H:%M:%S}"
        )


def names(chance: Random) -> Iterator[str]:
    """Route 53 Resolver query log records."""
    while True:
        moment = START + timedelta(seconds=chance.randrange(86_400))
        yield json.dumps(
            {
                "version": "1.100000",
                "account_id": ACCOUNT,
                "region": "ap-northeast-1",
                "vpc_id": "vpc-0123456789abcdef0",
                "query_timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                "query_name": f"api-{chance.randrange(500)}.example.com.",
                "query_type": "A",
                "query_class": "IN",
                "rcode": chance.choice(("NOERROR", "NOERROR", "NXDOMAIN")),
                "answers": [{"Rdata": f"203.0.113.{chance.randrange(256)}", "Type": "A", "Class": "IN"}],
                "srcaddr": f"10.0.1.{chance.randrange(256)}",
                "srcport": str(chance.randrange(1024, 65536)),
                "transport": "UDP",
                "srcids": {"instance": f"i-{chance.randrange(16**17):017x}"},
            },
            separators=(",", ":"),
        )


def calls(chance: Random) -> Iterator[str]:
    """Files of CloudTrail, each of which is one line with some thousand calls."""
    while True:
        yield json.dumps({"Records": [_call(chance) for _ in range(4000)]}, separators=(",", ":"))


def _call(chance: Random) -> dict[str, object]:
    moment = START + timedelta(seconds=chance.randrange(86_400))
    source, name = chance.choice((("s3", "GetObject"), ("ec2", "DescribeInstances"), ("sts", "AssumeRole"), ("kms", "Decrypt")))
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-{chance.randrange(99):02}"
    found: dict[str, object] = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:i-0abc",
            "arn": role,
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/web",
                    "accountId": ACCOUNT,
                    "userName": "web",
                },
                "attributes": {"creationDate": "2025-02-06T00:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "ap-northeast-1",
        "sourceIPAddress": f"10.0.1.{chance.randrange(256)}",
        "userAgent": "aws-sdk-java/2.20",
        "requestParameters": {"key": f"photos/{chance.randrange(99_999)}.jpg", "bucketName": "example-bucket"},
        "responseElements": None,
        "requestID": f"{chance.randrange(16**16):016X}",
        "eventID": f"{chance.randrange(16**32):032x}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return found | ({"errorCode": "AccessDenied"} if chance.random() < 0.02 else {})  # noqa: PLR2004 - a share of denials


LOGS: dict[str, Callable[[Random], Iterator[str]]] = {
    "vpc_flow": flows,
    "s3_access": objects,
    "cloudfront_access": edges,
    "nlb_access": listeners,
    "route53_resolver": names,
    "cloudtrail": calls,
}


def written(folder: Path, name: str, megabytes: int) -> Path:
    """The folder with the files of one log, written once."""
    made = folder / f"{name}-{megabytes}"
    if made.is_dir():
        return made
    being_made = made.with_suffix(".part")
    shutil.rmtree(being_made, ignore_errors=True)
    being_made.mkdir(parents=True)
    records = LOGS[name](Random(name))
    heading = list(islice(records, HEADINGS.get(name, 0)))
    size, files = 0, 4
    for number in range(files):
        lines = heading
        while size < megabytes * MEGABYTE * (number + 1) // files:
            lines = [*lines, *islice(records, 1 if name == "cloudtrail" else 20_000)]
            stem = f"{number}-{size}.json" if name == "cloudtrail" else f"{number}.log"
            with (being_made / stem).open("a", encoding="utf-8") as file:
                size += file.write("\n".join(lines) + "\n")
            lines = []
    being_made.rename(made)
    return made


def speed(folder: Path, name: str) -> tuple[float, int, int]:
    """Megabytes of text a second that a folder is taken in with, its rows, and its unread lines."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    with tempfile.TemporaryDirectory() as scratch:
        start = perf_counter()
        case = open_case(folder, None, lambda *_: None, lambda _: (), cache=Path(scratch))
        taken = perf_counter() - start
        rows, unread = case.value(f'SELECT count(*) FROM "{name}"'), case.value("SELECT count(*) FROM unread")
        case.close()
    return size / MEGABYTE / taken, rows, unread


def flowlogs_reader(folder: Path) -> float | None:
    """Megabytes a second of flowlogs-reader, over one file; null where it is not installed."""
    if find_spec("flowlogs_reader") is None:
        return None
    path = min(folder.iterdir())
    program = (
        "import sys; from flowlogs_reader import FlowRecord\n"
        "lines = open(sys.argv[1]); names = [name.replace('-', '_') for name in next(lines).split()]\n"
        "n = sum(1 for line in lines if FlowRecord(dict(zip(names, line.split()))).start)\nprint(n)"
    )
    start = perf_counter()
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    return path.stat().st_size / MEGABYTE / (perf_counter() - start)


def by_hand(folder: Path) -> float:
    """Megabytes a second of DuckDB's own CSV reader told every field and its type, with line numbers and without any check.

    Two files at once, as kyumei reads them: what numbers the lines of a file is a single thread.
    """
    kinds = dict.fromkeys(FLOW_HEADER.split(), "VARCHAR") | dict.fromkeys(FLOW_NUMBERS, "BIGINT")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())

    def rows(path: Path) -> str:
        source = f"read_csv('{path}', delim=' ', quote='', escape='', header=true, auto_detect=false, columns={{{columns}}})"
        return f"SELECT row_number() OVER () AS line, * FROM {source}"

    files = sorted(folder.iterdir())
    with duckdb.connect() as con, ThreadPoolExecutor(2) as pool:
        con.execute("SET preserve_insertion_order = false")
        con.execute(f"CREATE TABLE flows AS {rows(files[0])} LIMIT 0")
        start = perf_counter()
        for done in [pool.submit(con.cursor().execute, f"INSERT INTO flows {rows(path)}") for path in files]:
            done.result()
        taken = perf_counter() - start
    return sum(path.stat().st_size for path in files) / MEGABYTE / taken


def main() -> int:
    """Write the logs, measure, print a table."""
    parser = argparse.ArgumentParser(description="How fast logs of AWS become rows.")
    parser.add_argument("--megabytes", type=int, default=400, help="text of each log (default 400)")
    parser.add_argument("--folder", type=Path, help="where the logs are kept for the next run")
    parser.add_argument("--only", nargs="+", choices=list(LOGS), default=list(LOGS))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = told.folder or Path(scratch)
        rows = []
        for name in told.only:
            folder = written(root, name, told.megabytes)
            ours, count, unread = max(speed(folder, name) for _ in range(RUNS))
            rows.append(Row(f"{name}, {count:,} rows, {unread} unread", f"{ours:.0f} MB/s", f">= {LEAST[name]} MB/s", ours >= LEAST[name]))
            if name == "vpc_flow" and (theirs := flowlogs_reader(folder)):
                times = ours / theirs
                rows += [
                    Row("vpc_flow / flowlogs-reader", f"{times:.0f}", f">= {TIMES_FLOWLOGS_READER}", times >= TIMES_FLOWLOGS_READER),
                    Row("DuckDB's CSV reader by hand / flowlogs-reader", f"{max(by_hand(folder) for _ in range(RUNS)) / theirs:.0f}"),
                ]
    sys.stdout.write(table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
