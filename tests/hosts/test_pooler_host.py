"""A running pooler host, over SSH: what is installed, listening, encrypted and closed.

Not covered: queries through the pooler (the end-to-end suite).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

LISTEN_PORT, HEALTH_PORT = 6543, 8008
CONFIG = "/etc/pgbouncer/pgbouncer.ini"
REFRESHER = "/usr/local/lib/pgkeep/hosts/refresh_credentials.py"


def settings(host: Any) -> dict[str, str]:
    """PgBouncer's configuration as it is on the host."""
    text = host.file(CONFIG).content_string
    return dict(re.findall(r"(?m)^(\w+) = (.*)$", text))


def output(host: Any, command: str) -> str:
    return host.check_output(command)


def test_pgbouncer_is_installed_and_new_enough(host: Any) -> None:
    package = host.package("pgbouncer")
    assert package.is_installed
    assert tuple(int(part) for part in package.version.split(".")[:2]) >= (1, 24)


@pytest.mark.parametrize(
    "unit",
    [
        *("pgbouncer.service", "pgkeep-agent.service"),
        *("pgkeep-credentials.timer", "apt-daily-upgrade.timer"),
        *("pgkeep-power@reboot.path", "pgkeep-power@poweroff.path"),
    ],
)
def test_unit_is_enabled_and_running(host: Any, unit: str) -> None:
    # Not `static`, for which is-enabled ends well too: such a unit is gone after a reboot.
    assert output(host, f"systemctl is-enabled {unit}") == "enabled"
    assert host.service(unit).is_running


def test_nothing_failed_at_boot(host: Any) -> None:
    assert output(host, "systemctl list-units --failed --no-legend --plain") == ""
    assert "status: done" in output(host, "cloud-init status")


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (CONFIG, 0o644),
        ("/etc/pgbouncer/rds-ca-bundle.pem", 0o644),
        ("/etc/pgkeep/pooler.env", 0o644),
        (REFRESHER, 0o644),
        ("/etc/systemd/system/pgbouncer.service.d/pgkeep.conf", 0o644),
        ("/etc/ssh/sshd_config.d/10-pgkeep.conf", 0o644),
        ("/usr/local/lib/pgkeep/hosts/instance_connect.py", 0o644),
    ],
)
def test_configuration_is_roots_and_only_root_writes_it(host: Any, path: str, mode: int) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", mode)


def test_pgbouncer_does_not_run_as_root_and_cannot_become_more(host: Any) -> None:
    process = host.process.get(comm="pgbouncer")
    assert process.user == "postgres"
    status = host.file(f"/proc/{process.pid}/status").content_string
    assert re.search(r"(?m)^NoNewPrivs:\s*1$", status)
    assert re.search(r"(?m)^CapBnd:\s*0+$", status)


@pytest.mark.parametrize("name", ["userlist.txt", "server.pem", "listen.ini", "health.pgpass"])
def test_credentials_are_in_memory_only_and_pgbouncers_alone(host: Any, name: str) -> None:
    file = host.file(f"/run/pgbouncer/{name}")
    assert (file.user, file.mode) == ("postgres", 0o600)
    assert host.file("/run/pgbouncer").mode == 0o700
    assert output(host, "findmnt --noheadings --output FSTYPE --target /run/pgbouncer") == "tmpfs"


def test_user_list_holds_verifiers_only(host: Any) -> None:
    lines = host.file("/run/pgbouncer/userlist.txt").content_string.splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r'"[a-z0-9_]+" "SCRAM-SHA-256\$\d+:[^$"]+\$[^:"]+:[^"]+"', line)


def test_no_password_verifier_or_private_key_is_on_disk(host: Any) -> None:
    """But for the host's own SSH keys."""
    pattern = r"SCRAM-SHA-256\$[0-9]+:|-----BEGIN ([A-Z]+ )?PRIVATE KEY-----|\"password\" *:"
    found = host.run(
        "grep --recursive --files-with-matches --binary-files=text --extended-regexp "
        f"--exclude-dir=ssh -- '{pattern}' /etc /home /root /srv /var/lib/cloud /var/lib/postgresql "
        "/var/log /opt /usr/local /tmp /var/tmp"
    )
    # Debian's ssl-cert makes this one for examples; nothing uses it.
    assert set(found.stdout.split()) - {"/etc/ssl/private/ssl-cert-snakeoil.key"} == set()


def test_nothing_listens_but_ssh_and_the_pooler_on_its_own_address(host: Any) -> None:
    address = output(host, "sed -n 's/^listen_addr = //p' /run/pgbouncer/listen.ini")
    shown = output(host, "ss --no-header --tcp --listening --numeric --processes").splitlines()
    listening = {
        (found[2], found[1])
        for line in shown
        # Without a process it is not the host's: the local cloud serves the instance metadata in
        # the host's network namespace, as EC2 does from outside.
        if (found := re.match(r"LISTEN\s+\d+\s+\d+\s+(\S+)\s+\S+\s+users:\(\(\"([^\"]+)", line))
        and not re.match(r"(127\.|\[::1\])", found[1])
    }
    assert ("pgbouncer", f"{address}:{LISTEN_PORT}") in listening
    assert listening <= {
        ("pgbouncer", f"{address}:{LISTEN_PORT}"),
        ("python3", f"{address}:{HEALTH_PORT}"),
        ("sshd", "0.0.0.0:22"),
        ("sshd", "[::]:22"),
    }
    assert f" {address}/" in output(host, "ip -brief -4 address")


def test_tls_is_required_from_clients_and_the_server_is_verified_in_full(host: Any) -> None:
    present = settings(host)
    assert present["client_tls_sslmode"] == "require"
    assert present["server_tls_sslmode"] == "verify-full"
    assert present["server_tls_ca_file"] == "/etc/pgbouncer/rds-ca-bundle.pem"
    assert present["auth_type"] == "scram-sha-256"
    assert present["auth_file"] == "/run/pgbouncer/userlist.txt"
    assert "admin_users" not in present


def test_the_certificate_is_served_and_plain_text_is_refused(host: Any) -> None:
    address = output(host, "sed -n 's/^listen_addr = //p' /run/pgbouncer/listen.ini")
    where = f"-connect {address}:{LISTEN_PORT} -starttls postgres"
    shown = host.run(f"openssl s_client {where} -tls1_3 </dev/null 2>/dev/null")
    assert "BEGIN CERTIFICATE" in shown.stdout
    assert "id-ecPublicKey" in output(
        host, "openssl x509 -in /run/pgbouncer/server.pem -noout -text"
    )
    old = host.run(f"openssl s_client {where} -tls1_1 </dev/null 2>&1")
    assert "BEGIN CERTIFICATE" not in old.stdout
    plain = host.run(
        f"PGPASSWORD=x psql 'host={address} port={LISTEN_PORT} user=x dbname=x sslmode=disable'"
    )
    assert plain.rc != 0
    assert "SSL required" in plain.stderr


def test_admin_console_answers_the_service_user_over_the_socket(host: Any) -> None:
    command = f"psql --host=/run/pgbouncer --port={LISTEN_PORT} --username=pgbouncer pgbouncer"
    shown = output(host, f"runuser -u postgres -- {command} --tuples-only --command='SHOW VERSION'")
    assert "PgBouncer" in shown


def test_security_updates_install_themselves(host: Any) -> None:
    assert host.package("unattended-upgrades").is_installed
    shown = output(host, "apt-config dump")
    assert 'APT::Periodic::Update-Package-Lists "1";' in shown
    assert 'APT::Periodic::Unattended-Upgrade "1";' in shown
    assert "Debian-Security" in shown


def test_no_password_opens_ssh_and_root_never_does(host: Any) -> None:
    present = dict(line.split(" ", 1) for line in output(host, "sshd -T").splitlines())
    assert present["permitrootlogin"] == "no"
    assert present["passwordauthentication"] == "no"
    assert present["kbdinteractiveauthentication"] == "no"
    assert present["permitemptypasswords"] == "no"
    locked = [line.split(":") for line in output(host, "cat /etc/shadow").splitlines()]
    assert [fields[0] for fields in locked if not re.match(r"[!*]", fields[1])] == []


def test_only_a_pushed_key_opens_ssh(host: Any) -> None:
    present = dict(line.split(" ", 1) for line in output(host, "sshd -T").splitlines())
    assert present["authenticationmethods"] == "publickey"
    assert present["authorizedkeysfile"] == "none"
    assert present["allowusers"] == "admin"
    assert present["trustedusercakeys"] == "none"
    assert present["hostbasedauthentication"] == "no"
    assert present["authorizedkeyscommanduser"] == "pgkeep-keys"
    assert present["authorizedkeyscommand"].endswith("python3 -EBs -m hosts.instance_connect %u")
    assert output(host, "getent passwd pgkeep-keys").endswith("/usr/sbin/nologin")
    assert host.user("pgkeep-keys").groups == ["pgkeep-keys"]
    standing = output(host, "find / -xdev -name 'authorized_keys*' -type f -size +0")
    assert standing == ""


def test_no_key_is_given_out_for_who_has_none(host: Any) -> None:
    command = "cd /usr/local/lib/pgkeep && runuser -u pgkeep-keys -- python3 -EBs -m"
    for user in ("root", "postgres", "../admin"):
        assert output(host, f"{command} hosts.instance_connect {user}") == ""


def test_metadata_service_wants_a_token(host: Any) -> None:
    command = "curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5"
    assert output(host, f"{command} http://169.254.169.254/latest/meta-data/") == "401"


def test_the_health_endpoint_has_proven_a_query(host: Any) -> None:
    address = output(host, "sed -n 's/^listen_addr = //p' /run/pgbouncer/listen.ini")
    shown = output(host, f"curl --silent --max-time 5 http://{address}:{HEALTH_PORT}/health")
    assert shown == '{"query": true, "pooler": true, "draining": false}'


def test_the_agent_runs_as_pgbouncers_user(host: Any) -> None:
    process = output(host, "systemctl show --property=MainPID --value pgkeep-agent.service")
    status = host.file(f"/proc/{process}/status").content_string
    assert re.search(r"(?m)^CapBnd:\s*0+$", status)
    assert output(host, f"stat --format=%U /proc/{process}") == "postgres"
