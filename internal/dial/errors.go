package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// MissingAddress is the error for an empty address: package net's own, so that callers can compare with that.
var MissingAddress = func() error {
	_, err := net.DialUDP("udp", nil, nil) // makes no system call
	if op, ok := err.(*net.OpError); ok && op.Err != nil {
		return op.Err
	}
	return errors.New("missing address")
}()

// Late is the error of a dial that took too long, and Slow that of a single connect, in net's words.
var Late, Slow error = &timeout{}, &timeout{connecting: true}

type timeout struct {
	connecting bool
	cause      error
}

func (e *timeout) Unwrap() error { return e.cause }

func (*timeout) Error() string   { return "i/o timeout" }
func (*timeout) Timeout() bool   { return true }
func (*timeout) Temporary() bool { return true }

// Is matches both errors that package net may return for a connect that took too long: there it depends on which of
// two timers fires first.
func (e *timeout) Is(target error) bool {
	return target == context.DeadlineExceeded || e.connecting && target == os.ErrDeadlineExceeded
}

// canceled is the error of a dial that its context has ended, in net's words. It matches context.Canceled, whatever
// the cause.
type canceled struct{ cause error }

func (*canceled) Error() string        { return "operation was canceled" }
func (*canceled) Is(target error) bool { return target == context.Canceled }
func (e *canceled) Unwrap() error      { return e.cause }

// Ended returns the error of a dial whose context has ended, nil if it has not. It wraps the cause.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		cause = nil
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &timeout{cause: cause}
	}
	return &canceled{cause: cause}
}

// Error is the error of a dial, with the address if known.
func Error(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: addr, Err: err}
}

// Unsuitable is the error for a host that has no address of the wanted family.
func Unsuitable(address string) error {
	return &net.AddrError{Err: "no suitable address found", Addr: address}
}

// NotBegun is the error of a dial that came too late to begin. It names the address; with a host's name it is the
// error of a look-up, as in package net.
func NotBegun(network, address string, cause error) error {
	if strings.HasPrefix(network, "unix") {
		return Error(network, &net.UnixAddr{Name: address, Net: network}, cause)
	}
	if ap, err := netip.ParseAddrPort(address); err == nil {
		if strings.HasPrefix(network, "udp") {
			return Error(network, UDPAddr(ap), cause)
		}
		return Error(network, TCPAddr(ap), cause)
	}
	if address == "" {
		return Error(network, nil, MissingAddress)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return Error(network, nil, err)
	}
	if host != "" {
		cause = LookupEnded(host, cause)
	}
	return Error(network, nil, cause)
}

// LookupEnded returns the error of a look-up that ended for cause, without an answer.
func LookupEnded(host string, cause error) error {
	late := errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, os.ErrDeadlineExceeded)
	return &net.DNSError{Err: cause.Error(), Name: host, UnwrapErr: cause, IsTimeout: late, IsTemporary: late}
}

// failures are the errors of a dial that could not connect to any of several addresses.
type failures struct {
	errs []*net.OpError // of the first failuresMax addresses
	more int            // how many other addresses failed
}

// failuresMax is how many addresses a dial's error names.
const failuresMax = 8

func (f *failures) add(err error) {
	e, ok := err.(*net.OpError)
	if !ok || len(f.errs) == failuresMax {
		f.more++
		return
	}
	f.errs = append(f.errs, e)
}

// of returns the error of the dial: that of the first address, which holds those of the others if there are any.
func (f *failures) of(network string) error {
	first := f.errs[0]
	if len(f.errs)+f.more == 1 {
		return first
	}
	return Error(network, first.Addr, f)
}

// Error gives the first address's error, as the OpError around it names that address, and then the others with their
// addresses.
func (f *failures) Error() string {
	var b strings.Builder
	b.WriteString(f.errs[0].Err.Error())
	for _, e := range f.errs[1:] {
		fmt.Fprintf(&b, "; %s: %v", e.Addr, e.Err)
	}
	if f.more > 0 {
		fmt.Fprintf(&b, "; and %d more", f.more)
	}
	return b.String()
}

// Unwrap returns the errors of the addresses.
func (f *failures) Unwrap() []error {
	errs := make([]error, len(f.errs))
	for i, e := range f.errs {
		errs[i] = e.Err
	}
	return errs
}

// Timeout reports whether a connect to an address timed out.
func (f *failures) Timeout() bool { return slices.ContainsFunc(f.errs, (*net.OpError).Timeout) }

// Temporary reports whether one of the errors is temporary: another attempt may succeed.
func (f *failures) Temporary() bool { return slices.ContainsFunc(f.errs, (*net.OpError).Temporary) }

// telling returns the more informative of the errors of two look-ups of one name. A server that did not answer says
// more than a name that does not exist, which may only mean that it has no address of that family.
func telling(a, b error) error {
	var x, y *net.DNSError
	switch {
	case a == nil, !errors.As(a, &x) && errors.As(b, &y):
		return b
	case b == nil, x == nil, !x.IsNotFound:
		return a
	case errors.As(b, &y) && !y.IsNotFound:
		return b
	}
	return a
}
