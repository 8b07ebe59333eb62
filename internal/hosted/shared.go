package hosted

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"ringo/internal/posix"
)

// driverVariable is package ringo's variable. A program that avoids io_uring by it gets none here either.
const driverVariable = "RINGO_DRIVER"

// askAgain is how long after a shortage of descriptors or memory no further attempt is made.
const askAgain = time.Second

var shared struct {
	sync.Mutex
	rings *Rings
	err   error
	until time.Time // when to try again; zero: never
}

// Shared returns the rings of the process, which the first call makes. If there are none, the error says why. It stays
// the same, unless the cause is a shortage, which may pass.
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

// openShared makes rings by io_uring, or by native AIO if io_uring is refused or avoided.
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

// Passing reports whether an error is a shortage, which does not show what the kernel allows.
func Passing(err error) bool {
	return errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE) || errors.Is(err, posix.ENOMEM)
}
