package file

import (
	"sync"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// fifoOpen is the open of a FIFO, which may wait for the other end without limit. It runs on a goroutine of its own,
// and so on a thread of its own, as with package os: the offload's workers are for calls that a disk will end. The
// number of such opens is not bounded, because the open that ends one may be another of them.
type fifoOpen struct {
	p    loop.Parker
	k    kernel.Kernel
	dir  int32 // owned by the open, or noFD
	path []byte
	how  sys.OpenHow
	res  int32

	// With fifos locked:
	uses           int      // of dir
	end            *fifoEnd // nil: the open has not begun, or the name is not a FIFO
	canceled, over bool
}

// fifoEnd counts the opens of this process that wait at one end of a FIFO.
type fifoEnd struct {
	id           fifoID
	wanted, left int  // opens whose tasks wait, and opens whose tasks were cancelled
	waking       bool // a goroutine opens the other end, see wake
}

type fifoID struct {
	device, inode uint64
	writes        bool
}

// fifos holds the ends at which opens wait.
var fifos = struct {
	sync.Mutex
	changed sync.Cond
	at      map[fifoID]*fifoEnd
}{at: map[fifoID]*fifoEnd{}}

func init() { fifos.changed.L = &fifos }

// openFIFO is openAt for a FIFO and a task. The task may be cancelled while the open goes on, so dir and path belong
// to the open from here on.
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

// run is the goroutine's part. A descriptor that comes after the task was cancelled is closed.
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

// begin adds the open to those that wait at its end. It returns false if the task was cancelled.
func (w *fifoOpen) begin() bool {
	id := w.id()
	fifos.Lock()
	defer fifos.Unlock()
	for fifos.at[id] != nil && fifos.at[id].waking { // the wake's open of the other end would end this open too
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

// id identifies the end to open. It is zero if the name is no longer a FIFO, whose open does not wait.
func (w *fifoOpen) id() (id fifoID) {
	var st sys.Statx
	if w.k.Statx(w.dir, w.path, 0, sys.StatxType|sys.StatxIno, &st) == 0 && st.Mode&sys.SIfmt == sys.SIfifo {
		id = fifoID{st.Dev(), st.Ino, w.how.Flags&sys.OAccmode != 0}
	}
	return id
}

// leave counts the open as over.
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

// cancel counts the open as one that no task waits for.
func (w *fifoOpen) cancel() {
	fifos.Lock()
	defer fifos.Unlock()
	if w.canceled = true; w.end != nil && !w.over {
		w.end.wanted--
		w.end.left++
		w.settle()
	}
}

// settle starts a wake once all opens at the end are of cancelled tasks. If they were left waiting, they would become
// readers or writers that do nothing, and each holds a thread.
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

// release gives up a use of dir, and closes it after the last.
func (w *fifoOpen) release() {
	if w.uses--; w.uses == 0 && w.dir >= 0 {
		w.k.Close(w.dir)
	}
}

// wake keeps the other end open until the cancelled opens have returned. They wait on if the process may not open the
// other end, or if they wait at another FIFO, which had the name when they opened it; no task waits for them.
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
	delete(fifos.at, w.end.id) // a later open makes a new end
	fifos.changed.Broadcast()
}

// wakeMax bounds the pauses of wake, which double: it gives up after twice as long in all.
const wakeMax = 16 * time.Second

// back waits for the cancelled opens at most for the time within, and reports whether all have returned. fifos is
// locked.
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

// openOther opens the other end without waiting.
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
