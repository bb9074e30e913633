#!/usr/bin/env bash
# deb.sh BINARY VERSION ARCH OUT [SBOM]: makes the Debian package OUT of a built program, from deploy/. The same input makes the same package.
set -euo pipefail
binary=$(realpath "$1") version=$2 arch=$3 out=$(realpath -m "$4") sbom=${5:+$(realpath "$5")}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
umask 022

# 0.1.0-dev.g1234567 is before 0.1.0, and v0.1.0-5-g1234567 (git describe) after it; Debian's signs for that are ~ and +.
debian=$(sed -E 's/-([0-9]+-g)/+\1/; s/-(dev|rc|beta|alpha)/~\1/; s/-/./g' <<<"$version")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
put() { install -D -m "$1" "$2" "$root/$3"; }
put 755 "$binary" usr/bin/rekindle
put 644 deploy/systemd/rekindle.service usr/lib/systemd/system/rekindle.service
put 644 deploy/systemd/sysusers.conf usr/lib/sysusers.d/rekindle.conf
put 644 deploy/systemd/tmpfiles.conf usr/lib/tmpfiles.d/rekindle.conf
put 640 deploy/systemd/rekindle.env etc/rekindle/rekindle.env
put 644 deploy/debian/copyright usr/share/doc/rekindle/copyright
put 644 deploy/debian/lintian-overrides usr/share/lintian/overrides/rekindle
for page in README.md docs/*.md; do put 644 "$page" "usr/share/doc/rekindle/${page##*/}"; done
gzip -9n <CHANGELOG.md >"$root/usr/share/doc/rekindle/CHANGELOG.md.gz"
maintainer=$(sed -n 's/^Maintainer: //p' deploy/debian/control)
gzip -9n >"$root/usr/share/doc/rekindle/changelog.gz" <<CHANGELOG
rekindle ($debian) stable; urgency=medium

  * What has changed is in CHANGELOG.md.gz beside this file.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG
if [ -n "$sbom" ]; then gzip -9n <"$sbom" >"$root/usr/share/doc/rekindle/rekindle.cdx.json.gz"; fi
find "$root/usr/share/doc" -type f -exec chmod 644 {} +

mkdir "$root/DEBIAN"
size=$(du -sk --apparent-size "$root" | cut -f1)
sed "s/@VERSION@/$debian/; s/@ARCH@/$arch/; s/@SIZE@/$size/" deploy/debian/control >"$root/DEBIAN/control"
echo /etc/rekindle/rekindle.env >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find usr etc -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
chmod 644 "$root/DEBIAN/"{control,conffiles,md5sums}

mkdir -p "${out%/*}"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
dpkg-deb --root-owner-group --uniform-compression -Zxz --build "$root" "$out" >/dev/null
