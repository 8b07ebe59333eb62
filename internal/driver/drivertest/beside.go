//go:build linux

package drivertest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// What is done to a socket beside the driver, which has to live with it.
var besideCases = []testCase{
	{name: "duplicate", run: duplicate},
	{name: "linger", run: linger},
}

// duplicate: the file lives on in it when the first descriptor is closed.
func duplicate(h *harness) {
	f, p := h.pair()
	n, err := unix.FcntlInt(uintptr(f.Sys()), unix.F_DUPFD_CLOEXEC, 0)
	h.check(err)
	second := h.desc(n)
	h.closeDesc(f)
	h.send(second, []byte("still here")).submit().want(10)
	p.want("still here")
	h.loopFlags(second)
}

// linger: with a time of 0, close resets; without the option it ends in order.
func linger(h *harness) {
	for _, on := range []int32{1, 0} {
		f, p := h.tcp()
		h.check(unix.SetsockoptLinger(int(f.Sys()), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: on}))
		h.closeDesc(f)
		var text string
		var err error
		h.untilPeer("what the close tells the peer", func() bool {
			text, err = p.read(1)
			return err != nil
		})
		if reset := errors.Is(err, unix.ECONNRESET); reset != (on == 1) || text != "" {
			h.Errorf("with SO_LINGER %d the peer reads %q, %v", on, text, err)
		}
	}
}

func (h *harness) gave(what string, res, want int32) {
	h.Helper()
	if res != want {
		h.Fatalf("%s gave %s, want %s", what, show(res), show(want))
	}
}
