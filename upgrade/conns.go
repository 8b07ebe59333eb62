package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ringo"
	"ringo/internal/caller"
	"ringo/internal/loop"
	"ringo/sock"
)

// ErrNoSuccessor is why PassConn fails while no successor is ready.
var ErrNoSuccessor = errors.New("upgrade: there is no successor yet")

const (
	// noteMax is how long PassConn's note may be.
	noteMax = 64 << 10
	// waitingMax is how many unread bytes PassConn takes along.
	waitingMax = 1 << 20
	// passWithin is how long PassConn waits for a successor that takes a connection.
	passWithin = 10 * time.Second
)

// PassConn passes a connection on to the successor, with its unread bytes, at most 1 MiB, and a note, at most 64 KiB,
// that says what the successor has to know about it: who the peer is, for example. It is for connections between two
// messages, once Context has ended; the peer notices nothing. It waits until the successor calls AcceptConn, for ten
// seconds at most. What was written before is sent first, as with sock.Conn.Detach. Then the connection is the
// successor's: c is closed for all its users, and its deadlines, value and idle state are not passed on.
//
// After an error that matches ErrNoSuccessor nothing has changed: there is no successor, it has ended, or it takes no
// connection. The same holds if the note or the unread bytes are too long, or if a cancel or timeout of the task has
// ended that wait. After other errors the connection is lost, and its peer sees that. Any goroutine may call it; a task
// parks.
func (u *Upgrader) PassConn(c *sock.Conn, note []byte) error {
	u.mu.Lock()
	next := u.next
	if u.closed {
		next = nil
	}
	u.mu.Unlock()
	switch n := c.Buffered(); {
	case next == nil:
		return ErrNoSuccessor
	case len(note) > noteMax:
		return fmt.Errorf("upgrade: PassConn: a note of %d bytes: want %d at most", len(note), noteMax)
	case n > waitingMax:
		return fmt.Errorf("upgrade: PassConn: %d bytes that were not read: want %d at most", n, waitingMax)
	}
	over, err := caller.Within(context.Background(), passWithin, func(ctx context.Context) error {
		_, err := next.places.RecvContext(ctx)
		return err
	})
	switch {
	case over:
		return fmt.Errorf("%w that takes connections: none has called AcceptConn for %v", ErrNoSuccessor, passWithin)
	case errors.Is(err, ringo.ErrClosed):
		return fmt.Errorf("%w any more: it has ended", ErrNoSuccessor)
	case err != nil:
		return fmt.Errorf("upgrade: PassConn: %w", err)
	}
	fd, unread, err := c.Detach()
	if err != nil {
		next.places.TrySend(struct{}{}) // for another
		return fmt.Errorf("upgrade: PassConn: %w", err)
	}
	f := frame{os.NewFile(uintptr(fd), "passed on"), note, unread}
	defer f.close()
	send := func(ctx context.Context) error { return next.send(ctx, f) }
	if l, _ := ringo.Current(); l != nil {
		err = l.Offload(send)
	} else {
		err = send(context.Background())
	}
	if err != nil {
		return fmt.Errorf("upgrade: PassConn: the connection is lost: %w", err)
	}
	return nil
}

// AcceptConn returns a connection that the predecessor has passed on, as a connection of l, with its unread bytes and
// the note of PassConn. It waits until there is one. If ctx ends it fails with the errors of ringo.Chan.RecvContext; if
// the predecessor has ended, or there was none, with io.EOF. Several loops may call it: each connection goes to one.
// Any goroutine may call it; a task parks.
func (u *Upgrader) AcceptConn(ctx context.Context, l *ringo.Loop) (c *sock.Conn, note []byte, err error) {
	for u.from != nil {
		f, err := u.from.accept(ctx)
		if errors.Is(err, ringo.ErrClosed) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		c, err := sock.Adopt[*sock.Conn](l, f.file, &sock.AdoptConfig{Unread: f.unread, Exclusive: true})
		if err == nil {
			return c, f.note, nil
		}
		f.close()
		if (*loop.Loop)(l).Ended() {
			return nil, nil, fmt.Errorf("upgrade: AcceptConn: %w", err)
		}
		u.log.Warn("upgrade: a connection that was passed on is lost", "error", err) // its peer has gone, likely
	}
	return nil, nil, io.EOF
}
