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

// handlerFunc is the function that a box is the handler of; nil: it is of another type. Its method is nobody's to find:
// the standard library has no bodies here.
func handlerFunc(box *ssa.MakeInterface) ssa.Value {
	if box.X.Type().String() == "net/http.HandlerFunc" {
		return box.X
	}
	return nil
}

// wrappedHandler is the handler that one of net/http's own is around; nil: the value is none of those.
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

// standIn is the function of the standard library that has made a value whose methods are blockers; nil: it is none.
func standIn(v ssa.Value) *ssa.Function {
	if call, ok := v.(*ssa.Call); ok {
		if _, is := blockers.Stand(callee(&call.Call)); is {
			return call.Call.StaticCallee()
		}
	}
	return nil
}

// handedOver are the functions that run where a value was handed over: a function itself, or the method of an
// http.Handler. Of an http.ServeMux they are those of its routes.
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

// routes adds what was given to a mux by its Handle and HandleFunc, wherever that was.
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

// callee is the name of the function that a call names; "" if it names none.
func callee(call *ssa.CallCommon) string {
	if f := call.StaticCallee(); f != nil && objectOf(f) != nil {
		return objectOf(f).FullName()
	}
	return ""
}
