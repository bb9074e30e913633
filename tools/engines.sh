#!/usr/bin/env bash
# engines.sh [-q] [ENGINE...]: unpacks servers of other Debian releases below .cache/engines of the checkout, each with its own C
# library, so that they run here whatever this host has. Nothing is installed, and root is not needed.
#
# Without names it fetches all that are in the table below. What is there already is left as it is. One that cannot be fetched is
# named, and the others go on; the exit status then is 1. With -q, nothing is said of what is there.
set -euo pipefail

# Name, Debian release, package.
table='redis-6.0   bullseye           redis-server
redis-7.0   bookworm           redis-server
redis-8.0   trixie             redis-server
valkey-8.0  bookworm-backports valkey-server
valkey-8.1  trixie             valkey-server
valkey-9.1  forky              valkey-server'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
engines=$root/.cache/engines
keys=/usr/share/keyrings/debian-archive-keyring.gpg
quiet=
say() { printf 'engines: %s\n' "$*" >&2; }

# mirror is where this host gets its own Debian packages from.
mirror() {
  { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources || true
    sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list || true
  } 2>/dev/null | awk '/debian/ && !/security/ {print; exit}'
}

# get puts the files of one package and of what it needs into a folder.
get() { # folder, release, package
  local folder=$1 release=$2 package=$3 target=()
  mkdir -p "$folder"/{lists,deb}/partial "$folder/root"
  printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$uri" "$release" > "$folder/sources.list"
  if [[ $release == *-backports ]]; then
    printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$uri" "${release%-backports}" >> "$folder/sources.list"
    target=(-t "$release")
  fi
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::Lists=$folder/lists"
    -o Dir::State::status=/dev/null -o "Dir::Cache=$folder" -o "Dir::Cache::archives=$folder/deb"
    -o Dir::Cache::pkgcache=packages -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Debug::NoLocking=1 -o APT::Install-Recommends=0 -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2
    -o APT::Update::Error-Mode=any)
  "${apt[@]}" update
  "${apt[@]}" ${target[@]+"${target[@]}"} install -y --download-only "$package"
  local deb
  for deb in "$folder"/deb/*.deb; do
    case ${deb##*/} in
      systemd*_* | libsystemd-shared_* | mount_* | *gconv*) ;; # for the service of the package, which does not run here
      *) dpkg-deb -x "$deb" "$folder/root" ;;
    esac
  done
}

# keep copies the server, the libraries that it loads and their loader, and writes the program that starts it.
keep() { # from folder, to folder, package
  local from=$1/root to=$2 package=$3 loader path
  loader=$(find "$from" \( -name 'ld-linux-x86-64.so.2' -o -name 'ld-linux-aarch64.so.1' \) | head -1)
  [ -n "$loader" ] || return 1
  mkdir -p "$to/lib"
  cp -L "$loader" "$to/lib/loader"
  cp -L "$from/usr/bin/$package" "$to/lib/program"
  path=$(find "$from" -path '*/lib/*' -type d -name '*-linux-gnu' | paste -sd:) # newer releases have no /lib of its own
  "$loader" --library-path "$path" --list "$to/lib/program" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do
    [[ $library == "$from"/* ]] || exit 1 # one of this host's: it might not be there tomorrow
    cp -L "$library" "$to/lib/"
  done
  cat > "$to/$package" <<'RUN'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/loader" --library-path "$here/lib" "$here/lib/program" "$@"
RUN
  chmod +x "$to/$package"
  "$to/$package" --version > "$to/version"
}

# fetch makes sure that one engine is there: it appears under its name when it is whole.
fetch() { # name, release, package
  local name=$1 release=$2 package=$3 folder=$engines/$2-$3 new status=0
  if [ -s "$folder/version" ]; then
    [ -n "$quiet" ] || say "$name is in .cache/engines/$release-$package: $(grep -o 'v=[0-9.]*' "$folder/version")"
    return 0
  fi
  new=$(mktemp -d "$engines/.new.XXXXXX")
  ( # by itself, for in front of a || its first error would not end it
    get "$new" "$release" "$package"
    keep "$new" "$new/whole" "$package"
  ) > "$new/log" 2>&1 &
  wait $! || status=$?
  if [ "$status" = 0 ]; then
    rm -rf "$folder"
    mv -T "$new/whole" "$folder" 2>/dev/null || [ -s "$folder/version" ] # somebody else was quicker
    say "$name is now in .cache/engines/$release-$package: $(grep -o 'v=[0-9.]*' "$folder/version")"
  else
    say "$name ($package of Debian's $release) could not be fetched: $(grep -m 1 '^E: ' "$new/log" || tail -1 "$new/log")"
  fi
  rm -rf "$new"
  return "$status"
}

if [ "${1:-}" = -q ]; then
  quiet=yes
  shift
fi
names=" $* "
[ $# -gt 0 ] || names=" $(cut -d' ' -f1 <<<"$table" | paste -sd' ') "
for name in $names; do
  grep -q "^$name " <<<"$table" || { say "there is no $name here. There are: $(cut -d' ' -f1 <<<"$table" | paste -sd' ')"; exit 2; }
done

wanted=() missing=
while read -r name release package; do
  if [[ $names == *" $name "* ]]; then
    wanted+=("$name $release $package")
    [ -s "$engines/$release-$package/version" ] || missing=yes
  fi
done <<<"$table"
if [ -n "$missing" ]; then
  for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { say "there is no $program here: the servers come as Debian's packages"; exit 1; }
  done
  uri=$(mirror)
  [ -n "$uri" ] || { say "this host's sources of packages name no mirror of Debian"; exit 1; }
  mkdir -p "$engines"
  find "$engines" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} + # of one that was killed
fi

# Two at a time: unpacking the lists of packages takes longer than getting them.
status=0 going=()
for one in "${wanted[@]}"; do
  read -r name release package <<<"$one"
  fetch "$name" "$release" "$package" &
  going+=($!)
  if [ ${#going[@]} = 2 ]; then
    wait "${going[0]}" || status=1
    going=("${going[1]}")
  fi
done
for pid in "${going[@]}"; do wait "$pid" || status=1; done
exit "$status"
