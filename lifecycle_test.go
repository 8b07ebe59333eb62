package ringo_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/rt/labels"
)

// What is named has labels that say its name, with those of who started it; and all tasks have if they are to.
func TestTaskLabels(t *testing.T) {
	if !labels.Readable() {
		t.Skip("labels can't be read here")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, all := range []bool{false, true} {
			cfg.LabelTasks = all
			mustRun(t, cfg, func(l *ringo.Loop) {
				got := map[string]string{}
				note := func(who string) func() { return func() { got[who] = myLabels() } }
				var started []*ringo.Task
				posted := ringo.NewChan[int](1)
				labelled("me", func() {
					started = append(started, l.GoNamed("named", note("named")), l.Go(note("other")))
					l.Post(func() { note("post")(); posted.Send(1) })
				})
				started = append(started, l.GoNamed("parent", func() {
					l.Go(note("child")).Wait()
					l.GoNamed("itself", note("named child")).Wait()
				}))
				l.Call(func() error { note("call")(); return nil })
				for _, task := range started {
					task.Wait()
				}
				posted.Recv()
				plain := "ringo_test.TestTaskLabels" // and what the compiler calls a closure
				want := map[string][]string{
					"named":       {`"task":"named"`, `"who":"me"`, `"loop":"0"`},
					"other":       {`"who":"me"`},
					"post":        {`"who":"me"`},
					"child":       {`"task":"parent"`, `"loop":"0"`},
					"named child": {`"task":"itself"`, `"loop":"0"`},
					"call":        nil,
				}
				if all {
					for who, w := range want {
						if !strings.HasPrefix(who, "named") {
							want[who] = append(w[:0:0], `"task":"`+plain, `"loop":"0"`)
						}
					}
				}
				for who, parts := range want {
					for _, part := range parts {
						if !strings.Contains(got[who], part) {
							t.Errorf("all=%v: %s has labels %s, want %s", all, who, got[who], part)
						}
					}
					if parts == nil && got[who] != "" {
						t.Errorf("all=%v: %s has labels %s, want none", all, who, got[who])
					}
				}
				l.Go(note("next")).Wait() // in a coroutine that had others
				if strings.Contains(got["next"], "itself") || !all && got["next"] != "" {
					t.Errorf("all=%v: the next task has labels %s", all, got["next"])
				}
			})
		}
	})
}

// lockedBuffer is a buffer that several threads write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// The Logger is told what begins and ends, of tasks too where it wants to know that much.
func TestLogger(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
			var text lockedBuffer
			var driver string // RINGO_DRIVER=auto decides over the configuration
			cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}))
			cfg.StallLimit = -1
			ctx, cancel := context.WithCancel(context.Background())
			err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
				driver = l.Info().Name
				l.GoNamed("a task", func() {}).Wait()
				cancel()
				_, err := l.Draining().Recv()
				if err == ringo.ErrClosed {
					err = nil
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			said := text.b.String()
			if level > slog.LevelDebug {
				if said != "" {
					t.Errorf("at level %v it is told\n%s", level, said)
				}
				continue
			}
			for _, want := range []string{
				fmt.Sprintf(`msg="ringo: loop begins" loop=0 driver=%s reason=`, driver),
				`msg="ringo: task begins" loop=0 task=1 name=`,
				`msg="ringo: task ends" loop=0 task=1 name=ringo_test.TestLogger`,
				`msg="ringo: task begins" loop=0 task=2 name="a task"`,
				`msg="ringo: task ends" loop=0 task=2 name="a task"`,
				`msg="ringo: drain begins" grace=5s`,
				`msg="ringo: loop ends" loop=0`,
			} {
				if !strings.Contains(said, want) {
					t.Errorf("it is not told %s but\n%s", want, said)
				}
			}
		}
	})
}

// The Logger is told of stalls where nobody has asked for what begins and ends, and by whom, beside OnStall.
func TestLoggerOfStalls(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var text lockedBuffer
		cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))
		cfg.StallLimit = 5 * time.Millisecond
		release := make(chan struct{})
		var once sync.Once
		cfg.OnStall = func(_ *ringo.Loop, _ time.Duration, stack []byte) {
			if strings.Contains(string(stack), "holdTheLoop") {
				once.Do(func() { close(release) })
			}
		}
		mustRun(t, cfg, func(l *ringo.Loop) { l.Go(func() { holdTheLoop(release) }).Wait() })
		said := text.b.String()
		want := `level=WARN msg="ringo: stall" loop=0 "so far"=`
		if !strings.Contains(said, want) || !strings.Contains(said, "TestLoggerOfStalls") {
			t.Errorf("it is not told %s of this test's function, but\n%s", want, said)
		}
	})
}
