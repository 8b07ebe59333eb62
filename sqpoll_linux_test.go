//go:build linux

package ringo_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
	"ringo/uring"
)

// TestSQPoll: tasks talk where a thread of the kernel's submits, and where there is none to be had.
func TestSQPoll(t *testing.T) {
	refused := pollingThread()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver == "uring" && refused != nil {
			if err := refusal(t, &ringo.Config{Driver: "uring", SQPoll: time.Second}); err == nil {
				t.Errorf("no error, where there is: %v", refused)
			}
			t.Skip(refused)
		}
		cfg.SQPoll = 20 * time.Millisecond
		err := run(t, cfg, func(l *ringo.Loop) error {
			if info := l.Info(); (info.Name == "uring") != slices.Contains(info.Features, "sqpoll") {
				t.Errorf("driver %s with features %v", info.Name, info.Features)
			}
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			l.Go(func() {
				c, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					t.Error(err)
				}
			})
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			p := make([]byte, 4)
			for i := range 100 {
				if i == 50 { // longer than the thread looks
					if err := l.Sleep(60 * time.Millisecond); err != nil {
						return err
					}
				}
				want := []byte{byte(i), 1, 2, 3}
				if _, err := c.Write(want); err != nil {
					return err
				}
				if _, err := io.ReadFull(c, p); err != nil {
					return err
				}
				if !slices.Equal(p, want) {
					t.Errorf("got %v, want %v", p, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// pollingThread is why this kernel, or the one that is played, gives no thread to a ring that takes any descriptor.
func pollingThread() error {
	r, err := uring.Open(2, &uring.Config{SQPoll: true})
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Features()&uring.FeatSQPollNonfixed == 0 {
		return &uring.FeatureError{Name: "SQPOLL_NONFIXED", Since: "5.11"}
	}
	return nil
}
