package driver

import (
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/sys"
)

// Incore tells what of a file is in memory, for files whose reads can't be told not to
// wait and whose pages the kernel shows all the same: see sys.Incore. The zero Incore
// knows nothing yet.
type Incore struct {
	now  atomic.Pointer[incoreView]
	mu   sync.Mutex
	all  []*incoreView // now's, and those before it that somebody may still ask
	none bool          // it can't be had
}

// incoreView is a mapping of a file, and what it has told of late.
type incoreView struct {
	*sys.Incore
	told [toldMax]told
}

// told is what was in memory of a window of 64 pages. Whoever has asked writes both words, one after
// the other, and beside others: words of two that don't belong together have no key that makes sense.
//
//	63     32 31  29 28    27  0
//	┌────────┬──────┬─────┬─────┐
//	│1 + which│ uses│whole│ tick│  the key, stored xor pages; whole: all 64 pages were asked for
//	└────────┴──────┴─────┴─────┘
type told struct{ key, pages atomic.Uint64 }

const (
	// toldMax is how many windows are remembered, each in one place: another's answer takes it over.
	toldMax = 64
	// tickShift is how many bits of a time in ns are less than a tick, 0.26 ms.
	tickShift = 18
	tickMask  = 1<<28 - 1
	// toldTicks is how long an answer holds, and a tick more: about a millisecond, in which a disk
	// answers some reads at most.
	toldTicks = 3
	toldWhole = 1 << 28
	// toldUse is one more read in this time, up to seven, with which the window counts as busy: to ask for
	// all of it costs four times what it costs to ask for a page.
	toldUse     = 1 << 29
	toldBusy    = 7 * toldUse
	toldWindow  = 1 << 32
	windowMax   = 1<<32 - 2
	windowPages = 64
)

var (
	windowSize = windowPages * int64(os.Getpagesize())
	epoch      = time.Now()
)

// sinceEpoch is never so small that what was never told seems fresh.
func sinceEpoch() int64 { return int64(time.Since(epoch)) + (toldTicks+2)<<tickShift }

// Prefix is how many of n bytes of the file fd from off on a plain read finds in memory,
// before the first that it doesn't. G.
//
// What was there when it was asked for may be gone when it is read, a microsecond later:
// the kernel takes back pages that nobody has used for long, and those of a file of which
// it is told to. Then the caller waits for one read of the disk. Of a page that is on its
// way from the disk it is never said that it is there.
func (i *Incore) Prefix(fd int32, off int64, n int) int {
	if m := i.view(fd, off); m != nil {
		return m.Prefix(off, n)
	}
	return 0
}

// Recent is Prefix by what was so a millisecond ago at most: it asks for 64 pages at once where one
// read comes after the other, and answers others by what it was told. G.
func (i *Incore) Recent(fd int32, off int64, n int) int {
	m := i.view(fd, off)
	if m == nil {
		return 0
	}
	window := off / windowSize
	if off < 0 || n <= 0 || (off+int64(n)-1)/windowSize != window || window > windowMax {
		return m.Prefix(off, n)
	}
	return m.recent(window, off, n, uint64(sinceEpoch()>>tickShift)&tickMask)
}

// recent answers what lies in one window. A read asks for its own pages alone, since the next may be
// elsewhere, unless the page before them was read just now, or the window is or was busy.
func (m *incoreView) recent(window, off int64, n int, tick uint64) int {
	at := &m.told[uint64(window)%toldMax]
	pages := at.pages.Load()
	key := at.key.Load() ^ pages
	fresh, whole := false, false
	if key/toldWindow == uint64(window+1) {
		fresh = (tick-key)&tickMask <= toldTicks
		whole = key&toldBusy == toldBusy
	}
	if fresh {
		if n := prefixOf(pages, off, n); n > 0 {
			at.use(key, pages)
			return n
		}
		whole = key&toldWhole == 0 && (whole || follows(pages, off))
	}
	if whole {
		pages = m.Pages(window * windowSize)
		at.set(uint64(window+1)*toldWindow|toldWhole|tick, pages)
		return prefixOf(pages, off, n)
	}
	if !fresh {
		key, pages = uint64(window+1)*toldWindow|tick, 0
	}
	if n = m.Prefix(off, n); n > 0 {
		at.use(key, pages|pagesOf(off, n))
	}
	return n
}

// use sets them, and counts the read.
func (t *told) use(key, pages uint64) {
	switch {
	case key&toldBusy != toldBusy:
		t.set(key+toldUse, pages)
	case key != t.key.Load()^pages:
		t.set(key, pages)
	}
}

func (t *told) set(key, pages uint64) {
	t.key.Store(key ^ pages)
	t.pages.Store(pages)
}

// prefixOf is how many of n bytes from off on lie in pages that are set, before the first that is not.
func prefixOf(pages uint64, off int64, n int) int {
	first := off % windowSize / (windowSize / windowPages)
	there := int64(bits.TrailingZeros64(^(pages >> first)))
	return int(max(0, min(int64(n), there*(windowSize/windowPages)-off%(windowSize/windowPages))))
}

// follows reports whether the page before that of off is set.
func follows(pages uint64, off int64) bool {
	return pages<<1>>(off%windowSize/(windowSize/windowPages))&1 != 0
}

// pagesOf has those set that n bytes from off on lie in.
func pagesOf(off int64, n int) uint64 {
	page := windowSize / windowPages
	first, last := off%windowSize/page, (off%windowSize+int64(n)-1)/page
	return ^uint64(0) >> (windowPages - 1 - (last - first)) << first
}

// Forget lets go of what was told. G.
func (i *Incore) Forget() {
	if m := i.now.Load(); m != nil {
		for j := range m.told {
			m.told[j].set(0, 0)
		}
	}
}

// view is a mapping that has what is at off; nil if there is none.
func (i *Incore) view(fd int32, off int64) *incoreView {
	if m := i.now.Load(); m != nil && m.Covers(off) {
		return m
	}
	return i.widen(fd, off)
}

// widen maps the file anew, since off is not in what is mapped of it.
func (i *Incore) widen(fd int32, off int64) *incoreView {
	i.mu.Lock()
	defer i.mu.Unlock()
	if m := i.now.Load(); i.none || m != nil && m.Covers(off) {
		return m
	}
	mapped, res := sys.NewIncore(fd, off)
	if mapped == nil {
		i.none = res != -sys.ENODATA
		return nil
	}
	m := &incoreView{Incore: mapped}
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
