package debug_test

import (
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"ringo"
	"ringo/debug"
	"ringo/internal/test/socktest"
)

// The loops are asked beside each other: one that is held until another has been asked answers, too.
func TestLoopsAreAskedBesideEachOther(t *testing.T) {
	for what, held := range map[string]string{
		"loops": `"held":{`, "tasks": "its loop", "handles": `"held":["`, "ops": `"held":["`,
	} {
		t.Run(what, func(t *testing.T) {
			socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
				const tries = 20 // on a busy machine the first may be given up all the same
				for range tries {
					if !strings.Contains(whileOneWaitsForTheOther(t, cfg, what), held) {
						return
					}
				}
				t.Errorf("a loop was given up %d times before another was asked", tries)
			})
		})
	}
}

// whileOneWaitsForTheOther is the answer about two loops, of which the first is held until the second has mail.
func whileOneWaitsForTheOther(t *testing.T, cfg ringo.Config, what string) (text string) {
	cfg.Loops = 2
	var holds, ready, asked, over atomic.Bool
	err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
		if l.Index() == 1 {
			for !holds.Load() {
				l.Yield()
			}
			before := l.Stats().Mails
			ready.Store(true)
			for !over.Load() {
				if l.Stats().Mails > before {
					asked.Store(true)
				}
				l.Yield()
			}
			return nil
		}
		go func() {
			defer over.Store(true)
			for !ready.Load() {
				runtime.Gosched()
			}
			w := httptest.NewRecorder()
			debug.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/"+what, nil))
			text = w.Body.String()
		}()
		holds.Store(true)
		for !asked.Load() && !over.Load() { // over: both were given up, before the other could run
			runtime.Gosched()
		}
		for !over.Load() {
			l.Yield()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return text
}
