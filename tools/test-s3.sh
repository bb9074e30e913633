#!/usr/bin/env bash
# test-s3.sh [SERVER...]: runs the store's conformance suite, and a snapshot and its restore by the product, against S3 servers, and
# prints a table of what came out (docs/s3.md has one). Without names: against all of them. A server that is not in .cache/bin yet is built
# from its module, which takes up to a quarter of an hour each; one that cannot be built is "not tested". moto is no Go program: it is tested
# where REKINDLE_MOTO names its moto_server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# name, package, version
servers='versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
rclone github.com/rclone/rclone v1.73.5
gofakes3 github.com/johannesboyne/gofakes3/cmd/gofakes3 v1.2.0
moto - 5.2.1'
checksums='crc64nvme compatible'

say() { printf 'test-s3: %s\n' "$*" >&2; }

# compile NAME PACKAGE VERSION FOLDER puts a server's program into a folder.
compile() {
  export GOFLAGS='' GOWORK=off CGO_ENABLED=0
  if [ "$1" != rclone ]; then
    cd / && GOBIN=$4 go install "$2@$3"
    return
  fi
  # All of its backends take far too long: a main of our own has what serves a folder, and nothing else.
  mkdir "$4/main" && cd "$4/main" && go mod init slim && go mod edit -require="$2@$3" && cat > main.go <<'END' && go build -mod=mod -o "$4/rclone" .
package main

import (
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() { cmd.Main() }
END
}

# build NAME PACKAGE VERSION puts a server into .cache/bin, renamed when it is whole.
build() {
  local name=$1 package=$2 version=$3 cache=$PWD/.cache/bin variable="REKINDLE_${1^^}" new
  [ -z "${!variable:-}" ] || return 0 # somebody brings one
  [ "$package" != - ] || return 1
  if [ -x "$cache/$name" ] && [ "$(cat "$cache/$name.version" 2>/dev/null)" = "$version" ]; then
    return 0
  fi
  say "building $name $version into .cache/bin"
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/new.XXXXXX")
  if (compile "$name" "$package" "$version" "$new") >"$new/log" 2>&1; then
    mv -f "$new/$name" "$cache/$name"
    printf '%s\n' "$version" > "$cache/$name.version"
    rm -rf "$new"
    return 0
  fi
  tail -5 "$new/log" >&2
  rm -rf "$new"
  return 1
}

# tests LOG PACKAGE RUN runs tests and leaves what they say in a file.
tests() { go test -count=1 -v -timeout 20m -run "$3" "$2" >"$1" 2>&1 || true; }

# suite LOG CHECKSUMS says how many tests of the conformance suite passed.
suite() {
  local passed failed
  passed=$(grep -cE "^ +--- PASS: TestStore/$2/" "$1" || true)
  failed=$(grep -cE "^ +--- FAIL: TestStore/$2/" "$1" || true)
  printf '%s of %s' "$passed" "$((passed + failed))"
}

fact() { sed -n "s/^FACT $2|//p" "$1" | tail -1; }

mkdir -p bin/test-s3
table=bin/test-s3/table.md
printf '| server | checksums | the check | conformance | snapshot and restore | wrong checksums | conditional writes | unfinished uploads swept |\n|---|---|---|---|---|---|---|---|\n' > "$table"
wanted=${*:-$(cut -d' ' -f1 <<<"$servers")}
while read -r name package version; do
  grep -qw "$name" <<<"$wanted" || continue
  if ! build "$name" "$package" "$version"; then
    printf '| %s | | not tested | | | | | |\n' "$name" >> "$table"
    continue
  fi
  say "testing $name"
  export REKINDLE_S3_SERVER=$name
  log=bin/test-s3/$name
  tests "$log.suite" ./internal/store/s3 '^TestStore$'
  tests "$log.facts" ./internal/store/s3 '^TestWhatThisServerDoes$'
  grep -q '^--- PASS: TestWhatThisServerDoes' "$log.facts" || say "$name: something was not noticed, see $log.facts"
  for sums in $checksums; do
    export REKINDLE_S3_CHECKSUMS=$sums
    tests "$log.$sums" ./cmd/rekindle '^TestSnapshotAndRestoreOnThisServer$'
    product=fails
    ! grep -q '^--- PASS' "$log.$sums" || product=works
    printf '| %s %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$version" "$sums" "$(fact "$log.facts" "checksums=$sums")" \
      "$(suite "$log.suite" "$sums")" "$product" "$(fact "$log.facts" "wrong $sums")" "$(fact "$log.facts" conditional)" "$(fact "$log.facts" sweep)" >> "$table"
  done
done <<<"$servers"
cat "$table"
