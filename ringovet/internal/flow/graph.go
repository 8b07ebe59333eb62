package flow

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A Graph has the functions of some packages, and where their values go.
type Graph struct {
	Prog  *ssa.Program
	Funcs []*ssa.Function // functions with bodies

	closures map[*ssa.Function][]*ssa.MakeClosure
	callers  map[*ssa.Function][]ssa.CallInstruction // static calls
	invokes  map[string][]ssa.CallInstruction        // calls through interfaces, by method name
	stores   map[any][]ssa.Value                     // values stored into a variable (its Alloc or Global) or a Field
	elements []element
	answers
}

// A Field is a field of a struct type.
type Field struct {
	Struct string // "package.Type", or the text of a type without a name
	Name   string
}

// An element is a value that is put into a slice, an array, a map or a channel, the container.
type element struct{ container, val ssa.Value }

// index notes all closures, stores and calls.
func (g *Graph) index() {
	slices.SortFunc(g.Funcs, func(a, b *ssa.Function) int {
		if c := int(a.Pos() - b.Pos()); c != 0 {
			return c
		}
		return strings.Compare(a.String(), b.String())
	})
	var later []*ssa.Store // need the closures, for variables of functions around one
	g.each(func(instr ssa.Instruction) {
		switch i := instr.(type) {
		case *ssa.MakeClosure:
			f := i.Fn.(*ssa.Function)
			g.closures[f] = append(g.closures[f], i)
		case *ssa.Store:
			if at, ok := i.Addr.(*ssa.IndexAddr); ok {
				g.elements = append(g.elements, element{at.X, i.Val})
			} else {
				later = append(later, i)
			}
		case *ssa.MapUpdate:
			g.elements = append(g.elements, element{i.Map, i.Value})
		case *ssa.Send:
			g.elements = append(g.elements, element{i.Chan, i.X})
		case *ssa.Select:
			for _, s := range i.States {
				if s.Send != nil {
					g.elements = append(g.elements, element{s.Chan, s.Send})
				}
			}
		}
		if call, ok := instr.(ssa.CallInstruction); ok {
			common := call.Common()
			if f := common.StaticCallee(); f != nil {
				g.callers[f] = append(g.callers[f], call)
			} else if common.IsInvoke() {
				g.invokes[common.Method.Name()] = append(g.invokes[common.Method.Name()], call)
			}
		}
	})
	for _, s := range later {
		for _, cell := range g.cells(s.Addr, map[ssa.Value]bool{}) {
			g.stores[cell] = append(g.stores[cell], s.Val)
		}
	}
}

func (g *Graph) each(visit func(ssa.Instruction)) {
	for _, f := range g.Funcs {
		for _, b := range f.Blocks {
			for _, i := range b.Instrs {
				visit(i)
			}
		}
	}
}

// Stored returns the values that are stored into a field anywhere.
func (g *Graph) Stored(f Field) []ssa.Value { return g.stores[f] }

// Sites returns the calls that call a function by its name.
func (g *Graph) Sites(f *ssa.Function) []ssa.CallInstruction { return g.callers[f] }

// FieldOf returns the field of a struct type, or of the struct that t points to.
func FieldOf(t types.Type, index int) Field {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	name := t.String()
	if n, ok := types.Unalias(t).(*types.Named); ok {
		obj := n.Origin().Obj()
		name = obj.Name()
		if obj.Pkg() != nil {
			name = obj.Pkg().Path() + "." + name
		}
		if obj.Parent() != nil && obj.Pkg() != nil && obj.Parent() != obj.Pkg().Scope() {
			name = t.String() + obj.Name() + string(rune(obj.Pos())) // a type within a function
		}
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return Field{}
	}
	return Field{name, s.Field(index).Name()}
}

// cells returns the variables and fields that an address may be of: each an *ssa.Alloc, an *ssa.Global or a Field.
func (g *Graph) cells(addr ssa.Value, seen map[ssa.Value]bool) (cells []any) {
	if seen[addr] {
		return nil
	}
	seen[addr] = true
	switch a := addr.(type) {
	case *ssa.Alloc, *ssa.Global:
		return []any{a}
	case *ssa.FieldAddr:
		return []any{FieldOf(a.X.Type(), a.Field)}
	case *ssa.FreeVar:
		for _, b := range g.bindings(a) {
			cells = append(cells, g.cells(b, seen)...)
		}
	case *ssa.Parameter:
		for _, arg := range g.arguments(a) {
			cells = append(cells, g.cells(arg, seen)...)
		}
	case *ssa.Phi:
		for _, e := range a.Edges {
			cells = append(cells, g.cells(e, seen)...)
		}
	}
	return cells
}

// bindings returns the values that closures are made with for a variable of a function around them.
func (g *Graph) bindings(v *ssa.FreeVar) (all []ssa.Value) {
	i := slices.Index(v.Parent().FreeVars, v)
	for _, c := range g.closures[v.Parent()] {
		all = append(all, c.Bindings[i])
	}
	return all
}

// arguments returns what a parameter may be: the arguments of all calls of its function, by name or through an
// interface.
func (g *Graph) arguments(p *ssa.Parameter) (all []ssa.Value) {
	f := p.Parent()
	i := slices.Index(f.Params, p)
	for _, call := range g.callers[f] {
		if args := call.Common().Args; i < len(args) {
			all = append(all, args[i])
		}
	}
	if recv := f.Signature.Recv(); recv != nil && i > 0 {
		for _, call := range g.invokes[f.Name()] {
			common := call.Common()
			iface := common.Value.Type().Underlying().(*types.Interface)
			if types.Implements(recv.Type(), iface) && i-1 < len(common.Args) {
				all = append(all, common.Args[i-1])
			}
		}
	}
	return all
}

// Callees returns the functions that a call may call, for any caller of the function that the call is in.
func (g *Graph) Callees(call *ssa.CallCommon) (all []*ssa.Function) {
	if f := call.StaticCallee(); f != nil {
		return []*ssa.Function{f}
	}
	for _, r := range g.AllRoots(call.Value) {
		if f := FuncOf(r); f != nil && !call.IsInvoke() {
			all = append(all, f)
		} else if box, ok := r.(*ssa.MakeInterface); ok && call.IsInvoke() {
			if f, _ := g.Method(box.X.Type(), call.Method.Pkg(), call.Method.Name()); f != nil {
				all = append(all, f)
			}
		}
	}
	return all
}

// Around reports whether f is outer, or a function within it.
func Around(outer, f *ssa.Function) bool {
	for ; f != nil; f = f.Parent() {
		if f == outer {
			return true
		}
	}
	return false
}

// FuncOf returns the function that a function value calls, or nil.
func FuncOf(v ssa.Value) *ssa.Function {
	switch v := v.(type) {
	case *ssa.Function:
		return v
	case *ssa.MakeClosure:
		return v.Fn.(*ssa.Function)
	case *ssa.MakeInterface:
		return FuncOf(v.X)
	case *ssa.ChangeType:
		return FuncOf(v.X)
	}
	return nil
}

// Method returns a type's method, and its declaration, which is of another type if the method is promoted.
func (g *Graph) Method(t types.Type, pkg *types.Package, name string) (*ssa.Function, *types.Func) {
	sel := g.Prog.MethodSets.MethodSet(t).Lookup(pkg, name)
	if sel == nil {
		return nil, nil
	}
	return g.Prog.MethodValue(sel), sel.Obj().(*types.Func)
}
