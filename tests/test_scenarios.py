"""Every scenario of the incident generator ends in its own right verdict, and stays right when the seed changes names, times and rules."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from incidents import SCENARIOS, generate
from incidents.edge import CAUSES
from kyumei import discover
from kyumei.api import investigate
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from pathlib import Path

    from incidents import Truth
    from kyumei.model.finding import Citation, Investigation

SEEDS = [int(seed) for seed in os.environ.get("KYUMEI_SEEDS", "0 1").split()]
GUILTY = {
    "waf_rule_blocked": ("waf_rule_blocked", "with_alb_log", "custom_response"),
    "waf_managed_rule_blocked": ("managed_size", "managed_cross_site_scripting"),
    "waf_rate_limited": ("rate_limited",),
    "waf_source_blocked": ("ip_set_blocked", "geo_blocked", "default_action_blocked"),
    "waf_challenge_unanswered": ("captcha_asked", "challenge_asked"),
    "waf_oversize_blocked": ("oversize_body",),
    "waf_log_missing": ("waf_log_missing_with_alb_log",),
    "web_server_refused": ("nginx_forbidden", "nginx_directory_index", "nginx_permission"),
    "application_answered": ("app_forbidden", "waf_counted_only", "app_forbidden_with_alb_log"),
    "load_balancer_answered": ("balancer_fixed_response",),
}
"""The scenarios in which each rule must be the one that names the cause. In all others it must not."""
HOPS = {"waf": {"waf"}, "alb": {"alb"}, "nginx": {"nginx"}, "app": {"server", "app"}}


def citations(answer: Investigation) -> list[Citation]:
    """Every citation of an answer."""
    found = [one for finding in answer.findings for evidence in finding.chain for one in evidence.citations]
    found += [one for other in answer.ruled_out for one in other.citations]
    found += [one for hop in answer.hops for one in hop.citations]
    return found + [moment.citation for moment in answer.timeline if moment.citation]


def assert_resolves(root: Path, citation: Citation) -> None:
    """The cited line stands in the file, at that number, letter by letter."""
    raw = (root / citation.file).read_bytes()
    text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    lines = text.decode().split("\n")
    assert citation.text, citation
    assert lines[citation.line - 1].removesuffix("\r") == citation.text or citation.text in lines[citation.line - 1]


def problems(truth: Truth, answer: Investigation) -> list[str]:
    """What is wrong with an answer, measured against the truth."""
    found: list[str] = []
    if answer.verdict != truth.verdict:
        found.append(f"verdict {answer.verdict}, not {truth.verdict}: {answer.sentence}")
    sure = [finding for finding in answer.findings if finding.certainty is not Certainty.POSSIBLE]
    found += [f"accuses {finding.code}: {finding.title}" for finding in sure if finding.code in truth.forbidden]
    if truth.verdict == "cause_found" and answer.findings:
        first = answer.findings[0]
        if first.code not in truth.codes:
            found.append(f"first is {first.code}, not {truth.codes}: {first.title}")
        cited = {(one.file, one.line) for evidence in first.chain for one in evidence.citations}
        found += [f"does not cite {line}" for line in truth.cited if (line.file, line.line) not in cited]
        names = " ".join((first.title, *first.subject.values()))
        found += [
            f"does not name {name}"
            for name in (truth.rule, truth.inner_rule, truth.web_acl if truth.rule else "")
            if name and name not in names
        ]
    if truth.missing and not any(_names(gap.missing, truth.missing) for gap in answer.gaps):
        found.append(f"does not name the missing {truth.missing} log: {[gap.missing for gap in answer.gaps]}")
    by_hop = {hop.hop: hop for hop in answer.hops}
    for silent in truth.silent:
        found += [
            f"{hop} is {by_hop[hop].saw_it}, not silent: {by_hop[hop].why}"
            for hop in HOPS[silent]
            if hop in by_hop and by_hop[hop].saw_it == "yes"
        ]
        if truth.verdict == "cause_found" and not any(by_hop[hop].saw_it == "no" for hop in HOPS[silent] if hop in by_hop):
            found.append(
                f"{silent} is not shown to have missed it: "
                f"{[(hop, by_hop[hop].saw_it, by_hop[hop].why) for hop in HOPS[silent] if hop in by_hop]}"
            )
    return found


def _names(missing: str, log: str) -> bool:
    words = {"waf": "WAF", "alb": "oad", "nginx": "nginx", "app": "pplication"}
    return words[log] in missing


def test_every_rule_has_a_scenario() -> None:
    """A rule without a guilty case is a claim: here, or among the incidents of every id."""
    elsewhere = {name for name, rule in discover.rules().items() if set(rule.codes) & set(CAUSES)}
    assert set(GUILTY) <= set(discover.rules()) <= set(GUILTY) | elsewhere
    assert {name for names in GUILTY.values() for name in names} <= set(SCENARIOS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_scenario_ends_in_its_own_verdict(name: str, seed: int, tmp_path: Path) -> None:
    """Verdict, code, citations, named rule, silent hops and missing log are those of the truth."""
    truth = generate(SCENARIOS[name](seed), tmp_path / "case")
    answer = investigate(tmp_path / "case", truth.sentence, now=truth.moment + timedelta(hours=8), cache=tmp_path / "cache")
    assert problems(truth, answer) == []
    speaking = {finding.rule for finding in answer.findings[:1]}
    guilty = {rule for rule, scenarios in GUILTY.items() if name in scenarios}
    assert not guilty or speaking == guilty
    others = {finding.rule for finding in answer.findings if finding.certainty is Certainty.PROVEN} - speaking
    assert not others or truth.verdict == "cause_found", "a second proven cause beside no first one"
    for citation in citations(answer):
        assert_resolves(tmp_path / "case", citation)
