package driver

import (
	"sync"
	"sync/atomic"

	"ringo/internal/sys"
)

// Incore tells what of a file is in memory, for files whose reads can't be told not to
// wait and whose pages the kernel shows all the same: see sys.Incore. The zero Incore
// knows nothing yet.
type Incore struct {
	now  atomic.Pointer[sys.Incore]
	mu   sync.Mutex
	all  []*sys.Incore // now's, and those before it that somebody may still ask
	none bool          // it can't be had
}

// Prefix is how many of n bytes of the file fd from off on a plain read finds in memory,
// before the first that it doesn't. G.
//
// What was there when it was asked for may be gone when it is read, a microsecond later:
// the kernel takes back pages that nobody has used for long, and those of a file of which
// it is told to. Then the caller waits for one read of the disk. Of a page that is on its
// way from the disk it is never said that it is there.
func (i *Incore) Prefix(fd int32, off int64, n int) int {
	m := i.now.Load()
	if m == nil || !m.Covers(off) {
		if m = i.widen(fd, off); m == nil {
			return 0
		}
	}
	return m.Prefix(off, n)
}

// widen maps the file anew, since off is not in what is mapped of it.
func (i *Incore) widen(fd int32, off int64) *sys.Incore {
	i.mu.Lock()
	defer i.mu.Unlock()
	if m := i.now.Load(); i.none || m != nil && m.Covers(off) {
		return m
	}
	m, res := sys.NewIncore(fd, off)
	if m == nil {
		i.none = res != -sys.ENODATA
		return nil
	}
	i.all = append(i.all, m)
	i.now.Store(m)
	return m
}

// Close gives back what it took. Nobody may use it meanwhile, or later.
func (i *Incore) Close() {
	for _, m := range i.all {
		m.Close()
	}
}
