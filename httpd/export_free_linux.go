package httpd

import "golang.org/x/sys/unix"

// freeSpace tells how many bytes may be written where dir is, and of how many; false: it is not known.
func freeSpace(dir string) (free, total uint64, ok bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, 0, false
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), true
}
