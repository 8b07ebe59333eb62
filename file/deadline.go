package file

import (
	"os"
	"time"
)

// SetDeadline sets both the read and the write deadline. Any goroutine may call it; it does not park.
func (f *File) SetDeadline(t time.Time) error { return f.setDeadlines("SetDeadline", t, true, true) }

// SetReadDeadline makes calls that wait for data to read fail with os.ErrDeadlineExceeded from t on, in tasks and
// goroutines, including calls in flight; the zero time means no deadline. As with package os, it is for files that can
// be polled: pipes, FIFOs, terminals and similar devices, eventfds and the like. For other Files, such as those on a
// disk, it fails with os.ErrNoDeadline. Any goroutine may call it; it does not park.
func (f *File) SetReadDeadline(t time.Time) error {
	return f.setDeadlines("SetReadDeadline", t, true, false)
}

// SetWriteDeadline is like SetReadDeadline, for calls that wait for room: a Write also returns the number of bytes
// written by then.
func (f *File) SetWriteDeadline(t time.Time) error {
	return f.setDeadlines("SetWriteDeadline", t, false, true)
}

func (f *File) setDeadlines(word string, t time.Time, in, out bool) error {
	if err := f.begin(word); err != nil {
		return err
	}
	defer f.refs.release()
	if !f.pollable() {
		return os.ErrNoDeadline // not wrapped, as in package os
	}
	if err := f.readiness.core.SetDeadline(t, in, out); err != nil {
		return f.failReady(word, err)
	}
	return nil
}
