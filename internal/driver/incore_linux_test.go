//go:build linux

package driver

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// mappedFile is a file of so many pages, all in memory, and what is known of it.
func mappedFile(t *testing.T, pages int) (*os.File, *incoreView) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, pages*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	var i Incore
	m := i.view(int32(f.Fd()), 0)
	if m == nil {
		t.Skip("mincore(2) tells nothing here")
	}
	t.Cleanup(i.Close)
	return f, m
}

// drop has the kernel drop a file's pages, or skips.
func drop(t *testing.T, f *os.File, m *incoreView) {
	t.Helper()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if m.Prefix(0, 1) != 0 {
		t.Skip("this file system keeps what it is told to drop")
	}
}

// What was told holds for its time and no longer, for the pages that it was told of, and what
// was not there then is asked for again.
func TestIncoreRecent(t *testing.T) {
	const pages, tick = 200, 1000
	page := os.Getpagesize()
	f, m := mappedFile(t, pages)
	ask := func(first, n int, tick uint64) int {
		off := int64(first * page)
		return m.recent(off/windowSize, off, n*page, tick) / page
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d pages, want %d", what, got, want)
		}
	}
	want("a first read", ask(3, 2, tick), 2)
	want("one of another window", ask(70, 5, tick), 5)
	want("one elsewhere in it", ask(90, 5, tick), 5)
	want("one behind the first of these", ask(75, 1, tick), 1)
	drop(t, f, m)
	want("what was read", ask(3, 2, tick+toldTicks), 2)
	want("a part of it", ask(4, 1, tick+toldTicks), 1)
	want("what reaches over it", ask(4, 3, tick+toldTicks), 1)
	want("what else was in the window that somebody reads on in", ask(64, 64, tick+toldTicks), 64)
	want("what was not asked for", ask(7, 1, tick), 0)
	want("what is behind what was read", ask(5, 1, tick), 0)
	want("what was read, and has been asked for anew", ask(3, 2, tick), 0)
	want("what was told too long ago", ask(70, 5, tick+toldTicks+1), 0)

	read := func(first, n int) {
		t.Helper()
		if _, err := f.ReadAt(make([]byte, n*page), int64(first*page)); err != nil {
			t.Fatal(err)
		}
	}
	read(80, 2)
	want("what came meanwhile", ask(80, 2, tick+toldTicks+1), 2)
	drop(t, f, m)
	want("what came meanwhile, again", ask(80, 2, tick+2*toldTicks+1), 2)
	want("the same, when what was told of its window is too old", ask(80, 2, tick+2*toldTicks+2), 0)

	read(64, 64)
	for i := range 7 { // no two beside each other
		want("one read of many", ask(64+2*i, 1, 2*tick), 1)
	}
	want("the first of a window that was busy", ask(90, 1, 3*tick), 1)
	drop(t, f, m)
	want("all else in a window that was busy", ask(64, 64, 3*tick+1), 64)
	want("the same later, when it was not", ask(64, 64, 4*tick), 0)

	f.ReadAt(make([]byte, page), 0)
	want("another window in the same place", m.recent(toldMax, toldMax*windowSize, page, tick+3*toldTicks), 0)
	want("the first in it", ask(0, 1, tick+3*toldTicks), 1)
	m.told[0].set(0, 0)
	if _, err := f.ReadAt(make([]byte, page), int64(page)*(pages-1)); err != nil {
		t.Fatal(err)
	}
	want("the last page and what is behind it", ask(pages-1, 3, tick), 1)
	want("the same again", ask(pages-1, 3, tick), 1)
}

// Forget has all asked for anew, and so has a read over the end of a window.
func TestIncoreForget(t *testing.T) {
	page := os.Getpagesize()
	f, m := mappedFile(t, 200)
	var i Incore
	defer i.Close()
	fd := int32(f.Fd())
	if n := i.Recent(fd, 0, page); n != page {
		t.Errorf("Recent = %d, want %d", n, page)
	}
	over := windowSize - int64(page)
	if n := i.Recent(fd, over, 2*page); n != 2*page {
		t.Errorf("Recent over the end of a window = %d, want %d", n, 2*page)
	}
	for _, off := range []int64{-1, 1 << 62, 1<<63 - 1} {
		if n := i.Recent(fd, off, page); n != 0 {
			t.Errorf("Recent of what lies at %d = %d", off, n)
		}
	}
	drop(t, f, m)
	i.Forget()
	if n := i.Recent(fd, 0, page); n != 0 {
		t.Errorf("Recent after Forget = %d", n)
	}
	if n := i.Recent(fd, over, 2*page); n != 0 {
		t.Errorf("Recent over the end of a window that was dropped = %d", n)
	}
}

// Many ask at once, of windows that share their places: nobody is told of a page that is not there.
func TestIncoreTogether(t *testing.T) {
	page := os.Getpagesize()
	f, m := mappedFile(t, 1)
	const windows = 3 * toldMax
	if err := f.Truncate(windows * windowSize); err != nil {
		t.Fatal(err)
	}
	var i Incore
	defer i.Close()
	there := func(window int64) int64 { return window * 7 % windowPages } // one page of each
	for w := range int64(windows) {
		if _, err := f.WriteAt([]byte{1}, w*windowSize+there(w)*int64(page)); err != nil {
			t.Fatal(err)
		}
	}
	if m.Prefix(int64(page)*(there(0)+1), page) != 0 {
		t.Skip("what lies beside a page is in memory, too")
	}
	fd := int32(f.Fd())
	var done sync.WaitGroup
	for g := range int64(4) {
		done.Go(func() {
			for n := range int64(20_000) {
				w := (n*(2*g+1) + n%3*toldMax) % windows
				p := (n * 5) % windowPages
				got := i.Recent(fd, w*windowSize+p*int64(page), page)
				if want := p == there(w); (got == page) != want || got != 0 && got != page {
					t.Errorf("of page %d of window %d are %d bytes there, want all: %v", p, w, got, want)
					return
				}
			}
		})
	}
	done.Wait()
}

func TestPagesOf(t *testing.T) {
	page := windowSize / windowPages
	for first := range int64(windowPages) {
		for n := int64(1); first+n <= windowPages; n++ {
			off := 5*windowSize + first*page
			for _, c := range [][2]int64{{off, n * page}, {off + 10, n*page - 10}, {off, (n-1)*page + 1}} {
				pages := pagesOf(c[0], int(c[1]))
				if got := prefixOf(pages, c[0], int(c[1])); got != int(c[1]) {
					t.Errorf("%d bytes at %d: %b has %d of them", c[1], c[0], pages, got)
				}
				if got := prefixOf(pages, off, 1<<30); got != int(n*page) {
					t.Errorf("%d bytes at %d: %b has %d from there", c[1], c[0], pages, got)
				}
				if first > 0 && prefixOf(pages, off-1, 1) != 0 {
					t.Errorf("%d bytes at %d: %b has the page before, too", c[1], c[0], pages)
				}
			}
		}
	}
}
