package file

import (
	"sync"
	"sync/atomic"

	"ringo/internal/sys"
)

// mounts are what is known of the file systems of Files, bits as in File.kind by the
// number of a mount, which no other will have: for what sort of file system it is a task
// has to ask a worker. With mountsMax of them it begins anew.
var mounts struct {
	kinds sync.Map // of uint32 by uint64
	n     atomic.Int32
}

const mountsMax = 1024

// mountOf is the number of the mount that an open file is on, 0 if none is told.
func mountOf(st *sys.Statx) uint64 {
	if st.Mask&sys.StatxMount == 0 {
		return 0
	}
	return st.MntID
}

// kindOn is what is known of files on a mount.
func kindOn(mount uint64) uint32 {
	if kind, ok := mounts.kinds.Load(mount); ok {
		return kind.(uint32)
	}
	return 0
}

// keepKind notes it for the files that will come.
func keepKind(mount uint64, kind uint32) {
	if mount == 0 {
		return
	}
	if mounts.n.Add(1) > mountsMax {
		mounts.kinds.Clear()
		mounts.n.Store(1)
	}
	mounts.kinds.Store(mount, kind)
}
