package driver

import (
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/sys"
)

// Incore tells what of a file is in memory. It is for files whose reads can't be told not to wait, but whose cached
// pages the kernel shows: see sys.Incore. The zero Incore knows nothing yet.
type Incore struct {
	now  atomic.Pointer[incoreView]
	mu   sync.Mutex
	all  []*incoreView // now's, and earlier ones that other goroutines may still use
	none bool          // the file can't be mapped for this
}

// incoreView is a mapping of a file, with recent answers of the kernel about it.
type incoreView struct {
	*sys.Incore
	told [toldMax]told
}

// told is which pages of a window of 64 were in memory. Any goroutine that has asked writes both words, one after the
// other and without a lock, so a reader may see words of two answers: their xor is then a key that matches no window.
//
//	63     32 31  29 28    27  0
//	┌────────┬──────┬─────┬─────┐
//
// the key, stored xor pages; whole: all 64 pages were asked for
//
//	└────────┴──────┴─────┴─────┘
type told struct{ key, pages atomic.Uint64 }

const (
	// toldMax is how many windows are kept. Each has one place, where another window's answer replaces it.
	toldMax = 64
	// tickShift: a tick is 2^18 ns, 0.26 ms.
	tickShift = 18
	tickMask  = 1<<28 - 1
	// toldTicks is how many ticks an answer is valid, plus up to one: about a millisecond, in which a disk answers a
	// few reads at most.
	toldTicks = 3
	toldWhole = 1 << 28
	// toldUse counts a read in the answer's lifetime, up to seven, at which the window counts as busy: to ask for all
	// of it costs four times as much as to ask for one page.
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

// sinceEpoch starts high enough that an entry that was never written does not seem fresh.
func sinceEpoch() int64 { return int64(time.Since(epoch)) + (toldTicks+2)<<tickShift }

// Prefix returns how many of the n bytes of file fd from off on are in memory, before the first that is not. G.
//
// Pages may be gone when they are read, a microsecond later: the kernel takes back pages that were not used for long,
// and pages of a file that it was told to drop. Then the caller waits for one read of the disk. A page that is still
// on its way from the disk does not count as in memory.
func (i *Incore) Prefix(fd int32, off int64, n int) int {
	if m := i.view(fd, off); m != nil {
		return m.Prefix(off, n)
	}
	return 0
}

// Recent is Prefix with answers of the kernel that are up to a millisecond old. For sequential reads, and in busy
// windows, it asks for 64 pages at once, and answers the next reads from that. G.
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

// recent answers for bytes within one window. It asks only for the pages of the read, because the next read may be
// elsewhere, unless the page before them was read just now, or the window is busy.
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

// use stores key and pages, and counts the read.
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

// prefixOf returns how many of n bytes from off on are in pages that are set, before the first that is not.
func prefixOf(pages uint64, off int64, n int) int {
	first := off % windowSize / (windowSize / windowPages)
	there := int64(bits.TrailingZeros64(^(pages >> first)))
	return int(max(0, min(int64(n), there*(windowSize/windowPages)-off%(windowSize/windowPages))))
}

// follows reports whether the page before the one of off is set.
func follows(pages uint64, off int64) bool {
	return pages<<1>>(off%windowSize/(windowSize/windowPages))&1 != 0
}

// pagesOf returns the bits of the pages of n bytes from off on.
func pagesOf(off int64, n int) uint64 {
	page := windowSize / windowPages
	first, last := off%windowSize/page, (off%windowSize+int64(n)-1)/page
	return ^uint64(0) >> (windowPages - 1 - (last - first)) << first
}

// Forget drops the kernel's answers. G.
func (i *Incore) Forget() {
	if m := i.now.Load(); m != nil {
		for j := range m.told {
			m.told[j].set(0, 0)
		}
	}
}

// view returns a mapping that covers off; nil if there is none.
func (i *Incore) view(fd int32, off int64) *incoreView {
	if m := i.now.Load(); m != nil && m.Covers(off) {
		return m
	}
	return i.widen(fd, off)
}

// widen maps the file anew, because off is outside of the present mapping.
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

// Close unmaps everything. No call may run meanwhile, or follow.
func (i *Incore) Close() {
	for _, m := range i.all {
		m.Close()
	}
}
