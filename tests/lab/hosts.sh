#!/bin/bash
# Hosts with a real systemd as PID 1, on one private bridge, for a machine whose own PID 1 need
# not be systemd (a build container, a micro VM). Each host is a systemd-nspawn --boot in its own
# PID, cgroup, network and mount namespace; nothing is added to the machine's own network.
# Must run as root. install.sh installs what it needs; README.md says what a host can and cannot do.
#
#   hosts.sh build               make the base root, once; kept in $LAB/base
#   hosts.sh up N [SRC:DST]...   boot h1..hN at $NET.11 ..; each SRC is mounted read-only at DST in all
#   hosts.sh exec HOST CMD...    run a command in a host; stdin, stdout and exit code pass through
#   hosts.sh unit HOST CMD...    run it there as a transient unit: own cgroup, clean environment
#   hosts.sh netns HOST CMD...   run a tool of this machine (tc, iptables) in the host's network
#   hosts.sh lab CMD...          run a command of this machine on the bridge, as $NET.1
#   hosts.sh cut|mend HOST       take the host off the bridge, put it back
#   hosts.sh power HOST          power failure: /data loses what was not synced (xfs, ext4), all
#                                processes die at once; / keeps what was written to it
#   hosts.sh off|boot HOST       shut down cleanly; boot again from the same disk
#   hosts.sh eio HOST            every access to /data fails with EIO (xfs, ext4), until power + boot
#   hosts.sh stall|flow HOST     freeze /data, so that writers hang; let it go again
#   hosts.sh root HOST           path of the host's root as seen from this machine
#   hosts.sh ps                  state of each host
#   hosts.sh down                kill all hosts; remove namespaces, cgroups and disks; the base stays
#
# Environment: LAB (state folder), LABNAME (name of its cgroup) and NET (first three octets): two
# labs at once differ in all three. SUITE (Debian's) and PKGS (more packages, comma separated)
# count at `build`. DATA=xfs|btrfs|ext4 and DATASIZE (512M) count at `up`: each host gets a file
# system of its own at /data, a loop image. xfs and btrfs have reflinks; ext4 and / have none.
set -euo pipefail

LAB=${LAB:-/var/tmp/loom-lab}
LABNAME=${LABNAME:-loomlab}
NET=${NET:-10.77.0}
SUITE=${SUITE:-bookworm}
SELF=$(readlink -f "$0")
# cgroup2 as this machine sees it: a mount of its own in the hybrid layout, else the root.
CGROUPS=/sys/fs/cgroup
[ ! -f $CGROUPS/unified/cgroup.procs ] || CGROUPS=$CGROUPS/unified
CG=$CGROUPS/$LABNAME

die() { echo "hosts.sh: $*" >&2; exit 1; }

# --- finding the lab and its hosts -------------------------------------------------------------

# lab_pid: the lab's PID 1, as seen from outside.
lab_pid() {
  local pid
  pid=$(cat "$LAB/lab.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid"
}

# leader HOST: the host's PID 1, as seen from outside.
leader() {
  local pid
  read -r pid <"$CG/$1/payload/init.scope/cgroup.procs" 2>/dev/null && [ -n "$pid" ] && echo "$pid"
}

# in_lab CMD...: in the lab's namespaces.
in_lab() {
  local pid
  pid=$(lab_pid) || die "no lab is up"
  nsenter -t "$pid" -m -p -C -n -- "$@"
}

# in_host HOST CMD...: in all namespaces of the host's PID 1, and in its cgroup.
in_host() {
  local host=$1 pid
  shift
  pid=$(leader "$host") || die "$host is not running"
  mkdir -p "$CG/$host/payload/exec"
  (
    echo "$BASHPID" >"$CG/$host/payload/exec/cgroup.procs"
    exec nsenter -t "$pid" -m -u -i -n -p -C -- env -i HOME=/root LANG=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
  )
}

# data_path HOST: its /data as seen from outside.
data_path() {
  local pid
  pid=$(leader "$1") || die "$1 is not running"
  echo "/proc/$pid/root/data"
}

# wait_gone HOST: until none of its processes is left, nor its /data, whose mounts die with it. A
# disk mounted again too early is the old one, shut down.
wait_gone() {
  for _ in $(seq 1200); do
    if grep -q 'populated 0' "$CG/$1/cgroup.events" && [ -z "$(losetup -j "$LAB/$1/data.img" 2>/dev/null)" ]; then return; fi
    sleep 0.05
  done
  die "$1 did not go away"
}

# --- build ---------------------------------------------------------------------------------------

build() {
  local root=$LAB/base.new unit
  mkdir -p "$LAB"
  rm -rf "$root"
  mmdebstrap --quiet --variant=minbase \
    --include="systemd,systemd-sysv,dbus,curl,ca-certificates,iproute2,procps,python3${PKGS:+,$PKGS}" \
    "$SUITE" "$root" >"$LAB/build.log" 2>&1 || { tail -20 "$LAB/build.log" >&2; die "mmdebstrap failed"; }
  ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
  # Not systemd-logind: without it `systemctl poweroff` fails.
  for unit in getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  : >"$root/etc/machine-id"
  rm -rf "$LAB/base"
  mv "$root" "$LAB/base"
}

# --- up, boot --------------------------------------------------------------------------------------

up() {
  local n=${1:?how many hosts} i j
  shift
  [ -d "$LAB/base/usr" ] || die "there is no base: run build first"
  ! lab_pid >/dev/null || die "a lab is already up"
  mkdir -p "$CG"
  printf '%s\n' "$@" >"$LAB/binds"
  start_lab
  for i in $(seq "$n"); do in_lab "$SELF" __net "h$i" "$i"; done
  {
    echo "127.0.0.1 localhost"
    for j in $(seq "$n"); do echo "$NET.$((10 + j)) h$j"; done
  } >"$LAB/hosts.txt"
  for i in $(seq "$n"); do
    make_data "h$i"
    boot "h$i" nowait
  done
  for i in $(seq "$n"); do wait_up "h$i"; done
}

# start_lab: a PID 1 for the lab, in a subtree of its own, so that the cgroup namespace is rooted there.
start_lab() {
  local outer
  rm -f "$LAB/lab.pid" "$LAB/ready"
  (
    echo "$BASHPID" >"$CG/cgroup.procs"
    exec setsid unshare --mount --propagation private --cgroup --pid --fork --kill-child --net --ipc \
      --mount-proc "$SELF" __init
  ) </dev/null >"$LAB/init.log" 2>&1 &
  outer=$!
  for _ in $(seq 100); do
    [ ! -e "$LAB/ready" ] || break
    sleep 0.05
  done
  [ -e "$LAB/ready" ] || die "the lab did not start: $(cat "$LAB/init.log")"
  tr -d ' ' <"/proc/$outer/task/$outer/children" >"$LAB/lab.pid"
}

make_data() {
  mkdir -p "$LAB/$1"
  [ -n "${DATA:-}" ] || return 0
  truncate -s "${DATASIZE:-512M}" "$LAB/$1/data.img"
  mkfs -t "$DATA" "$LAB/$1/data.img" >"$LAB/mkfs.log" 2>&1 || die "mkfs: $(cat "$LAB/mkfs.log")"
}

# boot HOST [nowait]
boot() {
  local host=${1:?host} pid
  ! leader "$host" >/dev/null 2>&1 || die "$host is already running"
  pid=$(lab_pid) || die "no lab is up"
  mkdir -p "$CG/$host"
  # A mount namespace for each host: in a common one, hosts booted later would keep a copy of its /data.
  (
    echo "$BASHPID" >"$CG/$host/cgroup.procs"
    exec setsid nsenter -t "$pid" -m -p -C -n -i -- env -i PATH="$PATH" LAB="$LAB" LABNAME="$LABNAME" NET="$NET" \
      unshare --mount --propagation private -- "$SELF" __boot "$host"
  ) </dev/null >>"$LAB/$host.log" 2>&1 &
  [ "${2:-}" = nowait ] || wait_up "$host"
}

wait_up() {
  local host=${1:?host} state=''
  for _ in $(seq 400); do
    if leader "$host" >/dev/null 2>&1; then
      state=$(in_host "$host" systemctl is-system-running 2>/dev/null || true)
      case $state in running | degraded) return ;; esac
    fi
    sleep 0.05
  done
  die "$host did not come up (${state:-no init}); see $LAB/$host.log"
}

# --- what runs inside the lab's namespaces -----------------------------------------------------------

# lab_init: PID 1 of the lab: its own cgroup2 mount and bridge, then a loop that reaps.
lab_init() {
  mount -t sysfs sysfs /sys
  mount -t cgroup2 none /sys/fs/cgroup
  mkdir -p /run/systemd /run/netns
  mount -t tmpfs -o mode=755 tmpfs /run/systemd
  mount -t tmpfs -o mode=755 tmpfs /run/netns
  ip link set lo up
  ip link add br0 type bridge
  ip addr add "$NET.1/24" dev br0
  ip link set br0 up
  mkdir -p /sys/fs/cgroup/lab.init
  echo 1 >/sys/fs/cgroup/lab.init/cgroup.procs
  touch "$LAB/ready"
  trap 'exit 0' TERM
  while :; do sleep 3600 & wait $! || true; done
}

# lab_net HOST NUMBER: a network namespace with eth0 on the bridge; it survives the host's reboots.
lab_net() {
  ip netns add "$1"
  ip link add "v-$1" type veth peer name eth0 netns "$1"
  ip link set "v-$1" master br0 up
  ip -n "$1" link set lo up
  ip -n "$1" addr add "$NET.$((10 + $2))/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" route add default via "$NET.1"
}

# lab_boot HOST: the host's disks, then systemd in a cgroup of its own.
lab_boot() {
  local host=$1 dir=$LAB/$1 binds=() bind
  mkdir -p "$dir"/{upper,overlay,root}
  mount -t overlay overlay -o "lowerdir=$LAB/base,upperdir=$dir/upper,workdir=$dir/overlay" "$dir/root"
  cp "$LAB/hosts.txt" "$dir/root/etc/hosts"
  echo "$host" >"$dir/root/etc/hostname"
  if [ -e "$dir/data.img" ]; then
    mkdir -p "$dir/data"
    mount -o loop "$dir/data.img" "$dir/data"
    binds+=("--bind=$dir/data:/data")
  fi
  while IFS= read -r bind; do
    [ -z "$bind" ] || binds+=("--bind-ro=$bind")
  done <"$LAB/binds"
  mkdir -p "/sys/fs/cgroup/$host"
  echo $$ >"/sys/fs/cgroup/$host/cgroup.procs"
  exec systemd-nspawn -q --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off \
    -D "$dir/root" -M "$host" --boot --network-namespace-path="/run/netns/$host" --console=pipe "${binds[@]}"
}

# --- faults and the end --------------------------------------------------------------------------------

power() {
  local data
  if [ -e "$LAB/$1/data.img" ]; then
    data=$(data_path "$1")
    fsfreeze -u "$data" 2>/dev/null || true # a frozen file system would hang the kill
    xfs_io -x -c shutdown "$data" 2>/dev/null || true
  fi
  echo 1 >"$CG/$1/cgroup.kill"
  wait_gone "$1"
}

ps_hosts() {
  local dir host state
  for dir in "$CG"/h*/; do
    host=$(basename "$dir")
    state=off
    if leader "$host" >/dev/null 2>&1; then state=$(in_host "$host" systemctl is-system-running || true); fi
    echo "$host $state"
  done
}

down() {
  local image pid host
  if pid=$(lab_pid); then
    for image in "$LAB"/h*/data.img; do
      host=$(basename "$(dirname "$image")")
      if [ -e "$image" ] && leader "$host" >/dev/null 2>&1; then fsfreeze -u "$(data_path "$host")" 2>/dev/null || true; fi
    done
    kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  fi
  remove_cgroups
  for image in "$LAB"/h*/data.img; do
    [ -e "$image" ] || continue
    for _ in $(seq 100); do
      [ -n "$(losetup -j "$image")" ] || break
      sleep 0.05
    done
  done
  rm -rf "$LAB"/h[0-9]* "$LAB"/{lab.pid,ready,binds,hosts.txt,init.log,mkfs.log}
}

remove_cgroups() {
  [ -d "$CG" ] || return 0
  echo 1 >"$CG/cgroup.kill" 2>/dev/null || true
  for _ in $(seq 100); do
    ! grep -q 'populated 0' "$CG/cgroup.events" || break
    sleep 0.02
  done
  for _ in $(seq 20); do
    ! find "$CG" -depth -type d -exec rmdir {} + 2>/dev/null || break
    sleep 0.05
  done
}

# --- commands --------------------------------------------------------------------------------------------

command=${1:-}
shift || true
case $command in
  build) build ;;
  up) up "$@" ;;
  exec) in_host "${1:?host}" "${@:2}" ;;
  unit) in_host "${1:?host}" systemd-run --quiet --pipe --wait --collect -- "${@:2}" ;;
  netns) in_lab ip netns exec "${1:?host}" "${@:2}" ;;
  # Only the network namespace: the command keeps this machine's files and processes.
  lab) pid=$(lab_pid) || die "no lab is up"; exec nsenter -t "$pid" -n -- "$@" ;;
  cut) in_lab ip link set "v-${1:?host}" down ;;
  mend) in_lab ip link set "v-${1:?host}" up ;;
  power) power "${1:?host}" ;;
  off) in_host "${1:?host}" systemctl start --no-block poweroff.target; wait_gone "$1" ;;
  boot) boot "${1:?host}" ;;
  eio) xfs_io -x -c shutdown "$(data_path "${1:?host}")" ;;
  stall) fsfreeze -f "$(data_path "${1:?host}")" ;;
  flow) fsfreeze -u "$(data_path "${1:?host}")" ;;
  root) pid=$(leader "${1:?host}") || die "$1 is not running"; echo "/proc/$pid/root" ;;
  ps) ps_hosts ;;
  down) down ;;
  __init) lab_init ;;
  __net) lab_net "$@" ;;
  __boot) lab_boot "$@" ;;
  *) sed -n '2,30s/^# \{0,1\}//p' "$SELF" >&2; exit 2 ;;
esac
