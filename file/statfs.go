package file

import (
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// FSInfo is what a mounted file system says of itself; see statfs(2).
type FSInfo struct {
	Type      int64  // its sort's number: 0xef53 of ext2 to ext4, 0x58465342 of XFS, 0x1021994 of tmpfs, ...
	BlockSize int64  // Size, Free and Available are multiples of it
	Size      uint64 // bytes; 0 of what has no disk, such as /proc
	Free      uint64 // bytes that nothing takes
	Available uint64 // of Free, what programs without privileges may take
	Files     uint64 // how many files it has room for; 0 where that is not fixed, as on btrfs
	FilesFree uint64 // of Files, how many more there can be
	NameMax   int    // bytes of the longest name
	Flags     int64  // ST_ bits of statfs(2)
}

// ReadOnly reports whether it is mounted so that nothing can be written.
func (i *FSInfo) ReadOnly() bool { return i.Flags&stRdonly != 0 }

const stRdonly = 1 // ST_RDONLY

// Statfs asks the file system that a file is on, or what a link leads to. It may wait, on network file systems as a
// rule; a task parks.
func Statfs(name string) (*FSInfo, error) {
	st := new(sys.Statfs)
	err := doAt(name, func(k kernel.Kernel, path []byte) int32 { return k.Statfs(path, st) })
	if err != nil {
		return nil, pathError("statfs", name, err)
	}
	return newFSInfo(st), nil
}

// Statfs asks the file system that the file is on. It may wait; a task parks.
func (f *File) Statfs() (*FSInfo, error) {
	st := new(sys.Statfs)
	if _, err := f.do("statfs", func(k kernel.Kernel) int32 { return k.Fstatfs(f.n, st) }); err != nil {
		return nil, err
	}
	return newFSInfo(st), nil
}

// Statfs asks the file system that a file in d is on, or what a link leads to. It may wait; a task parks.
func (d *Dir) Statfs(name string) (*FSInfo, error) {
	st := new(sys.Statfs)
	err := d.on("statfsat", name, func() error {
		return d.withObject(name, 0, func(n int32) error {
			_, err := do(func(k kernel.Kernel) int32 { return k.Fstatfs(n, st) })
			return err
		})
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
