package file

import (
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// fifoOpen is the open of a FIFO, which may wait for the other end for ever: on a
// goroutine of its own, and so on a thread of its own, as with package os. Workers are
// for what a disk will end. There is no bound, because what ends one may be another.
type fifoOpen struct {
	p    loop.Parker
	k    kernel.Kernel
	dir  int32 // its own, or noFD
	path []byte
	how  sys.OpenHow
	res  int32
}

// openFIFO is openAt of a FIFO for a task, which may be cancelled meanwhile: so dir and path become the open's own.
func openFIFO(l *loop.Loop, t *loop.Task, dir int32, path []byte, how sys.OpenHow) (int32, error) {
	if !l.World().Beside() {
		if dir >= 0 {
			closeNumber(dir)
		}
		return 0, errWorldFIFO
	}
	w := &fifoOpen{k: l.Kernel(), dir: dir, path: path, how: how}
	if l.Canceled() {
		w.leave()
		return 0, l.Cause()
	}
	w.p.For = "open of a FIFO"
	w.p.Begin(l, t)
	go w.run()
	if _, ok := w.p.Park(); !ok {
		return 0, l.Cause()
	}
	return result(w.res)
}

// run is the goroutine's side. What comes when nobody wants it any more is closed.
func (w *fifoOpen) run() {
	w.res = w.k.Openat2(w.dir, w.path, &w.how)
	w.leave()
	if w.p.Claim(0) {
		w.p.Wake()
		return
	}
	if w.res >= 0 {
		w.k.Close(w.res)
	}
}

// leave lets go of the directory.
func (w *fifoOpen) leave() {
	if w.dir >= 0 {
		w.k.Close(w.dir)
	}
}

var errFIFO error = posix.Of(-sys.EINPROGRESS)
