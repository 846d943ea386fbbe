#!/bin/bash
# Builds the tools of the lab into OUTDIR: cometbft (the real command), loom (a stand-in that has
# Loom's layout around a CometBFT node) and gendb (big goleveldb homes).
# Needs Go >= 1.24 and, the first time, the Go module proxy.
#
#   build.sh OUTDIR
set -euo pipefail

[ $# = 1 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"

export GOFLAGS="-trimpath -mod=readonly -buildvcs=false" CGO_ENABLED=0
go build -o "$out/" ./cmd/loom ./cmd/gendb github.com/cometbft/cometbft/cmd/cometbft
