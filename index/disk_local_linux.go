package index

import "golang.org/x/sys/unix"

// local tells whether dir is on a file system of which the kernel tells every change. Of one that other machines
// write, or a program serves, it tells only what was done here; what is not known is taken for one of those.
func local(dir string) bool {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return false
	}
	switch uint64(uint32(s.Type)) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.BCACHEFS_SUPER_MAGIC, zfsMagic:
		return true
	}
	return false
}

const zfsMagic = 0x2FC12FC1 // not in linux/magic.h
