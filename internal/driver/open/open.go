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
	cfg.Reason = "asked for"
	switch name {
	case Auto:
		return openAuto(cfg)
	case Uring:
		return uring.Open(cfg)
	case Epoll:
		return soft.OpenEpoll(cfg)
	}
	return nil, Check(name)
}

func openAuto(cfg driver.Config) (driver.Driver, error) {
	cfg.Shrink = true
	cfg.Reason = "io_uring works here"
	d, err := uring.Open(cfg)
	if err == nil {
		return d, nil
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return nil, err
	}
	cfg.Reason = err.Error()
	d, softErr := soft.OpenEpoll(cfg)
	if softErr != nil {
		return nil, fmt.Errorf("%w; and %w", err, softErr)
	}
	return d, nil
}
