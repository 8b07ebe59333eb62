package dial

import (
	"context"
	"net"
	"reflect"
	"sync"
)

// Trace is what a context wants to be told of connects: ConnectStart and ConnectDone of net/http/httptrace. A nil
// Trace wants nothing.
//
// Package httptrace leaves its functions in the context for package net, under a key of a type that is internal to the
// standard library, in a struct whose fields are not: so the key is taken from a look-up, which asks its context for
// it, and the fields by reflection. To import httptrace would add crypto/tls to every program.
type Trace struct {
	key, lookups any // in the place of what the context has for the look-ups, whose own connects are nobody's business
	start        func(network, addr string)
	done         func(network, addr string, err error)
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

// Values is a context with values for look-ups, which does not tell of their connects.
func (t *Trace) Values(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, t.key, t.lookups)
}

// Connect tells of a connect to an address: of its begin, and by the function that it returns of its end. Not of a nil
// Trace.
func (t *Trace) Connect(network string, addr net.Addr) (done func(error)) {
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
