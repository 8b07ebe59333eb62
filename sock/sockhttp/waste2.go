package sockhttp

import "time"

// waste counts what a peer makes its other side do for nothing: one count for all of it, which goes down with time and
// with answers. Who goes on has its connection ended.
type waste struct {
	n     int
	since time.Time // when it was last brought down by the time
	begun bool      // the peer has sent its first SETTINGS
}

// What the sorts of waste count for.
const (
	wasteWindow = 1 // a WINDOW_UPDATE; some clients send several for each DATA
	wasteLate   = 1 // DATA of a stream that has ended, as a peer sends that has not heard of it
	wasteFrame  = 8 // a PING, SETTINGS, PRIORITY, an empty frame, a reset by either side, or what is not known
	wasteMax    = 8000
	wasteSecond = 4000 // are forgotten in a second
)

var errCalm = &connectionError{codeCalm, "too many frames that do nothing"}

// waste counts n, and gives errCalm if it is too much.
func (h *conn2) waste(n int) error {
	if h.wasted.n += n; h.wasted.tooMuch(h) {
		return errCalm
	}
	return nil
}

// tooMuch looks at the time only when the count says so.
func (w *waste) tooMuch(h *conn2) bool {
	if w.n <= wasteMax {
		return false
	}
	now := h.now()
	w.n = max(0, w.n-int(min(now.Sub(w.since).Seconds(), 10)*wasteSecond))
	w.since = now
	return w.n > wasteMax
}

// earns takes n off: something was done.
func (w *waste) earns(n int) { w.n = max(0, w.n-n) }
