#!/usr/bin/env bash
# engines.sh - real Docker and Incus daemons (and a docker registry) from Debian
# packages, in a private directory and private mount/net/pid namespaces.
#
#   engines.sh install            apt-get the packages (needs root, Debian 12)
#   engines.sh up DIR             start registry, dockerd, incusd (idempotent)
#   engines.sh down DIR           stop everything, remove what `up` put in DIR
#   engines.sh env DIR            print export lines: DOCKER_HOST, INCUS_*, REGISTRY
#   engines.sh image DIR          local busybox images: docker `busybox:latest`,
#                                 `localhost:5000/busybox:latest`, incus `busybox`
#   engines.sh stop|kill|start DIR docker|incus|registry
#                                 stop (TERM), kill (KILL) or start one daemon
#   engines.sh run DIR CMD...     run CMD inside the namespaces (reaches 127.0.0.1:5000)
#   engines.sh status DIR         one line per daemon
#
# Why namespaces: bridges, iptables rules, mounts, /run and every process live in
# them, so ending one recorded pid (the namespaces' init) ends all of it and the
# host's docker0, iptables, /run, /var/lib/docker, /var/lib/incus stay untouched.
# The sockets are plain files under DIR, so clients outside just use them.
# There is no route out: a pull from anything but localhost:5000 fails, quickly.
set -euo pipefail
export LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
# A caller's `eval "$(engines.sh env OTHER)"` must not leak into the daemons.
unset INCUS_SOCKET INCUS_DIR INCUS_CONF INCUS_REMOTE INCUS_PROJECT DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT DOCKER_API_VERSION

die() { echo "engines.sh: $*" >&2; exit 1; }
note() { [ -n "${QUIET:-}" ] || echo "engines.sh: $*" >&2; }

# The Debian archive that this machine's apt already uses.
debian_archive() {
  sed -nE 's#^(URIs:|deb( \[[^]]*\])?) +(https?://[^ ]+/debian)/?( .*)?$#\3#p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 1p || true
}

# ---- where things are ------------------------------------------------------
setdir() {
  [ -n "${1:-}" ] || die "a directory is needed"
  case $1 in /*) D=$1 ;; *) D=$PWD/$1 ;; esac
  while [ "${D%/}" != "$D" ]; do D=${D%/}; done
  case $D in ''|/etc|/etc/*|/usr|/usr/*|/boot*|/run|/run/*|/sys*|/proc*|/dev*|*[!A-Za-z0-9/._-]*|*..*) die "not a usable directory: '$1'" ;; esac
  case $D in /tmp|/home|/root|/var|/srv|/opt|/mnt) die "not a usable directory: $D" ;; esac
  [ ${#D} -le 60 ] || die "path too long for unix sockets (max 60): $D"
  TAG=shiplog-$(printf %s "$D" | cksum | cut -d' ' -f1)   # cgroup parent, per DIR
  E=$D/.engines                                           # everything we make but the sockets
}
DOCKER_SOCK() { echo "$D/docker.sock"; }
INCUS_SOCK() { echo "$E/incus/unix.socket"; }

# The recorded init is trusted only if it still is the process we started: its
# start time is recorded with it, so a reused pid is never signalled.
starttime() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
init_pid() {
  [ -s "$E/init.pid" ] || return 1
  local pid st; read -r pid st <"$E/init.pid"
  [ -n "$st" ] && [ "$(starttime "$pid")" = "$st" ] && echo "$pid"
}
ns() { local p; p=$(init_pid) || die "not up: $D"; nsenter -t "$p" -m -n -p -- "$@"; }
wait_for() { # SECONDS CMD... : poll until CMD succeeds
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
api() { curl -sf --max-time 5 --unix-socket "$@"; }
docker_up() { api "$(DOCKER_SOCK)" http://d/_ping; }
incus_up() { api "$(INCUS_SOCK)" http://d/1.0 | grep -q '"api_version"'; }
registry_up() { ns curl -sf --max-time 2 http://127.0.0.1:5000/v2/; }

incusc() { INCUS_DIR=$E/incus INCUS_SOCKET=$(INCUS_SOCK) INCUS_CONF=$E/incus-conf INCUS_REMOTE='' incus "$@"; }
dockerc() { DOCKER_HOST=unix://$(DOCKER_SOCK) DOCKER_CONFIG=$E/docker-conf DOCKER_CONTEXT='' docker "$@"; }

# ---- install ---------------------------------------------------------------
# have COMMAND... : true when each is there, from whatever package.
have() { local c; for c; do command -v "$c" >/dev/null || [ -x "$c" ] || return 1; done; }
INCUSD=$(for f in /usr/libexec/incus/incusd /usr/lib/incus/incusd /opt/incus/bin/incusd; do [ ! -x $f ] || { echo $f; break; }; done)
INCUSD=${INCUSD:-/usr/libexec/incus/incusd}

cmd_install() {
  [ "$(id -u)" = 0 ] || die "root is needed"
  local need=() suite
  suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  have dockerd || need+=(docker.io)
  # Since Debian 13 the client is a package of its own.
  have docker || [ "$suite" = bookworm ] || need+=(docker-cli)
  have iptables || need+=(iptables)
  # It becomes the whole of the images, so it must not want a libc.
  have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1 || need+=(busybox-static)
  have docker-registry || need+=(docker-registry)
  have dnsmasq || need+=(dnsmasq-base)
  have curl || need+=(curl)
  have ip || need+=(iproute2)
  have ps || need+=(procps)
  have incus "$INCUSD" || need+=(incus)
  [ ${#need[@]} -gt 0 ] || { note "packages present"; return; }
  # Packages must not start their own daemons.
  local rc=/usr/sbin/policy-rc.d made=''
  if [ ! -e $rc ]; then printf '#!/bin/sh\nexit 101\n' >$rc; chmod 755 $rc; made=1; fi
  # shellcheck disable=SC2064
  trap "[ -z '$made' ] || rm -f $rc" EXIT
  export DEBIAN_FRONTEND=noninteractive
  local from=()
  # Debian 12 itself has no Incus: it comes from its backports.
  case "$suite ${need[*]}" in "bookworm "*incus*)
    from=(-t bookworm-backports)
    if ! grep -rqs "bookworm-backports" /etc/apt/sources.list /etc/apt/sources.list.d/; then
      local archive; archive=$(debian_archive); [ -n "$archive" ] || die "no Debian archive in apt's sources: add bookworm-backports by hand"
      echo "deb $archive bookworm-backports main" >/etc/apt/sources.list.d/shiplog-backports.list
      note "added /etc/apt/sources.list.d/shiplog-backports.list"
    fi ;;
  esac
  apt-get update -qq
  local p
  for p in "${need[@]}"; do [ "$p" = incus ] || set -- "$@" "$p"; done
  [ $# = 0 ] || apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  case " ${need[*]} " in *' incus '*) apt-get install -y -qq "${from[@]}" --no-install-recommends incus >/dev/null ;; esac
  note "installed: ${need[*]}"
}

# ---- daemons (each runs inside the namespaces, child of their init) --------
spawn() { # NAME CMD... : start detached in the namespaces, pid (as seen inside) in NAME.pid
  local n=$1; shift
  # shellcheck disable=SC2016
  ns sh -c 'n=$1 e=$2; shift 2; setsid "$@" >>"$e/log/$n.log" 2>&1 </dev/null & echo $! >"$e/$n.pid"' sh "$n" "$E" "$@"
}
alive() { [ -s "$E/$1.pid" ] && ns kill -0 "$(cat "$E/$1.pid")" 2>/dev/null; }

start_registry() {
  command -v docker-registry >/dev/null || return 0
  alive registry && return 0
  mkdir -p "$E/registry"
  cat >"$E/registry.yml" <<-Y
	version: 0.1
	log: {level: warn, accesslog: {disabled: true}}
	storage: {filesystem: {rootdirectory: $E/registry}, delete: {enabled: true}}
	http: {addr: "127.0.0.1:5000"}
	Y
  spawn registry docker-registry serve "$E/registry.yml"
  wait_for 10 registry_up || die "registry did not come up, see $E/log/registry.log"
}
start_docker() {
  alive docker && docker_up >/dev/null && return 0
  mkdir -p "$E/docker/data" "$E/docker/exec"
  [ -e "$E/docker/daemon.json" ] || echo '{}' >"$E/docker/daemon.json"
  rm -f "$E/docker/pid"
  # shellcheck disable=SC2086
  spawn docker dockerd --config-file "$E/docker/daemon.json" --data-root "$E/docker/data" --exec-root "$E/docker/exec" \
    -p "$E/docker/pid" -H "unix://$(DOCKER_SOCK)" --group root --cgroup-parent "/$TAG" \
    --exec-opt native.cgroupdriver=cgroupfs --bip 10.66.65.1/24 --shutdown-timeout 3 ${DOCKERD_FLAGS:-}
  wait_for 40 docker_up || die "dockerd did not come up, see $E/log/docker.log"
}
start_incus() {
  alive incus && incus_up >/dev/null && return 0
  mkdir -p "$E/incus" "$E/incus-conf"
  INCUS_DIR=$E/incus spawn incus "$INCUSD" --group root
  wait_for 40 incus_up || die "incusd did not come up, see $E/log/incus.log"
  incusc storage show default >/dev/null 2>&1 || incusc storage create default dir >/dev/null
  incusc network show incusbr0 >/dev/null 2>&1 || incusc network create incusbr0 ipv4.address=10.66.66.1/24 \
    ipv4.nat=false ipv4.firewall=false ipv6.address=none ipv6.firewall=false >/dev/null
  incusc profile device get default root pool >/dev/null 2>&1 || incusc profile device add default root disk path=/ pool=default >/dev/null
  incusc profile device get default eth0 network >/dev/null 2>&1 || incusc profile device add default eth0 nic network=incusbr0 >/dev/null
}

# ---- up --------------------------------------------------------------------
cmd_up() {
  [ "$(id -u)" = 0 ] || die "root is needed"
  have dockerd "$INCUSD" || die "run '$0 install' first"
  if [ -e "$D" ] && [ ! -e "$E/owner" ] && [ -e "$E" ]; then die "$E exists and is not ours"; fi
  mkdir -p "$E/log"; echo "$TAG" >"$E/owner"
  if ! init_pid >/dev/null; then
    rm -f "$E"/*.pid "$(DOCKER_SOCK)"
    [ -z "$(find /sys/fs/cgroup -type d -name lxc.pivot 2>/dev/null | head -1)" ] || : >"$E/had-pivot"
    cat >"$E/init.sh" <<-'S'
	#!/bin/bash
	# pid 1 of the private namespaces: set up mounts, then reap until killed.
	set -e
	E=$1
	mount --make-rprivate /
	mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/lock
	# sysfs shows the network devices of the namespace that mounted it.
	mkdir -p "$E/cg"; mount --rbind /sys/fs/cgroup "$E/cg"
	mount -t sysfs sysfs /sys
	mount --rbind "$E/cg" /sys/fs/cgroup; umount -l "$E/cg"
	# dockerd writes /etc/docker/key.json: let writes to /etc land in our directory.
	mkdir -p "$E/etc.up" "$E/etc.work"
	if mount -t overlay overlay -o "lowerdir=/etc,upperdir=$E/etc.up,workdir=$E/etc.work" /etc 2>/dev/null
	then rm -f /etc/docker/key.json   # in the overlay only
	elif [ -d /etc/docker ]; then mount -t tmpfs tmpfs /etc/docker; fi
	ip link set lo up 2>/dev/null || ifconfig lo up
	trap : HUP INT TERM CHLD
	: >"$E/ready"
	while :; do sleep 1000 & wait || :; done
	S
    rm -f "$E/ready"
    setsid unshare --mount --net --pid --fork --kill-child --mount-proc \
      bash "$E/init.sh" "$E" >>"$E/log/init.log" 2>&1 </dev/null 9>&- &
    local outer=$! p=''
    # `setsid` execs (or forks) unshare, whose one child is the namespaces' init.
    wait_for 10 test -e "$E/ready" || die "namespaces did not come up, see $E/log/init.log"
    p=$(for q in $(cat "/proc/$outer/task/$outer/children" 2>/dev/null || ps -o pid= --ppid "$outer"); do echo "$q"; done | head -1)
    [ -n "$p" ] || die "cannot find the namespaces' init"
    echo "$p $(starttime "$p")" >"$E/init.pid"
  fi
  # The three are independent: start together.
  start_registry & local a=$!
  start_docker & local b=$!
  start_incus & local c=$!
  local rc=0; wait $a || rc=1; wait $b || rc=1; wait $c || rc=1
  [ $rc = 0 ] || die "not everything came up (run 'down $D' to clean up)"
  note "up: $D (docker $(dockerc version -f '{{.Server.Version}}'), incus $(api "$(INCUS_SOCK)" http://d/1.0 | sed 's/.*"server_version":"\([^"]*\)".*/\1/'))"
}

# ---- down ------------------------------------------------------------------
stop_one() { # NAME SIG SECONDS
  alive "$1" || return 0
  local pid; pid=$(cat "$E/$1.pid")
  ns kill "-$2" "$pid" 2>/dev/null || return 0
  local end=$((SECONDS + $3))
  while ns kill -0 "$pid" 2>/dev/null && [ "$(ns ps -o stat= -p "$pid" | cut -c1)" != Z ]; do
    [ $SECONDS -lt $end ] || { ns kill -KILL "$pid" 2>/dev/null || :; break; }; sleep 0.1
  done
  rm -f "$E/$1.pid"
}
cmd_down() {
  [ "$(id -u)" = 0 ] || die "root is needed"
  [ -e "$E/owner" ] || { note "nothing of ours in $D"; return 0; }
  local names='' p=''
  names=$(ls "$E/incus/containers" 2>/dev/null || :)
  if p=$(init_pid); then
    # Ask nicely first (the engines then remove cgroups), then end the namespaces.
    { names_d=$(timeout 5 env DOCKER_HOST="unix://$(DOCKER_SOCK)" docker ps -q 2>/dev/null || :)
      # shellcheck disable=SC2086
      [ -z "$names_d" ] || timeout 8 env DOCKER_HOST="unix://$(DOCKER_SOCK)" docker rm -f $names_d >/dev/null 2>&1 || :
      stop_one docker TERM 8; } & local a=$!
    { [ -z "$names" ] || timeout 8 curl -s --unix-socket "$(INCUS_SOCK)" -X PUT http://d/1.0/instances?all-projects=true \
        -d '{"state":{"action":"stop","force":true,"timeout":5}}' >/dev/null 2>&1 || :; sleep 0.2; stop_one incus TERM 8; } & local b=$!
    wait $a $b || :
    kill -KILL "$p" 2>/dev/null || :      # pid 1 of the namespaces: all in them ends
    wait_for 10 test ! -e "/proc/$p" || die "init $p does not end"
  fi
  # Leave no cgroup behind: only ours by name, and rmdir removes only empty ones.
  local n pat=(-name "$TAG"); for n in $names; do pat+=(-o -name "lxc.payload.$n" -o -name "lxc.monitor.$n"); done
  [ -e "$E/had-pivot" ] || pat+=(-o -name lxc.pivot)
  find /sys/fs/cgroup -type d \( "${pat[@]}" \) -prune 2>/dev/null | while read -r n; do
    find "$n" -depth -type d -exec rmdir {} \; 2>/dev/null || :
  done
  ! grep -q " $D/" /proc/self/mounts || die "mounts left under $D: nothing removed"
  [ -z "${KEEP_LOGS:-}" ] || cp -r "$E/log" "$D/engines-log"
  rm -rf --one-file-system "$E"; rm -f "$(DOCKER_SOCK)"
  rmdir "$D" 2>/dev/null || :
  note "down: $D"
}

cmd_env() {
  cat <<-X
	export DOCKER_HOST=unix://$(DOCKER_SOCK)
	export DOCKER_CONFIG=$E/docker-conf
	export INCUS_DIR=$E/incus
	export INCUS_SOCKET=$(INCUS_SOCK)
	export INCUS_CONF=$E/incus-conf
	export SHIPLOG_REGISTRY=localhost:5000
	X
}

# ---- image -----------------------------------------------------------------
cmd_image() {
  docker_up >/dev/null || die "docker is not up: $D"
  incus_up || die "incus is not up: $D"
  local W; W=$(mktemp -d "$E/img.XXXXXX"); local R=$W/rootfs a
  mkdir -p "$R"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,tmp,run,root,var/log,usr/share/udhcpc}
  cp "$(command -v busybox)" "$R/bin/busybox"
  for a in $("$R/bin/busybox" --list); do [ "$a" = busybox ] || [ "$a" = init ] || ln -sf busybox "$R/bin/$a"; done
  ln -s ../bin/busybox "$R/sbin/poweroff"; ln -s ../bin/busybox "$R/sbin/reboot"; ln -s ../bin/busybox "$R/sbin/udhcpc"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$R/etc/passwd"; echo 'root:x:0:' >"$R/etc/group"; : >"$R/etc/resolv.conf"; : >"$R/etc/hosts"
  cat >"$R/usr/share/udhcpc/default.script" <<-'S'
	#!/bin/sh
	case $1 in bound|renew) ifconfig $interface $ip netmask $subnet; [ -n "$router" ] && route add default gw $router ;; esac
	S
  # A tiny init: takes an address, stops on SIGPWR (clean stop), reboots on SIGINT.
  cat >"$R/sbin/init" <<-'S'
	#!/bin/sh
	export PATH=/bin:/sbin:/usr/bin:/usr/sbin
	trap 'echo halt; poweroff -f' PWR TERM USR1
	trap 'echo reboot; reboot -f' INT
	ifconfig lo 127.0.0.1 up
	[ -e /sys/class/net/eth0 ] && { ifconfig eth0 up; udhcpc -i eth0 -b -S -s /usr/share/udhcpc/default.script; } &
	[ -x /etc/rc.local ] && /etc/rc.local &
	echo up
	while :; do sleep 3600 & wait $!; done
	S
  chmod 755 "$R/sbin/init" "$R/usr/share/udhcpc/default.script"; chmod 1777 "$R/tmp"
  tar -C "$R" --numeric-owner --owner=0 --group=0 -cf "$W/rootfs.tar" .
  dockerc image inspect busybox:latest >/dev/null 2>&1 ||
    dockerc import --change 'CMD ["sh"]' "$W/rootfs.tar" busybox:latest >/dev/null
  if registry_up >/dev/null 2>&1; then
    dockerc image inspect localhost:5000/busybox:latest >/dev/null 2>&1 || {
      dockerc tag busybox:latest localhost:5000/busybox:latest
      dockerc push -q localhost:5000/busybox:latest >/dev/null; }
  fi
  if ! incusc image info busybox >/dev/null 2>&1; then
    cat >"$W/metadata.yaml" <<-Y
	architecture: $(uname -m)
	creation_date: 1700000000
	properties: {os: Busybox, release: local, architecture: $(uname -m), description: "busybox (local)"}
	Y
    tar -C "$W" --numeric-owner --owner=0 --group=0 -czf "$W/image.tgz" metadata.yaml rootfs
    incusc image import "$W/image.tgz" --alias busybox >/dev/null
  fi
  rm -rf --one-file-system "$W"
  note "images ready"
}

cmd_status() {
  local p n
  p=$(init_pid) || { echo "down"; return 1; }
  echo "init up $p"
  for n in docker incus registry; do
    if "${n}_up" >/dev/null; then echo "$n up"; else echo "$n down"; fi
  done
}
cmd_daemon() { # stop|kill|start NAME
  case $2 in docker|incus|registry) ;; *) die "docker, incus or registry" ;; esac
  case $1 in
    start) "start_$2" ;;
    stop) stop_one "$2" TERM 20 ;;
    kill) stop_one "$2" KILL 5 ;;
  esac
}

verb=${1:-}; [ $# -gt 0 ] && shift
case $verb in
  install) cmd_install ;;
  up|down|env|image|status) setdir "${1:-}"; "cmd_$verb" ;;
  start|stop|kill) setdir "${1:-}"; cmd_daemon "$verb" "${2:-}" ;;
  run) setdir "${1:-}"; shift; [ $# -gt 0 ] || die "a command is needed"; ns "$@" ;;
  *) sed -n '2,17p' "$0" | sed 's/^# \{0,1\}//'; [ -z "$verb" ] && exit 0 || exit 2 ;;
esac
