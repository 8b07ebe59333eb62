//go:build linux

package sock_test

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/internal/patience"
	"ringo/sim"
	"ringo/sock"
)

// TestDrainAwaitsWhoIsSilent: of the loop that SetIdle's comment shows, a client that has connected and spoken by the
// drain's fifth second loses nothing, nor does one that has sent a part of its next request; one that says nothing is
// told then, and one that has spoken before at once.
func TestDrainAwaitsWhoIsSilent(t *testing.T) {
	var told []time.Duration // when readers heard of the drain
	sim.Run(t, 1, func(w *sim.World) {
		const addr = "a:7000"
		begun := time.Duration(0)
		answer := func(c *sock.Conn) {
			r := bufio.NewReader(c)
			for {
				c.SetIdle(true)
				line, err := r.ReadString('\n')
				if errors.Is(err, ringo.ErrDraining) {
					told = append(told, (w.Elapsed() - begun).Round(time.Second))
				}
				if err != nil {
					return
				}
				c.SetIdle(false)
				io.WriteString(c, line)
			}
		}
		server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", addr)
			if err != nil {
				return err
			}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return nil
				}
				l.Go(func() { defer c.Close(); answer(c) })
			}
		})
		client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
			l.Sleep(time.Second)
			var all [4]*sock.Conn // has spoken, will speak, is silent, is in the midst of it
			for i := range all {
				c, err := sock.Dial(l, "tcp", addr)
				if err != nil {
					return err
				}
				defer c.Close()
				c.SetDeadline(l.Now().Add(patience.Max))
				all[i] = c
			}
			say := func(c *sock.Conn, text string) {
				if _, err := io.WriteString(c, text); err != nil {
					t.Error(err)
				}
			}
			asks := func(c *sock.Conn, text string) {
				line := make([]byte, 6)
				say(c, text)
				if _, err := io.ReadFull(c, line); err != nil || string(line) != "hello\n" {
					t.Errorf("asked hello, got %q, %v", line, err)
				}
			}
			asks(all[0], "hello\n")
			asks(all[3], "hello\n")
			say(all[3], "hel")
			l.Sleep(time.Second)
			begun = w.Elapsed()
			server.Drain()
			l.Sleep(3 * time.Second)
			asks(all[1], "hello\n")
			l.Sleep(time.Second)
			asks(all[3], "lo\n")
			_, err := all[2].Read(make([]byte, 1))
			if err != io.EOF {
				t.Errorf("the silent client reads %v, want the end", err)
			}
			return nil
		})
		w.Check(w.Wait(client))
		w.Check(w.Wait(server))
	})
	if want := []time.Duration{0, 3 * time.Second, 4 * time.Second, 5 * time.Second}; !slices.Equal(told, want) {
		t.Errorf("readers heard of the drain after %v, want %v", told, want)
	}
}
