//go:build linux

package main

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/testmain"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// TestReadFor: what is there is read, what never comes is not waited for, and what fails says why.
func TestReadFor(t *testing.T) {
	if r, err := uring.ProbeFor(nil); err != nil || r.Require() != nil {
		t.Skip("no io_uring here: ", errors.Join(err, r.Require()))
	}
	rd, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	defer wr.Close()
	fd := int(rd.Fd()) // blocking, as a program's standard input
	p := make([]byte, 16)
	if _, err := readFor(10*time.Millisecond, fd, p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing to read: %v", err)
	}
	if _, err := wr.WriteString("Ada\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := readFor(time.Hour, fd, p); err != nil || string(p[:n]) != "Ada\n" {
		t.Errorf("%q, %v", p[:n], err)
	}
	if _, err := readFor(time.Hour, int(wr.Fd()), p); !errors.Is(err, syscall.EBADF) {
		t.Errorf("the pipe's other end: %v", err)
	}
}
