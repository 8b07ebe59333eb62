package reach

import (
	"slices"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/flow"
)

const (
	mux     = "*net/http.ServeMux"
	serving = "ServeHTTP"
)

// handlerFunc returns the function in an http.HandlerFunc that was put into an interface; nil if the value is of
// another type. It is needed since HandlerFunc.ServeHTTP has no body here, as all of the standard library.
func handlerFunc(box *ssa.MakeInterface) ssa.Value {
	if box.X.Type().String() == "net/http.HandlerFunc" {
		return box.X
	}
	return nil
}

// wrappedHandler returns the handler that a handler of net/http, such as StripPrefix's, was made around; else nil.
func wrappedHandler(v ssa.Value) ssa.Value {
	call, ok := v.(*ssa.Call)
	if !ok {
		return nil
	}
	args := call.Call.Args
	switch callee(&call.Call) {
	case "net/http.StripPrefix":
		return args[1]
	case "net/http.AllowQuerySemicolons", "net/http.MaxBytesHandler":
		return args[0]
	}
	return nil
}

// standIn returns the function of the standard library that has made the value, if that value's methods are blockers;
// else nil.
func standIn(v ssa.Value) *ssa.Function {
	if call, ok := v.(*ssa.Call); ok {
		if _, is := blockers.Stand(callee(&call.Call)); is {
			return call.Call.StaticCallee()
		}
	}
	return nil
}

// handedOver returns the functions that run when a value is handed over: the function itself, or the ServeHTTP of an
// http.Handler. For an http.ServeMux they are those of its routes.
func (w *World) handedOver(v ssa.Value) []*ssa.Function {
	h := handover{w: w, seen: map[ssa.Value]bool{}}
	h.add(v)
	return h.all
}

type handover struct {
	w    *World
	all  []*ssa.Function
	seen map[ssa.Value]bool
}

func (h *handover) add(v ssa.Value) {
	if h.seen[v] {
		return
	}
	h.seen[v] = true
	for _, r := range h.w.g.AllRoots(v) {
		box, boxed := r.(*ssa.MakeInterface)
		switch f := flow.FuncOf(r); {
		case f != nil:
			h.all = append(h.all, f)
		case !boxed:
			if inner := wrappedHandler(r); inner != nil {
				h.add(inner)
			} else if made := standIn(r); made != nil {
				h.all = append(h.all, made)
			}
		case handlerFunc(box) != nil:
			h.add(box.X)
		case box.X.Type().String() == mux:
			h.routes(box.X)
		default:
			if f, _ := h.w.g.Method(box.X.Type(), nil, serving); f != nil {
				h.all = append(h.all, f)
			}
		}
	}
}

// routes adds the handlers that were registered with a mux by Handle and HandleFunc, anywhere.
func (h *handover) routes(mux ssa.Value) {
	these := h.w.g.AllRoots(mux)
	isOne := func(r ssa.Value) bool { return slices.Contains(these, r) }
	for _, f := range h.w.g.Funcs {
		for _, b := range f.Blocks {
			for _, instr := range b.Instrs {
				call, ok := instr.(ssa.CallInstruction)
				if !ok {
					continue
				}
				switch args := call.Common().Args; callee(call.Common()) {
				case "(*net/http.ServeMux).Handle", "(*net/http.ServeMux).HandleFunc":
					if slices.ContainsFunc(h.w.g.AllRoots(args[0]), isOne) {
						h.add(args[2])
					}
				}
			}
		}
	}
}

// callee returns the name of the function that a call names, "" if it names none.
func callee(call *ssa.CallCommon) string {
	if f := call.StaticCallee(); f != nil && objectOf(f) != nil {
		return objectOf(f).FullName()
	}
	return ""
}
