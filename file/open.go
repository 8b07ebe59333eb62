package file

import (
	"os"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// openName opens a name for whoever calls.
func openName(name string, flag int, mode uint32) (int32, error) {
	path, err := cString(name)
	if err != nil {
		return 0, err
	}
	c := newCall(op.Open, noFD)
	defer c.free()
	c.op.Buf, c.op.Arg, c.op.Arg2 = path, uint32(flag), mode
	l, t := loop.Current()
	if l != nil {
		if err := chargeAndYield(l); err != nil {
			return 0, err
		}
		if n, ok := openCached(name, flag); ok {
			return result(n)
		}
		c.op.Off = op.UnlessFIFO
	}
	n, err := c.wait()
	if err == errFIFO {
		return openFIFO(l, t, path, flag, mode)
	}
	return n, err
}

// openCached opens a name by what is in memory, without waiting: for a file that is
// there and stays as it is.
func openCached(name string, flag int) (n int32, ok bool) {
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		return 0, false
	}
	c, how, err := newNameCall(op.Openat2, noFD, name)
	if err != nil {
		return 0, false
	}
	defer c.free()
	how.How = sys.OpenHow{Flags: uint64(uint32(flag) | sys.OCloexec | sys.OLargefile)}
	n, ok = driver.Cached(&c.op)
	return n, ok && n != -sys.EOPNOTSUPP
}

// fifoOpen is the open of a FIFO, which may wait for the other end for ever: on a
// goroutine of its own, and so on a thread of its own, as with package os. Workers are
// for what a disk will end. There is no bound, because what ends one may be another.
type fifoOpen struct {
	p   loop.Parker
	op  op.Op
	dir fd.FD // its own, if the op has one
	res int32
}

func openFIFO(l *loop.Loop, t *loop.Task, path []byte, flag int, mode uint32) (int32, error) {
	w := &fifoOpen{op: op.Op{Code: op.Open, Buf: path, Arg: uint32(flag), Arg2: mode}}
	return w.wait(l, t)
}

// wait parks the task until the open has ended.
func (w *fifoOpen) wait(l *loop.Loop, t *loop.Task) (int32, error) {
	if l.Canceled() {
		w.leave()
		return 0, l.Cause()
	}
	w.p.Begin(l, t)
	go w.run()
	if _, ok := w.p.Park(); !ok {
		return 0, l.Cause()
	}
	return result(w.res)
}

// run is the goroutine's side. What comes when nobody wants it any more is closed.
func (w *fifoOpen) run() {
	w.res = driver.Call(&w.op)
	w.leave()
	if w.p.Claim(0) {
		w.p.Wake()
		return
	}
	if w.res >= 0 {
		driver.Call(&op.Op{Code: op.CloseFile, Off: int64(w.res)})
	}
}

// leave lets go of the directory.
func (w *fifoOpen) leave() {
	if w.op.FD != nil {
		closeNumber(w.dir.Take())
	}
}

const errFIFO = errno(sys.EINPROGRESS)
