#!/bin/sh
# Runs once, at the end of the first boot. An image that has the packages needs no mirror.
set -eu
packages='$packages'
# shellcheck disable=SC2086
if ! dpkg -s $$packages >/dev/null 2>&1; then
    if [ '$image_has_packages' = yes ]; then
        echo "pgkeep: the image lacks one of: $$packages" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    until apt-get update --quiet &&
        apt-get install --quiet --yes --no-install-recommends \
            --option Dpkg::Options::=--force-confold $$packages; do
        sleep 10
    done
fi
# User data is short: certificates come without PEM's frame.
python3 -c 'import ssl, sys
for line in sys.stdin: print(end=ssl.DER_cert_to_PEM_cert(bytes.fromhex(line)))' \
    </etc/pgbouncer/rds-ca-bundle.hex >/etc/pgbouncer/rds-ca-bundle.pem
systemd-sysusers /etc/sysusers.d/pgkeep.conf
units='pgbouncer.service pgkeep-agent.service pgkeep-credentials.timer apt-daily-upgrade.timer
pgkeep-power@reboot.path pgkeep-power@poweroff.path'
for unit in $$units; do
    systemctl is-enabled --quiet "$$unit" || systemctl enable --quiet --no-reload "$$unit"
done
systemctl daemon-reload
# Whatever runs was started before its configuration was here.
# shellcheck disable=SC2086
systemctl restart --no-block $$units
if systemctl is-active --quiet systemd-resolved.service; then
    systemctl restart --no-block systemd-resolved.service
fi
