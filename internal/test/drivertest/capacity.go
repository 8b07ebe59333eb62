package drivertest

import (
	"encoding/binary"
	"time"

	"ringo/internal/sys"
)

// More ops than the queues take: the surplus waits, and all of them complete.
var capacityCases = []testCase{
	{name: "nops", run: manyNops},
	{name: "bursts", run: nopBursts},
	{name: "waiting ops that end together", run: endTogether},
	{name: "timeouts", run: manyTimeouts},
	{name: "cancels", run: manyCancels},
	{name: "cancel of what has no room yet", run: cancelQueued},
	{name: "streams", run: manyStreams},
}

// past returns a number of ops well above the entries, within reason.
func (h *harness) past() int { return min(8*h.entries+3, 2*h.entries+300) }

func manyNops(h *harness) {
	calls := make([]*call, h.past())
	for i := range calls {
		calls[i] = h.nop().submit()
	}
	for _, c := range calls {
		c.want(0)
	}
}

func nopBursts(h *harness) {
	var calls []*call
	for burst := range 20 {
		for range burst * 3 {
			calls = append(calls, h.nop().submit())
		}
		h.wait(h.now() + 1e6)
	}
	for _, c := range calls {
		c.want(0)
	}
}

// One event ends all of them, which are more than a completion queue holds.
func endTogether(h *harness) {
	f := h.eventfd()
	calls := make([]*call, h.past())
	for i := range calls {
		calls[i] = h.poll(f, sys.PollIn).submit()
	}
	h.settle()
	f.plain().write(string(binary.NativeEndian.AppendUint64(nil, 1)))
	for _, c := range calls {
		c.wantMask(sys.PollIn)
	}
}

func manyTimeouts(h *harness) {
	calls := make([]*call, h.past())
	for i := range calls {
		calls[i] = h.timeout(time.Duration(i%7) * 200 * time.Microsecond).submit()
	}
	for _, c := range calls {
		c.want(-sys.ETIME)
	}
}

func manyCancels(h *harness) {
	f := h.eventfd()
	calls := make([]*call, h.past())
	for i := range calls {
		calls[i] = h.poll(f, sys.PollIn).submit()
	}
	h.settle()
	for _, c := range calls {
		c.cancel()
	}
	for _, c := range calls {
		c.want(-sys.ECANCELED)
	}
}

// Every other op is cancelled before any Wait has seen them.
func cancelQueued(h *harness) {
	f := h.eventfd()
	calls := make([]*call, h.past())
	for i := range calls {
		calls[i] = h.poll(f, sys.PollIn).submit()
	}
	for i := 0; i < len(calls); i += 2 {
		calls[i].cancel()
	}
	for i := 0; i < len(calls); i += 2 {
		calls[i].want(-sys.ECANCELED)
	}
	h.settle()
	f.plain().write(string(binary.NativeEndian.AppendUint64(nil, 1)))
	for i := 1; i < len(calls); i += 2 {
		calls[i].wantMask(sys.PollIn)
	}
}

// Receives that are submitted before the sends that feed them.
func manyStreams(h *harness) {
	n := min(h.past()/2, 200)
	h.needDescriptors(2 * n)
	f, p := make([]*desc, n), make([]*peer, n)
	bufs, recvs, sends := make([][]byte, n), make([]*call, n), make([]*call, n)
	for i := range f {
		f[i], p[i] = h.pair()
		bufs[i] = make([]byte, 8)
		recvs[i] = h.recv(f[i], bufs[i]).submit()
	}
	for i := range f {
		sends[i] = h.sendFull(f[i], []byte(pattern(i, 0, 8))).submit()
	}
	h.untilEnded(sends...)
	for i := range p {
		p[i].want(pattern(i, 0, 8))
		p[i].write(pattern(i, 8, 8))
	}
	for i := range recvs {
		recvs[i].wantBytes(bufs[i], pattern(i, 8, 8))
	}
}
