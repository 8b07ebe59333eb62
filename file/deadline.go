package file

import (
	"os"
	"time"
)

// SetDeadline is SetReadDeadline and SetWriteDeadline. Any goroutine may call it; it does not park.
func (f *File) SetDeadline(t time.Time) error { return f.setDeadlines("SetDeadline", t, true, true) }

// SetReadDeadline makes calls that wait for something to read fail with os.ErrDeadlineExceeded from t on, in tasks and
// goroutines alike, also those under way; the zero time is none. As with package os, it is for what is waited for by
// readiness: pipes, FIFOs, terminals and such devices, eventfds and the like. On another File, one on a
// disk, it fails with os.ErrNoDeadline. Any goroutine may call it; it does not park.
func (f *File) SetReadDeadline(t time.Time) error {
	return f.setDeadlines("SetReadDeadline", t, true, false)
}

// SetWriteDeadline is SetReadDeadline for calls that wait for room: a Write returns what went out by then, too.
func (f *File) SetWriteDeadline(t time.Time) error {
	return f.setDeadlines("SetWriteDeadline", t, false, true)
}

func (f *File) setDeadlines(word string, t time.Time, in, out bool) error {
	if err := f.begin(word); err != nil {
		return err
	}
	defer f.refs.release()
	if !f.pollable() {
		return os.ErrNoDeadline // bare, as package os has it
	}
	if err := f.readiness.core.SetDeadline(t, in, out); err != nil {
		return f.failReady(word, err)
	}
	return nil
}
