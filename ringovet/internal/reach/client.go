package reach

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// clientCalls are the methods of an http.Client, which wait where its Transport does.
var clientCalls = []string{"(*net/http.Client).Do", "(*net/http.Client).Get", "(*net/http.Client).Head",
	"(*net/http.Client).Post", "(*net/http.Client).PostForm"}

// client looks at a call of one of these, and follows it into the client's Transport. It returns false if it can't:
// then the Transport may be net/http's, or is not known.
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

// transports returns what the Transport of a client may be, nil if that is not known. It looks at what is stored into
// the field where the client is made.
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

// storedIn returns what is stored into the Transport of a client that is made here.
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

// isTransport reports whether the field with that index of what t points to is the Transport of an http.Client.
func isTransport(t types.Type, field int) bool {
	p, ok := t.Underlying().(*types.Pointer)
	if !ok {
		return false
	}
	of, ok := p.Elem().Underlying().(*types.Struct)
	return ok && p.Elem().String() == "net/http.Client" && of.Field(field).Name() == "Transport"
}
