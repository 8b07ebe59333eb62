package raftkv

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringo"
	"ringo/sock"
)

// Client asks one replica after the other until it has found the leader. One task at a time may use it.
type Client struct {
	Peers   []string
	Timeout time.Duration // of each attempt

	leader string     // the replica to ask next; "": the first of Peers
	conn   *sock.Conn // to leader; nil: none
}

// ErrUnknown is the error of a write that may have been done, may still be done, or may never be. To repeat it could
// do it twice.
var ErrUnknown = errors.New("raftkv: nobody knows whether the write was done")

// ErrRefused is the error of a request that the replicas refuse and would refuse again.
var ErrRefused = errors.New("raftkv: it is refused")

// Do asks for an Entry's Kind, until it is done or the caller's time is over: WithTimeout bounds it. After an error
// other than ErrUnknown nothing was done, and nothing will be. It parks.
func (c *Client) Do(l *ringo.Loop, e Entry) (Reply, error) {
	if e.size() > entryMax {
		return Reply{}, fmt.Errorf("raftkv: %d bytes are more than an entry may have", e.size())
	}
	for c.leader = cmp.Or(c.leader, c.Peers[0]); ; {
		rep, err := c.ask(l, &e)
		if err == nil && rep.Done || errors.Is(err, ErrUnknown) && e.Kind != Get {
			return rep, err
		}
		if err == nil && rep.Refused {
			return rep, fmt.Errorf("%w: %s", ErrRefused, rep.Why)
		}
		c.Prefer(cmp.Or(rep.Leader, c.Peers[(slices.Index(c.Peers, c.leader)+1)%len(c.Peers)]))
		if late := l.Sleep(50 * time.Millisecond); late != nil {
			return rep, fmt.Errorf("raftkv: it is not done: %s: %w", cmp.Or(rep.Why, fmt.Sprint(err)), late)
		}
	}
}

// Prefer makes the next Do begin with this replica.
func (c *Client) Prefer(addr string) {
	c.Close()
	c.leader = addr
}

// Close closes the connection. It parks.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// ask parks until the answer is here, or Timeout has passed. ErrUnknown means that the question may have arrived.
func (c *Client) ask(l *ringo.Loop, e *Entry) (rep Reply, err error) {
	frame := appendJSON(nil, frameEntry, e)
	err = l.WithTimeout(c.Timeout, func() (err error) {
		if c.conn == nil {
			if c.conn, err = sock.Dial(l, "tcp", c.leader); err != nil {
				return err
			}
		}
		if _, err = c.conn.Write(frame); err == nil {
			err = readJSON(c.conn, frameReply, &rep)
		}
		return err
	})
	if err != nil && c.conn != nil {
		err = errors.Join(ErrUnknown, err)
		c.Close() // a late answer must not be taken for that of a later question
	}
	return rep, err
}
