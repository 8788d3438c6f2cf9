// Package boottest installs the package on a booted Debian and lets its systemd drive the units, as on a
// NAS. Its one test is a story in a fixed order: README's three commands, the single unit with its sandbox,
// real engines, kill -9, a hung process, reload, reboot, a cut of the power; then the pair of agent and
// server with much of the same; at the end an upgrade, the removal and the purge.
//
// The guest is made by scripts/boot.sh in private namespaces. The test runs outside: it gives commands to
// the guest's root, and speaks to shiplog from within the guest's network. What a unit may do is tried by
// the unit itself: the test binary, copied into the guest, runs as ExecStartPre= with the unit's own
// sandbox (probe_test.go). scripts/test hands over
//
//	SHIPLOG_ROOTFS=DIR       of scripts/boot.sh rootfs; without it the test is skipped
//	SHIPLOG_DEBS=DIR         two versions of the package, older/*.deb and newer/*.deb
//	SHIPLOG_ENGINES=DIR      of scripts/engines.sh up; without it what needs an engine is left out
package boottest
