package dial

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"sync"
)

// Trace is what a context asks to be told about a dial: DNSStart, DNSDone, ConnectStart and ConnectDone of
// net/http/httptrace. A nil Trace asks for nothing.
//
// Package httptrace leaves its functions in the context for package net, under a key whose type is internal to the
// standard library, in a struct whose fields are exported. So the key is found by a look-up, which asks its context
// for it, and the fields are read by reflection. Importing httptrace would add crypto/tls to every program.
type Trace struct {
	key, lookups any // for the look-ups' context: without these functions, which Trace calls itself
	dnsStart     func(name string)
	dnsDone      func(addrs []any, coalesced bool, err error)
	start        func(network, addr string)
	done         func(network, addr string, err error)

	mu       sync.Mutex // held while dnsDone is called, too, which is before any connect
	asked    int        // look-ups that have begun
	answered int
	told     bool // dnsDone was called
	found    []any
	err      error
}

// TraceOf returns what the context asks to be told; nil if nothing.
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

// takeField returns the function in a field, and clears the field.
func takeField[F any](s reflect.Value, name string) (f F) {
	v := s.FieldByName(name)
	if v.IsValid() && v.CanInterface() {
		f, _ = v.Interface().(F)
		v.SetZero()
	}
	return f
}

// Values returns a context for look-ups that has the other values of the trace, but not these functions.
func (t *Trace) Values(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, t.key, t.lookups)
}

// Lookup is a function that looks up a host.
type Lookup = func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Lookups wraps lookup so that n look-ups of one name are reported as one.
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

// tellFound reports what was found. mu is held.
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

// LookedUp reports the look-ups as done, because the dial waits for no more of them.
func (t *Trace) LookedUp() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellFound()
}

// Connect reports that a connect to an address begins; calling done reports its end. t must not be nil.
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

// traceKey returns the key of the functions; nil if package net does not ask for it.
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

// keyFinder is a context that looks at the keys that it is asked for. It returns a function for the look-up itself, so
// that no real one is made.
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
