//go:build race

package cli

// racing: the race detector makes a process several times as large and slow.
const racing = true
