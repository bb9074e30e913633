#!/usr/bin/env bash
# test-deb.sh [VERSION]: makes two Debian packages of this checkout, the second one with a later version, lets lintian judge them, and then, in a
# clean Debian that boots its own systemd (debootstrap, systemd-nspawn), installs the first, works with it, upgrades to the second, removes and
# purges it (tools/testdata/deb-inside.sh). Needs root, some 400 MB of disk and a mirror of Debian's packages. The clean Debian is kept in
# .cache/debian, from which each run starts anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { printf 'test-deb: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
[ "$(id -u)" = 0 ] || die "a clean Debian can only be made and booted by root"

version=$(bash tools/version.sh)
work=$(mktemp -d /var/tmp/rekindle-deb.XXXXXX)
machine=rekindle-deb-$$
trap 'machinectl terminate "$machine" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
arch=$(dpkg --print-architecture)

say "building"
build() { # version, package
  bash tools/release.sh binary "$1" "$arch" "$work/rekindle" 2>/dev/null >&2
  bash tools/deb.sh "$work/rekindle" "$1" "$arch" "$2"
}
build "$version" "$work/first.deb"
build "$version.later" "$work/second.deb"

say "lintian"
lintian --fail-on error --tag-display-limit 0 "$work/first.deb"

clean=.cache/debian
if [ ! -e "$clean/etc/debian_version" ]; then
  say "a clean Debian (some minutes, once)"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  mkdir -p .cache
  rm -rf --one-file-system "$clean.new"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps,curl,ca-certificates,redis-server,redis-tools \
    bookworm "$clean.new" "${mirror:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 || { tail -20 "$work/debootstrap.log" >&2; exit 1; }
  # Redis of the package is only the program: nodes are started by the console.
  chroot "$clean.new" systemctl --quiet disable redis-server.service || true
  mv "$clean.new" "$clean"
fi
say "a copy of it"
cp -a "$clean" "$work/root"
install -m 644 "$work/first.deb" "$work/second.deb" "$work/root/"
install -m 755 tools/testdata/deb-inside.sh "$work/root/inside.sh"
cat >"$work/root/etc/systemd/system/inside.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/inside.sh
StandardOutput=file:/inside.log
StandardError=file:/inside.log
ExecStopPost=/bin/sh -c 'echo "$SERVICE_RESULT" > /inside.result; systemctl --no-block poweroff'
RuntimeMaxSec=300
UNIT
mkdir -p "$work/root/etc/systemd/system/default.target.wants"
ln -s /etc/systemd/system/inside.service "$work/root/etc/systemd/system/default.target.wants/"

say "booting it"
timeout 420 systemd-nspawn --quiet --register=no --keep-unit --private-network --machine "$machine" --directory "$work/root" --boot \
  >"$work/boot.log" 2>&1 </dev/null || true
cat "$work/root/inside.log" 2>/dev/null || cat "$work/boot.log"
[ "$(cat "$work/root/inside.result" 2>/dev/null)" = success ] || die "FAILED"
say "installed, served, upgraded, removed"
