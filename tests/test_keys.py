"""What keys tell, and which of them a window needs: margins, midnight, Hive, percent-encoding, contradictions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei.model.window import Window
from kyumei.store.keys import MARGINS, Told, needed, told_by

CORPUS = Path(__file__).parents[2] / "shared/corpus/s3_keys/promtail-s3-object-keys.json"
START = datetime(2025, 2, 6, 12, 30, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=20))
AT = "AWSLogs/123456789012"
NAMES = {
    "flow": AT + "/vpcflowlogs/ap-northeast-1/{0:%Y/%m/%d}/123456789012_vpcflowlogs_ap-northeast-1_fl-1234abcd_{0:%Y%m%dT%H%M}Z_fe1.log.gz",
    "balancer": AT
    + "/elasticloadbalancing/ap-northeast-1/{0:%Y/%m/%d}/123456789012_elasticloadbalancing_ap-northeast-1_app.shop.50dc6c495c0c9188"
    "_{0:%Y%m%dT%H%M}Z_192.0.2.1_2et2e1mx.log.gz",
    "classic": AT + "/elasticloadbalancing/ap-northeast-1/{0:%Y/%m/%d}/123456789012_elasticloadbalancing_ap-northeast-1_shop"
    "_{0:%Y%m%dT%H%M}Z_192.0.2.1_2et2e1mx.log",
    "waf": "aws-waf-logs-x/" + AT + "/WAFLogs/ap-northeast-1/shop_acl/{0:%Y/%m/%d/%H/%M}/"
    "123456789012_waflogs_ap-northeast-1_shop_acl_{0:%Y%m%dT%H%M}Z_e0ca43b5.log.gz",
    "cloudtrail": AT + "/CloudTrail/us-east-1/{0:%Y/%m/%d}/123456789012_CloudTrail_us-east-1_{0:%Y%m%dT%H%M}Z_4jhzXFO2Jlvu2b3y.json.gz",
    "resolver": AT + "/vpcdnsquerylogs/vpc-0a1b2c/{0:%Y/%m/%d}/vpc-0a1b2c_vpcdnsquerylogs_123456789012_{0:%Y%m%dT%H%M}Z_06b0b7cd.log.gz",
    "firewall": AT + "/network-firewall/alert/ap-northeast-1/edge/{0:%Y/%m/%d/%H}/"
    "123456789012_network-firewall_alert_ap-northeast-1_edge_{0:%Y%m%d%H%M}_44442222.log.gz",
    "s3": "logs/{0:%Y-%m-%d-%H-%M-%S}-E568B2907131C0C0",
}


@pytest.mark.parametrize("log", NAMES)
def test_margins(log: str) -> None:
    """The first and the last minute that are needed, and those beyond them that are not."""
    early, late = MARGINS[log]
    first, last = WINDOW.start - early, WINDOW.end + late
    for moment, expected in ((first, True), (last, True), (first - timedelta(minutes=1), False), (last + timedelta(minutes=1), False)):
        key = NAMES[log].format(moment)
        assert told_by(key).log == log
        assert told_by(key).moment == moment.replace(second=0)
        assert needed(key, WINDOW) is expected, key


def test_hours_of_cloudfront() -> None:
    """The hour of the window, the one before, and none after."""
    found = {hour: needed(f"cdn/E2K2LNL5N3WR51.2025-02-06-{hour:02}.a10a8496.gz", WINDOW) for hour in range(9, 15)}
    assert [hour for hour, wanted in found.items() if wanted] == [11, 12]
    assert told_by("E2K2LNL5N3WR51.2025-02-06-12.a10a8496.parquet") == Told(
        "cloudfront", "", "", "E2K2LNL5N3WR51", "", datetime(2025, 2, 6, 12, tzinfo=UTC), timedelta(hours=1), timedelta(hours=1)
    )


def test_days() -> None:
    """A day holds all of its hours, and near midnight the day beyond is needed, too."""
    key = f"{AT}/GuardDuty/us-east-1/2025/02/{{:02}}/07a3f2ce-1485-3031-b842-e1f324c4a48d.jsonl.gz"
    noon, night = WINDOW, Window(datetime(2025, 2, 6, 0, 20, tzinfo=UTC), datetime(2025, 2, 6, 0, 30, tzinfo=UTC))
    evening = Window(datetime(2025, 2, 6, 18, tzinfo=UTC), datetime(2025, 2, 6, 18, 10, tzinfo=UTC))
    assert [day for day in range(3, 10) if needed(key.format(day), noon)] == [6]
    assert [day for day in range(3, 10) if needed(key.format(day), night)] == [5, 6]
    assert [day for day in range(3, 10) if needed(key.format(day), evening)] == [6, 7]


def test_a_region_of_the_european_sovereign_cloud() -> None:
    """Its partition has four letters where others have two."""
    key = "logs/123456789012/eusc-de-east-1/shop-assets/2025/02/06/2025-02-06-00-00-00-E568B2907131C0C0"
    assert (told_by(key).region, told_by(key).resource) == ("eusc-de-east-1", "shop-assets")


def test_event_days_of_s3() -> None:
    """Partitioned by the time of the events: the clock in the name is midnight, and the whole day counts."""
    key = "logs/123456789012/ap-northeast-1/shop-assets/2025/02/06/2025-02-06-00-00-00-E568B2907131C0C0"
    told = told_by(key)
    assert (told.account, told.region, told.resource, told.grain) == ("123456789012", "ap-northeast-1", "shop-assets", timedelta(days=1))
    assert needed(key, WINDOW)
    assert not needed(key.replace("/02/06/2025-02-06", "/02/08/2025-02-08"), WINDOW)
    assert not needed(key.replace("/02/06/2025-02-06", "/02/04/2025-02-04"), WINDOW)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=06/hour=12/x.parquet", True),
        ("aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=06/hour=13/x.parquet", True),
        (
            "aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=06/hour=14/x.parquet",
            False,
        ),
        (
            "aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=06/hour=11/x.parquet",
            False,
        ),
        ("aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=06/x.parquet", True),
        ("aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=ap-northeast-1/year=2025/month=02/day=08/x.parquet", False),
        ("year=2025/month=02/day=01/part-0.parquet", True),
        ("aws-account-id=123456789012/aws-service=unheard/aws-region=ap-northeast-1/year=2020/month=02/day=08/x", True),
        (f"{AT}/CloudTrail/us-east-1/2025/02/06/renamed.json", True),
        (f"{AT}/CloudTrail/us-east-1/2025/02/01/renamed.json", False),
        (f"{AT}/WAFLogs/cloudfront/acl/2025/02/06/12/35/renamed.log", True),
        (f"{AT}/WAFLogs/cloudfront/acl/2025/02/06/13/35/renamed.log", False),
        (f"{AT}/CloudTrail/us-east-1/2025/02/31/renamed.json", True),
        ("some-object.json", True),
        ("export/0123-4567/stream/000000.gz", True),
        ("app.log.2020-01-01", True),
        ("ERRORLOG.2020-02-06-12.log", True),
        (NAMES["cloudtrail"].format(START).replace("2025/02/06", "2019/02/06"), True),
        (NAMES["cloudtrail"].format(START - timedelta(days=90)), False),
        (NAMES["cloudtrail"].format(START).replace("_20250206T1230Z", "_20251399T9999Z").replace("2025/02/06", "x"), True),
    ],
)
def test_other_keys(key: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """Hive, names that were lost while the folders tell, what fits nothing, and what contradicts itself: that is read."""
    assert needed(key, WINDOW) is expected


def test_encoded_keys() -> None:
    """As in inventories and notifications."""
    plain = NAMES["waf"].format(START - timedelta(days=1))
    encoded = plain.replace("/", "%2F").replace("_", "%5F")
    assert told_by(encoded) == told_by(plain)
    assert not needed(encoded, WINDOW)
    assert told_by("my+prefix/" + plain) == told_by(plain)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (NAMES["balancer"], ("123456789012", "ap-northeast-1", "app/shop/50dc6c495c0c9188")),
        (NAMES["classic"], ("123456789012", "ap-northeast-1", "shop")),
        (NAMES["waf"], ("123456789012", "ap-northeast-1", "shop_acl")),
        (NAMES["resolver"], ("123456789012", "", "vpc-0a1b2c")),
        (NAMES["firewall"], ("123456789012", "ap-northeast-1", "edge")),
        (
            NAMES["balancer"].replace("/123456789012_", "/conn_log.123456789012_"),
            ("123456789012", "ap-northeast-1", "app/shop/50dc6c495c0c9188"),
        ),
        (
            f"{AT}/CloudTrail-Digest/us-east-1/{{0:%Y/%m/%d}}/123456789012_CloudTrail-Digest_us-east-1_trail_us-east-1_{{0:%Y%m%dT%H%M%S}}Z.json.gz",
            ("123456789012", "us-east-1", ""),
        ),
    ],
)
def test_who_and_where(key: str, told: tuple[str, str, str]) -> None:
    """Account, Region and resource, as the tables name them."""
    found = told_by(key.format(START))
    assert (found.account, found.region, found.resource) == told
    assert found.moment == START
    with_organization = told_by(key.format(START).replace("AWSLogs/", "AWSLogs/o-exampleorgid/"))
    assert with_organization.organization == "o-exampleorgid"
    assert (with_organization.account, with_organization.region, with_organization.resource) == told


WANTED = ("account_id", "region", "organization_id")
RESOURCES = {"s3_alb", "s3_alb_health_check", "s3_nlb", "s3_access", "s3_flow_logs", "s3_cloudfront", "s3_waf", "s3_url_encoded_1"}


@pytest.mark.skipif(not CORPUS.is_file(), reason="the corpus of other projects' samples is not here")
def test_corpus() -> None:
    """What others read from keys is read here, too; differences are listed in the page on the corpus."""
    cases: list[dict[str, Any]] = json.loads(CORPUS.read_text())["cases"]
    assert len(cases) == 18
    for case in cases:
        told, want = told_by(case["key"]), case["want"]
        assert tuple(want.get(name, "") for name in WANTED) == (told.account, told.region, told.organization), case["case"]
        if case["case"] in RESOURCES:
            assert want["src"] == (told.resource.split("/")[1] if "/" in told.resource else told.resource)
        if case["case"] == "s3_msk":
            assert told.resource == want["cluster_name"]


@settings(max_examples=200, deadline=None)
@given(
    log=st.sampled_from(sorted(NAMES)),
    minutes=st.integers(-4000, 4000),
    length=st.integers(1, 3000),
)
def test_no_key_near_the_window_is_passed_over(log: str, minutes: int, length: int) -> None:
    """Whatever the window: a key is passed over only when its time lies outside of the margins."""
    window = Window(START, START + timedelta(minutes=length))
    moment = START + timedelta(minutes=minutes)
    early, late = MARGINS[log]
    inside = window.start - early <= moment <= window.end + late
    assert needed(NAMES[log].format(moment), window) or not inside


@settings(max_examples=300, deadline=None)
@given(
    key=st.lists(
        st.sampled_from(
            [
                "AWSLogs/",
                "123456789012",
                "/",
                "_vpcflowlogs_",
                "us-east-1",
                "2025/02/06/",
                "20250206T1230Z_",
                "o-1234",
                "=",
                "year=",
                "%",
                "%2F",
                "+",
                "E2K2LNL5N3WR51.",
                "\ud800",
                "x",
            ]
        )
        | st.text(max_size=4),
        max_size=12,
    ).map("".join)
)
def test_no_key_raises(key: str) -> None:
    """Whatever a file is called."""
    needed(key, WINDOW)
    needed("AWSLogs/123456789012/" + "a-" * 3000 + key, WINDOW)
