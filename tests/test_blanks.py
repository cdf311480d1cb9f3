"""What a log says is put into a command as one word, whatever it says."""

from __future__ import annotations

import shlex

import pytest

from kyumei.edge.blanks import filled

HOSTILE = ("a b", "$(reboot)", "'; reboot; '", "{host}", "<x>; reboot", "<HOST>; reboot", "{path} {host}", "`id`", "a\nreboot", "")


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("host", HOSTILE)
def test_a_value_from_a_log_stays_one_word(path: str, host: str) -> None:
    """Neither the shell nor a second filling finds anything in it."""
    command = filled('curl {path} --connect-to {host} \'{"a":{"b":1}}\' {unknown}', {"path": path, "host": host}, quote=True)
    assert shlex.split(command) == ["curl", path, "--connect-to", host, '{"a":{"b":1}}', "{unknown}"]


def test_what_nobody_knows_is_left_to_the_reader() -> None:
    """A placeholder is not quoted, and a sentence is not at all."""
    assert filled("aws elbv2 describe-rules --listener-arn {arn}", {"arn": "<LISTENER_ARN>"}, quote=True).endswith(" <LISTENER_ARN>")
    assert filled("asked for {path}", {"path": "/a b"}) == "asked for /a b"
