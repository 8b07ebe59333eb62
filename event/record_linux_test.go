//go:build linux

package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// recordPair is pair for a connection of records.
func recordPair(t *testing.T, cfg ringo.Config, h event.Handler, play func(peer *net.UnixConn) error) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		var ln *event.Listener
		ln, err := l.Listen("unixpacket", t.TempDir()+"/s", &once{h, func() { ln.Close() }})
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		outside(t, l, func() error {
			c, err := net.DialTimeout("unixpacket", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			return play(c.(*net.UnixConn))
		})
	})
}

// wantRecord reads one record.
func wantRecord(c net.Conn, want []byte) error {
	got := make([]byte, 1<<20)
	if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], want) {
		return fmt.Errorf("a record of %d bytes, or others than of %d: %w", n, len(want), err)
	}
	return nil
}

// Each record is shown alone, whatever its size, and each write is one.
func TestRecords(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 100, 0, 5000, 100_000, 3, 150_000}
	for name, answer := range map[string]func(c *event.Conn, p []byte) error{
		"Write":     (*event.Conn).Write,
		"WriteV":    func(c *event.Conn, p []byte) error { return c.WriteV(p[:len(p)/2], p[len(p)/2:]) },
		"WriteThen": func(c *event.Conn, p []byte) error { return c.WriteThen(slices.Clone(p), func(error) {}) },
		"WriteLease": func(c *event.Conn, p []byte) error {
			lease, err := c.Keep()
			if err != nil {
				return err
			}
			return c.WriteLease(lease)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var got []int
				var why error
				h := &funcs{
					data: func(c *event.Conn, p []byte) int {
						if got = append(got, len(p)); len(p) == 0 {
							return 0
						}
						if err := answer(c, p); err != nil {
							t.Errorf("%s: %v", name, err)
						}
						return len(p)
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				recordPair(t, cfg, h, func(peer *net.UnixConn) error {
					for _, n := range sizes {
						if _, err := peer.Write(pattern(n)); err != nil {
							return err
						}
						if n == 0 {
							continue
						}
						if err := wantRecord(peer, pattern(n)); err != nil {
							return err
						}
					}
					for range 2 { // several at once
						for i := range 20 {
							if _, err := peer.Write(pattern(i + 1)); err != nil {
								return err
							}
						}
						for i := range 20 {
							if err := wantRecord(peer, pattern(i+1)); err != nil {
								return err
							}
						}
					}
					return errors.Join(peer.CloseWrite(), wantEOF(peer))
				})
				if len(got) != len(sizes)+40 || !slices.Equal(got[:len(sizes)], sizes) || why != io.EOF {
					t.Errorf("shown %v, closed with %v", got, why)
				}
			})
		})
	}
}

// Records that wait for room stay apart, in order, and bounded.
func TestRecordsWithoutRoom(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		full := make(chan int, 1)
		h := &funcs{open: func(c *event.Conn) {
			for i := 0; ; i++ {
				if err := c.Write(append(pattern(10_000), byte(i))); err == event.ErrFull {
					full <- i
					return
				} else if err != nil {
					t.Error(err)
					full <- 0
					return
				}
			}
		}, writable: func(c *event.Conn) { c.Close() }}
		recordPair(t, cfg, h, func(peer *net.UnixConn) error {
			for i := range <-full {
				if err := wantRecord(peer, append(pattern(10_000), byte(i))); err != nil {
					return fmt.Errorf("record %d: %w", i, err)
				}
			}
			return wantEOF(peer)
		})
	})
}

// What a record can't be is refused: left in part, filled into a slice, a file's, larger than the kernel takes.
func TestRecordsAreNoStream(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var why error
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetUnreadMax(1000)
				if c.ReadFull(make([]byte, 1), func(int, error) {}) == nil || c.SendFile(f, 0, 1, nil) == nil {
					t.Error("ReadFull or SendFile has no error")
				}
				for _, n := range tooLong(t) {
					if err := c.Write(make([]byte, n)); !errors.Is(err, syscall.EMSGSIZE) {
						t.Errorf("a record of %d bytes: %v", n, err)
					}
				}
				if a := c.LocalAddr(); a.Network() != "unixpacket" {
					t.Errorf("LocalAddr is of %s", a.Network())
				}
				c.Write([]byte("go on"))
			},
			data:  func(c *event.Conn, p []byte) int { return len(p) - 1 },
			close: func(_ *event.Conn, err error) { why = err },
		}
		recordPair(t, cfg, h, func(peer *net.UnixConn) error {
			if err := wantRecord(peer, []byte("go on")); err != nil {
				return err
			}
			if _, err := peer.Write([]byte("hello")); err != nil {
				return err
			}
			io.Copy(io.Discard, peer)
			return nil
		})
		if why != event.ErrUnread {
			t.Errorf("closed with %v, want ErrUnread", why)
		}
	})
}

// tooLong is lengths of records that are refused: one by us, and one by the kernel, if its buffers are as by default.
func tooLong(t *testing.T) []int {
	var room int
	p, err := os.ReadFile("/proc/sys/net/core/wmem_default")
	if _, err2 := fmt.Sscan(string(p), &room); err != nil || err2 != nil || room > 500_000 {
		t.Logf("the kernel refuses no record of 1,000,000 bytes: wmem_default is %q", p)
		return []int{2_000_000}
	}
	return []int{1_000_000, 2_000_000}
}

// Records stay what they are when a connection goes from a task to callbacks and back; a loop dials itself.
func TestRecordsBetweenTasksAndCallbacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got, answers []string
		onLoop(t, cfg, func(l *event.Loop) {
			r := l.Ringo()
			ln, err := sock.Listen(r, "unixpacket", t.TempDir()+"/s")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			sent := 0
			l.Dial("unixpacket", ln.Addr().String(), &funcs{open: func(c *event.Conn) {
				for ; sent < 4; sent++ {
					c.Write([]byte{'a' + byte(sent)})
				}
			}, data: func(_ *event.Conn, p []byte) int {
				answers = append(answers, string(p))
				return len(p)
			}})
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 100)
			n, err := c.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(p[:n]))
			seen := ringo.NewChan[bool](1)
			e, err := l.Adopt(c, &funcs{open: func(c *event.Conn) {
				c.Write([]byte("x"))
				c.Write([]byte("y"))
			}, data: func(c *event.Conn, p []byte) int {
				if got = append(got, string(p)); len(got) == 3 {
					c.Pause()
					seen.TrySend(true)
				}
				return len(p)
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := seen.Recv(); err != nil {
				t.Fatal(err)
			}
			if c, err = e.Detach(); err != nil {
				t.Fatal(err)
			}
			if n, err = c.Read(p); err != nil {
				t.Fatal(err)
			}
			got = append(got, string(p[:n]))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if want := []string{"x", "y"}; !slices.Equal(answers, want) {
			t.Errorf("answered %q, want %q", answers, want)
		}
	})
}
