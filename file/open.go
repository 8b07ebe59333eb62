package file

import (
	"sync"
	"time"

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

	// With fifos locked:
	uses           int      // of dir
	end            *fifoEnd // nil: it has not begun, or is of no FIFO
	canceled, over bool
}

// fifoEnd is who of the process waits at an end of a FIFO.
type fifoEnd struct {
	id           fifoID
	wanted, left int  // opens of tasks, and of those that were cancelled
	waking       bool // somebody opens the other end
}

type fifoID struct {
	device, inode uint64
	writes        bool
}

// fifos are the ends at which somebody waits.
var fifos = struct {
	sync.Mutex
	changed sync.Cond
	at      map[fifoID]*fifoEnd
}{at: map[fifoID]*fifoEnd{}}

func init() { fifos.changed.L = &fifos }

// openFIFO is openAt of a FIFO for a task, which may be cancelled meanwhile: so dir and path become the open's own.
func openFIFO(l *loop.Loop, t *loop.Task, dir int32, path []byte, how sys.OpenHow) (int32, error) {
	if !l.World().Beside() {
		if dir >= 0 {
			closeNumber(dir)
		}
		return 0, errWorldFIFO
	}
	w := &fifoOpen{k: l.Kernel(), dir: dir, path: path, how: how, uses: 1}
	if l.Canceled() {
		w.leave()
		return 0, l.Cause()
	}
	w.p.For = "open of a FIFO"
	w.p.Begin(l, t)
	go w.run()
	if _, ok := w.p.Park(); !ok {
		w.cancel()
		return 0, l.Cause()
	}
	return result(w.res)
}

// run is the goroutine's side. What comes when nobody wants it any more is closed.
func (w *fifoOpen) run() {
	if w.res = -int32(sys.ECANCELED); w.begin() {
		w.res = w.k.Openat2(w.dir, w.path, &w.how)
	}
	w.leave()
	if w.p.Claim(0) {
		w.p.Wake()
		return
	}
	if w.res >= 0 {
		w.k.Close(w.res)
	}
}

// begin joins those who wait at the end, unless nobody wants the open any more.
func (w *fifoOpen) begin() bool {
	id := w.id()
	fifos.Lock()
	defer fifos.Unlock()
	for fifos.at[id] != nil && fifos.at[id].waking { // what is opened for others would let it through
		fifos.changed.Wait()
	}
	if w.canceled || id == (fifoID{}) {
		return !w.canceled
	}
	if w.end = fifos.at[id]; w.end == nil {
		w.end = &fifoEnd{id: id}
		fifos.at[id] = w.end
	}
	w.end.wanted++
	return true
}

// id tells what is to be opened. It is zero of what is no FIFO any more, and does not wait.
func (w *fifoOpen) id() (id fifoID) {
	var st sys.Statx
	if w.k.Statx(w.dir, w.path, 0, sys.StatxType|sys.StatxIno, &st) == 0 && st.Mode&sys.SIfmt == sys.SIfifo {
		id = fifoID{st.Dev(), st.Ino, w.how.Flags&sys.OAccmode != 0}
	}
	return id
}

// leave is for when the open is over.
func (w *fifoOpen) leave() {
	fifos.Lock()
	defer fifos.Unlock()
	defer w.release()
	w.over = true
	switch {
	case w.end == nil:
		return
	case w.canceled:
		w.end.left--
	default:
		w.end.wanted--
	}
	w.settle()
}

// cancel is for when nobody wants the open any more.
func (w *fifoOpen) cancel() {
	fifos.Lock()
	defer fifos.Unlock()
	if w.canceled = true; w.end != nil && !w.over {
		w.end.wanted--
		w.end.left++
		w.settle()
	}
}

// settle has opens come back that nobody wants, once nobody else of the process waits at that end. They would be
// readers, or writers, that do nothing, each with a thread.
func (w *fifoOpen) settle() {
	switch e := w.end; {
	case e.waking || e.wanted > 0:
	case e.left == 0:
		delete(fifos.at, e.id)
	default:
		e.waking = true
		w.uses++
		go w.wake()
	}
	fifos.changed.Broadcast()
}

// release gives up a use of the directory.
func (w *fifoOpen) release() {
	if w.uses--; w.uses == 0 && w.dir >= 0 {
		w.k.Close(w.dir)
	}
}

// wake opens the other end until those who are left have come back. Where the process may not do that, or they wait at
// another FIFO, which had the name when they opened it, they wait on: nobody else has to wait for them.
func (w *fifoOpen) wake() {
	other := w.openOther()
	fifos.Lock()
	defer fifos.Unlock()
	for pause := time.Millisecond; !w.end.back(pause) && pause < wakeMax; pause *= 2 {
		switch other {
		case -sys.ENXIO, -sys.EMFILE, -sys.ENFILE, -sys.ENOMEM: // who is to be woken is not there yet, or no room
			fifos.Unlock()
			other = w.openOther()
			fifos.Lock()
		}
	}
	if other >= 0 {
		w.k.Close(other)
	}
	w.release()
	delete(fifos.at, w.end.id) // of a later open the end is another
	fifos.changed.Broadcast()
}

// wakeMax is the longest pause in which those who were woken may come back, which is after twice as long in all.
const wakeMax = 16 * time.Second

// back waits for a time, with fifos locked, and reports whether those who are left have come back.
func (e *fifoEnd) back(within time.Duration) bool {
	over := false
	defer time.AfterFunc(within, func() {
		fifos.Lock()
		defer fifos.Unlock()
		over = true
		fifos.changed.Broadcast()
	}).Stop()
	for e.left > 0 && !over {
		fifos.changed.Wait()
	}
	return e.left == 0
}

// openOther opens the other end, which does not wait.
func (w *fifoOpen) openOther() int32 {
	if w.id() != w.end.id {
		return -sys.ENOENT
	}
	how := sys.OpenHow{Flags: w.how.Flags&(sys.ONofollow|sys.OCloexec|sys.OLargefile) | sys.ONonblock,
		Resolve: w.how.Resolve}
	if !w.end.id.writes {
		how.Flags |= sys.OWronly
	}
	return w.k.Openat2(w.dir, w.path, &how)
}

var errFIFO error = posix.Of(-sys.EINPROGRESS)
