package hosted

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"ringo/internal/posix"
)

// driverVariable is that of package ringo. Who avoids io_uring by it gets none here.
const driverVariable = "RINGO_DRIVER"

// askAgain is how long a shortage of descriptors or memory is taken for lasting.
const askAgain = time.Second

var shared struct {
	sync.Mutex
	rings *Rings
	err   error
	until time.Time // when to ask again; zero: never
}

// Shared are the rings of the process, made on the first call. Where there are none the
// error says why, and stays the same, but for a shortage, which may pass.
func Shared() (*Rings, error) {
	shared.Lock()
	defer shared.Unlock()
	lasts := shared.until.IsZero() || time.Now().Before(shared.until)
	if shared.rings != nil || shared.err != nil && lasts {
		return shared.rings, shared.err
	}
	shared.rings, shared.err = openShared(os.Getenv(driverVariable))
	shared.until = time.Time{}
	if Passing(shared.err) {
		shared.until = time.Now().Add(askAgain)
	}
	return shared.rings, shared.err
}

// openShared makes rings by io_uring, or where that is refused or avoided by native AIO.
func openShared(driver string) (*Rings, error) {
	var err error
	switch driver {
	case "", "auto", "uring":
		var h *Rings
		if h, err = Open(Config{}); err == nil || Passing(err) {
			return h, err
		}
	default:
		err = fmt.Errorf("hosted: %s is %s: no io_uring for files either", driverVariable, driver)
	}
	h, native := Open(Config{Native: true})
	if native != nil {
		return nil, errors.Join(err, native)
	}
	return h, nil
}

// Passing reports whether an error says nothing of what the kernel allows.
func Passing(err error) bool {
	return errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE) || errors.Is(err, posix.ENOMEM)
}
