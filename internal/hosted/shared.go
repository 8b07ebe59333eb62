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

func openShared(driver string) (*Rings, error) {
	switch driver {
	case "", "auto", "uring":
		return Open(Config{})
	}
	return nil, fmt.Errorf("hosted: %s is %s: no io_uring for files either", driverVariable, driver)
}

// Passing reports whether an error says nothing of what the kernel allows.
func Passing(err error) bool {
	return errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE) || errors.Is(err, posix.ENOMEM)
}
