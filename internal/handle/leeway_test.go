package handle

import "testing"

// Leeway is so many looks, each at once behind the last, and the next call's in the same turn.
func TestLeeway(t *testing.T) {
	turn := ^uint32(0) - 1 // turns begin anew at 0
	var w leeway
	want := func(what string, at uint32, more bool) {
		t.Helper()
		if got := w.use(at); got != more {
			t.Errorf("%s: %t, want %t", what, got, more)
		}
	}
	want("nobody has waited", 0, false)
	w.waits(false)
	want("a late wait", turn, false)

	w.waits(true)
	for i := range uint32(leewayMax) {
		want("look by look, a turn each", turn+i, true)
	}
	want("all used", turn+leewayMax, false)

	w.waits(true)
	want("some turns behind the news", turn, true)
	want("in the turn behind", turn+1, true)
	want("two turns behind", turn+3, false)
	want("then in any", turn+4, false)

	w.waits(true)
	w.leaves(turn)
	want("the next call, in the same turn", turn, true)
	w.leaves(turn)
	want("in the turn behind", turn+1, false)

	w.waits(true)
	w.leaves(turn)
	w.yields(turn, false)
	want("behind a yield of some turns", turn+7, true)
	w.end()
	w.yields(turn+7, false)
	want("a late yield", turn+8, false)
	w.yields(turn+8, true)
	want("a yield in time", turn+20, true)
	w.end()
	want("a new deadline", turn+20, false)
}
