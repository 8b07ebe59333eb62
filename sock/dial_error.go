package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// A dialTimeout is the error of a dial that took too long, in net's words.
type dialTimeout struct{ connecting bool }

var errLate, errSlow = &dialTimeout{}, &dialTimeout{connecting: true}

func (*dialTimeout) Error() string   { return "i/o timeout" }
func (*dialTimeout) Timeout() bool   { return true }
func (*dialTimeout) Temporary() bool { return true }

// Is finds in a connect that took too long both errors that package net may give:
// there it depends on which of two timers is first.
func (e *dialTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded || e.connecting && target == os.ErrDeadlineExceeded
}

func dialError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: addr, Err: err}
}

// noFamily is the error of a dial from an address of another family than the peer's.
func noFamily(address string) error {
	return &net.AddrError{Err: "no address of the family of LocalAddr", Addr: address}
}

// notBegun is the error of a dial that came too late to begin. It names the address; a
// host's name is that of a look-up, as in package net.
func notBegun(network, address string, cause error) error {
	if unixNetwork(network) {
		return dialError(network, &net.UnixAddr{Name: address, Net: network}, cause)
	}
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return dialError(network, tcpAddr(ap), cause)
	}
	if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
		cause = &net.DNSError{Err: cause.Error(), Name: host, UnwrapErr: cause,
			IsTimeout: errors.Is(cause, context.DeadlineExceeded)}
	}
	return dialError(network, nil, cause)
}

// dialErrors is why none of several addresses could be connected to.
type dialErrors struct {
	errs []*net.OpError // of the first of them
	more int            // how many others there were
}

// dialErrorsMax is how many addresses a dial's error names.
const dialErrorsMax = 8

func (d *dialErrors) add(err error) {
	e, ok := err.(*net.OpError)
	if !ok || len(d.errs) == dialErrorsMax {
		d.more++
		return
	}
	d.errs = append(d.errs, e)
}

// of gives the error of the dial, which is that of the first address. If there were
// others they are in it.
func (d *dialErrors) of(network string) error {
	first := d.errs[0]
	if len(d.errs)+d.more == 1 {
		return first
	}
	return dialError(network, first.Addr, d)
}

// Error names the first address's error, since the OpError around it names that
// address, and then the others with theirs.
func (d *dialErrors) Error() string {
	var b strings.Builder
	b.WriteString(d.errs[0].Err.Error())
	for _, e := range d.errs[1:] {
		fmt.Fprintf(&b, "; %s: %v", e.Addr, e.Err)
	}
	if d.more > 0 {
		fmt.Fprintf(&b, "; and %d more", d.more)
	}
	return b.String()
}

// Unwrap gives the errors of the addresses.
func (d *dialErrors) Unwrap() []error {
	errs := make([]error, len(d.errs))
	for i, e := range d.errs {
		errs[i] = e.Err
	}
	return errs
}

// Timeout reports whether an address gave no answer in time.
func (d *dialErrors) Timeout() bool {
	for _, e := range d.errs {
		if e.Timeout() {
			return true
		}
	}
	return false
}

// Temporary reports whether one of the errors is: another time it may go through.
func (d *dialErrors) Temporary() bool {
	for _, e := range d.errs {
		if e.Temporary() {
			return true
		}
	}
	return false
}

// telling picks of the errors of two look-ups of one name the one that says more: a
// server that did not answer over a name that there is not, which may only mean that
// it has no address of that family.
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
