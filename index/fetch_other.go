//go:build !linux

package index

// fetchAhead does nothing where the kernel cannot be asked.
func fetchAhead(int, int64) {}
