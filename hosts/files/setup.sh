#!/bin/sh
# Runs once, at the end of the first boot. An image that has the packages needs no mirror.
set -eu
packages='pgbouncer python3-boto3 unattended-upgrades'
# shellcheck disable=SC2086
if ! dpkg -s $packages >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    until apt-get update --quiet &&
        apt-get install --quiet --yes --no-install-recommends \
            --option Dpkg::Options::=--force-confold $packages; do
        sleep 10
    done
fi
timers='pgkeep-credentials.timer apt-daily-upgrade.timer'
for unit in pgbouncer.service $timers; do
    systemctl is-enabled --quiet "$unit" || systemctl enable --quiet --no-reload "$unit"
done
systemctl daemon-reload
# Whatever runs was started before its configuration was here.
systemctl restart --no-block pgbouncer.service
# shellcheck disable=SC2086
systemctl start --no-block $timers
if systemctl is-active --quiet systemd-resolved.service; then
    systemctl restart --no-block systemd-resolved.service
fi
