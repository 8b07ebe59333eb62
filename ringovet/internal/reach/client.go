package reach

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// clientCalls are the methods of an http.Client that wait where its Transport does.
var clientCalls = []string{"(*net/http.Client).Do", "(*net/http.Client).Get", "(*net/http.Client).Head",
	"(*net/http.Client).Post", "(*net/http.Client).PostForm"}

// client looks at a call of one of these. It reports false if the client may be one that has a Transport of net/http's,
// or none.
func (s *scanner) client(name, label string, args []ssa.Value) bool {
	if !slices.Contains(clientCalls, name) || len(args) == 0 {
		return false
	}
	transports := s.transports(args[0])
	for _, t := range transports {
		box, ok := t.(*ssa.MakeInterface)
		if !ok || box.X.Type().String() == "*net/http.Transport" {
			return false
		}
	}
	if len(transports) == 0 {
		return false
	}
	s.within(label, func() { s.called(transports, "RoundTrip", nil) })
	return true
}

// transports are what the Transport of a client may be; none: nobody knows. It is what is put into the client where
// that is made by itself.
func (s *scanner) transports(client ssa.Value) (all []ssa.Value) {
	for _, c := range s.w.g.AllRoots(client) {
		stored := storedIn(c)
		if len(stored) == 0 {
			return nil
		}
		for _, v := range stored {
			of := s.w.g.AllRoots(v)
			if len(of) == 0 {
				return nil
			}
			all = append(all, of...)
		}
	}
	return all
}

func referrers(v ssa.Value) []ssa.Instruction {
	if r := v.Referrers(); r != nil {
		return *r
	}
	return nil
}

// storedIn is what is stored into the Transport of a client that is made here.
func storedIn(client ssa.Value) (all []ssa.Value) {
	for _, i := range referrers(client) {
		at, ok := i.(*ssa.FieldAddr)
		if !ok || !isTransport(client.Type(), at.Field) {
			continue
		}
		for _, use := range referrers(at) {
			if store, ok := use.(*ssa.Store); ok && store.Addr == at {
				all = append(all, store.Val)
			}
		}
	}
	return all
}

// isTransport reports whether a field of what t points to is the Transport of a client.
func isTransport(t types.Type, field int) bool {
	p, ok := t.Underlying().(*types.Pointer)
	if !ok {
		return false
	}
	of, ok := p.Elem().Underlying().(*types.Struct)
	return ok && p.Elem().String() == "net/http.Client" && of.Field(field).Name() == "Transport"
}
