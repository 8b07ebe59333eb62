//go:build linux

package hosted

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/offload"
	"ringo/internal/test/uringtest"
)

// forget closes the process's rings, and the reason for none, when the test has ended.
func forget(t *testing.T) {
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.rings != nil {
			if err := shared.rings.Close(); err != nil {
				t.Error(err)
			}
		}
		shared.rings, shared.err, shared.until = nil, nil, time.Time{}
	})
}

func TestShared(t *testing.T) {
	forget(t)
	t.Setenv(driverVariable, "")
	h, err := Shared()
	if err != nil {
		if uringtest.Refused(err) {
			t.Skip("no io_uring here:", err)
		}
		t.Fatal(err)
	}
	t.Setenv(driverVariable, "epoll")
	if again, err := Shared(); again != h || err != nil {
		t.Errorf("again: %p, %v, want %p", again, err, h)
	}
}

// TestSharedAvoided: nobody who avoids io_uring gets one. What there is then is native AIO, or a reason.
func TestSharedAvoided(t *testing.T) {
	native := offload.ProbeAIO() == nil
	for _, driver := range []string{"epoll", "poll", "select", "uring-poll", "nonsense"} {
		t.Run(driver, func(t *testing.T) {
			forget(t)
			t.Setenv(driverVariable, driver)
			h, err := Shared()
			switch {
			case native && (h == nil || err != nil || !h.DirectOnly()):
				t.Errorf("got %p, %v", h, err)
			case !native && (h != nil || err == nil || !strings.Contains(err.Error(), driverVariable+" is "+driver)):
				t.Errorf("got %p, %v", h, err)
			}
			t.Setenv(driverVariable, "")
			if h2, again := Shared(); again != err || h2 != h {
				t.Errorf("it was %p, %v, and now %p, %v", h, err, h2, again)
			}
		})
	}
}

// TestSharedShortage: a shortage may pass.
func TestSharedShortage(t *testing.T) {
	forget(t)
	t.Setenv(driverVariable, "")
	shared.err, shared.until = syscall.EMFILE, time.Now().Add(time.Hour)
	if _, err := Shared(); err != syscall.EMFILE {
		t.Errorf("asked again at once: %v", err)
	}
	shared.until = time.Now().Add(-time.Second)
	if _, err := Shared(); errors.Is(err, syscall.EMFILE) {
		t.Error("never asked again")
	}
}
