//go:build linux && !portable

package sys

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Incore finds out by mincore(2) which pages of a file are in memory, through a mapping of the file that is never
// read. For files on overlayfs that is the only way: they have no pages of their own, so cachestat(2) finds none, but
// a mapping is of the file beneath.
type Incore struct {
	mem     unsafe.Pointer
	size    int64
	cleanup runtime.Cleanup
	told    atomic.Uint32 // calls of Prefix
}

// IncoreMax is the most bytes that one call of Prefix asks about.
const IncoreMax = 1 << 20

const (
	incorePages = IncoreMax/4096 + 1
	// incoreBeyond is how far behind the file's end the page is that can't be in memory.
	incoreBeyond = 4 << 20
	// incoreProbe is after how many calls that page is asked for again.
	incoreProbe = 64
)

// NewIncore maps a file, with room for it to grow to twice its size. It returns nil and -ENODATA if off is not in the
// file, and nil and -EPERM if the mapping would be of no use: to a caller that neither owns the file nor may write it,
// the kernel reports every page as present. Other errors mean that the mapping was refused.
func NewIncore(fd int32, off int64) (*Incore, int32) {
	var st unix.Stat_t
	if res := blocking(func() (int, error) { return 0, unix.Fstat(int(fd), &st) }); res < 0 {
		return nil, res
	}
	if off >= st.Size {
		return nil, -int32(unix.ENODATA)
	}
	size := (2*st.Size+pageSize-1)/pageSize*pageSize + incoreBeyond
	if size < 0 || size != int64(int(size)) {
		return nil, -int32(unix.EFBIG)
	}
	mem, err := unix.MmapPtr(int(fd), 0, nil, uintptr(size), unix.PROT_NONE, unix.MAP_PRIVATE)
	if err != nil {
		return nil, -int32(errnoOf(err))
	}
	m := &Incore{mem: mem, size: size}
	var vec [incorePages]byte
	res := m.ask(size-pageSize, 1, &vec)
	if res >= 0 && vec[0]&1 != 0 {
		res = -int32(unix.EPERM)
	}
	if res < 0 {
		unix.MunmapPtr(mem, uintptr(size))
		return nil, res
	}
	m.cleanup = runtime.AddCleanup(m, func(mem unsafe.Pointer) { unix.MunmapPtr(mem, uintptr(size)) }, mem)
	return m, 0
}

// Close removes the mapping. No call of Prefix may be under way.
func (m *Incore) Close() {
	m.cleanup.Stop()
	unix.MunmapPtr(m.mem, uintptr(m.size))
}

// Covers reports whether Prefix covers the offset off.
func (m *Incore) Covers(off int64) bool { return off < m.size-incoreBeyond }

// Prefix returns how many of the n bytes at off are in memory and up to date, up to the first that is not. If the
// process has lost the right to know since NewIncore, a few more calls may return too much.
func (m *Incore) Prefix(off int64, n int) int {
	if off < 0 || n <= 0 || !m.Covers(off) {
		return 0
	}
	if m.told.Add(1)%incoreProbe == 0 && !m.honest() {
		return 0
	}
	return m.prefix(off, int(min(int64(n), IncoreMax, m.size-incoreBeyond-off)))
}

// Pages returns a bit for each of the 64 pages from off on: set if Prefix would count it. The first page is the lowest
// bit.
func (m *Incore) Pages(off int64) (pages uint64) {
	if off < 0 || !m.Covers(off) || m.told.Add(1)%incoreProbe == 0 && !m.honest() {
		return 0
	}
	var vec [incorePages]byte
	n := min(64*pageSize, m.size-incoreBeyond-off)
	if m.ask(off, int(n), &vec) < 0 {
		return 0
	}
	for i := range (n + pageSize - 1) / pageSize {
		pages |= uint64(vec[i]&1) << i
	}
	return pages
}

// honest reports whether the kernel says that a page beyond the end is not in memory.
func (m *Incore) honest() bool { return m.prefix(m.size-pageSize, 1) == 0 }

func (m *Incore) prefix(off int64, n int) int {
	var vec [incorePages]byte
	first := off / pageSize * pageSize
	skip := int(off - first)
	if m.ask(first, skip+n, &vec) < 0 {
		return 0
	}
	pages := 0
	for page := int(pageSize); pages*page < skip+n && vec[pages]&1 != 0; pages++ {
	}
	return max(0, min(n, pages*int(pageSize)-skip))
}

// ask fills a byte of vec for each page of the n bytes at first, which is aligned to a page.
func (m *Incore) ask(first int64, n int, vec *[incorePages]byte) int32 {
	return result(syscall.RawSyscall(unix.SYS_MINCORE, uintptr(unsafe.Add(m.mem, first)), uintptr(n),
		uintptr(unsafe.Pointer(vec))))
}
