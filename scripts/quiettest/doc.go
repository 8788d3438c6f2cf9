// Package quiettest holds shiplog to its word that a box with nothing to do may sleep. It runs shiplog in every
// set-up at once, lets nothing happen for a minute, and wants to see no byte written, no sync, and no wake-up
// within five seconds of another, but for one.
//
// A wake-up is a time at which threads of the process ran after all of them had slept. It is counted from
// /proc/PID/task/*/status: a thread that slept has one more voluntary_ctxt_switches. The counters are read ten
// times a second; readings in which they grew are one wake-up when a second at most lies between them, because one
// timer wakes several threads of a Go program one after the other: the poller, the goroutine that was due, and
// sysmon, which looks about for some milliseconds before it sleeps again; and other programs may keep them waiting.
//
// What the Go runtime does by itself is counted with the rest, and some of it cannot be helped. It collects garbage
// every two minutes, with its sweeper and scavenger: so one wake-up in that time may be close to another. And it may
// keep the timer of a deadline that was met until its time has come, and wake for it. So deadlines on what happens
// again and again end when all wakes anyway, and those of the start have ended before the minute begins.
//
// What is written is taken from write_bytes of /proc/PID/io, from the sizes and times of all files of the data
// directory, and, where strace may attach, from the calls themselves: writes to files, syncs, and calls that make,
// rename or remove a file. Answers on sockets (a ping of Incus, a sign of life for systemd) are no writes.
//
//	SHIPLOG_QUIET=1          without it the test is skipped, because it takes more than a minute
//	SHIPLOG_BINARY=FILE      the program; without it the test builds one
//	SHIPLOG_QUIET_FOR=60s    how long nothing happens
//	SHIPLOG_WATCHDOG=60s     the watchdog that systemd is said to have; 0s: none
package quiettest
