package drivertest

import (
	"fmt"
	"strings"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// collect takes the completions of a Wait, checks the states of all ops against them, and hands each completion to its
// call.
func (h *harness) collect() {
	h.Helper()
	h.batch = h.batch[:0]
	for {
		c, ok := h.done.Pop()
		if !ok {
			break
		}
		h.batch = append(h.batch, c)
	}
	for _, c := range h.batch {
		h.deliver(c)
	}
	for _, c := range h.batch {
		if call := h.live[c.Op]; call != nil && call.ended {
			delete(h.live, c.Op)
			call.free()
		}
	}
	h.auditLive()
}

// deliver checks what must be true of every completion, and records it.
func (h *harness) deliver(c driver.Completion) {
	h.Helper()
	call := h.live[c.Op]
	if call == nil {
		h.Fatalf("a completion (%s) of slot %#x, which holds no submitted op", show(c.Res), c.Op.Token())
	}
	more := c.Flags&op.More != 0
	def := c.Op.Def()
	switch {
	case call.ended:
		h.Fatalf("%s completed again (%s) after its last completion", call, show(c.Res))
	case c.Op.Token() != call.token:
		h.Fatalf("%s completed with token %#x, submitted with %#x", call, c.Op.Token(), call.token)
	case c.Res == -sys.EAGAIN || c.Res == -sys.EINTR:
		h.Errorf("%s completed with %s, which must never leave a driver", call, show(c.Res))
	case more && c.Op.Flags&op.Multishot == 0 && c.Op.Code != op.SendZC:
		h.Errorf("%s is no multishot and completed with More", call)
	case more && c.Res < 0:
		h.Errorf("%s completed with %s and More: an error is the end", call, show(c.Res))
	case def.FDResult && c.Res >= 0 && call.canceled && c.Op.Flags&op.Keep == 0:
		h.Errorf("%s was cancelled and completed with descriptor %d: nobody will close it", call, c.Res)
	}
	h.cov.result(c.Op.Code, c.Res, call.canceled)
	call.add(c.Res, c.Flags)
}

// auditLive checks the ops that are still submitted: the driver must not have changed anything that their owners rely
// on. If there are very many, it checks some of them.
func (h *harness) auditLive() {
	h.Helper()
	left := 256
	for o, call := range h.live {
		switch {
		case o.State != op.Queued && o.State != op.InFlight:
			h.Fatalf("%s is in state %d, but its last completion has not come", call, o.State)
		case o.Token() != call.token:
			h.Fatalf("%s has token %#x, submitted with %#x", call, o.Token(), call.token)
		case call.desc != nil && !call.desc.Busy():
			h.Fatalf("%s has not completed, but its descriptor isn't held any more", call)
		}
		if left--; left == 0 {
			return
		}
	}
}

// dump lists the submitted ops, for messages.
func (h *harness) dump() string {
	var s strings.Builder
	n := 0
	for o, call := range h.live {
		if n++; n > 10 {
			fmt.Fprintf(&s, "and %d more", len(h.live)-10)
			break
		}
		fmt.Fprintf(&s, "%s (state %d); ", call, o.State)
	}
	fmt.Fprintf(&s, "stats: %+v", h.d.Info().Stats)
	return s.String()
}

// show formats a result: a number, or the name of an errno.
func show(res int32) string {
	if res >= 0 {
		return fmt.Sprint(res)
	}
	if name := linux.Name(-res); name != "" {
		return "-" + name
	}
	return fmt.Sprint(res)
}
