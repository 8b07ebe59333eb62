package census

import (
	"net/netip"
	"time"

	"ringo/internal/loop"
)

// HandleInfo is a stats.Handle in the making: of many that a list goes through few are shown as text.
type HandleInfo struct {
	Kind, Network, State string

	// The addresses: those of IP, the names of others.
	Local, Remote         netip.AddrPort
	LocalName, RemoteName string

	FD                     int32
	In, Out                string // one of the words below
	Age                    time.Duration
	Unread, Unsent, Leases int
}

// Ends are its addresses as text.
func (i *HandleInfo) Ends() (local, remote string) {
	return endText(i.Local, i.LocalName), endText(i.Remote, i.RemoteName)
}

func endText(ap netip.AddrPort, name string) string {
	if name == "" && ap.IsValid() {
		return ap.String()
	}
	return name
}

// Who is at a direction of a handle.
const (
	UsedByNobody  = ""
	UsedByLoop    = "armed"   // nobody is in a call; the loop watches, or sends
	UsedByTask    = "task"    // of the loop
	UsedByForeign = "foreign" // a goroutine, or a task of another loop
)

// Shown is an Open that a list of handles shows.
type Shown interface {
	loop.Open
	// Show fills in what is known, on the loop's thread; false if it is not to be shown.
	Show(i *HandleInfo) bool
}

// ShownElsewhere is an Open that stands for handles which the loop's thread has nothing to do with.
type ShownElsewhere interface {
	loop.Open
	// ShowEach calls visit for each, on the caller's thread, and rest now and then. G.
	ShowEach(visit func(*HandleInfo), rest func())
}

// ShownMany is an Open that stands for many handles of the loop's thread, which are none of its list.
type ShownMany interface {
	loop.Open
	// Walk begins at the first of them.
	Walk() ShownWalk
}

// ShownWalk goes along handles while others come and go between two calls.
type ShownWalk interface {
	// Next fills in what is known of the next; false if there is none, and Drop is not needed any more.
	Next(i *HandleInfo) bool
	// Drop ends the walk before.
	Drop()
}

// handlesInStep is how many handles are looked at in a turn.
const handlesInStep = 64

// EachHandle calls visit for each handle of a loop, the youngest first, some of them on the loop's thread: visit
// must be short, and keep nothing of what it is given. It reports false, and visit may still be called once, if the
// loop is held or has ended. G, may park.
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

// yieldHere lets the others of the caller's loop have a turn; it does nothing for ordinary goroutines. G, may park.
func yieldHere() {
	if l, _ := loop.Current(); l != nil {
		l.YieldTurn()
	}
}

// handleWalk goes along the handles of a loop. Between two steps it has a place in their list, as one of them.
type handleWalk struct {
	l         *loop.Loop
	visit     func(*HandleInfo)
	place     loop.Handle
	placed    bool
	elsewhere []ShownElsewhere
	many      ShownWalk // nil: the place is at none that stands for many
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

// drop takes the place back.
func (w *handleWalk) drop() {
	if w.many != nil {
		w.many.Drop()
	}
	w.l.Handles().Unregister(&w.place)
}

// Drain and Abandon are nothing to a walk.
func (w *handleWalk) Drain()   {}
func (w *handleWalk) Abandon() {}
