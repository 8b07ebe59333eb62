package sockhttp

import "time"

// waste counts what a peer makes this side do for nothing. All kinds share one count, which goes down with time and
// with answers. If it gets too high, the connection ends.
type waste struct {
	n     int
	since time.Time // when time has last reduced it
	begun bool      // the peer has sent its first SETTINGS
}

// What each kind of waste counts.
const (
	wasteWindow = 1 // a WINDOW_UPDATE; some clients send several for each DATA
	wasteLate   = 1 // DATA on a stream that has ended, from a peer that does not know yet
	wasteFrame  = 8 // PING, SETTINGS, PRIORITY, an empty frame, a reset by either side, or an unknown frame
	wasteMax    = 8000
	wasteSecond = 4000 // how much is forgotten in a second
)

var errCalm = &connectionError{codeCalm, "too many frames that do nothing"}

// waste counts n, and returns errCalm if that is too much.
func (h *conn2) waste(n int) error {
	if h.wasted.n += n; h.wasted.tooMuch(h) {
		return errCalm
	}
	return nil
}

// tooMuch reports whether the count is too high. It asks for the time only if it has to.
func (w *waste) tooMuch(h *conn2) bool {
	if w.n <= wasteMax {
		return false
	}
	now := h.now()
	w.n = max(0, w.n-int(min(now.Sub(w.since).Seconds(), 10)*wasteSecond))
	w.since = now
	return w.n > wasteMax
}

// earns reduces the count by n, because something useful was done.
func (w *waste) earns(n int) { w.n = max(0, w.n-n) }
