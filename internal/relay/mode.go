package relay

// Mode says how a relay moves bytes now: through memory, or by splices.
//
// Splices wait for readiness and then make plain calls: a splice of a ring would hold a worker thread for as long as
// the socket is idle.
type Mode struct {
	Splices bool
	full    int // full buffers in a row
	after   int // how many of them start splices
	lean    int // waits in a row that brought little
	moved   int // bytes since the last wait
	total   int // bytes since the splices began
}

const (
	spliceAfter = 8 // full buffers

	leanBytes = 64 << 10 // less than this between two waits is little
	leanMax   = 4
	worth     = 4 << 20 // splices that moved this much were worth it
)

// After returns how many full buffers in a row start splices to a sink.
func After(to Sink) int {
	if to.Splices() {
		return spliceAfter
	}
	return int(^uint(0) >> 1)
}

// Splicing returns the mode of a relay that splices, after so many full buffers; see Next.
func Splicing(after int) Mode { return Mode{Splices: true, after: after} }

// Next returns how many full buffers will start the next splices.
func (m *Mode) Next() int { return m.after }

// Buffer records a buffer that came through memory; it returns true if splices start now.
func (m *Mode) Buffer(full bool) bool {
	if m.Splices {
		return false
	}
	if m.full++; !full {
		m.full = 0
	}
	m.Splices = m.full >= m.after
	return m.Splices
}

// Moved records bytes that a splice has brought.
func (m *Mode) Moved(n int) {
	m.moved += n
	m.total += n
}

// Dry records that the relay is about to wait. It ends the splices if several waits in a row brought little.
func (m *Mode) Dry() {
	if m.lean++; m.moved >= leanBytes {
		m.lean = 0
	}
	m.moved = 0
	if m.lean >= leanMax {
		m.End()
	}
}

// End ends the splices. If they were not worth it, the next ones start later.
func (m *Mode) End() {
	after := spliceAfter
	if m.total < worth {
		after = min(max(m.after, spliceAfter)*2, 1<<20)
	}
	*m = Mode{after: after}
}
