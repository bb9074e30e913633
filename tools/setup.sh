#!/usr/bin/env bash
# setup.sh run|test: installs what is missing to run Rekindle, or to test it as well, from Debian's packages; builds the
# S3 server of the tests into .cache/bin of the checkout, and fetches the engines that they run against into .cache/engines.
# setup.sh release [ARCH...]: what is needed to build for these architectures. setup.sh test-deb: to test the Debian package.
#
# Says what it does, says nothing when there is nothing to do, and may be run again at any time. When everything is
# there it needs neither a network nor root, and does not call apt. Rekindle starts its nodes itself: a server that
# this script installs is neither started nor enabled as a system service, and one that was there is left as it is.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
have() { PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/rekindle-setup.conf
policy_mark='# Written by the setup of Rekindle for the time of one installation.'

# --- As root: install, and keep services from starting -----------------------------------------------------------------

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# forbid_services keeps the packages' scripts from starting anything, unless somebody else already decides that.
forbid_services() {
  if [ -e "$policy" ] && ! grep -qxF "$policy_mark" "$policy"; then
    return # an administrator's (or a container image's) own: respected
  fi
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" > "$policy"
  chmod 755 "$policy"
}

# forbid_clusters keeps PostgreSQL's package from making a database cluster for everybody.
forbid_clusters() {
  installed postgresql-common && return
  mkdir -p "${clusters%/*}"
  printf 'create_main_cluster = false\n' > "$clusters"
}

# leave_off turns off a service that has just come with a package, whatever the package's scripts have done.
leave_off() {
  local service=$1
  if [ -d /run/systemd/system ] && have systemctl; then
    systemctl --quiet disable --now "$service.service" >/dev/null 2>&1 || true
  elif have systemctl; then
    systemctl --quiet disable "$service.service" >/dev/null 2>&1 || true
  elif have deb-systemd-helper; then
    deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
  fi
  find /etc/systemd/system -maxdepth 1 -type l -lname "*/$service.service" -delete 2>/dev/null || true # its alias
  if [ -x "/etc/init.d/$service" ]; then
    if [ ! -d /run/systemd/system ]; then
      "/etc/init.d/$service" stop >/dev/null 2>&1 || true
    fi
    if have update-rc.d; then
      update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
  fi
}

install_as_root() {
  exec 9> /run/lock/rekindle-setup.lock
  if have flock && ! flock -n 9; then
    say "another setup is at work, waiting for it"
    flock 9
  fi
  local package missing=() fresh=()
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
  say "apt-get update"
  apt-get -qq update >&2 || say "that did not go through; trying with the package lists that are here"
  for package in "${missing[@]}"; do
    if [ "$package" = redis-server ] && ! installed valkey-server &&
      apt-cache show valkey-server >/dev/null 2>&1; then
      missing+=(valkey-server) # this release has it: both can be launched
    fi
  done
  for package in redis-server valkey-server memcached postgresql nginx-light caddy prometheus; do
    installed "$package" || fresh+=("$package")
  done

  say "apt-get install ${missing[*]} (this can take some minutes)"
  forbid_services
  forbid_clusters
  local failed=0 log
  log=$(mktemp)
  apt-get -qq install -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${missing[@]}" \
    </dev/null >"$log" 2>&1 9>&- || failed=1
  [ "$failed" = 0 ] || cat "$log" >&2
  rm -f "$log" "$clusters"
  for package in "${fresh[@]}"; do
    if installed "$package"; then
      leave_off "${package%-light}"
      say "$package is not started and not enabled as a system service: Rekindle and its tests start servers themselves"
    fi
  done
  [ "$failed" = 0 ] || die "apt-get could not install: ${missing[*]}. What it says is above."
}

if [ "${1:-}" = --install ]; then # what the part below calls, by sudo where needed
  shift
  install_as_root "$@"
  exit 0
fi

# --- As whoever calls: look what is missing ----------------------------------------------------------------------------

purpose=${1:-run}
case $purpose in run | test | release | test-deb) ;; *) die "usage: tools/setup.sh run|test|release [ARCH...]|test-deb" ;; esac

have go || die "Go is missing. Rekindle needs the version in go.mod or a later one; Debian 12's own is too old: https://go.dev/doc/install"

packages=() reasons=()
need() { packages+=("$1"); reasons+=("$2"); } # package, what for
need_font() { # file below /usr/share/fonts, package
  compgen -G "/usr/share/fonts/$1" >/dev/null || need "$2" "text in the browser test's pictures"
}

compiler=${CC:-gcc}
if ! have "${compiler%% *}" && ! have clang; then
  need gcc "SQLite is built with it"
  need libc6-dev "SQLite is built with it"
elif have gcc && ! gcc -E -x c - <<<'#include <stdlib.h>' >/dev/null 2>&1; then
  need libc6-dev "SQLite is built with it"
fi
case $purpose in run | test)
  have redis-server || need redis-server "the nodes that Rekindle launches"
  have memcached || need memcached "the memcached nodes that Rekindle launches"
  ;;
esac
if [ "$purpose" = release ]; then
  for arch in "${@:2}"; do
    [ "$arch" != "$(go env GOHOSTARCH)" ] || continue
    case $arch in
    amd64) cross=x86-64-linux-gnu tool=x86_64-linux-gnu-gcc ;;
    arm64) cross=aarch64-linux-gnu tool=aarch64-linux-gnu-gcc ;;
    *) die "a release has programs for amd64 and arm64, not for $arch" ;;
    esac
    have "$tool" || { need "gcc-$cross" "SQLite is built with it, for $arch"; need "libc6-dev-$arch-cross" "SQLite is built with it, for $arch"; }
  done
fi
if [ "$purpose" = test-deb ]; then
  have lintian || need lintian "judges the package"
  have debootstrap || need debootstrap "makes a clean Debian"
  have systemd-nspawn || need systemd-container "boots it"
fi
if [ "$purpose" = test ]; then
  have git || need git "the tests' version check"
  for program in jq openssl xxh128sum zstd; do
    have "$program" || need "${program/xxh128sum/xxhash}" "what the documentation has people paste is tried"
  done
  have promtool || need prometheus "metrics and alert rules are judged by its promtool"
  have nginx || need nginx-light "the console is tested behind it"
  have caddy || need caddy "the console is tested behind it"
  { have redis-cli && have redis-check-rdb; } || need redis-tools "tests let it judge our RDB files"
  have aws || need awscli "the ElastiCache API is tested with it"
  [ -n "${REKINDLE_POSTGRES:-}" ] || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ||
    need postgresql "catalogs in PostgreSQL are tested with it"
  have chromium || have chromium-browser || have google-chrome || have google-chrome-stable || have chrome ||
    need chromium "the browser test"
  if have dpkg-query; then
    need_font 'truetype/dejavu/DejaVuSans.ttf' fonts-dejavu-core
    need_font 'truetype/liberation*/LiberationSans-Regular.ttf' fonts-liberation
  fi
fi
# The S3 server that the tests judge by. It is built from its module, outside of ours, and kept beside its version's name.
gateway=github.com/versity/versitygw/cmd/versitygw version=v1.8.0
build_gateway() {
  local root cache built
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  cache=$root/.cache/bin
  [ -z "${REKINDLE_VERSITYGW:-}" ] || return 0 # somebody brings one
  built=$(cat "$cache/versitygw.version" 2>/dev/null || true)
  if [ -x "$cache/versitygw" ] && [ "$built" = "$version" ]; then
    return 0
  fi
  say "building versitygw $version into .cache/bin, the S3 server of the tests (some minutes, once)"
  mkdir -p "$cache"
  # Outside of the checkout, so that neither its go.mod nor the Makefile's flags have a say; renamed when it is whole.
  (
    new=$(mktemp -d "$cache/new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    cd / && GOFLAGS='' GOWORK=off CGO_ENABLED=0 GOBIN=$new go install "$gateway@$version"
    mv -f "$new/versitygw" "$cache/versitygw"
  ) || die "versitygw could not be built. Is the network there? Its error is above. Another way: REKINDLE_VERSITYGW=/path/of/versitygw"
  printf '%s\n' "$version" > "$cache/versitygw.version"
}
if [ "$purpose" = test ]; then
  build_gateway
  # What cannot be had of them is left out by the tests, which say so.
  bash "$(dirname "${BASH_SOURCE[0]}")/engines.sh" -q || true
fi

[ ${#packages[@]} -gt 0 ] || exit 0

say "missing:"
for i in "${!packages[@]}"; do
  printf '         %-18s %s\n' "${packages[$i]}" "${reasons[$i]}" >&2
done

family=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}" || true)
if ! have apt-get || ! have dpkg-query || [[ " $family " != *" debian "* ]]; then
  die "This is not Debian, so nothing was installed. Please install what provides the above, so that it is on the PATH, and try again."
fi

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
if [ "$(id -u)" = 0 ]; then
  bash "$self" --install "${packages[@]}"
elif ! have sudo; then
  die "You are not root and there is no sudo. As root, then try again: apt-get install --no-install-recommends ${packages[*]}"
elif sudo -n true 2>/dev/null || [ -t 0 ]; then
  say "installing with sudo"
  sudo bash "$self" --install "${packages[@]}"
else
  die "sudo asks for a password and there is no terminal to ask on. As root, then try again: apt-get install --no-install-recommends ${packages[*]}"
fi
