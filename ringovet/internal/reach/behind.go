package reach

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/roots"
)

// behind adds an edge that parks for a method of an http.ResponseWriter, whose value is not known. It reports whether v
// is one.
func (s *scanner) behind(v ssa.Value, method string) bool {
	is := writes(v.Type(), method) || writes(unwrapped(v).Type(), method)
	if is {
		s.add(edge{park: method + " of an http.ResponseWriter"})
	}
	return is
}

const readsBody = "Read of a Body of net/http"

// body looks at a call of Read of a request's or an answer's Body. A Body of net/http, the server's or the client's,
// parks. If the program has made the request or the answer itself, the Body may be any that is stored in such a field
// anywhere, so what it calls counts as later: it is no reason to say that this function parks.
func (s *scanner) body(v ssa.Value, of *ssa.FieldAddr) (known bool) {
	before := len(s.edges)
	known = s.called(s.origins(v), "Read", nil)
	if !slices.ContainsFunc(s.w.g.AllRoots(of.X), madeHere) {
		s.add(edge{park: readsBody})
		return true
	}
	for i := range s.edges[before:] {
		s.edges[before+i].later = true
	}
	return known
}

// given adds edges for a call of a parameter's method that parks for some caller of the function. They count only while
// the function itself holds a lock: other callers may pass values that don't park.
func (s *scanner) given(p *ssa.Parameter, method string) {
	from := s.w.g.AllRoots(p)
	if len(from) == 0 && writes(p.Type(), method) {
		s.add(edge{park: method + " of an http.ResponseWriter", given: true})
	}
	for _, r := range from {
		switch r := r.(type) {
		case *ssa.Call:
			if park := s.returned(r, method); park != "" {
				s.add(edge{park: park, given: true})
			}
		case *ssa.MakeInterface:
			f, obj := s.w.g.Method(r.X.Type(), s.pkg(), method)
			switch {
			case f == nil || obj.Pkg() == nil:
			case roots.Ours(obj.Pkg().Path()):
				if roots.Parks(obj.Pkg().Path(), method) {
					s.add(edge{park: short(obj), given: true})
				}
			case f.Blocks != nil:
				s.add(edge{within: f, given: true})
			}
		}
	}
}

// returned returns the method by which a value parks that a function has returned as an interface, such as a connection
// that one of Ringo's listeners has accepted; "" if it does not park.
func (s *scanner) returned(call *ssa.Call, method string) string {
	if isLimit(call) && method == "Read" {
		return readsBody
	}
	for _, f := range s.w.g.Callees(&call.Call) {
		obj := objectOf(f)
		if obj != nil && obj.Pkg() != nil && roots.Ours(obj.Pkg().Path()) && roots.Parks(obj.Pkg().Path(), method) {
			return method + " of what " + short(obj) + " returns"
		}
	}
	return ""
}

// answering are the methods of an http.ResponseWriter, and of the types that it is asserted to, in which a task parks.
var answering = []string{"Write", "WriteString", "ReadFrom", "Flush", "FlushError"}

func writes(t types.Type, method string) bool {
	return (t.String() == "net/http.ResponseWriter" || t.String() == "net/http.Flusher") &&
		slices.Contains(answering, method)
}

// unwrapped returns the value before it was converted or asserted to another interface.
func unwrapped(v ssa.Value) ssa.Value {
	for {
		switch x := v.(type) {
		case *ssa.ChangeInterface:
			v = x.X
			continue
		case *ssa.Extract:
			if a, ok := x.Tuple.(*ssa.TypeAssert); ok && types.IsInterface(a.AssertedType) {
				v = a.X
				continue
			}
		case *ssa.TypeAssert:
			if types.IsInterface(x.AssertedType) {
				v = x.X
				continue
			}
		}
		return v
	}
}

// bodyOf returns the field that a value was read from, if it is the Body of a request or of an answer; else nil.
func bodyOf(v ssa.Value) *ssa.FieldAddr {
	load, ok := v.(*ssa.UnOp)
	if !ok {
		return nil
	}
	at, ok := load.X.(*ssa.FieldAddr)
	if !ok {
		return nil
	}
	switch of := flow.FieldOf(at.X.Type(), at.Field); of {
	case flow.Field{Struct: "net/http.Request", Name: "Body"}, flow.Field{Struct: "net/http.Response", Name: "Body"}:
		return at
	}
	return nil
}

// isLimit reports whether a value is an http.MaxBytesReader.
func isLimit(v ssa.Value) bool {
	call, ok := v.(*ssa.Call)
	return ok && callee(&call.Call) == "net/http.MaxBytesReader"
}

// madeHere reports whether the program itself makes a request or an answer.
func madeHere(r ssa.Value) bool {
	if call, ok := r.(*ssa.Call); ok {
		name := callee(&call.Call)
		return name == "net/http.NewRequest" || name == "net/http.NewRequestWithContext"
	}
	_, made := r.(*ssa.Alloc)
	return made
}

// controlled looks at the ResponseWriter that a call of http.ResponseController.Flush flushes.
func (s *scanner) controlled(name string, args []ssa.Value) {
	if name != "(*net/http.ResponseController).Flush" {
		return
	}
	for _, r := range s.origins(args[0]) {
		if call, ok := r.(*ssa.Call); ok && callee(&call.Call) == "net/http.NewResponseController" {
			s.value(call.Call.Args[0], "Flush", nil)
		}
	}
}
