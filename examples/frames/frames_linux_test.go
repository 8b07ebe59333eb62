//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sim"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// client serves until the test ends and connects.
func client(t *testing.T) net.Conn {
	t.Helper()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, set) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("serve:", err)
		}
	})
	c, err := net.Dial("tcp", set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c
}

// frameMax is the longest of format's, without their length.
const frameMax = 64<<10 - 4

func frame(n int) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(n))
	for i := range n {
		f = append(f, byte(i*7))
	}
	return f
}

// Frames come back whole, however they are cut on the way.
func TestFrames(t *testing.T) {
	c := client(t)
	var sent []byte
	for _, n := range []int{0, 1, 5, 4096, frameMax} {
		sent = append(sent, frame(n)...)
	}
	go func() {
		for n, rest := 1, sent; len(rest) > 0; n *= 3 {
			n = min(n, len(rest))
			c.Write(rest[:n])
			rest = rest[n:]
		}
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("the frames came back changed")
	}
}

func TestTooLong(t *testing.T) {
	c := client(t)
	c.Write(binary.BigEndian.AppendUint32(nil, frameMax+1))
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after a frame too long: read %d, %v; want EOF", n, err)
	}
}

// A peer that sends no whole frame is let go, and so is one that takes no answers.
func TestPeersAreLetGo(t *testing.T) {
	for name, say := range map[string]func(c net.Conn) error{
		"silent":        func(net.Conn) error { return nil },
		"part of frame": func(c net.Conn) error { _, err := c.Write(frame(100)[:50]); return err },
		"reads nothing": func(c net.Conn) (err error) {
			for f := frame(frameMax); err == nil; {
				_, err = c.Write(f)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.RunLoop(t, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:7000")
				if err != nil {
					return err
				}
				l.GoBackground(func() { sock.Serve(l, ln, handler) })
				c, err := sock.Dial(l, "tcp", "127.0.0.1:7000")
				if err != nil {
					return err
				}
				defer c.Close()
				return l.WithTimeout(2*frameWait, func() error {
					if err := say(c); err != nil {
						return err
					}
					_, err := io.Copy(io.Discard, c)
					if errors.Is(err, syscall.ECONNRESET) { // it had not read all
						return nil
					}
					return err
				})
			})
		})
	}
}
