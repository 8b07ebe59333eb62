//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ringo/bench/internal/sample"
)

// tlsClients run the modes tls and handshake, with a goroutine for each connection. The engine only counts.
type tlsClients struct {
	e      *engine
	c      *config
	fresh  bool // a new connection for each message
	stop   atomic.Bool
	mu     sync.Mutex // guards the engine's counters
	failed int        // clients that have ended early
}

func (e *engine) tls(c *config, s *sample.Sample) error {
	t := &tlsClients{e: e, c: c, fresh: c.mode == "handshake"}
	var clients sync.WaitGroup
	for i := range e.conns {
		clients.Go(func() { t.run(i) })
	}
	err := t.measure(s)
	t.stop.Store(true)
	clients.Wait() // each message has a deadline
	return err
}

func (t *tlsClients) measure(s *sample.Sample) error {
	time.Sleep(seconds(t.c.warmup))
	t.mu.Lock()
	w, err := t.e.openWindow(t.c)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	time.Sleep(seconds(t.c.seconds))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == len(t.e.conns) {
		return errors.New("no connection is left")
	}
	return w.close(s)
}

// run exchanges messages until stop is set, or until an error.
func (t *tlsClients) run(i int) {
	id := i
	for !t.stop.Load() {
		if err := t.connection(i, id); err != nil {
			t.fail(id, err)
			return
		}
		id += len(t.e.conns) // another stream of bytes
	}
}

func (t *tlsClients) fail(id int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
	if t.failed <= errorsShown {
		fmt.Fprintf(os.Stderr, "load: connection %d: %v\n", id, err)
	}
	if mismatch := (mismatchError{}); errors.As(err, &mismatch) {
		t.e.mismatches++
	} else {
		t.e.errors++
	}
}

// mismatchError is the error for bytes that differ from what was sent.
type mismatchError struct{ error }

// connection opens a connection for one message, or until stop is set.
func (t *tlsClients) connection(i, id int) error {
	began := time.Now()
	raw, err := net.Dial("tcp", t.c.addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	// The server's certificate is self-signed, and the benchmark has no attacker to fear.
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	got := make([]byte, t.c.size)
	for pos := uint64(0); ; pos += uint64(t.c.size) {
		raw.SetDeadline(began.Add(seconds(t.c.patience)))
		if err := t.message(c, id, pos, got); err != nil {
			return err
		}
		now := time.Now()
		t.count(i, now.Sub(began))
		if t.fresh || t.stop.Load() {
			return c.Close()
		}
		began = now
	}
}

func (t *tlsClients) message(c *tls.Conn, id int, pos uint64, got []byte) error {
	for sent := 0; sent < len(got); {
		n, err := c.Write(t.e.exchange.window(id, pos+uint64(sent), len(got)-sent))
		if err != nil {
			return err
		}
		sent += n
	}
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if err := t.e.exchange.check(id, pos, got); err != nil {
		return mismatchError{err}
	}
	return nil
}

func (t *tlsClients) count(i int, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.e.latency.Record(latency)
	t.e.done++
	t.e.conns[i].counted++
}
