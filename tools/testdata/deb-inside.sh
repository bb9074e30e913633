#!/bin/bash
# What test-deb.sh does in the clean Debian, as its root.
set -euo pipefail
say() { echo "  $*"; }
die() { echo "FAILED: $*"; journalctl --no-pager -u rekindle -n 40; exit 1; }
until_true() { # what, command...
  local what=$1 i
  shift
  for ((i = 0; i < 300; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  die "$what"
}
B=http://127.0.0.1:8080
ready() { curl -fsS -m 2 "$B/readyz"; }
browse() { curl -fsS -b /cookies -c /cookies -H "Origin: $B" "$@"; }
page_says() { browse "$B$1" | grep -F "$2"; } # all of it is read, or curl would fail on a closed pipe
node() { pgrep -u rekindle -f redis-server; }
two_nodes() { [ "$(node | wc -l)" = 2 ]; } # no child of theirs that still saves is among them

systemctl is-system-running --wait || true # "degraded" is enough: containers lack some of what a host has

dpkg -i /first.deb
until_true "the console is not ready after its installation" ready
systemctl is-enabled --quiet rekindle || die "it is not enabled"
[ "$(stat -c '%U:%G %a' /var/lib/rekindle)" = "rekindle:rekindle 700" ] || die "the data folder is $(stat -c '%U:%G %a' /var/lib/rekindle)"
[ "$(stat -c '%U:%G %a' /etc/rekindle/rekindle.env)" = "root:rekindle 640" ] || die "the settings are $(stat -c '%U:%G %a' /etc/rekindle/rekindle.env)"
first=$(rekindle version)
say "installed: $first"

password=$(journalctl --no-pager -o cat -u rekindle | sed -nE 's/.*password +([A-Za-z0-9-]+).*/\1/p' | head -n 1)
[ -n "$password" ] || die "the first password is not in the journal"
browse -o /dev/null -d "user=admin&password=$password" "$B/sign-in"
browse -o /dev/null -d 'id=orders&engine=redis/7.0.15&node_type=cache.t4g.micro&replicas=1&auth=none&window_preference=none&retention=0' "$B/clusters/-/new"
until_true "the cluster is not available" page_says /clusters/orders '>Available<'
address=$(browse "$B/clusters/orders" | grep -oE '127\.[0-9.]+:[0-9]+' | head -n 1)
redis-cli -h "${address%:*}" -p "${address##*:}" set kept 1 >/dev/null
browse -o /dev/null -d 'name=before' "$B/clusters/orders/snapshot"
until_true "the snapshot is not available" page_says /snapshots/before '>Available<'
until_true "there are not two nodes" two_nodes
pids=$(node)
say "serves: a cluster at $address and its snapshot"

systemctl restart rekindle
until_true "the console is not ready after a restart" ready
[ "$(node)" = "$pids" ] || die "the nodes did not outlive a restart of the console"
pid=$(systemctl show -P MainPID rekindle)
kill -9 "$(node | head -n 1)"
until_true "the node that was killed has not come back" page_says /clusters/orders '>Available<'
[ "$(systemctl show -P MainPID rekindle)" = "$pid" ] || die "the console was stopped with a node that was killed"
kill -9 "$pid"
other_pid() { [ "$(systemctl show -P MainPID rekindle)" != "$pid" ] && ready; }
until_true "the console has not come back after kill -9" other_pid
say "restarts: nodes outlive the console, and the console its nodes"
# shellcheck disable=SC2046
systemd-analyze security --no-pager rekindle | tail -n 1

until_true "there are not two nodes again" two_nodes
pids=$(node)
echo '#REKINDLE_LISTEN=127.0.0.1:8080 # an administrator was here' >>/etc/rekindle/rekindle.env
dpkg -i /second.deb
until_true "the console is not ready after an upgrade" ready
[ "$(rekindle version)" = "$first.later" ] || die "the upgrade is $(rekindle version)"
grep -q 'an administrator was here' /etc/rekindle/rekindle.env || die "an upgrade replaced the administrator's settings"
[ "$(readlink "/proc/$(systemctl show -P MainPID rekindle)/exe")" = /usr/bin/rekindle ] || die "the old program still runs"
[ "$(node)" = "$pids" ] || die "the nodes did not outlive the upgrade"
address=$(browse "$B/clusters/orders" | grep -oE '127\.[0-9.]+:[0-9]+' | head -n 1)
[ "$(redis-cli -h "${address%:*}" -p "${address##*:}" get kept)" = 1 ] || die "the key is gone after the upgrade"
say "upgraded: $(rekindle version)"

dpkg --remove rekindle
! curl -fsS -m 2 "$B/readyz" 2>/dev/null || die "the console still answers"
[ "$(node)" = "$pids" ] || die "the nodes went with the package"
[ ! -e /usr/bin/rekindle ] && [ ! -e /usr/lib/systemd/system/rekindle.service ] || die "files of the package are left"
[ -e /var/lib/rekindle/rekindle.db ] || die "the catalog went with the package"
dpkg --purge rekindle
[ ! -e /etc/rekindle ] || die "the settings are left after a purge"
[ -e /var/lib/rekindle/rekindle.db ] || die "the catalog was purged"
say "removed: nodes and data are left"

dpkg -i /second.deb
until_true "the console is not ready after it was installed again" ready
until_true "the cluster is not available after the console was installed again" page_says /clusters/orders '>Available<'
[ "$(node)" = "$pids" ] || die "the console that was installed again has not found its nodes"
say "installed again: it finds its nodes"
