package index

import "golang.org/x/sys/unix"

// fetchAhead asks for the first n bytes of a file, and no more, to be brought into memory.
func fetchAhead(fd int, n int64) { _ = unix.Fadvise(fd, 0, n, unix.FADV_WILLNEED) }
