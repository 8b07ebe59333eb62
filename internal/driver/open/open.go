// Package open chooses a driver: the one asked for, or the best that this kernel
// allows, with the reason kept.
package open

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"ringo/internal/driver"
	"ringo/internal/driver/soft"
	"ringo/internal/driver/uring"
)

// The names of drivers, as in Config.Driver and RINGO_DRIVER.
const (
	Auto  = "auto"
	Uring = "uring"
	Epoll = "epoll"
)

// Names lists what can be asked for.
func Names() []string { return []string{Auto, Uring, Epoll} }

// Check says whether a name is one of Names, and what is wrong if not.
func Check(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	return fmt.Errorf("unknown driver %q: want %s", name, strings.Join(Names(), ", "))
}

// Open makes a driver on the calling thread, which the caller has locked. auto
// takes uring if it works here, else epoll, and says why. A driver that was asked
// for and can't be had is an error that names the step and the likely cause.
func Open(name string, cfg driver.Config) (driver.Driver, error) {
	switch name {
	case Auto:
		cfg.Shrink = true
		d, err := uring.Open(cfg)
		if err == nil {
			return reasoned{d, "io_uring works here"}, nil
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return nil, err
		}
		soft, softErr := soft.OpenEpoll(cfg)
		if softErr != nil {
			return nil, errors.Join(err, softErr)
		}
		return reasoned{soft, err.Error()}, nil
	case Uring:
		d, err := uring.Open(cfg)
		if err != nil {
			return nil, err
		}
		return reasoned{d, "asked for"}, nil
	case Epoll:
		d, err := soft.OpenEpoll(cfg)
		if err != nil {
			return nil, err
		}
		return reasoned{d, "asked for"}, nil
	}
	return nil, Check(name)
}

// reasoned is a driver that knows why it was chosen.
type reasoned struct {
	driver.Driver
	reason string
}

// Info adds the reason.
func (d reasoned) Info() driver.Info {
	info := d.Driver.Info()
	info.Reason = d.reason
	return info
}
