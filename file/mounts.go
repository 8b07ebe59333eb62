package file

import (
	"sync"
	"sync/atomic"

	"ringo/internal/hosted"
	"ringo/internal/sys"
)

// mount holds what is known of a mounted file system, for all files on it: a task has to ask a worker for the type of
// the file system.
type mount struct {
	known atomic.Uint32                // facts
	rings atomic.Pointer[hosted.Rings] // for goroutines' transfers, in place of the process's rings; for tests
}

// mounts maps unique mount numbers to what is known of them. When it has mountsMax entries, it starts again from
// empty.
var mounts struct {
	sync.Mutex
	by map[uint64]*mount
}

const mountsMax = 1024

// mountOf returns the mount that an open file is on. If the kernel does not report a unique number, the file gets a
// mount of its own, and nothing that it learns is shared.
func mountOf(st *sys.Statx) *mount {
	if st.Mask&sys.StatxMount == 0 {
		return new(mount)
	}
	mounts.Lock()
	defer mounts.Unlock()
	m := mounts.by[st.MntID]
	if m == nil {
		if mounts.by == nil || len(mounts.by) >= mountsMax {
			mounts.by = map[uint64]*mount{}
		}
		m = new(mount)
		mounts.by[st.MntID] = m
	}
	return m
}

func (m *mount) know(what facts) { m.known.Or(uint32(what)) }
