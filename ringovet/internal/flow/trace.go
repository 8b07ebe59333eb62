package flow

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// A tracer traces one value back to what it may be.
type tracer struct {
	g     *Graph
	own   *ssa.Function // its parameters, and those of the functions around it, are leaves
	seen  map[ssa.Value]bool
	has   map[ssa.Value]bool
	found []ssa.Value
}

func (g *Graph) tracer(own *ssa.Function, seen map[ssa.Value]bool) *tracer {
	return &tracer{g: g, own: own, seen: seen, has: map[ssa.Value]bool{}}
}

func (t *tracer) leaf(v ssa.Value) {
	if !t.has[v] {
		t.has[v] = true
		t.found = append(t.found, v)
	}
}

func (t *tracer) all(vs []ssa.Value) {
	for _, v := range vs {
		t.trace(v)
	}
}

func (t *tracer) trace(v ssa.Value) {
	if t.seen[v] {
		return
	}
	t.seen[v] = true
	switch v := v.(type) {
	case *ssa.Function, *ssa.MakeClosure, *ssa.MakeInterface, *ssa.Alloc, *ssa.MakeSlice, *ssa.MakeMap, *ssa.MakeChan,
		*ssa.Global:
		t.leaf(v)
	case *ssa.ChangeInterface:
		t.trace(v.X)
	case *ssa.ChangeType:
		t.trace(v.X)
	case *ssa.Convert:
		t.trace(v.X)
	case *ssa.Slice:
		t.trace(v.X)
	case *ssa.Phi:
		t.all(v.Edges)
	case *ssa.FreeVar:
		t.all(t.g.bindings(v))
	case *ssa.Parameter:
		if t.own != nil && Around(v.Parent(), t.own) {
			t.leaf(v)
		} else {
			t.all(t.g.arguments(v))
		}
	case *ssa.TypeAssert:
		t.asserted(v)
	case *ssa.Extract:
		t.extract(v)
	case *ssa.UnOp:
		t.unary(v)
	case *ssa.Field:
		t.all(t.g.stores[FieldOf(v.X.Type(), v.Field)])
	case *ssa.Lookup:
		t.elements(v.X)
	case *ssa.Index:
		t.elements(v.X)
	case *ssa.Call:
		t.result(v, 0)
	}
}

// asserted traces x.(T).
func (t *tracer) asserted(v *ssa.TypeAssert) {
	if types.IsInterface(v.AssertedType) {
		t.trace(v.X)
		return
	}
	inner := t.g.tracer(t.own, t.seen)
	inner.trace(v.X)
	for _, r := range inner.found {
		if box, ok := r.(*ssa.MakeInterface); ok && types.Identical(box.X.Type(), v.AssertedType) {
			t.trace(box.X)
		}
	}
}

// extract traces one of several results.
func (t *tracer) extract(v *ssa.Extract) {
	switch tuple := v.Tuple.(type) {
	case *ssa.Call:
		t.result(tuple, v.Index)
	case *ssa.TypeAssert:
		t.asserted(tuple)
	case *ssa.Lookup:
		t.elements(tuple.X)
	case *ssa.UnOp:
		t.elements(tuple.X) // v, ok := <-c
	case *ssa.Next:
		if r, ok := tuple.Iter.(*ssa.Range); ok && v.Index == 2 {
			t.elements(r.X)
		}
	case *ssa.Select:
		n := 2
		for _, s := range tuple.States {
			if s.Dir == types.RecvOnly {
				if n == v.Index {
					t.elements(s.Chan)
				}
				n++
			}
		}
	}
}

// unary traces a load or a receive.
func (t *tracer) unary(v *ssa.UnOp) {
	switch v.Op {
	case token.ARROW:
		t.elements(v.X)
	case token.MUL:
		if at, ok := v.X.(*ssa.IndexAddr); ok {
			t.elements(at.X)
			return
		}
		known := false
		for _, cell := range t.g.cells(v.X, map[ssa.Value]bool{}) {
			known = known || len(t.g.stores[cell]) > 0
			t.all(t.g.stores[cell])
		}
		if !known {
			t.leaf(v)
		}
	}
}

// elements traces what was put into the containers that v may be.
func (t *tracer) elements(v ssa.Value) {
	of := t.g.AllRoots(v)
	if len(of) == 0 {
		return
	}
	want := elem(v.Type())
	for _, e := range t.g.elements {
		if types.Identical(want, elem(e.container.Type())) && common(of, t.g.AllRoots(e.container)) {
			t.trace(e.val)
		}
	}
}

// elem returns the type of a container's elements.
func elem(t types.Type) types.Type {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return elem(u.Elem())
	case interface{ Elem() types.Type }:
		return u.Elem()
	}
	return types.Typ[types.Invalid]
}

func common(a, b []ssa.Value) bool {
	return slices.ContainsFunc(a, func(v ssa.Value) bool { return slices.Contains(b, v) })
}

// result traces what the functions that a call may call return.
func (t *tracer) result(call *ssa.Call, index int) {
	if b, ok := call.Call.Value.(*ssa.Builtin); ok {
		if b.Name() == "append" {
			t.all(call.Call.Args)
		}
		return
	}
	for _, f := range t.g.Callees(&call.Call) {
		if f.Blocks == nil {
			t.leaf(call)
			continue
		}
		for _, b := range f.Blocks {
			ret, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return)
			if !ok || index >= len(ret.Results) {
				continue
			}
			inner := t.g.tracer(f, t.seen)
			inner.trace(ret.Results[index])
			for _, r := range inner.found {
				if p, ok := r.(*ssa.Parameter); !ok {
					t.leaf(r)
				} else if p.Parent() != f {
					t.trace(p)
				} else if i := slices.Index(f.Params, p); i < len(call.Call.Args) && !call.Call.IsInvoke() {
					t.trace(call.Call.Args[i])
				}
			}
		}
	}
}
