# Show the recipes.
default:
    @just --list

# Format, lint, document: what CI asks before it tests.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The everyday tests, as in the README.
test:
    cargo test --workspace

# The tests that need root, strace and small file systems of their own.
test-root:
    tests/root.sh

# The storage suite against real S3, GCS and Azure servers, which are installed into .ci-tools/ and stopped again.
test-servers:
    tests/servers/run.sh

# Real CometBFT nodes on real systemd hosts: back up to S3, destroy, restore, new blocks. Needs root.
test-lab:
    tests/lab/run.sh

# All of CI.
ci:
    .ci/run

# First backup and restore of a generated 2 GB home beside `tar | zstd -1 -T0`: seconds, CPU seconds per GB, peak memory.
bench *ARGS:
    tests/bench/bench.sh {{ARGS}}

# Dependency policy by cargo-deny, advisories included (needs cargo-deny and the network; CI checks the rest by a test).
deny:
    cargo deny check
