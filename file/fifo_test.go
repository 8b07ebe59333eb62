package file

import (
	"testing"
	"testing/synctest"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// oneFIFO is a kernel with a FIFO. What comes of opening its other end are the results, the last of them again and
// again.
type oneFIFO struct {
	kernel.Kernel
	results []int32
	opened  func() // the other end
	closed  int
}

func (k *oneFIFO) Statx(_ int32, _ []byte, _, _ uint32, st *sys.Statx) int32 {
	*st = sys.Statx{Mode: sys.SIfifo | 0o600, Ino: 1}
	return 0
}

func (k *oneFIFO) Openat2(int32, []byte, *sys.OpenHow) int32 {
	res := k.results[0]
	if len(k.results) > 1 {
		k.results = k.results[1:]
	}
	if res >= 0 && k.opened != nil {
		k.opened()
	}
	return res
}

func (k *oneFIFO) Close(int32) int32 { k.closed++; return 0 }

func (k *oneFIFO) open() *fifoOpen { return &fifoOpen{k: k, dir: noFD, uses: 1} }

// An open that was cancelled and does not come back, since it waits at another FIFO that had the name for a moment,
// holds up nobody for good; and one for which there was no room at first is woken.
func TestFIFOCanceledElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		results []int32
		back    bool // by what opens the other end
		closed  int
	}{
		"nobody is there":  {results: []int32{-sys.ENXIO}},
		"somebody else is": {results: []int32{77}, closed: 1},
		"not permitted":    {results: []int32{-sys.EACCES}},
		"there is no room": {results: []int32{-sys.EMFILE, -sys.ENFILE, -sys.ENOMEM, 77}, back: true, closed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.AfterFunc(time.Hour, func() { panic("an open waits for ever") }).Stop()
				k := &oneFIFO{results: c.results}
				left := k.open()
				if !left.begin() {
					t.Fatal("an open that is wanted has not begun")
				}
				back := make(chan bool)
				go func() { // the kernel's open
					<-back
					left.leave()
				}()
				if k.opened = func() {}; c.back {
					k.opened = func() { close(back) }
				}
				left.cancel()
				next := k.open()
				if !next.begin() {
					t.Error("the next open has not begun")
				}
				next.leave()
				if !c.back {
					close(back)
				}
				synctest.Wait()
				fifos.Lock()
				defer fifos.Unlock()
				if len(fifos.at) > 0 || k.closed != c.closed {
					t.Errorf("%d ends are left, %d descriptors closed, want %d", len(fifos.at), k.closed, c.closed)
				}
			})
		})
	}
}
