package loop

import "sync/atomic"

// Kind is what a handle is to those who count.
type Kind uint8

// The kinds.
const (
	KindConn Kind = iota
	KindListener
	KindPacket
	KindPollable
	Kinds
)

// kindWords are their names for people.
var kindWords = [Kinds]string{"conn", "listener", "packet", "pollable"}

// HandleStats count the handles of one kind.
type HandleStats struct {
	Kind   string
	Open   int
	Opened uint64
}

// kindCounts are handles by kind. Foreign callers open and close some without their loop.
type kindCounts [Kinds]struct{ opened, closed atomic.Uint64 }

// CountOpened counts a handle that the loop has from now on. G.
func (l *Loop) CountOpened(k Kind) { l.kinds[k].opened.Add(1) }

// CountClosed counts one whose descriptor is closed, or somebody else's. G.
func (l *Loop) CountClosed(k Kind) { l.kinds[k].closed.Add(1) }

// stats tells of those kinds that there were.
func (c *kindCounts) stats() (all []HandleStats) {
	for k := range c {
		closed := c[k].closed.Load() // first: what is opened meanwhile is not closed yet
		if opened := c[k].opened.Load(); opened > 0 {
			all = append(all, HandleStats{kindWords[k], int(opened - closed), opened})
		}
	}
	return all
}
