package reach

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"ringo/ringovet/internal/flow"
	"ringo/ringovet/internal/roots"
)

// objectOf returns the declaration of a function; for an instance of a generic function, that of the generic one.
func objectOf(f *ssa.Function) *types.Func {
	if f.Origin() != nil {
		f = f.Origin()
	}
	obj, _ := f.Object().(*types.Func)
	if obj == nil {
		return nil
	}
	return obj.Origin()
}

func packageOf(f *ssa.Function) *types.Package {
	for f.Parent() != nil {
		f = f.Parent()
	}
	if f.Origin() != nil {
		f = f.Origin()
	}
	if f.Pkg != nil {
		return f.Pkg.Pkg
	}
	if obj := f.Object(); obj != nil {
		return obj.Pkg()
	}
	return nil
}

func ours(f *ssa.Function) bool {
	p := packageOf(f)
	return p != nil && roots.Ours(strings.TrimSuffix(p.Path(), "_test"))
}

func isInterfaceMethod(obj *types.Func) bool {
	if obj == nil {
		return false
	}
	recv := obj.Signature().Recv()
	return recv != nil && types.IsInterface(recv.Type())
}

// arguments returns a call's arguments, with the receiver first if it calls a method through an interface.
func arguments(common *ssa.CallCommon, sig *types.Signature) []ssa.Value {
	if common.IsInvoke() && sig.Recv() != nil {
		return append([]ssa.Value{common.Value}, common.Args...)
	}
	return common.Args
}

// nameOf returns a function's name on a path: main.handle, (*main.store).get, main.main.func1.
func nameOf(f *ssa.Function) string {
	if f.Parent() != nil {
		return nameOf(f.Parent()) + ".func" + f.Name()[strings.LastIndexByte(f.Name(), '$')+1:]
	}
	if obj := objectOf(f); obj != nil {
		return short(obj)
	}
	return f.Name()
}

// short returns a function's name with its package's name in place of the path: (*sock.Conn).Read.
func short(obj *types.Func) string {
	byName := func(p *types.Package) string { return p.Name() }
	if recv := obj.Signature().Recv(); recv != nil {
		return "(" + types.TypeString(recv.Type(), byName) + ")." + obj.Name()
	}
	if obj.Pkg() == nil {
		return obj.Name()
	}
	return obj.Pkg().Name() + "." + obj.Name()
}

func fieldName(v *ssa.FieldAddr) string { return flow.FieldOf(v.X.Type(), v.Field).Name }
