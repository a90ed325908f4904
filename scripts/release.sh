#!/usr/bin/env bash
# Builds a release into dist/: scripts/release.sh [VERSION]. The same commit makes the same files, byte for byte: paths,
# times and build ids do not get in. Needs Go and Node; gets nfpm (packages) and cyclonedx-gomod (SBOM) as Go modules.
set -euo pipefail
cd "$(dirname "$0")/.."
# What whoever builds keeps to themselves must not show in the modes of what is built.
umask 022
chmod -R go=u,go-w README.md CHANGELOG.md deploy

version=${1:-$(git describe --tags --always --dirty 2> /dev/null | sed 's/^v//')}
commit=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
targets=${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.41.0
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "note: the tree has changes that are not committed; the release will not be reproducible" >&2
rm -rf dist && mkdir -p dist
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# pack ARCHIVE DIRECTORY FILE... makes an archive in which nothing tells when or by whom it was made.
pack() {
  local archive=$1 dir=$2
  shift 2
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=u,go-w -C "$dir" -cf - "$@" | gzip -9n > "$archive"
}

echo "presence $version ($commit)"
scripts/assets.sh

# The manual and the completions come from a binary for this machine.
go build -trimpath -ldflags "-X main.version=$version" -o "$stage/native" ./cmd/presence
mkdir -p "$stage/completion"
"$stage/native" man | gzip -9n > "$stage/presence.1.gz"
"$stage/native" completion bash > "$stage/completion/presence.bash"
"$stage/native" completion zsh > "$stage/completion/_presence"
"$stage/native" completion fish > "$stage/completion/presence.fish"

for target in $targets; do
  os=${target%/*} arch=${target#*/}
  echo "  $target"
  GOOS=$os GOARCH=$arch CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags assets \
    -ldflags "-s -w -buildid= -X main.version=$version -X main.commit=$commit" -o "$stage/$os-$arch/presence" ./cmd/presence
  cp README.md CHANGELOG.md "$stage/$os-$arch/"
  cp "$stage/presence.1.gz" "$stage/$os-$arch/"
  cp -r "$stage/completion" "$stage/$os-$arch/"
  pack "dist/presence-$version-$os-$arch.tar.gz" "$stage/$os-$arch" presence README.md CHANGELOG.md presence.1.gz completion
  if [ "$os" = linux ]; then
    cp "$stage/$os-$arch/presence" "$stage/presence"
    for kind in deb rpm; do
      ARCH=$arch VERSION=$version STAGE=$stage go run "$nfpm" package --config deploy/package/nfpm.yaml --packager $kind --target dist/ > "$stage/nfpm.log" 2>&1 \
        || { cat "$stage/nfpm.log" >&2; exit 1; }
    done
  fi
done

echo "  SBOM"
SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH go run "$sbom" bin -json -noserial -output "dist/presence-$version.cdx.json" "$stage/linux-amd64/presence" 2> "$stage/sbom.log" \
  || { cat "$stage/sbom.log" >&2; exit 1; }
# When it was made is when the commit was.
sed -i -E "s/(\"timestamp\": \")[^\"]*/\1$SOURCE_DATE/" "dist/presence-$version.cdx.json"
(cd dist && sha256sum -- * > SHA256SUMS)
ls -l dist | awk 'NR > 1 { printf "%12d  %s\n", $5, $9 }'
