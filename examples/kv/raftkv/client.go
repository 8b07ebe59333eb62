package raftkv

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"ringo"
)

// Client asks whoever leads, in one task at a time.
type Client struct {
	Peers   []string
	Timeout time.Duration // of each attempt; 0: 2 s
	Tries   int           // 0: 20

	at   int
	link link
}

// ErrUnknown is for a write that may have been done, may still be, or may never be. Trying it again could do it twice.
var ErrUnknown = errors.New("raftkv: nobody knows whether the write was done")

// ErrNoLeader is for what was not done and will not be.
var ErrNoLeader = errors.New("raftkv: no leader has answered")

// Do asks a Get, a Put or a Swap. It parks.
func (c *Client) Do(l *ringo.Loop, kind Kind, key, value, old string) (Reply, error) {
	for _, s := range []string{key, value, old} {
		if !utf8.ValidString(s) {
			return Reply{}, fmt.Errorf("raftkv: %q is not UTF-8", s)
		}
	}
	m := &Message{Entry: Entry{Kind: kind, Key: key, Value: value, Old: old}}
	if m.size() > entryMax {
		return Reply{}, fmt.Errorf("raftkv: %d bytes are more than an entry may have", m.size())
	}
	timeout, tries := c.Timeout, c.Tries
	if timeout == 0 {
		timeout = 2 * time.Second
	}
	if tries == 0 {
		tries = 20
	}
	for range tries {
		if c.link.addr != c.Peers[c.at] {
			c.link.close()
			c.link.addr = c.Peers[c.at]
		}
		rep, err := c.link.ask(l, timeout, m)
		unknown := rep.Status == Unknown || err != nil && c.link.sent
		switch {
		case unknown && kind != Get:
			return rep, errors.Join(ErrUnknown, err)
		case err == nil && rep.Status == Done:
			return rep, nil
		case err == nil && rep.Status != NotLeader:
			return rep, fmt.Errorf("raftkv: %s", rep.Status)
		}
		c.at = (c.at + 1) % len(c.Peers)
		if at := slices.Index(c.Peers, rep.Leader); at >= 0 {
			c.at = at
		}
		if err := l.Sleep(50 * time.Millisecond); err != nil {
			return Reply{}, err
		}
	}
	return Reply{}, ErrNoLeader
}

// Prefer has the next Do begin with the i-th of Peers.
func (c *Client) Prefer(i int) { c.at = i }

// Close closes the connection.
func (c *Client) Close() { c.link.close() }
