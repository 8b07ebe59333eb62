package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ringo/cmd/ringo/internal/cli"
	"ringo/cmd/ringo/internal/server"
)

// A target is the value of a -to: an address and, after a ?, the options of the upstream there.
type target struct {
	server.Address
	route
	weight int // its share is weight divided by the sum of all
	max    int // connections, or with -http requests, at once; 0: no limit
	backup bool
}

// weightMax bounds a weight, so that sums of weights, and products of weights and connections, don't overflow an int.
const weightMax = 256

// targets is the value of the flag -to.
type targets []target

// String returns "", for no default; the help text names it.
func (ts *targets) String() string { return "" }

// Repeats implements cli.Repeated.
func (ts *targets) Repeats() {}

// Set parses a -to and appends it.
func (ts *targets) Set(text string) error {
	address, query, has := strings.Cut(text, "?")
	a, err := server.ParseAddress(address, server.ConnNetworks)
	if err != nil {
		return err
	}
	if strings.HasPrefix(a.Network, "tcp") && strings.HasSuffix(a.Name, ":0") {
		return errors.New("port 0: want 1 to 65535")
	}
	to := target{Address: a, weight: 1}
	if has {
		if err := to.read(query); err != nil {
			return err
		}
	}
	*ts = append(*ts, to)
	return nil
}

var errOptions = errors.New("want weight=N, max=N, backup=true, sni=NAME, host=NAME or path=/PREFIX behind the ?, " +
	"with & between them")

// String returns the address and the route, which together are unique among targets.
func (to target) String() string { return to.Address.String() + to.route.words("?") }

// read parses the options after the ?.
func (to *target) read(query string) error {
	options, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("%w: %w", err, errOptions)
	}
	if len(options) == 0 {
		return errOptions
	}
	for name, values := range options {
		if len(values) > 1 {
			return fmt.Errorf("%s is there twice", name)
		}
		if err := to.set(name, values[0]); err != nil {
			return err
		}
	}
	return nil
}

// set sets one option.
func (to *target) set(name, value string) error {
	n, err := strconv.Atoi(value)
	switch name {
	case "sni", "host", "path":
		return to.route.set(name, value)
	case "weight":
		if err != nil || n < 1 || n > weightMax {
			return fmt.Errorf("weight %q: want 1 to %d", value, weightMax)
		}
		to.weight = n
	case "max":
		if err != nil || n < 1 {
			return fmt.Errorf("max %q: want 1 or more", value)
		}
		to.max = n
	case "backup":
		if value != "true" && value != "false" {
			return fmt.Errorf("backup %q: want true or false", value)
		}
		to.backup = value == "true"
	default:
		return fmt.Errorf("%q is no option: %w", name, errOptions)
	}
	return nil
}

// addresses returns the addresses of all targets.
func (ts targets) addresses() (as []server.Address) {
	for _, to := range ts {
		as = append(as, to.Address)
	}
	return as
}

// check adds to m the mistakes of all targets.
func (ts targets) check(m *cli.Mistakes, o *options) {
	for i, to := range ts {
		is := func(other target) bool { return other.String() == to.String() }
		m.Want(!slices.ContainsFunc(ts[:i], is), "-to %v: is there twice", to)
		helps := func(other target) bool { return !other.backup && other.route == to.route }
		m.Want(!to.backup || slices.ContainsFunc(ts, helps), "-to %v: backup: want another -to for the same, "+
			"without backup", to)
		m.Want(to.max == 0 || o.ahead == 0, "-to %v: max is not beside -ahead, whose connections would be more", to)
		m.Want(to.sni == "" || !o.http, "-to %v: sni is not for -http, which sees what is in TLS: use host", to)
		m.Want(to.host == "" || o.http, "-to %v: host: want -http, too, or use sni", to)
		m.Want(to.path == "" || o.http, "-to %v: path: want -http, too", to)
	}
	for _, a := range o.Listen {
		m.Want(!ts.haveNames() || a.Network != "unixpacket", "-listen %v: sni is not over unixpacket, which is no "+
			"stream", a)
	}
}

// haveNames reports whether an upstream has a sni.
func (ts targets) haveNames() bool {
	return slices.ContainsFunc(ts, func(to target) bool { return to.sni != "" })
}
