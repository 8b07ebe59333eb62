//go:build linux

package event_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"

	"ringo"
	"ringo/buf"
	"ringo/event"
)

// crowd writes until something waits for room, and returns how many bytes it has written.
func crowd(t *testing.T, c *event.Conn) (n int) {
	for p := pattern(1 << 20); c.Unsent() == 0; n += len(p) {
		if err := c.WriteThen(p, func(error) {}); err != nil {
			t.Error(err)
			break
		}
	}
	return n
}

// A write of no bytes behind something that waits has its turn, and what is written behind it is sent.
func TestEmptyWrites(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, write := range map[string]func(c *event.Conn, tell func(error)) error{
		"Write":      func(c *event.Conn, _ func(error)) error { return c.Write(nil) },
		"WriteV":     func(c *event.Conn, _ func(error)) error { return c.WriteV() },
		"WriteThen":  func(c *event.Conn, tell func(error)) error { return c.WriteThen(nil, tell) },
		"SendFile":   func(c *event.Conn, tell func(error)) error { return c.SendFile(f, 0, 0, tell) },
		"WriteLease": func(c *event.Conn, _ func(error)) error { return c.WriteLease(buf.Of(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := make(chan int, 1)
				order := ""
				tell := func(what string) func(error) {
					return func(err error) {
						if order += what; err != nil {
							t.Errorf("%s was told %v", what, err)
						}
					}
				}
				h := &funcs{open: func(c *event.Conn) {
					c.SetMarks(100<<20, 100<<20)
					n := crowd(t, c)
					err := errors.Join(write(c, tell("a")), c.Write([]byte("head")), write(c, tell("b")),
						c.SendFile(f, 0, 10, tell("c")), write(c, tell("d")), write(c, tell("e")),
						c.WriteThen([]byte("tail"), tell("f")), write(c, tell("g")))
					if err != nil {
						t.Error(err)
					}
					c.Close()
					before <- n
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					if n, err := io.CopyN(io.Discard, peer, int64(<-before)); err != nil {
						return fmt.Errorf("%d bytes, then %w", n, err)
					}
					want := slices.Concat([]byte("head"), pattern(10), []byte("tail"))
					return errors.Join(wantBytes(peer, want), wantEOF(peer))
				})
				want := "cf"
				if name == "WriteThen" || name == "SendFile" {
					want = "abcdefg"
				}
				if order != want {
					t.Errorf("told %s, want %s", order, want)
				}
			})
		})
	}
}

// A record of no bytes is one, also where others wait for room.
func TestEmptyRecords(t *testing.T) {
	for name, write := range map[string]func(c *event.Conn, told func(error)) error{
		"Write":      func(c *event.Conn, told func(error)) error { defer told(nil); return c.Write(nil) },
		"WriteV":     func(c *event.Conn, told func(error)) error { defer told(nil); return c.WriteV() },
		"WriteThen":  func(c *event.Conn, told func(error)) error { return c.WriteThen(nil, told) },
		"WriteLease": func(c *event.Conn, told func(error)) error { defer told(nil); return c.WriteLease(buf.Of(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := make(chan int, 1)
				told := 0
				tell := func(err error) {
					if told++; err != nil {
						t.Errorf("was told %v", err)
					}
				}
				h := &funcs{open: func(c *event.Conn) {
					c.SetMarks(100<<20, 100<<20)
					err := errors.Join(write(c, tell), c.Write([]byte("a")))
					n := 0
					for ; c.Unsent() == 0 && err == nil; n++ {
						err = c.Write(pattern(10_000))
					}
					err = errors.Join(err, write(c, tell), write(c, tell), c.Write([]byte("b")), write(c, tell),
						c.Write([]byte("c")))
					if err != nil {
						t.Error(err)
					}
					c.Close()
					before <- n
				}}
				recordPair(t, cfg, h, func(peer *net.UnixConn) error {
					records := [][]byte{{}, []byte("a")}
					for range <-before {
						records = append(records, pattern(10_000))
					}
					for i, want := range append(records, nil, nil, []byte("b"), nil, []byte("c")) {
						if err := wantBareRecord(peer, want); err != nil {
							return fmt.Errorf("record %d: %w", i, err)
						}
					}
					return wantEOF(peer)
				})
				if told != 4 {
					t.Errorf("told %d times of 4", told)
				}
			})
		})
	}
}

// wantBareRecord is wantRecord, for which the end of the stream is a record of no bytes as well, as package net has it.
func wantBareRecord(c *net.UnixConn, want []byte) error {
	if err := wantRecord(c, want); len(want) > 0 || !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
