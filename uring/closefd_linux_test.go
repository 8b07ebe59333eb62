//go:build linux

package uring

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// withoutFD gives a ring's descriptor up.
func withoutFD(t *testing.T, r *Ring) {
	t.Helper()
	need(t, CheckRingFD)
	err := r.CloseFD()
	if errors.Is(err, errors.ErrUnsupported) {
		asSince(t, err, "6.3")
	} else if err != nil {
		t.Fatal(err)
	}
}

// TestMappingNeedsDescriptor: what has to map the kernel's memory is refused, before the kernel has done its part, once
// there is a registered descriptor alone.
func TestMappingNeedsDescriptor(t *testing.T) {
	r := open(t, 8, nil)
	withoutFD(t, r)
	entries, page := r.SQEntries(), os.Getpagesize()
	if err := r.Resize(64, 0); !errors.Is(err, syscall.EBADF) || r.SQEntries() != entries {
		t.Errorf("Resize: want EBADF, got %v and %d entries", err, r.SQEntries())
	}
	if _, err := r.OpenBufRing(BufRingConfig{Group: 5, Entries: 8, Mapped: true}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a mapped buffer ring: want EBADF, got %v", err)
	}
	if _, err := r.RegisterRegion(RegionConfig{Size: page}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a region: want EBADF, got %v", err)
	}
	want(t, do(t, r, (*SQE).PrepNop), 0)
	b, err := r.RegisterBufRing(5, 8)
	if err != nil {
		t.Fatal("the group was taken: ", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	_, err = r.RegisterRegion(RegionConfig{Size: page, Memory: mapped(t, page)})
	asSince(t, err, "6.13")
	if p, errno := r.sysMap(0, page); errno != syscall.EBADF {
		t.Errorf("mapped %p, %v", p, errno)
	}
}

// TestRegisteredFDElsewhere: on another thread the index of a ring's descriptor names another ring, or none.
func TestRegisteredFDElsewhere(t *testing.T) {
	here := open(t, 8, nil)
	if err := here.RegisterBuffers([][]byte{make([]byte, 8)}); err != nil {
		t.Fatal(err)
	}
	withoutFD(t, here)
	elsewhere := make(chan *Ring)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // ends with the goroutine
		r, err := Open(8, nil)
		if err == nil {
			err = errors.Join(r.RegisterBuffers([][]byte{make([]byte, 8)}), r.CloseFD())
		}
		if err != nil {
			close(elsewhere)
			done <- err
			return
		}
		elsewhere <- r
		<-elsewhere
		done <- errors.Join(r.UnregisterBuffers(), r.Close())
	}()
	from, ok := <-elsewhere
	if !ok {
		t.Fatal(<-done)
	}
	to := open(t, 8, nil)
	if err := to.CloneBuffers(from, BufferRange{}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("clone of another thread's: want EBADF, got %v", err)
	}
	if err := from.UnregisterBuffers(); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("a register call on the wrong thread: want EEXIST, got %v", err)
	}
	if err := to.CloneBuffers(here, BufferRange{}); err != nil {
		asSince(t, err, "6.12")
	}
	if err := here.UnregisterBuffers(); err != nil {
		t.Errorf("this thread's ring has lost its buffers: %v", err)
	}
	elsewhere <- nil
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRingFDOfOneThread: a ring that another thread may use has no registered descriptor, which over there names
// another ring or none.
func TestRingFDOfOneThread(t *testing.T) {
	need(t, CheckRingFD)
	r := open(t, 8, &Config{AnyThread: true})
	if err := r.RegisterRingFD(); err == nil || r.RingFD() {
		t.Errorf("AnyThread: %v, RingFD %v", err, r.RingFD())
	}
	onNewThread(t, func(t *testing.T) {
		want(t, do(t, r, (*SQE).PrepNop), 0)
	})
	disabled := openWith(t, 8, Config{With: SetupRDisabled}, "5.10")
	if err := disabled.RegisterRingFD(); err == nil || disabled.RingFD() {
		t.Errorf("not enabled: %v, RingFD %v", err, disabled.RingFD())
	}
	onNewThread(t, func(t *testing.T) { // whose ring it is now
		if err := disabled.Enable(); err != nil || !disabled.RingFD() {
			t.Errorf("Enable: %v, RingFD %v", err, disabled.RingFD())
		}
		want(t, do(t, disabled, (*SQE).PrepNop), 0)
		if err := disabled.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRingFDPlaces: of the places that a thread has for registered descriptors none is lost with a ring.
func TestRingFDPlaces(t *testing.T) {
	need(t, CheckRingFD)
	const entries = 8
	only := Config{With: SetupRegisteredFDOnly | SetupRDisabled, Memory: mapped(t, 16<<10)}
	for name, use := range map[string]func(r *Ring) error{
		"enabled": func(r *Ring) error {
			r.RegisterRingFD() // is refused
			return r.Enable()
		},
		"restricted": func(r *Ring) error {
			r.RegisterRingFD()
			return errors.Join(r.RegisterRestrictions([]Restriction{AllowRegister(RegEnableRings)}), r.Enable())
		},
		"restricted, without another descriptor": func(r *Ring) error {
			if r.RegisterRestrictions([]Restriction{AllowRegister(RegEnableRings)}) == nil {
				return errors.New("restricted so that it keeps its place")
			}
			return errors.Join(r.RegisterRestrictions([]Restriction{
				AllowRegister(RegEnableRings), AllowRegister(RegUnregisterRingFDs)}), r.Enable())
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, since := Config{With: SetupRDisabled}, "5.10"
			if strings.HasSuffix(name, "descriptor") {
				cfg, since = only, "6.10"
			}
			onNewThread(t, func(t *testing.T) {
				for i := range 17 { // a thread has 16
					r, err := Open(entries, &cfg)
					asSince(t, err, since)
					if err := errors.Join(use(r), r.Close()); err != nil {
						t.Fatalf("ring %d: %v", i, err)
					}
				}
				for left := range 2 {
					r, err := Open(entries, nil)
					if err != nil {
						t.Fatal(err)
					}
					defer r.Close()
					if !r.RingFD() {
						t.Errorf("only %d places are left", left)
					}
				}
			})
		})
	}
}

// TestFDOfAny: any goroutine may ask a ring for its descriptor, whatever the owner does, as -race sees.
func TestFDOfAny(t *testing.T) {
	r := open(t, 8, nil)
	fd := r.FD()
	asked, asking := make(chan bool), make(chan bool)
	go func() {
		defer close(asked)
		close(asking)
		for got := fd; got != -1; got = r.FD() {
			if got != fd {
				t.Errorf("the descriptor is %d, and was %d", got, fd)
				return
			}
		}
	}()
	<-asking
	if err := r.CloseFD(); err != nil {
		r.Close() // it has none that could stay
	}
	<-asked
}
