"""The repository's own rules: nothing of one machine, compose file, documents."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import connectors
from onecard.cli.app import added
from onecard.cli.commands import COMMANDS, GROUPS
from onecard.store import migrate
from schemas.lint import check
from schemas.models import catalogue

ROOT = Path(__file__).parents[2]
OURS = ("onecard", "connectors", "quality", "schemas", "sql", "demo", "bench", "dags", "plugins")
COMPOSE = ROOT / "docker-compose.yml"


@cache
def tracked() -> tuple[Path, ...]:
    """Files under version control; where there is no git, every file that could be."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
        return tuple(f for f in found if f.is_file())
    names = ("*.py", "*.md", "*.yml", "*.yaml", "*.toml", "*.in", "*.lock", "Makefile", "run")
    return tuple(f for n in names for f in ROOT.rglob(n) if ".venv" not in f.parts)


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- files


def test_files_stay_readable() -> None:
    longest = {
        str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines())
        for f in tracked()
        if f.suffix == ".py" and f.relative_to(ROOT).parts[0] in OURS
    }
    assert {name: lines for name, lines in longest.items() if lines > 400} == {}


# --- nothing of one machine

ELSEWHERE = {
    "a home folder": re.compile(r"(?<![\w.])/root/|(?<![\w.])/home/(?!exchange\b)\w"),
    "a work folder": re.compile(r"(?<![\w.])/work/\w"),
    "a local package folder": re.compile(r"file:///|(?<![\w.])/opt/(?!onecard\b|airflow\b)\w"),
    "a package registry": re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|--(?:(?:extra-)?index-url|find-links)[ =]\S",
        re.IGNORECASE,
    ),
}


def traces(text: str) -> list[str]:
    return [what for what, pattern in ELSEWHERE.items() if pattern.search(text)]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {}
    for file in tracked():
        if file != Path(__file__):
            here = traces(file.read_bytes().decode("utf-8", "replace"))
            if here:
                found[str(file.relative_to(ROOT))] = here
    assert found == {}


@pytest.mark.parametrize(
    "text",
    ["cd /root/x", "see /home/li/notes", "/work/x/y", "file:///srv/x", "https://pypi.org/project"],
)
def test_a_trace_of_a_machine_is_found(text: str) -> None:
    assert len(traces(text)) == 1


def test_secrets_of_an_installation_are_not_tracked() -> None:
    names = {str(f.relative_to(ROOT)) for f in tracked()}
    assert not names & {".env", "docker/connections.env", "keys.json"}
    checked = tool("check_private_keys")
    assert not [f for f in tracked() if checked._KEY.search(f.read_bytes())]


# --- the compose file

VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::([?-])([^}]*))?\}")
SECRET = re.compile(r"PASSWORD|SECRET|FERNET_KEY", re.IGNORECASE)
ONE_SHOT = "service_completed_successfully"
WANTED = {
    "postgres": "${POSTGRES_IMAGE:-postgres:17}",
    "mariadb": "${MARIADB_IMAGE:-mariadb:11}",
    "redis": "${REDIS_IMAGE:-redis:7}",
    "sftp": "${SFTP_IMAGE:-atmoz/sftp:debian}",
}
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_compose_has_what_an_installation_needs(services: dict[str, dict[str, Any]]) -> None:
    assert {name: services[name]["image"] for name in WANTED} == WANTED
    assert set(services) == {*WANTED, *AIRFLOW, "live", "serve", "ingest"}
    for name in AIRFLOW:
        assert services[name]["build"]["dockerfile"] == "docker/Dockerfile"
        assert services[name]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    job = (ROOT / "docker" / "init.sh").read_text()
    assert "airflow db migrate" in job
    assert "onecard db upgrade" in job


@pytest.mark.parametrize("name", ["live", "serve", "ingest"])
def test_what_stays_can_run_several_times_and_knows_no_secret_of_airflow(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    live = services[name]
    assert live["image"] == services["worker"]["image"]
    assert live["command"][:2] == ["onecard", name]
    assert not {"container_name", "hostname", "ports"} & set(live), "a second one would clash"
    port = live["command"][-1].rpartition(":")[2]
    assert live["command"][-2] == "--listen"
    assert live["expose"][0] == port
    assert f"http://127.0.0.1:{port}/healthz" in live["healthcheck"]["test"][-1]
    assert [variable for variable in live["environment"] if variable.startswith("AIRFLOW")] == []
    assert (
        live["environment"].items()
        >= {
            variable: value
            for variable, value in services["worker"]["environment"].items()
            if variable in ("ONECARD_PROFILE", "ONECARD_KEYS_FILE")
        }.items()
    )


def test_batches_in_hand_have_time_to_end(services: dict[str, dict[str, Any]]) -> None:
    assert services["live"]["stop_grace_period"] == services["worker"]["stop_grace_period"]


def test_who_answers_calls_has_no_login_of_an_agency(services: dict[str, dict[str, Any]]) -> None:
    assert services["serve"]["env_file"] == []
    assert services["live"]["env_file"] == services["worker"]["env_file"] != []


@pytest.mark.parametrize("name", ["serve", "ingest"])
def test_nobody_is_believed_about_tls_but_who_is_named(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert services[name]["environment"]["ONECARD_PROXIES"] == "${ONECARD_PROXIES:-127.0.0.1}"


def test_every_service_is_watched_or_ends_by_itself(services: dict[str, dict[str, Any]]) -> None:
    awaited = {
        target
        for service in services.values()
        for target, how in service.get("depends_on", {}).items()
        if how["condition"] == ONE_SHOT
    }
    for name, service in services.items():
        if name in awaited:
            assert service["restart"] == "no"
            assert "healthcheck" not in service
        else:
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
            assert service["restart"] == "unless-stopped"
    assert awaited == {"init"}


def test_services_wait_for_services_that_are_there(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for target, how in service.get("depends_on", {}).items():
            assert target in services, name
            healthy = "healthcheck" in services[target]
            assert how["condition"] == ("service_healthy" if healthy else ONE_SHOT), (name, target)
            # A service without a profile must not wait for one that may not be started.
            assert "profiles" not in services[target], (name, target)


def test_every_variable_of_compose_is_in_the_example() -> None:
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    used = {name: kind for name, kind, _ in VARIABLE.findall(COMPOSE.read_text())}
    assert set(example) - {"COMPOSE_PROFILES"} == set(used)
    assert not [name for name in example if SECRET.search(name)], "secrets are files"
    for name, kind in used.items():
        assert kind in ("?", "-"), f"{name} is neither required nor has a default"


def literals(node: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from literals(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from literals(value, key)
    elif isinstance(node, str):
        yield key, node


def test_no_password_stands_in_compose(services: dict[str, dict[str, Any]]) -> None:
    for key, value in literals(services):
        plain = VARIABLE.sub("<variable>", value)
        if SECRET.search(key) and not key.endswith("_FILE") and key != "secrets":
            assert plain == "<variable>", f"{key} is written out"
        login = re.search(r"://[^/@]*:([^@]*)@", plain)
        if login:
            assert login[1] == "<variable>", f"{key} holds a password"


# --- and what its services cannot do

EXCEPTION = "sftp"
"""sshd starts as root, makes its user and shuts sessions into a folder; the compose file says so."""
NETWORKS = {
    "postgres": {"data"},
    "redis": {"data"},
    "init": {"data"},
    "api-server": {"data", "control", "front", "monitoring"},
    "scheduler": {"data", "control", "monitoring"},
    "dag-processor": {"data", "control", "monitoring"},
    "triggerer": {"data", "control", "monitoring"},
    "worker": {"data", "control", "agencies", "monitoring"},
    "live": {"data", "front", "agencies"},
    "serve": {"data", "front"},
    "ingest": {"data", "front"},
    "mariadb": {"agencies"},
    "sftp": {"agencies", "front"},
}


def test_no_service_has_rights_that_it_does_not_need(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & set(service), name
        assert not [m for m in service.get("volumes", []) if "docker.sock" in m], name
        if name != EXCEPTION:
            assert service["read_only"] is True, name
            assert str(service["user"]).split(":")[0] not in ("root", "0"), name
            assert "cap_add" not in service, name
            assert any(m.startswith("/tmp") for m in service["tmpfs"]), name
    assert "SYS_ADMIN" not in services[EXCEPTION]["cap_add"]


def test_services_see_the_networks_that_they_need(services: dict[str, dict[str, Any]]) -> None:
    found = {name: set(service["networks"]) for name, service in services.items()}
    assert found == NETWORKS
    declared = yaml.safe_load(COMPOSE.read_text())["networks"]
    assert set(declared) == set().union(*NETWORKS.values())
    inside = {name for name, how in declared.items() if how and how.get("internal")}
    assert inside == {"data", "control"}, "stores and Airflow's own calls have no way out"
    for name, service in services.items():
        if "ports" in service:
            assert found[name] - inside, f"{name} publishes a port on networks without a way out"
        assert (
            all(p.startswith("127.0.0.1:") for p in service.get("ports", ())) or name == EXCEPTION
        )


def test_secrets_are_files_that_only_their_services_see(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    declared = yaml.safe_load(COMPOSE.read_text())["secrets"]
    seen: dict[str, set[str]] = {}
    for name, service in services.items():
        for secret in service.get("secrets", []):
            seen.setdefault(secret, set()).add(name)
    assert set(seen) == set(declared), "each is declared, and each is used"
    assert seen["postgres_password"] == {"postgres"}
    assert seen["airflow_admin_password"] == {"init"}
    for door in ("ingest", "live", "serve"):
        assert services[door]["secrets"] == ["onecard_db_password"]
    assert "redis" not in seen["onecard_db_password"]
    assert {how["file"] for how in declared.values()} == {
        f"./docker/secrets/{name}" for name in declared
    }
    assert "secrets/" in (ROOT / "docker" / ".gitignore").read_text().split()
    shutil.copy(ROOT / "docker" / "make-secrets.sh", tmp_path)
    for _ in range(2):
        subprocess.run([tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    made = {f.name: f.read_text() for f in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(declared)
    assert len(set(made.values())) == len(made), "each is another"
    assert all(len(text) >= 44 and not text.endswith("\n") for text in made.values())
    assert len(base64.urlsafe_b64decode(made["airflow_fernet_key"])) == 32
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_the_image_makes_addresses_of_secrets(tmp_path: Path) -> None:
    """The entry point, with its folder of secrets moved: what a process finds, and what it is."""
    script = (ROOT / "docker" / "with-secrets.sh").read_text()
    moved = tmp_path / "with-secrets.sh"
    moved.write_text(script.replace("/run/secrets", str(tmp_path)))
    (tmp_path / "onecard_db_password").write_text("ab12")

    def environment() -> set[str]:
        done = subprocess.run(
            ["bash", moved, "env"],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )
        return set(done.stdout.splitlines())

    address = "ONECARD_DATABASE_URL=postgresql://onecard:ab12@postgres/onecard"
    found = environment()
    assert address in found
    assert not [line for line in found if line.startswith("AIRFLOW")]
    (tmp_path / "redis_password").write_text("cd34")
    assert "AIRFLOW__CELERY__BROKER_URL=redis://:cd34@redis:6379/0" in environment()
    image = (ROOT / "docker" / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["/opt/onecard/with-secrets.sh"]' in image
    assert "USER 50000:0" in image


def test_files_that_compose_mounts_are_there_or_kept_out_of_git(
    services: dict[str, dict[str, Any]],
) -> None:
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    private = (ROOT / "docker" / ".gitignore").read_text().split()
    for service in services.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                secret = source.startswith("./docker/sftp/")
                assert ("sftp/" in private) if secret else (ROOT / source).exists(), mount
            else:
                assert source in volumes, mount


# --- documents, Makefile, helpers


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def documents() -> list[Path]:
    return [f for f in tracked() if f.suffix == ".md"]


def test_make_has_the_promised_targets() -> None:
    wanted = {"help", "setup", "demo", "test", "up", "lint", "bench", "clean", "lock"}
    assert wanted | {"test-nightly", "test-all"} <= make_targets()


def test_make_commands_in_documents_exist() -> None:
    named = {
        (file.name, target)
        for file in documents()
        for target in re.findall(
            r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)\b", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert {("README.md", "demo"), ("README.md", "test")} <= named
    assert {(f, t) for f, t in named if t not in make_targets()} == set()


def commands() -> set[str]:
    return {command.words for command in (*COMMANDS, *added())} | set(GROUPS)


def test_onecard_commands_in_documents_exist() -> None:
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    wrong = set()
    for file in documents():
        text = file.read_text(encoding="utf-8")
        for name, inner in re.findall(
            r"(?:^|`|worker )onecard ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", text, re.M
        ):
            called = f"{name} {inner}" if name in groups and inner else name
            if called not in known:
                wrong.add((file.name, called))
    assert wrong == set()


def test_every_command_is_in_both_halves_of_the_readme() -> None:
    english, _, chinese = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n# 中文")
    for half in (english, chinese):
        missing = {name.split()[0] for name in commands() if name.split()[0] not in half}
        assert missing == set()


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        (file.name, target)
        for file in documents()
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
        if not (file.parent / target).exists()
    ]
    assert broken == []


def test_the_example_of_adding_an_agency_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "adding-an-agency.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n# schemas/(\S+)(.*?)\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for part in ("contracts", "agreements", "agencies.yaml", "registers.yaml"):
        source = ROOT / "schemas" / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / part)
    for name, more, content in blocks:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if more else ""
        file.write_text(before + content, encoding="utf-8")
    kinds: dict[str, Any] = {kind: connectors.connector(kind) for kind in connectors.KINDS}
    assert [str(p) for p in check.lint(tmp_path, connectors=kinds)] == []
    known = catalogue.load(tmp_path)
    assert known.contract("culture/reader_account").source.connector == "rest"
    assert known.agreement("f90-hrss-culture-reader-card-status").served


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(f.name[:4]) for f in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_decision_says_what_else_was_weighed() -> None:
    parts = ("**Status**", "**Context**", "**Decision**", "**Weighed**", "**Consequences**")
    for file in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        text = file.read_text(encoding="utf-8")
        assert [part for part in parts if text.count(part) != 1] == [], file.name


def test_migrations_form_one_line_up_to_head() -> None:
    checker = tool("check_migrations")
    assert checker.problems() == []
    assert max(f.name[:4] for f in checker.FOLDER.glob("[0-9]*.py")) == migrate.HEAD


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"0001_a.py": "0001", "0001_b.py": "0001"}, "two files or a gap"),
        ({"0002_a.py": "0002"}, "two files or a gap"),
        ({"0001_a.py": "0007"}, "revision must be"),
        ({"first.py": "0001"}, "write NNNN"),
    ],
)
def test_clashing_migrations_are_named(
    tmp_path: Path, files: dict[str, str], complaint: str
) -> None:
    for name, revision in files.items():
        (tmp_path / name).write_text(f'revision = "{revision}"\ndown_revision = None\n')
    assert any(complaint in line for line in tool("check_migrations").problems(tmp_path))


def test_pip_settings_reach_uv_strongest_first() -> None:
    listing = [
        "global.index-url='https://one.example/simple'",
        ":env:.index-url='https://two.example/simple'",
        "global.extra-index-url='https://a.example https://b.example'",
        "install.find-links='\\n/a\\n/b'",
    ]
    assert tool("install").in_uv_words(listing) == {
        "UV_DEFAULT_INDEX": "https://two.example/simple",
        "UV_INDEX": "https://a.example https://b.example",
        "UV_FIND_LINKS": "/a,/b",
    }


def test_a_skip_without_an_allowed_reason_is_named(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="ran"/>'
        '<testcase classname="a" name="x"><skipped type="pytest.skip" message="no MariaDB"/>'
        '</testcase><testcase classname="a" name="y"><skipped type="pytest.skip"'
        ' message="domain files absent: beside"/></testcase></testsuite></testsuites>'
    )
    assert tool("check_skips").skipped(report) == [("a::x", "no MariaDB")]
