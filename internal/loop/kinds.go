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

// kindCounts are handles by kind. Foreign callers open and close some without their loop.
type kindCounts [Kinds]struct{ opened, closed atomic.Uint64 }

// CountOpened counts a handle that the loop has from now on. G.
func (l *Loop) CountOpened(k Kind) { l.kinds[k].opened.Add(1) }

// CountClosed counts one whose descriptor is closed, or somebody else's. G.
func (l *Loop) CountClosed(k Kind) { l.kinds[k].closed.Add(1) }
