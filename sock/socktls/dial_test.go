package socktls_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/socktls"
)

// dialEnds are the ways to bound a dial, which all bound the handshake, too.
var dialEnds = map[string]func(d *sock.Dialer, now time.Time, limit time.Duration){
	"Timeout":  func(d *sock.Dialer, _ time.Time, limit time.Duration) { d.Timeout = limit },
	"Deadline": func(d *sock.Dialer, now time.Time, limit time.Duration) { d.Deadline = now.Add(limit) },
	"Deadline before Timeout": func(d *sock.Dialer, now time.Time, limit time.Duration) {
		d.Timeout, d.Deadline = time.Hour, now.Add(limit)
	},
	"Timeout before Deadline": func(d *sock.Dialer, now time.Time, limit time.Duration) {
		d.Timeout, d.Deadline = limit, now.Add(time.Hour)
	},
}

// A handshake with a peer that says nothing ends with the dial, in a task by the clock of its world.
func TestDialEndsInTheHandshake(t *testing.T) {
	for name, set := range dialEnds {
		t.Run(name, func(t *testing.T) {
			sim.RunLoop(t, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", ":7000")
				if err != nil {
					return err
				}
				defer ln.Close()
				accepts := l.Go(func() {
					c, err := ln.AcceptConn()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					c.SetDeadline(l.Now().Add(time.Minute))
					for p := make([]byte, 100); err == nil; {
						_, err = c.Read(p)
					}
					if errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("the dial goes on")
					}
				})
				d := socktls.Dialer{NetDialer: new(sock.Dialer), Config: clientConfig()}
				begun := l.Now()
				set(d.NetDialer, begun, time.Second)
				_, err = d.Dial(l, "tcp", "127.0.0.1:7000")
				if took := l.Now().Sub(begun).Round(time.Second); took != time.Second {
					t.Errorf("the dial takes %v, want a second", took)
				}
				wantLate(t, err)
				accepts.Wait()
				return nil
			})
		})
	}
}

// For goroutines it is the same.
func TestDialOfGoroutineEndsInTheHandshake(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			for name, set := range dialEnds {
				d := socktls.Dialer{NetDialer: new(sock.Dialer), Config: clientConfig()}
				socktest.Offloaded(t, l, func() error {
					set(d.NetDialer, time.Now(), 10*time.Millisecond)
					_, err := d.Dial(l, "tcp", silent.Addr().String())
					if err == nil {
						return errors.New(name + ": a handshake with nobody")
					}
					wantLate(t, err)
					return nil
				})
			}
		})
	})
}

func wantLate(t *testing.T, err error) {
	t.Helper()
	if late, ok := err.(net.Error); !ok || !late.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial: %v, want a timeout", err)
	}
}
