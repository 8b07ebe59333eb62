package ringo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
)

func init() {
	children["quiet"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
	}
}

// RINGO_DEBUG prints what was chosen and changed; without it nothing is printed.
func TestRINGO_DEBUG(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for setting, loud := range map[string]bool{"": false, "driver=1": true, "quit=0,driver=1,": true,
			"driver=0": false} {
			text, code := output(t, child(t, "quiet", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=",
				"RINGO_DEBUG="+setting))
			if said := strings.Contains(text, "ringo: loop 0: driver "+cfg.Driver+": ") &&
				strings.Contains(text, "GOMAXPROCS"); said != loud ||
				code != 0 || !loud && text != "" {
				t.Errorf("RINGO_DEBUG=%s: exit status %d, %q", setting, code, text)
			}
		}
	})
}

// A setting that there is not is an error, which has those that there are: it must not be taken for one without effect.
func TestRINGO_DEBUGIsChecked(t *testing.T) {
	for _, wrong := range []string{"stal=2ms", "driver", "driver=yes", "quit=", "driver=1,ops=1", "2ms", " quit=1"} {
		t.Setenv("RINGO_DEBUG", wrong)
		err := refusal(t, &ringo.Config{})
		for _, want := range []string{"RINGO_DEBUG", "driver=1", "quit=1", "stall=2ms"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", wrong, want, err)
			}
		}
	}
}

// Who asks a loop that is held does not wait for it, and gets what was known.
func TestStatsOfAHeldLoop(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		held, release := make(chan *ringo.Loop), make(chan struct{})
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			l.Sleep(0)
			held <- l
			<-release
			return nil
		})
		l := receive(t, "the loop", held)
		answer := make(chan ringo.Stats)
		go func() { answer <- l.Stats() }()
		receive(t, "an answer", answer)
		close(release)
		if err := receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
		if s := l.Stats(); s.Turns == 0 {
			t.Errorf("after the end: %+v", s)
		}
	})
}

// A task of another loop does not wait for ever either, and a cancel lets it go.
func TestStatsOfAHeldLoopFromATask(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		held, release := make(chan *ringo.Loop, 1), make(chan struct{})
		answered := make(chan string, 2)
		ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				l.Sleep(0)
				held <- l
				<-release
				return nil
			}
			var other *ringo.Loop
			l.Offload(func(context.Context) error { other = <-held; return nil })
			l.Go(func() { other.Stats(); answered <- "patient" }).Wait()
			early := false
			for tries := 0; tries < 100 && !early; tries++ { // the machine may be slow now and then
				task := l.Go(func() {
					began := time.Now()
					other.Stats()
					early = l.Context().Err() != nil && time.Since(began) < 50*time.Millisecond
				})
				l.Sleep(time.Millisecond)
				task.Cancel()
				task.Wait()
			}
			if early {
				answered <- "cancelled"
			}
			return nil
		})
		for _, who := range []string{"patient", "cancelled"} {
			equal(t, "who got an answer", receive(t, "an answer", answered), who)
		}
		close(release)
		if err := receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	})
}

func init() {
	children["crowd"] = func() {
		for range 2 {
			cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
			cfg.Loops = runtime.NumCPU() + 1
			ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
		}
	}
}

// More loops than processors are told of on stderr, once in a process.
func TestTooManyLoopsAreToldOf(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		text, err := child(t, "crowd", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=").CombinedOutput()
		said := fmt.Sprintf("ringo: %d loops run, and the process may use ", runtime.NumCPU()+1)
		if n := bytes.Count(text, []byte(said)); n != 1 || bytes.Count(text, []byte("\n")) != 1 || err != nil {
			t.Errorf("%v, %d reports in %q, want one", err, n, text)
		}
	})
}
