package file

import (
	"errors"
	"fmt"
	"os"

	"ringo/internal/loop"
)

// stranger is why the caller may not use what was opened in the simulated world of home: it is no task there, or the
// host has crashed since.
func stranger(home *loop.Loop) error {
	if home == nil {
		return nil
	}
	return home.StrangerTo("a call on a file in a simulated world")
}

// errWorldFIFO is the error of an open that would have to wait there.
var errWorldFIFO = fmt.Errorf("%w: in a simulated world the open of a FIFO does not wait: open it with O_NONBLOCK",
	errors.ErrUnsupported)

// tempDir is os.TempDir, but that a simulated world has one whatever the environment says.
func tempDir() string {
	if loop.Home() != nil {
		return "/tmp"
	}
	return os.TempDir()
}
