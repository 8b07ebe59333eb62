package drivertest

import (
	"errors"

	"ringo/internal/posix"
)

// What a program does to a socket without the driver, which must cope with it.
var besideCases = []testCase{
	{name: "duplicate", run: duplicate},
	{name: "linger", run: linger},
}

// duplicate: the open file lives on in a duplicate after the first descriptor is closed.
func duplicate(h *harness) {
	f, p := h.pair()
	second := h.duplicate(f)
	h.closeDesc(f)
	h.send(second, []byte("still here")).submit().want(10)
	p.want("still here")
	h.loopFlags(second)
}

// duplicate returns another descriptor of the same open file.
func (h *harness) duplicate(f *desc) *desc {
	h.Helper()
	n := h.m.Dup(f.Sys())
	h.checkRes(n)
	return h.desc(n)
}

// linger: with a time of 0 Close sends a reset; without the option it ends the connection in order.
func linger(h *harness) {
	for _, seconds := range []int{0, -1} {
		f, p := h.tcp()
		h.checkRes(h.m.SetLinger(f.Sys(), seconds))
		h.closeDesc(f)
		var text string
		var err error
		h.untilPeer("what the close tells the peer", func() bool {
			text, err = p.read(1)
			return err != nil
		})
		if reset := errors.Is(err, posix.ECONNRESET); reset != (seconds == 0) || text != "" {
			h.Errorf("with a linger of %d s the peer reads %q, %v", seconds, text, err)
		}
	}
}

func (h *harness) gave(what string, res, want int32) {
	h.Helper()
	if res != want {
		h.Fatalf("%s gave %s, want %s", what, show(res), show(want))
	}
}
