# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made hooks: what arrives at Slack, Teams, a mail server and a webhook, and what a run does when it cannot be sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
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

    def play(self, name: str, *arguments: str, hooks: list[str] | None = None, **variables: Any) -> Run:
        """Run hooks as the waves of two hosts would, and say at the end that the run went on."""
        include = [
            {"name": f"Hook {hook}", "ansible.builtin.include_tasks": {"file": str(ROOT / f"playbooks/hooks/{hook}.yml"), "apply": {"run_once": True}},
             "run_once": True} for hook in hooks or HOOKS
        ]
        after = {"name": "Go on", "ansible.builtin.debug": {"msg": "WENT ON as {{ inventory_hostname }}"}}
        play = {"name": "Waves", "hosts": "all", "gather_facts": False, "any_errors_fatal": True, "vars": {"rollout_hook": HOOK}}
        self.project.write(f"{name}.yml", [{**play, "tasks": [*include, after]}])
        return self.project.run("ansible-playbook", "-i", "web_1,web_2,", f"{name}.yml", "-e", "@secrets.yml", "-e", f"@{self.vars(variables)}", *arguments)

    def vars(self, variables: dict[str, Any]) -> str:
        return str(self.project.write("more.yml", variables))


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
        project = Project(tmp_path / "project", environment, {"all": {"ansible_connection": "local"}})
        token, signature, password, header, query = SECRETS
        project.write("secrets.yml", {
            "notify_slack_token": token, "notify_slack_channel": "#ops", "notify_retries": 1, "notify_delay": 0,
            "notify_teams_url": f"http://127.0.0.1:{web.port}/workflows/1?sig={signature}",
            "notify_webhook_url": f"http://127.0.0.1:{web.port}/hooks/1?key={query}", "notify_webhook_headers": {"Authorization": f"Bearer {header}"},
            "notify_mail_to": ["Ops <ops@example.com>", "night@example.com"], "notify_mail_from": "rollout@example.com", "notify_mail_host": "127.0.0.1",
            "notify_mail_port": mail.port, "notify_mail_username": "rollout", "notify_mail_password": password,
        })
        yield Office(web, mail, project)


def no_secret(run: Run) -> bool:
    return not [secret for secret in SECRETS if secret in run.out + run.err]


def test_each_message_arrives_once_and_whole_and_no_secret_is_shown(office: Office) -> None:
    run = office.play("sent", "-vvv")
    assert run.rc == 0 and "NOT SENT" not in run.text and run.out.count("WENT ON as") == 2, run.text[-3000:]
    assert no_secret(run)
    assert {hook: len(office.arrived(hook)) for hook in HOOKS} == dict.fromkeys(HOOKS, 1), "once for the wave, not once for each host"

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


def test_the_mail_says_all_and_its_password_goes_over_an_encrypted_line_only(office: Office) -> None:
    run = office.play("mailed", "-vvv", hooks=["mail"])
    assert run.rc == 0 and no_secret(run), run.text[-3000:]
    (recipients, mail), = office.arrived("mail")
    assert set(recipients) == {"ops@example.com", "night@example.com"} and mail["From"] == "rollout@example.com"
    assert mail["Subject"] == f"Azure maintenance: after_wave, run {HOOK['run_id']}"
    (text,) = mail.iter_parts()
    assert text.get_content().strip().splitlines() == [
        SUMMARY, "", "Point: after_wave", f"Run: {HOOK['run_id']}", "Wave: 2 of 5", "Hosts: web_1, web_2, web_3", "Succeeded: web_1, web_2",
        "Lost: web_3", "Not started: db_1",
    ]
    assert office.mail.logins == [("rollout", SECRETS[2], True)]


def test_a_server_that_fails_is_said_and_stops_nothing(office: Office) -> None:
    office.web.status, office.mail.broken = 500, True
    run = office.play("failing", "-vvv")
    assert run.rc == 0 and run.out.count("WENT ON as") == 2, run.text[-3000:]
    for hook, word in HOOKS.items():
        assert f"NOTIFICATION NOT SENT by {word} (after_wave, run {HOOK['run_id']}): " in run.text, hook
    assert run.text.count("HTTP Error 500") >= 3 and "no mail today" in run.text, "the line says why"
    assert no_secret(run)
    tries = {hook: len(office.arrived(hook)) for hook in HOOKS if hook != "mail"}
    assert tries == dict.fromkeys(tries, 2) and office.mail.attempts == 2, "one retry was asked for"


def test_a_server_that_is_not_there_is_said_and_stops_nothing(office: Office) -> None:
    gone = {"notify_mail_port": 1, "notify_teams_url": f"http://127.0.0.1:1/w?sig={SECRETS[1]}", "notify_webhook_url": f"http://127.0.0.1:1/{SECRETS[4]}"}
    run = office.play("gone", "-vvv", hooks=["teams_webhook", "mail", "webhook"], **gone)
    assert run.rc == 0 and run.out.count("WENT ON as") == 2, run.text[-3000:]
    assert run.text.count("NOTIFICATION NOT SENT by") == 3 and run.text.count("Connection refused") >= 3 and no_secret(run)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_required_notification_that_fails_ends_the_run(office: Office, hook: str) -> None:
    office.web.status, office.mail.broken = 500, True
    run = office.play("required", hooks=[hook], notify_required=True)
    assert run.rc != 0 and "WENT ON" not in run.out, run.text[-3000:]
    assert f"NOTIFICATION NOT SENT by {HOOKS[hook]}" in run.text and "required by notify_required" in run.text and no_secret(run)


def test_check_mode_sends_nothing_and_says_what_it_would_send(office: Office) -> None:
    run = office.play("check", "--check")
    assert run.rc == 0 and run.out.count("WENT ON as") == 2, run.text[-3000:]
    assert run.out.count("CHECK MODE, not ") == 4 and "CHECK MODE, not mailed to Ops <ops@example.com>, night@example.com: wave 2 of 5" in run.text
    assert (office.web.posts, office.mail.attempts) == ([], 0) and no_secret(run)


def test_what_is_missing_is_named_also_in_check_mode(office: Office) -> None:
    office.project.write("secrets.yml", {})
    run = office.play("missing", "--check")
    assert run.rc == 0, run.text[-3000:]
    for name in ("notify_slack_token", "notify_teams_url", "notify_mail_to and notify_mail_from", "notify_webhook_url"):
        assert f"it needs the variable{'s' if ' ' in name else ''} {name}" in run.text
    assert run.text.count("NOTIFICATION NOT SENT by") == 4


def test_a_secret_with_a_line_break_is_not_quoted_by_the_error_about_it(office: Office) -> None:
    broken = {"notify_teams_url": f"http://127.0.0.1:{office.web.port}/workflows/1?sig={SECRETS[1]}\n",
              "notify_webhook_headers": {"Authorization": f"Bearer {SECRETS[3]}\nX: y"}}
    run = office.play("broken", "-vvv", hooks=["teams_webhook", "webhook"], **broken)
    assert run.rc == 0 and office.web.posts == [] and no_secret(run)
    assert "without blanks or line breaks" in run.text and "no line break in it nor in the values of notify_webhook_headers" in run.text


def test_a_collection_that_is_not_installed_is_named_and_stops_nothing(office: Office) -> None:
    empty = office.project.folder / "collections"
    empty.mkdir()
    office.project.environment |= {"ANSIBLE_COLLECTIONS_PATH": str(empty), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    run = office.play("bare", hooks=["slack", "mail"])
    assert run.rc == 0 and run.out.count("WENT ON as") == 2, run.text[-3000:]
    assert run.text.count("NOTIFICATION NOT SENT by") == 2 and "ansible-galaxy collection install community.general" in run.text


def test_the_example_of_the_documentation_silences_the_host_it_runs_for(office: Office) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/hooks.md").read_text(encoding="utf-8"), re.DOTALL)
    office.project.write("hooks/silence.yml", next(block for block in blocks if "Alertmanager" in block))
    hook = {**HOOK, "point": "before_drain", "host": "{{ inventory_hostname }}", "summary": "web is about to be drained"}
    variables = {"rollout_hook": hook, "alertmanager_url": f"http://127.0.0.1:{office.web.port}"}
    task = {"name": "Hook", "ansible.builtin.include_tasks": "hooks/silence.yml"}
    office.project.write("silence.yml", [{"name": "Drain", "hosts": "all", "gather_facts": False, "vars": variables, "tasks": [task]}])
    run = office.project.run("ansible-playbook", "-i", "web_1,web_2,", "silence.yml", env={"TZ": "Asia/Tokyo"})
    assert run.rc == 0, run.text[-3000:]
    bodies = [body for dummy, path, dummy, body in office.web.posts if path == "/api/v2/silences"]
    assert sorted(body["matchers"][0]["value"] for body in bodies) == ["web_1", "web_2"]
    for body in bodies:
        begin, end = (datetime.fromisoformat(body[key]) for key in ("startsAt", "endsAt"))
        assert abs(datetime.now(UTC) - begin) < timedelta(minutes=5) and timedelta(seconds=3590) < end - begin < timedelta(seconds=3610)
