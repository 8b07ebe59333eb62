//go:build linux

package event_test

import (
	"errors"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// The error that ends a listener is told: to OnClose, or where there is none by Wait. Its connections go on.
func TestListenerBreaks(t *testing.T) {
	for _, told := range []bool{true, false} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			var why error
			err := socktest.RunLoops(t, t.Context(), &cfg, func(r *ringo.Loop) error {
				l := event.On(r)
				s, err := sock.Listen(r, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				ln := l.Accept(s, event.Base{})
				if told {
					ln.OnClose(func(err error) { why = err })
				}
				raw, err := s.SyscallConn()
				if err != nil {
					return err
				}
				control := raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RD) })
				if control != nil || err != nil {
					return errors.Join(control, err)
				}
				err = l.Wait()
				if again := l.Wait(); again != nil {
					t.Errorf("Wait once more: %v", again)
				}
				return err
			})
			if told && err != nil || !told && !errors.Is(err, syscall.EINVAL) ||
				told != errors.Is(why, syscall.EINVAL) {
				t.Errorf("Run: %v, OnClose was told %v", err, why)
			}
		})
	}
}
