"""`weir rules`: from a file into force, with errors that say where and what to mend."""

import json
import re
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from events.log import open_log
from events.log.reading import events_until_end
from events.types import AuditRecorded, ControlChanged
from models.builtin_controls import BUILTIN_RULES
from models.features import CATALOGUE
from models.rules.checks import BY_SURROGATE
from pipelines.commands import app
from pipelines.controls.log import in_force

GUIDE = Path(__file__).parents[3] / "docs" / "rules.md"
SURROGATE = "dev_" + 24 * "a"
RULE = {"action": "review", "when": "card_count_1h >= 4", "words": "a busy card"}


class Shell:
    """The commands on the embedded log of one home."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.file = folder / "controls.json"
        self.home.mkdir()
        self.url = f"sqlite:///{self.home}/log.sqlite"
        open_log(self.url).close()

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["rules", *words, "--home", str(self.home)])

    def publish(self, *controls: dict[str, Any]) -> Result:
        self.file.write_text(json.dumps(controls))
        return self.run("publish", str(self.file))

    def events(self, topic: str) -> list[Any]:
        with closing(open_log(self.url, create=False)) as log:
            return [event for _, event in events_until_end(log, topic)]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_guides_example_is_checked_published_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = GUIDE.read_text().partition("## From a file into force")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    (commands,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("controls.json").write_text(example)
    Path(".weir/home").mkdir(parents=True)
    open_log(f"sqlite:///{tmp_path}/.weir/home/log.sqlite").close()

    printed = [
        CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
        for line in commands.splitlines()
    ]

    assert [result.exit_code for result in printed] == [0] * 7
    checked, published, listed, shown, removed, gone, restored = (result.output for result in printed)
    assert "rule busy_card_abroad: good" in checked
    assert "list blocked_devices: published as version 1" in published
    assert re.search(r"blocked_device +1 +block +device IN @blocked_devices", listed)
    assert "“busy card abroad”" in listed
    assert json.loads(shown) == json.loads(example)[0]
    assert "busy_card_abroad: removed as version 2" in removed
    assert "weir rules restore amount_far_from_own" in gone
    assert "amount_far_from_own: published as version 2" in restored


def test_the_guides_other_bodies_are_good(tmp_path: Path) -> None:
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)]
    controls = [told for told in found if isinstance(told, dict) and "name" in told]
    lists = [told for told in found if isinstance(told, dict) and "entries" in told]
    (tmp_path / "c.json").write_text(
        json.dumps([*controls, *({"name": "l", "kind": "list", "body": told} for told in lists)])
    )

    result = CliRunner().invoke(app, ["rules", "check", str(tmp_path / "c.json")])

    assert {told["name"] for told in controls} == {"costs", "decision", "rates"}
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, len(controls) + len(lists))


def test_what_is_published_is_in_force_by_the_next_version_and_audited(shell: Shell) -> None:
    shell.publish({"name": "busy", "body": RULE})
    shell.publish({"name": "busy", "body": {**RULE, "action": "block"}})

    changes = [event for event in shell.events("controls") if isinstance(event, ControlChanged)]
    assert [(change.name, change.version) for change in changes] == [("busy", 1), ("busy", 2)]
    with closing(open_log(shell.url, create=False)) as log:
        controls = in_force(log)
    assert controls.versions["busy"] == 2
    assert [rule.action for rule in controls.rules if rule.name == "busy"] == ["block"]
    audited = [event for event in shell.events("audit") if isinstance(event, AuditRecorded)]
    assert [(event.action, event.resource) for event in audited] == [
        ("control.publish", "rule busy version 1"),
        ("control.publish", "rule busy version 2"),
    ]


def test_a_shipped_rule_is_removed_and_may_come_back(shell: Shell) -> None:
    assert shell.run("remove", "rapid_attempts").exit_code == 0
    assert re.search(
        r"rapid_attempts +1 +removed; `weir rules restore rapid_attempts`", shell.run("list").output
    )

    shell.publish({"name": "rapid_attempts", "body": RULE})
    assert re.search(r"rapid_attempts +2 +review +card_count_1h >= 4", shell.run("list").output)

    assert shell.run("restore", "rapid_attempts").exit_code == 0
    shipped = re.escape(BUILTIN_RULES["rapid_attempts"]["when"])
    assert re.search(rf"rapid_attempts +3 +review +{shipped}", shell.run("list").output)


def test_only_what_is_shipped_is_restored(shell: Shell) -> None:
    result = shell.run("restore", "nobody")

    assert result.exit_code == 1
    assert "rapid_attempts" in result.stderr


@pytest.mark.parametrize("name", ["costs", "decision", "rates", "rapid_attempts"])
def test_what_is_shown_can_be_published_as_it_stands(shell: Shell, name: str) -> None:
    shown = shell.run("show", name).stdout

    assert shell.publish(json.loads(shown)).exit_code == 0
    assert shell.run("show", name).stdout == shown


def test_what_is_not_there_is_not_shown(shell: Shell) -> None:
    assert "no control is called nobody" in shell.run("show", "nobody").stderr


def test_a_control_that_stands_twice_in_a_file_is_refused(shell: Shell) -> None:
    result = shell.publish({"name": "busy", "body": RULE}, {"name": "busy", "body": RULE})

    assert result.exit_code == 1
    assert "holds busy twice" in result.stderr
    assert shell.events("controls") == []


def test_a_rule_that_looks_in_a_list_which_is_not_there_is_pointed_to(shell: Shell) -> None:
    rule = {"name": "listed", "body": {**RULE, "when": "device IN @nolist"}}

    published = shell.publish(rule)
    checked = CliRunner().invoke(app, ["rules", "check", str(shell.file)])

    assert (published.exit_code, checked.exit_code) == (0, 0)
    assert "rule listed looks in @nolist, which is not there: it counts as empty" in published.stderr
    assert "@nolist" in checked.stderr


def test_a_list_that_no_rule_names_yet_is_taken_with_a_caution_of_what_it_must_hold(shell: Shell) -> None:
    published = shell.publish(
        {"name": "later", "kind": "list", "body": {"entries": [{"value": "laptop"}]}},
    )

    assert published.exit_code == 0
    assert "list later is looked up by no rule yet" in published.stderr


def test_removing_a_list_that_a_rule_looks_in_is_pointed_to(shell: Shell) -> None:
    shell.publish(
        {"name": "listed", "body": {**RULE, "when": "device IN @l"}},
        {"name": "l", "kind": "list", "body": {"entries": [{"value": SURROGATE}]}},
    )

    removed = shell.run("remove", "l")

    assert removed.exit_code == 0
    assert "rule listed looks in @l" in removed.stderr


@pytest.mark.parametrize("value", ["laptop", "203.0.113.7", "jo@example.org", "dev_1"])
def test_a_list_of_raw_values_is_refused_and_no_value_repeated(shell: Shell, value: str) -> None:
    shell.publish({"name": "listed", "body": {**RULE, "when": "device IN @l"}})
    before = shell.events("controls")

    result = shell.publish({"name": "l", "kind": "list", "body": {"entries": [{"value": value}]}})

    assert result.exit_code == 1
    assert "weir surrogate device VALUE" in result.stderr
    assert value not in result.stderr
    assert shell.events("controls") == before


def test_a_list_that_no_rule_looks_in_yet_holds_no_address_either(shell: Shell) -> None:
    entries = [{"value": "DE"}, {"value": "203.0.113.7"}]

    result = shell.publish({"name": "l", "kind": "list", "body": {"entries": entries}})

    assert result.exit_code == 1
    assert "list l, entry 2" in result.stderr


def test_lists_of_merchants_and_countries_hold_them_as_they_are(shell: Shell) -> None:
    result = shell.publish(
        {"name": "a", "body": {**RULE, "when": "merchant IN @shops OR ip_country IN @places"}},
        {"name": "shops", "kind": "list", "body": {"entries": [{"value": "acct_1"}]}},
        {"name": "places", "kind": "list", "body": {"entries": [{"value": "DE"}]}},
    )

    assert result.exit_code == 0, result.stderr
    assert "1 entry" in shell.run("list").output


@pytest.mark.parametrize("name", ["costs", "decision", "rates"])
def test_a_setting_that_is_the_shipped_one_is_not_removed(shell: Shell, name: str) -> None:
    first = shell.run("remove", name)
    shell.publish({"name": "decision", "kind": "policy", "body": {"method": "thresholds"}})
    removed, again = shell.run("remove", "decision"), shell.run("remove", "decision")

    said = f"{name}: the one that the build ships is in force; there is nothing to remove\n"
    assert (first.exit_code, first.output) == (0, said)
    assert "removed as version 2" in removed.output
    assert "there is nothing to remove" in again.output
    assert len(shell.events("controls")) == 2


def test_what_is_not_there_is_not_removed(shell: Shell) -> None:
    result = shell.run("remove", "nobody")

    assert result.exit_code == 1
    assert "no control is called nobody" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1, column 2: this is no JSON"),
        ("[]", "holds no control"),
        ('{"name": "a"}', "control 1 (a): body is missing. A control has"),
        (
            '{"name": "a", "action": "block", "when": "weekend"}',
            'control 1: what the control does belongs into its body: "body": {"action": …, "when": …};',
        ),
        ('{"name": "a", "kind": "wish", "body": {}}', "control 1 (a): kind: invalid enum value"),
        ('{"name": "a", "body": {"action": "sing", "when": "weekend"}}', "rule a: no action is called"),
        ('{"name": "a", "body": {"action": "block", "when": "carrd = 1"}}', "rule a: "),
        ('{"name": "a", "body": {"action": "block"}}', "rule a: when is missing (docs/rules.md"),
        (
            '{"name": "costs", "kind": "costs", "body": {"review_catch_rate": 3}}',
            "json: costs: review_catch_rate: expected a number of at most 1 (docs/rules.md",
        ),
        ('{"name": "costs", "kind": "costs", "body": {"tea": 3}}', "json: costs: there is no tea (docs"),
        (
            '{"name": "l", "kind": "list", "body": {"entries": [{"value": 3}]}}',
            "list l: entries[0].value: expected a text in double quotes (docs",
        ),
        (
            '{"name": "l", "kind": "list", "body": {"entries": [{"value": "a", "expires_at": "soon"}]}}',
            "list l: entries[0].expires_at: expected a time such as 2026-01-31T00:00:00Z (docs",
        ),
        (
            '{"name": "decision", "kind": "policy", "body": {"method": "coin"}}',
            "policy decision: method: invalid enum value 'coin' (docs",
        ),
        ('{"name": "a", "kind": "policy", "body": {}}', "the policy of decisions is called decision"),
        ('{"name": "decision", "kind": "rule", "body": {}}', "control of kind policy, not rule"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_where_and_why(shell: Shell, content: str, said: str) -> None:
    shell.file.write_text(content)

    for result in (
        CliRunner().invoke(app, ["rules", "check", str(shell.file)]),
        shell.run("publish", str(shell.file)),
    ):
        assert result.exit_code == 1
        assert said in result.stderr
        assert str(shell.file) in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert shell.events("controls") == []


def test_one_wrong_control_keeps_the_whole_file_from_being_published(shell: Shell) -> None:
    result = shell.publish(
        {"name": "good", "body": RULE}, {"name": "bad", "body": {**RULE, "when": "no sql"}}
    )

    assert result.exit_code == 1
    assert shell.events("controls") == []


def test_publishing_needs_a_log_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "rule.json").write_text(json.dumps({"name": "busy", "body": RULE}))

    result = CliRunner().invoke(
        app, ["rules", "publish", str(tmp_path / "rule.json"), "--home", str(tmp_path / "none")]
    )

    assert result.exit_code == 1
    assert "there is no log" in result.stderr


def test_features_are_told_all_or_by_the_words_of_their_names_and_meanings() -> None:
    everything, some, entity, none = (
        CliRunner().invoke(app, ["rules", "features", *words])
        for words in ([], ["card", "FAILED", "7 days"], ["email"], ["card", "unicorn"])
    )

    told = [line.split()[0] for line in everything.output.splitlines()]
    assert told == [*(feature.name for feature in CATALOGUE), *BY_SURROGATE]
    assert entity.output.endswith("the payment's email, by its surrogate, for lists alone: email IN @LIST\n")
    meaning = r"failed challenges of the card in the last 7 days \(challenges\)"
    assert re.fullmatch(rf"card_failed_challenges_7d +number +{meaning}\n", some.output)
    assert none.exit_code == 1
    assert none.stderr == "weir rules: no feature speaks of card and unicorn\n"
