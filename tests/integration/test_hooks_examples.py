# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made hooks: what arrives at Slack, Teams, a mail server and a webhook, and what a run does when it cannot be sent."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.cli import BIN, ROOT, Project, Run
from integration.notify_servers import Mail, Web, certificate

HOOKS = {"slack": "Slack", "teams_webhook": "Teams", "mail": "mail", "webhook": "webhook"}
SECRETS = ("T0SECRET/B0SECRET/tokenSECRET", "sigSECRET", "passSECRET", "headerSECRET", "hookSECRET")
SUMMARY = "wave 2 of 5: web_1 & <web_2> are back, *web_3* is lost"
HOOK = {
    "point": "after_wave", "run_id": "20260302T0000Z-1", "wave": 2, "waves": 5, "hosts": ["web_1", "web_2", "web_3"], "host": None, "reason": None,
    "succeeded": ["web_1", "web_2"], "lost": ["web_3"], "left_out": [], "not_started": ["db_1"], "summary": SUMMARY,
}


@dataclass(frozen=True)
class Round:
    """Hooks as the waves of two hosts would run them, in a play of its own."""

    name: str
    hooks: tuple[str, ...] = tuple(HOOKS)
    variables: dict[str, Any] = field(default_factory=dict)

    def play(self) -> dict[str, Any]:
        """It says at its end that the run went on."""
        tasks = [included(hook) for hook in self.hooks]
        after = {"name": "Go on", "ansible.builtin.debug": {"msg": "WENT ON as {{ inventory_hostname }}"}}
        return {**PLAY, "name": self.name, "vars": {"rollout_hook": HOOK, **self.variables}, "tasks": [*tasks, after]}


PLAY = {"hosts": "all", "gather_facts": False, "any_errors_fatal": True}


def included(hook: str) -> dict[str, Any]:
    """A hook as the rollout includes it."""
    file = {"file": str(ROOT / f"playbooks/hooks/{hook}.yml"), "apply": {"run_once": True}}
    return {"name": f"Hook {hook}", "ansible.builtin.include_tasks": file, "run_once": True}


@dataclass
class Office:
    """Both servers, and the project of a user who sends to them."""

    web: Web
    mail: Mail
    project: Project

    def arrived(self, hook: str) -> list[Any]:
        """What one hook's receiver got; for posts (host, path, headers, JSON)."""
        starts = {"slack": "/services/", "teams_webhook": "/workflows/", "webhook": "/hooks/"}
        return self.mail.mails if hook == "mail" else [post for post in self.web.posts if post[1].startswith(starts[hook])]

    def play(self, *plays: Round | dict[str, Any], arguments: tuple[str, ...] = (), env: dict[str, str] | None = None) -> tuple[Run, list[str]]:
        """Run plays in one playbook: the run, and what each play printed, with runs of white space as one blank."""
        self.project.write("site.yml", [play.play() if isinstance(play, Round) else play for play in plays])
        run = self.project.run("ansible-playbook", "-i", "web_1,web_2,", "site.yml", *arguments, env=env)
        assert not [secret for secret in SECRETS if secret in run.out + run.err], "no secret is ever shown"
        return run, [" ".join(text.split()) for text in run.out.split("\nPLAY [")[1:]]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Servers of this test; Slack's host name leads to the web server through the proxy that the environment names."""
    pem = certificate(tmp_path, "hooks.slack.com")
    with Web(pem) as web, Mail(pem) as mail:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_") and "proxy" not in key.lower()}
        environment = {
            **kept, "HOME": str(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
            "https_proxy": f"http://127.0.0.1:{web.port}", "no_proxy": "127.0.0.1", "SSL_CERT_FILE": str(pem),
        }
        token, signature, password, header, query = SECRETS
        yield Office(web, mail, Project(tmp_path / "project", environment, {"all": {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable,
            "notify_slack_token": token, "notify_slack_channel": "#ops", "notify_retries": 1, "notify_delay": 0,
            "notify_teams_url": f"http://127.0.0.1:{web.port}/workflows/1?sig={signature}",
            "notify_webhook_url": f"http://127.0.0.1:{web.port}/hooks/1?key={query}", "notify_webhook_headers": {"Authorization": f"Bearer {header}"},
            "notify_mail_to": ["Ops <ops@example.com>", "night@example.com"], "notify_mail_from": "rollout@example.com", "notify_mail_host": "127.0.0.1",
            "notify_mail_port": mail.port, "notify_mail_username": "rollout", "notify_mail_password": password,
        }}))


def silence(office: Office) -> dict[str, Any]:
    """The example of the documentation, for each host before it is drained."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/hooks.md").read_text(encoding="utf-8"), re.DOTALL)
    office.project.write("hooks/silence.yml", next(block for block in blocks if "Alertmanager" in block))
    hook = {**HOOK, "point": "before_drain", "host": "{{ inventory_hostname }}", "summary": "web is about to be drained"}
    variables = {"rollout_hook": hook, "alertmanager_url": f"http://127.0.0.1:{office.web.port}"}
    return {**PLAY, "name": "Drain", "vars": variables, "tasks": [{"name": "Hook", "ansible.builtin.include_tasks": "hooks/silence.yml"}]}


def test_each_message_arrives_once_and_whole_and_no_secret_is_shown(office: Office) -> None:
    run, (sent, dummy) = office.play(Round("Sent"), silence(office), arguments=("-vvv",), env={"TZ": "Asia/Tokyo"})
    assert run.rc == 0 and "NOT SENT" not in sent and sent.count('"WENT ON as') == 2, run.text[-3000:]
    assert {hook: len(office.arrived(hook)) for hook in HOOKS} == dict.fromkeys(HOOKS, 1), "once for the wave, not once for each host"
    check_posts(office)
    check_mail(office)
    check_silences(office)


def check_posts(office: Office) -> None:
    """To Slack, to Teams and to the webhook."""
    (host, path, dummy, slack), = office.arrived("slack")
    assert (host, path) == ("hooks.slack.com:443", f"/services/{SECRETS[0]}")
    assert slack["text"] == "wave 2 of 5: web_1 &amp; &lt;web_2&gt; are back, *web_3* is lost" and slack["channel"] == "#ops"
    assert (slack["link_names"], slack["parse"]) == (0, "none")

    (dummy, path, dummy, teams), = office.arrived("teams_webhook")
    (card,) = [attachment["content"] for attachment in teams["attachments"]]
    assert path == f"/workflows/1?sig={SECRETS[1]}" and teams["type"] == "message" and card["type"] == "AdaptiveCard"
    assert card["body"][1] == {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": SUMMARY}]}
    assert {fact["title"]: fact["value"] for fact in card["body"][2]["facts"]} == {"Point": "after wave", "Run": HOOK["run_id"], "Wave": "2 of 5"}

    (dummy, path, headers, body), = office.arrived("webhook")
    assert body == HOOK and headers["authorization"] == f"Bearer {SECRETS[3]}" and headers["content-type"] == "application/json"


def check_mail(office: Office) -> None:
    """It says all, and its password went over an encrypted line only."""
    (recipients, mail), = office.arrived("mail")
    assert set(recipients) == {"ops@example.com", "night@example.com"} and mail["From"] == "rollout@example.com"
    assert mail["Subject"] == f"Azure maintenance: after_wave, run {HOOK['run_id']}"
    (text,) = mail.iter_parts()
    assert text.get_content().strip().splitlines() == [
        SUMMARY, "", "Point: after_wave", f"Run: {HOOK['run_id']}", "Wave: 2 of 5", "Hosts: web_1, web_2, web_3", "Succeeded: web_1, web_2",
        "Lost: web_3", "Not started: db_1",
    ]
    assert office.mail.logins == [("rollout", SECRETS[2], True)]


def check_silences(office: Office) -> None:
    """Each host silences itself, at the right time wherever the controller is."""
    bodies = [body for dummy, path, dummy, body in office.web.posts if path == "/api/v2/silences"]
    assert sorted(body["matchers"][0]["value"] for body in bodies) == ["web_1", "web_2"]
    for body in bodies:
        begin, end = (datetime.fromisoformat(body[key]) for key in ("startsAt", "endsAt"))
        assert abs(datetime.now(UTC) - begin) < timedelta(minutes=5) and timedelta(seconds=3590) < end - begin < timedelta(seconds=3610)


def test_what_cannot_be_sent_is_said_with_its_reason_and_stops_nothing(office: Office) -> None:
    """By a server that fails, by one that is not there, and to places that cannot be: a secret with a line break is not quoted by the error about it."""
    office.web.status, office.mail.broken = 500, True
    gone = {"notify_mail_port": 1, "notify_teams_url": f"http://127.0.0.1:1/w?sig={SECRETS[1]}", "notify_webhook_url": f"http://127.0.0.1:1/{SECRETS[4]}"}
    broken = {"notify_teams_url": f"http://127.0.0.1:{office.web.port}/workflows/1?sig={SECRETS[1]}\n",
              "notify_webhook_headers": {"Authorization": f"Bearer {SECRETS[3]}\nX: y"}}
    run, (failing, lost, unfit) = office.play(
        Round("Failing"), Round("Gone", ("teams_webhook", "mail", "webhook"), gone), Round("Broken", ("teams_webhook", "webhook"), broken), arguments=("-vvv",))
    assert run.rc == 0 and [text.count('"WENT ON as') for text in (failing, lost, unfit)] == [2, 2, 2], run.text[-3000:]
    for hook, word in HOOKS.items():
        assert f"NOTIFICATION NOT SENT by {word} (after_wave, run {HOOK['run_id']}): " in failing, hook
    assert failing.count("HTTP Error 500") >= 3 and "no mail today" in failing, "the line says why"
    tries = {hook: len(office.arrived(hook)) for hook in HOOKS if hook != "mail"}
    assert tries == dict.fromkeys(tries, 2) and office.mail.attempts == 2, "one retry was asked for, and none for what cannot be sent at all"
    assert lost.count("NOTIFICATION NOT SENT by") == 3 and lost.count("Connection refused") >= 3
    assert "without blanks or line breaks" in unfit and "no line break in it nor in the values of notify_webhook_headers" in unfit


def test_a_required_notification_that_fails_ends_the_run(office: Office) -> None:
    """Each of them fails, and the last one is not rescued."""
    office.web.status, office.mail.broken = 500, True
    after = {"name": "Go on", "ansible.builtin.debug": {"msg": "WENT ON"}}
    rescue = [{"name": "Know it", "ansible.builtin.debug": {"msg": "it failed"}}]
    *tasks, last = [{"block": [included(hook), after], "rescue": rescue} for hook in HOOKS]
    del last["rescue"]
    run, dummy = office.play({**PLAY, "name": "Required", "vars": {"rollout_hook": HOOK, "notify_required": True}, "tasks": [*tasks, last]})
    assert run.rc != 0 and '"WENT ON' not in run.out and run.out.count('"it failed"') >= 3, run.text[-3000:]
    for hook in HOOKS:
        assert f"NOTIFICATION NOT SENT by {HOOKS[hook]}" in run.text
    assert run.text.count("required by notify_required") >= 4


def test_check_mode_sends_nothing_and_says_what_it_would_send_or_needs(office: Office) -> None:
    nothing = dict.fromkeys(("notify_slack_token", "notify_teams_url", "notify_mail_to", "notify_mail_from", "notify_webhook_url"), "")
    run, (check, missing) = office.play(Round("Check"), Round("Missing", variables=nothing), arguments=("--check",))
    assert run.rc == 0 and check.count('"WENT ON as') == 2, run.text[-3000:]
    assert check.count("CHECK MODE, not ") == 4 and "CHECK MODE, not mailed to Ops <ops@example.com>, night@example.com: wave 2 of 5" in check
    for name in ("notify_slack_token", "notify_teams_url", "notify_mail_to and notify_mail_from", "notify_webhook_url"):
        assert f"it needs the variable{'s' if ' ' in name else ''} {name}" in missing
    assert missing.count("NOTIFICATION NOT SENT by") == 4
    assert (office.web.posts, office.mail.attempts) == ([], 0)


def test_a_collection_that_is_not_installed_is_named_and_stops_nothing(office: Office) -> None:
    empty = office.project.folder / "collections"
    empty.mkdir()
    env = {"ANSIBLE_COLLECTIONS_PATH": str(empty), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    run, (bare,) = office.play(Round("Bare", ("slack", "mail")), env=env)
    assert run.rc == 0 and bare.count('"WENT ON as') == 2, run.text[-3000:]
    assert bare.count("NOTIFICATION NOT SENT by") == 2 and "ansible-galaxy collection install community.general" in bare
