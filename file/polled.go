package file

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"ringo/internal/sys"
)

// Polled is a flag for OpenFile that asks for completions by polling the device, not by
// its interrupts (IORING_SETUP_IOPOLL). It is refused, with the reason: a ring for that
// can do nothing else, so it is for package uring.
const Polled = 1 << 30

// errPolled is what the refusal is by errors.Is, and errors.ErrUnsupported.
var errPolled = fmt.Errorf("file: polled completions: %w", errors.ErrUnsupported)

// notPolled says why a file can't be open with Polled.
func notPolled(name string) error {
	f, err := Open(name)
	if err != nil {
		return fmt.Errorf("%w: the file can't be looked at: %w", errPolled, err)
	}
	defer f.Close()
	st := new(sys.Statx)
	if err := f.statx(st, 0); err != nil {
		return fmt.Errorf("%w: %w", errPolled, err)
	}
	if st.DevMajor == 0 {
		return fmt.Errorf("%w: the file is on no block device", errPolled)
	}
	device := fmt.Sprintf("/sys/dev/block/%d:%d/", st.DevMajor, st.DevMinor)
	for _, at := range []string{device + "queue/io_poll", device + "../queue/io_poll"} { // of a disk, of a part of it
		g, err := Open(at)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(g)
		g.Close()
		if strings.TrimSpace(string(text)) == "0" {
			return fmt.Errorf("%w: the device has no polled queues (%s is 0; for NVMe load the driver with poll_queues)", errPolled, at)
		}
	}
	return fmt.Errorf("%w: a loop's ring waits for sockets, too, and one that polls can't (package uring has "+
		"SetupIOPoll)", errPolled)
}
