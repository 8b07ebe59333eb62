//go:build linux

package loop_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/sys"
)

// Where select can't watch what the process may open, the operator is told when
// that keeps peers out, in 10 s once; nobody is told of what passes by itself.
func TestBoundIsToldOf(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur <= sys.FDSetSize {
		t.Skipf("no more than %d descriptors may be open here: %v", lim.Cur, err)
	}
	cfg := small("select")
	var clock jumpingClock
	cfg.Clock = clock.now
	said := make(chan string, 100)
	cfg.Complain = func(text string) { said <- text }
	const each = 10
	err := run(t, cfg, func(l *loop.Loop) error {
		for range each {
			l.Backoff(-sys.ENFILE)
			l.Backoff(-sys.ENOMEM)
		}
		for round := range 2 {
			for range each {
				l.Backoff(-sys.EMFILE)
			}
			text := receive(t, "the complaint", said)
			for _, want := range []string{"ringo: loop 0 ", "select", "1024", "use driver poll, epoll or uring"} {
				if !strings.Contains(text, want) {
					t.Errorf("round %d: no %q in %q", round, want, text)
				}
			}
			if told := strings.Contains(text, " 9 more times"); told != (round > 0) {
				t.Errorf("round %d: of those not told of: %q", round, text)
			}
			clock.jump(11 * time.Second)
			l.Sleep(0)
			l.Sleep(0)
		}
		if n := l.Stats().Backoffs; n != 4*each {
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
}

// A driver that watches all descriptors is short of them until one is closed: that
// is counted, and passes.
func TestShortageIsNotToldOf(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		if strings.HasSuffix(t.Name(), "/select") {
			return // TestBoundIsToldOf
		}
		cfg.Complain = func(text string) { t.Error(text) }
		err := run(t, cfg, func(l *loop.Loop) error {
			l.Backoff(-sys.EMFILE)
			if n := l.Stats().Backoffs; n != 1 {
				t.Errorf("%d counted, want 1", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
