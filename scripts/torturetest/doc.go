// Package torturetest ends a real shiplog process in the ways that a box knows: kill -9, a cut of the power, a full
// disk. It does so again and again on one data directory, while clients write and note down what was acknowledged:
//
//	POST /v1/journal/ and DIR/agent.sock   records, which are acknowledged with their number
//	DELETE /container-station/api/v1/log   is acknowledged too, and is a record
//
// The log is held at 1 MiB, so that segments are full, sealed, indexed and removed in every round. After each round
// the files are read with none of shiplog's code: whatever was acknowledged is there once, under its number, unless
// all of its segment was removed by rule; verify finds no damage; a new start is ready and answers from its index
// what the files hold.
//
// It is run by scripts/torture, which says what can be set. The cut of the power and the full disk need root: they
// happen to file systems in files, by the ioctl with which the kernel's own tests of ext4 and XFS cut the power.
package torturetest
