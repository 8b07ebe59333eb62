package census

import (
	"net/netip"
	"time"

	"ringo/internal/loop"
)

// HandleInfo becomes a stats.Handle. A list looks at many handles and shows few as text, so the addresses stay binary.
type HandleInfo struct {
	Kind, Network, State string

	// The addresses: AddrPorts for IP, names for other networks.
	Local, Remote         netip.AddrPort
	LocalName, RemoteName string

	FD                     int32
	In, Out                string // one of the words below
	Age                    time.Duration
	Unread, Unsent, Leases int
}

// Ends returns the handle's addresses as text.
func (i *HandleInfo) Ends() (local, remote string) {
	return endText(i.Local, i.LocalName), endText(i.Remote, i.RemoteName)
}

func endText(ap netip.AddrPort, name string) string {
	if name == "" && ap.IsValid() {
		return ap.String()
	}
	return name
}

// Who uses a direction of a handle.
const (
	UsedByNobody  = ""
	UsedByLoop    = "armed"   // no call is under way; the loop watches, or sends
	UsedByTask    = "task"    // of the loop
	UsedByForeign = "foreign" // a goroutine, or a task of another loop
)

// Shown is an Open that appears in lists of handles.
type Shown interface {
	loop.Open
	// Show fills in what is known. It runs on the loop's thread, and returns false if the handle must not be listed.
	Show(i *HandleInfo) bool
}

// ShownElsewhere is an Open that stands for handles that are not used by the loop's thread.
type ShownElsewhere interface {
	loop.Open
	// ShowEach calls visit for each handle, on the caller's thread, and rest now and then. G.
	ShowEach(visit func(*HandleInfo), rest func())
}

// ShownMany is an Open that stands for many handles of the loop's thread that are not in the loop's list.
type ShownMany interface {
	loop.Open
	// Walk starts a walk at the first of them.
	Walk() ShownWalk
}

// ShownWalk walks along handles, while others may come and go between two calls.
type ShownWalk interface {
	// Next fills in what is known of the next handle. It returns false after the last one; Drop is then not needed.
	Next(i *HandleInfo) bool
	// Drop ends the walk early.
	Drop()
}

// handlesInStep is how many handles are looked at in a turn.
const handlesInStep = 64

// EachHandle calls visit for each handle of a loop, the youngest first, for some of them on the loop's thread: visit
// must be short, and must not keep its argument. It returns false if the loop is held or has ended; visit may then
// still be called once more. G, may park.
func EachHandle(l *loop.Loop, visit func(*HandleInfo)) (ok bool) {
	w := &handleWalk{l: l, visit: visit}
	if l.Ended() || !askAndDrop(l, w.step, w.drop) {
		return false
	}
	for _, o := range w.elsewhere {
		o.ShowEach(visit, yieldHere)
	}
	return true
}

// yieldHere gives the other tasks of the caller's loop a turn; it does nothing for ordinary goroutines. G, may park.
func yieldHere() {
	if l, _ := loop.Current(); l != nil {
		l.YieldTurn()
	}
}

// handleWalk walks along the handles of a loop. Between two steps it keeps its place by a handle of its own in the
// list.
type handleWalk struct {
	l         *loop.Loop
	visit     func(*HandleInfo)
	place     loop.Handle
	placed    bool
	elsewhere []ShownElsewhere
	many      ShownWalk // the walk within a ShownMany; nil: none
	info      HandleInfo
}

func (w *handleWalk) step() (done bool) {
	if !w.placed {
		w.placed = true
		w.l.Handles().Register(&w.place, w)
	}
	for range handlesInStep {
		if w.many != nil {
			w.info = HandleInfo{}
			if w.many.Next(&w.info) {
				w.visit(&w.info)
			} else {
				w.many = nil
			}
			continue
		}
		next, ok := w.place.Next(w.l)
		if !ok {
			w.drop()
			return true
		}
		switch o := next.(type) {
		case Shown:
			w.info = HandleInfo{}
			if o.Show(&w.info) {
				w.visit(&w.info)
			}
		case ShownMany:
			w.many = o.Walk()
		case ShownElsewhere:
			w.elsewhere = append(w.elsewhere, o)
		}
	}
	return false
}

// drop removes the walk's own handle from the list.
func (w *handleWalk) drop() {
	if w.many != nil {
		w.many.Drop()
	}
	w.l.Handles().Unregister(&w.place)
}

// Drain and Abandon do nothing.
func (w *handleWalk) Drain()   {}
func (w *handleWalk) Abandon() {}
