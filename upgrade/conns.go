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

// ErrNoSuccessor is matched by the errors with which PassConn fails because no successor takes the connection.
var ErrNoSuccessor = errors.New("upgrade: there is no successor yet")

const (
	// noteMax is the longest note of PassConn, in bytes.
	noteMax = 64 << 10
	// waitingMax is the most unread bytes that PassConn passes on.
	waitingMax = 1 << 20
	// passWithin is how long PassConn waits until the successor calls AcceptConn.
	passWithin = 10 * time.Second
	// lastWords is how long a connection on its way may still take once the waits of PassConn's task have ended.
	lastWords = time.Second
)

// PassConn passes c on to the successor, with its unread bytes, at most 1 MiB, and a note, at most 64 KiB, that tells
// the successor what it has to know about the connection, such as the peer's identity. It is for connections that are
// between two messages, once Context has ended; the peer notices nothing. PassConn waits until the successor calls
// AcceptConn, for ten seconds at most. It first sends what was written before, as sock.Conn.Detach does. Then the
// connection is the successor's: c is closed for all its users, and its deadlines, value and idle state are not passed
// on.
//
// If the task is cancelled, or a WithTimeout or WithContext ends, before the successor has called AcceptConn, PassConn
// fails and c is unchanged. After that c is passed on all the same, if the successor reads it within a second.
//
// An error that matches ErrNoSuccessor means that nothing has changed: there is no successor, it has ended or is about
// to, or it takes no connection. Nothing has changed either if the note or the unread bytes are too long, if the task's
// wait was ended as above, or if Detach has waited in vain for a copy from c. After any other error c is closed: its
// calls fail with net.ErrClosed, the connection is lost, and its peer sees that. Any goroutine may call it; a task
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
	var place int
	over, err := caller.Within(context.Background(), passWithin, func(ctx context.Context) (err error) {
		place, err = next.places.RecvContext(ctx)
		return err
	})
	switch {
	case over:
		return fmt.Errorf("%w that takes connections: none has called AcceptConn for %v", ErrNoSuccessor, passWithin)
	case errors.Is(err, ringo.ErrClosed):
		return fmt.Errorf("%w any more: it has ended, or is about to", ErrNoSuccessor)
	case err != nil:
		return fmt.Errorf("upgrade: PassConn: %w", err)
	}
	fd, unread, err := c.Detach()
	if err != nil {
		next.unused(place)
		return fmt.Errorf("upgrade: PassConn: %w", err)
	}
	f := frame{os.NewFile(uintptr(fd), "passed on"), note, unread}
	defer f.close()
	sent := false
	err = afterwards(func(ctx context.Context) (err error) {
		sent, err = next.send(ctx, f)
		return err
	})
	if !sent {
		next.unused(place)
	}
	if err != nil {
		return fmt.Errorf("upgrade: PassConn: the connection is lost: %w", err)
	}
	return nil
}

// afterwards calls f on a goroutine, once PassConn has done what it can't undo. The task is shielded meanwhile; ctx
// ends lastWords after the task's own waits have ended.
func afterwards(f func(ctx context.Context) error) error {
	l, _ := loop.Current()
	if l == nil {
		return f(context.Background())
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.Context()))
	defer cancel()
	defer context.AfterFunc(l.Context(), func() { time.AfterFunc(lastWords, cancel) })()
	l.Shield()
	defer l.Unshield()
	return l.Offload(func(context.Context) error { return f(ctx) })
}

// AcceptConn returns a connection that the predecessor has passed on, as a connection of l, with its unread bytes and
// the note of PassConn. It waits until there is one. If ctx ends, AcceptConn fails with the errors of
// ringo.Chan.RecvContext; if the predecessor has ended, or there was none, with io.EOF. Several loops may call it: each
// connection goes to one call. Any goroutine may call it; a task parks.
//
// If ctx ends while a connection is on its way, the next call gets that. Once New's context has ended, the predecessor
// passes no more connections on: AcceptConn returns those that have arrived, and then io.EOF. Close closes those that
// no call has returned, so call Close soon after the last AcceptConn.
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
		u.log.Warn("upgrade: a connection that was passed on is lost", "error", err) // likely its peer has gone
	}
	return nil, nil, io.EOF
}
