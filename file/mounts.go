package file

import (
	"sync"
	"sync/atomic"

	"ringo/internal/hosted"
	"ringo/internal/sys"
)

// mount is what is known of a mounted file system, for the files that will be opened on
// it: of what type it is a task has to ask a worker.
type mount struct {
	known atomic.Uint32                // facts
	rings atomic.Pointer[hosted.Rings] // for its goroutines, in place of the process's; for tests
}

// mounts has them by their numbers, which no other mount will have. With mountsMax of them
// it begins anew.
var mounts struct {
	sync.Mutex
	by map[uint64]*mount
}

const mountsMax = 1024

// mountOf is the mount that an open file is on. Of one whose number the kernel does not
// tell (before Linux 5.8), each file learns by itself.
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
