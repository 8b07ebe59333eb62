package dial

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"sync"
)

// Trace is what a context wants to be told of a dial: DNSStart, DNSDone, ConnectStart and ConnectDone of
// net/http/httptrace. A nil Trace wants nothing.
//
// Package httptrace leaves its functions in the context for package net, under a key of a type that is internal to the
// standard library, in a struct whose fields are not: so the key is taken from a look-up, which asks its context for
// it, and the fields by reflection. To import httptrace would add crypto/tls to every program.
type Trace struct {
	key, lookups any // in the place of what the context has for the look-ups, of which nobody else is to tell
	dnsStart     func(name string)
	dnsDone      func(addrs []any, coalesced bool, err error)
	start        func(network, addr string)
	done         func(network, addr string, err error)

	mu       sync.Mutex // also while dnsDone is called, which is before any connect
	asked    int        // look-ups that have begun
	answered int
	told     bool // by dnsDone
	found    []any
	err      error
}

// TraceOf is what the context wants to be told; nil if nothing.
func TraceOf(ctx context.Context) *Trace {
	if ctx == context.Background() {
		return nil
	}
	key := traceKey()
	if key == nil {
		return nil
	}
	v := reflect.ValueOf(ctx.Value(key))
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	t := &Trace{key: key}
	lookups := reflect.New(v.Elem().Type())
	lookups.Elem().Set(v.Elem())
	t.dnsStart = takeField[func(name string)](lookups.Elem(), "DNSStart")
	t.dnsDone = takeField[func(addrs []any, coalesced bool, err error)](lookups.Elem(), "DNSDone")
	t.start = takeField[func(network, addr string)](lookups.Elem(), "ConnectStart")
	t.done = takeField[func(network, addr string, err error)](lookups.Elem(), "ConnectDone")
	t.lookups = lookups.Interface()
	return t
}

// takeField takes a function out of a field.
func takeField[F any](s reflect.Value, name string) (f F) {
	v := s.FieldByName(name)
	if v.IsValid() && v.CanInterface() {
		f, _ = v.Interface().(F)
		v.SetZero()
	}
	return f
}

// Values is a context with values for look-ups, which does not tell of them.
func (t *Trace) Values(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, t.key, t.lookups)
}

// Lookup is what looks a host up.
type Lookup = func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Lookups tells of look-ups as of one, where there are as many as said for one name.
func (t *Trace) Lookups(n int, lookup Lookup) Lookup {
	if t == nil {
		return lookup
	}
	return func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		if Numeric(host) {
			return lookup(ctx, network, host)
		}
		t.lookupBegins(host)
		addrs, err := lookup(ctx, network, host)
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, a := range addrs {
			t.found = append(t.found, net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()})
		}
		t.err = telling(t.err, err)
		if t.answered++; t.answered == n {
			t.tellFound()
		}
		return addrs, err
	}
}

func (t *Trace) lookupBegins(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked++; t.asked == 1 && t.dnsStart != nil {
		t.dnsStart(host)
	}
}

// tellFound tells, under mu, what was found.
func (t *Trace) tellFound() {
	if t.told || t.asked == 0 {
		return
	}
	t.told = true
	if len(t.found) > 0 {
		t.err = nil
	}
	if t.dnsDone != nil {
		t.dnsDone(t.found, false, t.err)
	}
}

// LookedUp says that nobody waits for look-ups any more.
func (t *Trace) LookedUp() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellFound()
}

// Connect tells of a connect to an address: of its begin, and by the function that it returns of its end. Not of a nil
// Trace.
func (t *Trace) Connect(network string, addr net.Addr) (done func(error)) {
	t.LookedUp()
	text := addr.String()
	if t.start != nil {
		t.start(network, text)
	}
	return func(err error) {
		if t.done != nil {
			t.done(network, text, err)
		}
	}
}

// traceKey is the key of the functions; nil if package net asks for none.
var traceKey = sync.OnceValue(func() any {
	asked := keyFinder{Context: context.Background(), found: make(chan any, 1)}
	new(net.Resolver).LookupIPAddr(asked, "localhost")
	select {
	case key := <-asked.found:
		return key
	default:
		return nil
	}
})

// keyFinder is a context that looks at what it is asked for. It has a function for the look-up itself, so that none is
// made.
type keyFinder struct {
	context.Context
	found chan any // the key, if it was asked for
}

func (f keyFinder) Value(key any) any {
	switch t := reflect.TypeOf(key); {
	case t.PkgPath() != "internal/nettrace":
		return nil
	case t.Name() == "TraceKey":
		select {
		case f.found <- key:
		default:
		}
	case t.Name() == "LookupIPAltResolverKey":
		return func(context.Context, string, string) ([]net.IPAddr, error) { return nil, context.Canceled }
	}
	return nil
}
