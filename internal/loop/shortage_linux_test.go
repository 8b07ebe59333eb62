//go:build linux

package loop_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/sys"
	"ringo/internal/test/looptest"
)

// place is an address of a listener.
var place = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}

// Accepts that are put off are told of, with the address, once in 10 s for all loops.
func TestBackoffsAreToldOf(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		var clock looptest.Clock
		cfg.Clock, cfg.Loops = clock.Now, 2
		said := make(chan string, 100)
		cfg.Complain = func(text string) { said <- text }
		const each = 10
		remedy := "raise RLIMIT_NOFILE (ulimit -n)"
		if strings.HasSuffix(t.Name(), "/select") {
			remedy = "use driver poll, epoll or uring"
		}
		over := make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			if l.Index() > 0 {
				return l.Offload(func(context.Context) error { <-over; return nil })
			}
			defer close(over)
			other := l.Set().Loops()[1]
			for round := range 2 {
				for range each {
					l.Backoff(place, -sys.EMFILE)
					l.Backoff(place, -sys.ENOMEM)
					other.Go(func() { other.Backoff(place, -sys.ENFILE) }).Wait()
				}
				text := receive(t, "the complaint", said)
				for _, want := range []string{"ringo: loop 0 can't accept at 10.0.0.1:80: ", remedy} {
					if !strings.Contains(text, want) {
						t.Errorf("round %d: no %q in %q", round, want, text)
					}
				}
				if told := strings.Contains(text, " 29 more times"); told != (round > 0) {
					t.Errorf("round %d: of those not told of: %q", round, text)
				}
				clock.Jump(11 * time.Second)
			}
			if n := census.StatsOf(l).Backoffs; n != 4*each {
				t.Errorf("%d counted, want %d", n, 4*each)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(said) > 0 {
			t.Errorf("told once more: %q", <-said)
		}
	})
}
