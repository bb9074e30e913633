#!/usr/bin/env bash
# release.sh all VERSION ARCH...: makes what a release consists of in dist/: for each architecture an archive with the program and its documentation
# and a Debian package, and the list of all modules that it is built from (CycloneDX); and SHA256SUMS over everything.
# release.sh deb VERSION ARCH: the Debian package alone. release.sh binary VERSION ARCH FILE: the program alone.
# The same commit and toolchain make the same files.
#
# The programs are linked statically, C libraries included, so that they run on any Linux: with netgo and osusergo, because glibc's own look-ups
# of hosts and users cannot be, and without SQLite's loadable extensions, which nothing uses.
set -euo pipefail
what=$1 version=$2
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH

compiler() { # architecture
  case $1 in
  "$(go env GOHOSTARCH)") echo "${CC:-gcc}" ;;
  amd64) echo x86_64-linux-gnu-gcc ;;
  arm64) echo aarch64-linux-gnu-gcc ;;
  *) echo "release: there is no compiler for $1" >&2; return 1 ;;
  esac
}

binary() { # architecture, file
  echo "==> rekindle $version for linux $1" >&2
  CGO_ENABLED=1 GOOS=linux GOARCH=$1 CC=$(compiler "$1") go build -trimpath -buildvcs=false -tags netgo,osusergo,sqlite_omit_load_extension \
    -ldflags "-s -w -linkmode external -extldflags '-static' -X main.version=$version" -o "$2" ./cmd/rekindle
}

archive() { # architecture
  local name=rekindle-$version-linux-$1
  mkdir -p "$work/$name"
  cp "$work/$1" "$work/$name/rekindle"
  cp -r README.md CHANGELOG.md LICENSE SECURITY.md docs deploy "$work/$name/"
  tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p dist
case $what in
binary)
  binary "$1" "$2"
  ;;
deb)
  binary "$1" "$work/$1"
  bash tools/deb.sh "$work/$1" "$version" "$1" "dist/rekindle_${version}_$1.deb"
  ;;
all)
  rm -rf dist
  mkdir dist
  for arch in "$@"; do
    binary "$arch" "$work/$arch"
    go -C tools run ./sbom "$work/$arch" "$version" >"dist/rekindle-$version-linux-$arch.cdx.json"
    archive "$arch"
    bash tools/deb.sh "$work/$arch" "$version" "$arch" "dist/rekindle_${version}_$arch.deb" "dist/rekindle-$version-linux-$arch.cdx.json"
  done
  (cd dist && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
  ;;
esac
[ ! -d dist ] || ls -l dist | awk 'NR > 1 {printf "%12d  dist/%s\n", $5, $NF}'
