//go:build linux

package uring

import (
	"errors"
	"os"
	"runtime"
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
