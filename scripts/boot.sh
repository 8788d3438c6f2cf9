#!/usr/bin/env bash
# boot.sh - a throw-away Debian guest with systemd as its init, for the test that
# installs the package and drives its units. No daemon, no network, nothing mounted
# on the host: everything lives in private namespaces that end with one process.
#
#   boot.sh rootfs DIR              build DIR/base once (debootstrap, ~1 min), and
#                                   again when what it is made of has changed
#   boot.sh up DIR                  boot a fresh guest over DIR/base (idempotent)
#   boot.sh run DIR CMD [ARG...]    run CMD in the guest as root (rc passes through)
#   boot.sh copy DIR SRC DST        copy a file or directory into the guest
#   boot.sh reboot DIR              restart the guest, keep its disk
#   boot.sh status DIR              up (guest's pid) or down (rc 1)
#   boot.sh down DIR                stop, remove the guest; DIR/base stays
#   boot.sh clean DIR               down, and remove DIR/base too
#
# Environment: BASE=DIR0 shares DIR0/base between guests; SUITE (bookworm) and MIRROR
# for rootfs; BIND="SRC:DST[:ro] ..." for up: host directories to show in the guest
# (not a bare socket: it goes stale when its daemon restarts); CGROUP=2 shows cgroup2
# only, as newer machines do (on a cgroup v1 host: then without memory, cpu and task
# limits).
# The guest's root is the host's root without dangerous capabilities: no test of
# hostile code. Needs: root, unshare/nsenter/setpriv (util-linux), overlayfs;
# debootstrap for `rootfs` only.
set -euo pipefail
export LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

die() { echo "boot.sh: $*" >&2; exit 1; }
note() { [ -n "${QUIET:-}" ] || echo "boot.sh: $*" >&2; }

abs() { # print DIR as a safe absolute path
  local d=${1:-}; [ -n "$d" ] || die "a directory is needed"
  case $d in /*) ;; *) d=$PWD/$d ;; esac
  while [ "${d%/}" != "$d" ]; do d=${d%/}; done
  # Colons, commas and spaces would be read as overlay options.
  case $d in ''|*[!A-Za-z0-9/._-]*|*..*|*/./*|*//*) die "not a usable directory: '$1'" ;; esac
  case $d/ in /etc/*|/usr/*|/boot/*|/run/*|/sys/*|/proc/*|/dev/*|/bin/*|/sbin/*|/lib/*|/lib32/*|/lib64/*) die "a system directory: $d" ;; esac
  case ${d#/} in */*) ;; *) die "too near the root: $d" ;; esac
  case $d in /var/lib|/var/cache|/var/log|/var/tmp|/var/spool) die "a system directory: $d" ;; esac
  [ ! -L "$d" ] || die "a symbolic link: $d"
  printf %s "$d"
}
setdir() {
  D=$(abs "${1:-}"); G=$D/.guest
  B=${BASE:+$(abs "$BASE")/base}; B=${B:-$D/base}
  TAG=shiplog-boot-$(printf %s "$D" | cksum | cut -d' ' -f1)   # cgroup name, per DIR
}
need_root() { [ "$(id -u)" = 0 ] || die "root is needed"; }
lock() { mkdir -p "$D"; exec 8>"$D/.lock"; flock -w 300 8 || die "busy: $D"; }

# A recorded pid is trusted only with its start time: a reused pid is never hit.
starttime() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
guest_pid() {
  [ -s "$G/pid" ] || return 1
  local p st; read -r p st <"$G/pid"
  [ -n "$st" ] && [ "$(starttime "$p")" = "$st" ] && echo "$p"
}
wait_for() { # SECONDS CMD...
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
inside() { # CMD... in all the guest's namespaces, with a clean environment
  local p; p=$(guest_pid) || die "not up: $D"
  nsenter -t "$p" -m -u -i -n -p -C -r -w -- /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LC_ALL=C.UTF-8 TERM=dumb PAGER=cat DEBIAN_FRONTEND=noninteractive "$@" 8>&-
}
hierarchies() { # cgroup mount points: v1 and hybrid, else the one cgroup2 mount
  awk '$3 ~ /^cgroup2?$/ && $2 ~ /^\/sys\/fs\/cgroup/ && $2 !~ /\/cpuset$/ {print $2}' /proc/self/mounts
}

# The Debian archive that this machine's apt already uses.
debian_archive() {
  sed -nE 's#^(URIs:|deb( \[[^]]*\])?) +(https?://[^ ]+/debian)/?( .*)?$#\3#p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 1p || true
}

# ---- rootfs ----------------------------------------------------------------
# procps: ExecReload=/bin/kill; libnss-systemd: names of DynamicUser; curl: ask the service.
packages=systemd,systemd-sysv,dbus,libnss-systemd,procps,curl
cmd_rootfs() {
  need_root; lock
  local stamp u P=$D/base.part
  stamp="${SUITE:-bookworm} $packages"
  if [ -e "$D/base/.shiplog-boot" ]; then
    if [ "$(cat "$D/base/.shiplog-boot")" = "$stamp" ]; then note "rootfs present: $D/base"; return 0; fi
    rm -rf --one-file-system "$D/base"
  fi
  command -v debootstrap >/dev/null || die "debootstrap is needed (apt-get install debootstrap)"
  [ ! -e "$D/base" ] || die "$D/base exists and is not ours"
  [ ! -e "$P" ] || rm -rf --one-file-system "$P"
  debootstrap --variant=minbase --include="$packages" "${SUITE:-bookworm}" "$P" "${MIRROR:-$(debian_archive)}" \
    >"$D/debootstrap.log" 2>&1 || die "debootstrap failed, see $D/debootstrap.log"
  rm -rf "$P"/var/cache/apt/archives/*.deb "$P"/var/cache/apt/*.bin "$P"/var/lib/apt/lists/* \
    "$P"/usr/share/{doc,man,info,locale}/* "$P"/etc/resolv.conf
  : >"$P/etc/resolv.conf"; echo guest >"$P/etc/hostname"; : >"$P/etc/machine-id"
  printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$P/etc/hosts"
  for u in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer console-getty.service; do
    ln -sf /dev/null "$P/etc/systemd/system/$u"; done
  mkdir -p "$P/var/log/journal"                   # the journal survives `reboot`
  echo "$stamp" >"$P/.shiplog-boot"; mv "$P" "$D/base"; rm -f "$D/debootstrap.log"
  note "rootfs: $D/base ($(du -sm "$D/base" | cut -f1) MB)"
}

# ---- up --------------------------------------------------------------------
cmd_up() {
  need_root; lock
  [ -e "$B/.shiplog-boot" ] || die "no rootfs in $B (run: $0 rootfs ...)"
  if [ -e "$G" ] && [ ! -e "$G/owner" ]; then die "$G exists and is not ours"; fi
  mkdir -p "$G"/{upper,work,root}; echo "$TAG" >"$G/owner"
  # A guest whose init was just killed is still there for a moment, but takes no new process.
  if ! (inside true) 2>/dev/null; then stop_guest; start_guest; fi   # stop: what a killed guest left
  # `degraded` also ends the wait: a failed unit is for the test to judge.
  # shellcheck disable=SC2016
  wait_for 45 inside sh -c 's=$(systemctl is-system-running); [ "$s" = running ] || [ "$s" = degraded ]' ||
    die "the guest did not boot: $(inside systemctl list-jobs --no-legend 2>&1 | head -5) (see $G/log)"
  note "up: $D, systemd is $(inside systemctl is-system-running || :)"
}

start_guest() {
  local p outer h hs
  rm -rf --one-file-system "$G/work"; mkdir -p "$G/work"; rm -f "$G/pid" "$G/ready"
  cat >"$G/stage1.sh" <<'S'
# First process of the guest: build its view of the machine, then become systemd.
set -eu
G=$1 B=$2 BIND=$3 R=$1/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$B,upperdir=$G/upper,workdir=$G/work" "$R"
mount -t proc -o nosuid,nodev,noexec proc "$R/proc"
for f in sys sysrq-trigger irq bus; do   # host-wide knobs
  [ ! -e "$R/proc/$f" ] || { mount --bind "$R/proc/$f" "$R/proc/$f"; mount -o remount,bind,ro "$R/proc/$f"; }
done
# Each boot has its id (the journal tells boots apart by it).
cat /proc/sys/kernel/random/uuid >"$G/boot_id"; mount --bind "$G/boot_id" "$R/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$R/sys"      # read-only: no udev
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$R/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/tmp"
mount -t tmpfs -o mode=755,nosuid,noexec tmpfs "$R/dev"
while read -r n maj min; do mknod -m 666 "$R/dev/$n" c "$maj" "$min"; done <<D
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
D
mkdir "$R/dev/pts" "$R/dev/shm" "$R/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$R/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$R/dev/shm"
ln -s pts/ptmx "$R/dev/ptmx"; ln -s /proc/self/fd "$R/dev/fd"
for i in 0 1 2; do ln -s "/proc/self/fd/$i" "$R/dev/$(echo stdin stdout stderr | cut -d' ' -f$((i+1)))"; done
# The same cgroup layout as the host, rooted in our own cgroup (cgroup namespace).
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || [ "${CGROUP:-}" = 2 ]; then
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$R/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs "$R/sys/fs/cgroup"
  while read -r _ m t o _; do
    case $t in cgroup|cgroup2) ;; *) continue ;; esac
    case $m in */cpuset) continue ;; /sys/fs/cgroup/*) ;; *) continue ;; esac
    c=$R$m; mkdir -p "$c"
    [ "$t" = cgroup2 ] && o= || o=,$(echo "$o" | tr , '\n' | grep -vE '^(rw|ro|nosuid|nodev|noexec|relatime|xattr|release_agent=.*)$' | paste -sd,)
    mount -t "$t" -o "nosuid,nodev,noexec$o" "$t" "$c"
  done </proc/self/mounts
  mount -o remount,ro "$R/sys/fs/cgroup"
fi
for b in $BIND; do
  IFS=: read -r s d mode <<X
$b
X
  if [ -d "$s" ]; then mkdir -p "$R$d"; else mkdir -p "$(dirname "$R$d")"; [ -e "$R$d" ] || : >"$R$d"; fi
  mount --bind "$s" "$R$d"; [ "${mode:-}" != ro ] || mount -o remount,bind,ro "$R$d"
done
mkdir -p "$R/run/host"; echo shiplog-boot >"$R/run/host/container-manager"
[ -s "$R/etc/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$R/etc/machine-id"
hostname "$(cat "$R/etc/hostname")"
: >"$G/ready"
cd "$R"; pivot_root . .; umount -l .; cd /      # the host's mounts leave the namespace
mount --make-rshared /                          # else units cannot read their credentials
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-wake_alarm \
  env -i container=shiplog-boot PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
S
  hs=$(hierarchies)
  for h in $hs; do mkdir -p "$h/$TAG"; done
  # Device access of the guest: the harmless nodes only (cgroup v1 can say so).
  if [ -e "/sys/fs/cgroup/devices/$TAG/devices.deny" ]; then
    echo a >"/sys/fs/cgroup/devices/$TAG/devices.deny"
    for h in 'c *:* m' 'b *:* m' 'c 1:3 rwm' 'c 1:5 rwm' 'c 1:7 rwm' 'c 1:8 rwm' 'c 1:9 rwm' 'c 5:0 rwm' 'c 5:2 rwm' 'c 136:* rwm'; do
      echo "$h" >"/sys/fs/cgroup/devices/$TAG/devices.allow"; done
  fi
  ( for h in $hs; do echo "$BASHPID" >"$h/$TAG/cgroup.procs"; done
    exec setsid unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child \
      bash "$G/stage1.sh" "$G" "$B" "${BIND:-}" ) >>"$G/log" 2>&1 </dev/null 8>&- &
  outer=$!
  # Interrupted before its pid is on record: end it (--kill-child takes the guest along).
  # shellcheck disable=SC2064
  trap "[ -s '$G/pid' ] || kill -KILL $outer 2>/dev/null || :" EXIT
  wait_for 10 test -e "$G/ready" || die "the guest did not start, see $G/log"
  read -r p _ <"/proc/$outer/task/$outer/children" || :
  [ -n "${p:-}" ] || die "cannot find the guest's init, see $G/log"
  echo "$p $(starttime "$p")" >"$G/pid"
}

# ---- down ------------------------------------------------------------------
stop_guest() {
  local p h; p=$(guest_pid) || p=''
  if [ -n "$p" ]; then
    kill -s RTMIN+4 "$p" 2>/dev/null || :          # systemd: power off in order
    wait_for 25 test ! -e "/proc/$p" || kill -KILL "$p" 2>/dev/null || :   # pid 1: all in it ends
    wait_for 10 test ! -e "/proc/$p" || die "init $p does not end"
  fi
  rm -f "$G/pid"
  # shellcheck disable=SC2016
  for h in $(hierarchies); do                      # only ours by name; rmdir takes only empty ones
    [ ! -d "$h/$TAG" ] || wait_for 20 sh -c 'find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [ ! -d "$1" ]' sh "$h/$TAG" || note "left: $h/$TAG"
  done
}
cmd_down() {
  need_root
  [ -e "$G/owner" ] || { note "no guest in $D"; rm -f "$D/.lock"; rmdir "$D" 2>/dev/null || :; return 0; }
  lock; stop_guest
  ! grep -q " $D/" /proc/self/mounts || die "mounts left under $D: nothing removed"
  rm -rf --one-file-system "$G"; rm -f "$D/.lock"; rmdir "$D" 2>/dev/null || :
  note "down: $D"
}
cmd_clean() {
  cmd_down
  if [ -e "$D/base/.shiplog-boot" ]; then rm -rf --one-file-system "$D/base"; fi
  [ ! -d "$D/base.part" ] || rm -rf --one-file-system "$D/base.part"
  rm -f "$D/debootstrap.log" "$D/.lock"; rmdir "$D" 2>/dev/null || :
}
cmd_reboot() { need_root; [ -e "$G/owner" ] || die "not up: $D"; lock; stop_guest; exec 8>&-; cmd_up; }
cmd_status() { local p; if p=$(guest_pid); then echo "up $p $(inside systemctl is-system-running || :)"; else echo down; return 1; fi; }

cmd_copy() { # SRC DST
  local s=${1:-} d=${2:-} mode name
  if [ ! -e "$s" ] || [ -z "$d" ]; then die "copy DIR SRC DST"; fi
  mode=$(stat -Lc %a "$s"); name=$(basename "$s")
  # Written by a process of the guest: a link there can never lead to the host.
  # shellcheck disable=SC2016
  if [ -d "$s" ]; then tar -C "$s" -c . | inside sh -c 'mkdir -p "$1" && tar -C "$1" --no-same-owner -x' sh "$d"
  else inside sh -c 'd=$1; case $d in */) mkdir -p "$d" ;; esac; [ ! -d "$d" ] || d=${d%/}/$2
      mkdir -p "$(dirname "$d")" && cat >"$d" && chmod "$3" "$d"' sh "$d" "$name" "$mode" <"$s"; fi
}

verb=${1:-}; [ $# -gt 0 ] && shift
case $verb in
  rootfs|up|down|clean|reboot|status) setdir "${1:-}"; "cmd_$verb" ;;
  run) setdir "${1:-}"; shift; [ $# -gt 0 ] || die "a command is needed"; inside "$@" ;;
  copy) setdir "${1:-}"; shift; cmd_copy "$@" ;;
  *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; [ -z "$verb" ] && exit 0 || exit 2 ;;
esac
