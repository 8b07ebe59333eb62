package memkernel

import "ringo/internal/sys"

// magic is the type of the file system: that of ext4, which most programs run on.
const magic = 0xef53

// newDisk makes an empty file system with the directories that programs expect.
func (h *Host) newDisk() {
	h.root = h.newInode(sys.SIfdir | 0o755)
	h.cwd = h.root
	for _, name := range []string{"tmp", "data"} {
		d := h.newInode(sys.SIfdir | 0o777)
		h.root.link(name, d)
	}
	h.syncNames(h.root)
}

// diskBlocks is the reported size of a disk without Capacity: 1 TiB.
const diskBlocks = 1 << 28

// statfs reports the size of the disk. More may be in use, if the capacity was lowered meanwhile. The quota is not
// reported: it belongs to a user.
func (h *Host) statfs(st *sys.Statfs) {
	if h.Room != nil {
		h.Room()
	}
	blocks := int64(diskBlocks)
	if h.Capacity > 0 {
		blocks = h.Capacity / pageSize
	}
	left := uint64(max(0, blocks-h.used))
	*st = sys.Statfs{Type: magic, BlockSize: pageSize, NameMax: 255,
		Blocks: uint64(blocks), BlocksFree: left, BlocksUsable: left, Files: 1 << 32, FilesFree: 1<<32 - h.inos}
}

// Fstatfs describes the file system of a descriptor.
func (h *Host) Fstatfs(fd int32, st *sys.Statfs) int32 {
	if h.at(fd) == nil {
		return -sys.EBADF
	}
	h.statfs(st)
	return 0
}

// Statfs describes the file system of a name.
func (h *Host) Statfs(path []byte, st *sys.Statfs) int32 {
	h.looksUp()
	if _, res := h.node(sys.AtFdcwd, path, 0, true); res < 0 {
		return res
	}
	h.statfs(st)
	return 0
}
