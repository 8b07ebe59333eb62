package file

import (
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// FSInfo describes a mounted file system; see statfs(2).
type FSInfo struct {
	Type      int64  // 0xef53 for ext2 to ext4, 0x58465342 for XFS, 0x1021994 for tmpfs, ... ...
	BlockSize int64  // Size, Free and Available are multiples of it
	Size      uint64 // bytes; 0 without a disk, as for /proc
	Free      uint64 // unused bytes
	Available uint64 // of Free, the part for programs without privileges
	Files     uint64 // how many files it can hold; 0 if that is not fixed, as on btrfs
	FilesFree uint64 // of Files, how many can still be made
	NameMax   int    // bytes of the longest name
	Flags     int64  // ST_ bits of statfs(2)
}

// ReadOnly reports whether the file system is mounted read-only.
func (i *FSInfo) ReadOnly() bool { return i.Flags&stRdonly != 0 }

const stRdonly = 1 // ST_RDONLY

// Statfs describes the file system of a file, or of a link's target. It may wait, usually on network file systems; a
// task parks.
func Statfs(name string) (*FSInfo, error) {
	st := new(sys.Statfs)
	err := doAt(name, func(k kernel.Kernel, path []byte) int32 { return k.Statfs(path, st) })
	if err != nil {
		return nil, pathError("statfs", name, err)
	}
	return newFSInfo(st), nil
}

// Statfs describes the file system that the file is on. It may wait; a task parks.
func (f *File) Statfs() (*FSInfo, error) {
	st := new(sys.Statfs)
	if _, err := f.do("statfs", func(k kernel.Kernel) int32 { return k.Fstatfs(f.n, st) }); err != nil {
		return nil, err
	}
	return newFSInfo(st), nil
}

// Statfs describes the file system of a file in d, or of a link's target. On macOS, NetBSD, OpenBSD and DragonFly the
// file must be one that can be opened for reading. It may wait; a task parks.
func (d *Root) Statfs(name string) (*FSInfo, error) {
	st := new(sys.Statfs)
	err := d.on("statfsat", name, func() error {
		n, err := d.object(name, 0)
		if err != nil {
			return err
		}
		defer closeNumber(n)
		_, err = do(func(k kernel.Kernel) int32 { return k.Fstatfs(n, st) })
		return err
	})
	if err != nil {
		return nil, err
	}
	return newFSInfo(st), nil
}

func newFSInfo(st *sys.Statfs) *FSInfo {
	size := uint64(st.BlockSize)
	return &FSInfo{Type: st.Type, BlockSize: st.BlockSize, Size: st.Blocks * size, Free: st.BlocksFree * size,
		Available: st.BlocksUsable * size, Files: st.Files, FilesFree: st.FilesFree, NameMax: int(st.NameMax),
		Flags: st.Flags}
}
