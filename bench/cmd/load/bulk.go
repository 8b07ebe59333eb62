//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
)

const (
	pieceMax   = 64 << 10 // bytes received at once, at most
	pieceSent  = 60_000   // bytes sent at once, at most
	bulkBuffer = 4 << 20  // of the socket; the kernel may grant less
	bulkLook   = 64       // calls between two looks at the clock
	answerSize = 17
	askAgain   = 10 * time.Millisecond // question or answer may be lost
)

// bulk is a one-way stream of datagrams, sent with GSO or received with GRO. bench/c/udp_bulk.c describes what is on
// the wire.
type bulk struct {
	e    *engine
	c    *config
	fd   int
	sent uint64 // datagrams sent by flood

	question byte // the last one
}

func (e *engine) newBulk(c *config, option, value int) (*bulk, error) {
	fd, err := e.dialer.dial()
	if err != nil {
		return nil, err
	}
	b := &bulk{e: e, c: c, fd: fd}
	timeout := unix.NsecToTimeval(int64(askAgain))
	err = errors.Join(
		unix.SetNonblock(fd, false),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bulkBuffer),
		unix.SetsockoptInt(fd, unix.SOL_UDP, option, value))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("a socket for bulk: %w", err)
	}
	return b, nil
}

// flood sends to a server that counts, and asks it how many datagrams came.
func (e *engine) flood(c *config, s *sample.Sample) error {
	b, err := e.newBulk(c, unix.UDP_SEGMENT, c.size)
	if err != nil {
		return err
	}
	defer unix.Close(b.fd)
	return b.measure(s, b.send, b.ask)
}

// sink receives from a server that sends. The datagrams say how many were sent.
func (e *engine) sink(c *config, s *sample.Sample) error {
	b, err := e.newBulk(c, unix.UDP_GRO, 1)
	if err != nil {
		return err
	}
	defer unix.Close(b.fd)
	defer send(b.fd, []byte{0}) // stops the server
	if _, errno := send(b.fd, []byte{0}); errno != 0 {
		return os.NewSyscallError("sendto", errno)
	}
	return b.measure(s, b.receive, func() error { return nil })
}

// measure calls run for the warm-up and for the window, and count after each.
func (b *bulk) measure(s *sample.Sample, run func(until time.Duration) error, count func() error) error {
	steps := func(span float64) error {
		if err := run(b.e.now() + seconds(span)); err != nil {
			return err
		}
		return count()
	}
	if err := steps(b.c.warmup); err != nil {
		return err
	}
	w, err := b.e.openWindow(b.c)
	if err != nil {
		return err
	}
	if err := steps(b.c.seconds); err != nil {
		return err
	}
	err = w.close(s)
	s.Starved = 0
	return err
}

func (b *bulk) send(until time.Duration) error {
	segments := max(1, pieceSent/b.c.size)
	piece := make([]byte, segments*b.c.size)
	for b.e.now() < until {
		for range bulkLook {
			if _, errno := send(b.fd, piece); errno != 0 {
				return os.NewSyscallError("sendto", errno)
			}
			b.sent += uint64(segments)
		}
	}
	return nil
}

// ask sets the engine's count to the server's. The server answers after all datagrams that were sent before and not
// lost. The question is a byte, which the answer ends with, so that late answers to earlier questions are recognised.
func (b *bulk) ask() error {
	answer := make([]byte, answerSize+1)
	for giveUp := b.e.now() + b.e.patience; b.e.now() < giveUp; {
		b.question++
		if _, errno := send(b.fd, []byte{b.question}); errno != 0 {
			return os.NewSyscallError("sendto", errno)
		}
		n, errno := recv(b.fd, answer)
		for errno == 0 && n == answerSize && answer[n-1] != b.question {
			n, errno = recv(b.fd, answer)
		}
		if errno == unix.EAGAIN || errno == unix.EINTR {
			continue
		}
		if errno != 0 || n != answerSize {
			return fmt.Errorf("the server's count has %d bytes, want %d (%w)", n, answerSize, errno)
		}
		b.counted(binary.NativeEndian.Uint64(answer), binary.NativeEndian.Uint64(answer[8:]))
		return nil
	}
	return errors.New("the server does not tell how many datagrams came")
}

func (b *bulk) counted(came, bytes uint64) {
	if came > b.sent || bytes != came*uint64(b.c.size) || came < b.e.done {
		b.e.mismatches++
		fmt.Fprintf(os.Stderr, "load: of %d datagrams of %d bytes the server counts %d, with %d bytes\n",
			b.sent, b.c.size, came, bytes)
	}
	b.e.done = came
}

func (b *bulk) receive(until time.Duration) error {
	buffer := b.e.buffer[:pieceMax]
	silent := b.e.now() + b.e.patience
	for now := b.e.now(); now < until; now = b.e.now() {
		for range bulkLook {
			n, errno := recv(b.fd, buffer)
			if errno == unix.EAGAIN || errno == unix.EINTR {
				if b.e.now() > silent {
					return errors.New("nothing comes")
				}
				break
			}
			if errno != 0 {
				return os.NewSyscallError("recvfrom", errno)
			}
			silent = now + b.e.patience
			if sent := binary.NativeEndian.Uint64(buffer); n%b.c.size != 0 || sent != 0 && sent < b.e.done {
				b.e.mismatches++
				return fmt.Errorf("%d bytes of datagrams of %d, number %d after %d", n, b.c.size, sent, b.e.done)
			} else if sent != 0 {
				b.e.done = sent
			}
		}
	}
	return nil
}
