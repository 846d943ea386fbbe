#!/usr/bin/env bash
# Runs the storage conformance suite against real servers: installs them, starts them, tests, stops them.
set -euo pipefail
cd "$(dirname "$0")/../.."
servers=tests/servers/servers.sh
"$servers" install
trap '"$servers" stop' EXIT
"$servers" start
set -a
# shellcheck source=/dev/null
. <("$servers" env)
set +a
# --workspace: what `cargo test` has built already, not a selection with other features.
cargo test --workspace --test conformance -- --include-ignored
