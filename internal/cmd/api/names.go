package main

import (
	"fmt"
	"go/types"
	"path"
	"strings"
)

// exported lists what a package exports, a name a line.
func exported(pkg *types.Package) (names []string) {
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			names = append(names, object(obj)...)
		}
	}
	return names
}

func object(obj types.Object) []string {
	switch obj := obj.(type) {
	case *types.Const:
		return []string{fmt.Sprintf("const %s %s = %s", obj.Name(), typeName(obj.Type()), obj.Val())}
	case *types.Var:
		return []string{fmt.Sprintf("var %s %s", obj.Name(), typeName(obj.Type()))}
	case *types.Func:
		return []string{"func " + obj.Name() + signature(obj)}
	case *types.TypeName:
		return typeLines(obj)
	}
	return nil
}

// typeLines are a type's own line, and those of its fields and methods.
func typeLines(obj *types.TypeName) []string {
	name := obj.Name()
	if obj.IsAlias() {
		all := []string{fmt.Sprintf("type %s = %s", name, typeName(types.Unalias(obj.Type())))}
		if named, ok := types.Unalias(obj.Type()).(*types.Named); ok && internal(named.Obj().Pkg()) {
			all = append(all, members(name, named)...)
		}
		return all
	}
	named := obj.Type().(*types.Named)
	kind := "struct" // whose fields have lines of their own; who implements an interface needs all of it in one
	if _, ok := named.Underlying().(*types.Struct); !ok {
		kind = typeName(named.Underlying())
	}
	return append([]string{"type " + name + parameters(named.TypeParams()) + " " + kind}, members(name, named)...)
}

// internal reports whether programs can't name a package, and know its types by another's names alone.
func internal(p *types.Package) bool { return p != nil && strings.Contains(p.Path()+"/", "/internal/") }

// members are the fields and the methods of a type.
func members(name string, named *types.Named) []string {
	switch under := named.Underlying().(type) {
	case *types.Struct:
		return append(fields(name, under), methods(name, named)...)
	case *types.Interface:
		return nil
	default:
		return methods(name, named)
	}
}

// parameters are those of a generic type or function.
func parameters(list *types.TypeParamList) string {
	var all []string
	for p := range list.TypeParams() {
		all = append(all, p.String()+" "+typeName(p.Constraint()))
	}
	if all == nil {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// fields are those that a program can name, those of embedded types that it can't name among them.
func fields(of string, s *types.Struct) (all []string) {
	for f := range s.Fields() {
		if f.Exported() {
			all = append(all, fmt.Sprintf("field %s.%s %s", of, f.Name(), typeName(f.Type())))
			continue
		}
		if inner, ok := f.Type().Underlying().(*types.Struct); ok && f.Embedded() {
			all = append(all, fields(of, inner)...)
		}
	}
	return all
}

// methods are those of a type and of a pointer to it.
func methods(of string, named *types.Named) (all []string) {
	values := types.NewMethodSet(named)
	for m := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		f := m.Obj().(*types.Func)
		if !f.Exported() {
			continue
		}
		receiver := "*" + of
		if values.Lookup(f.Pkg(), f.Name()) != nil {
			receiver = of
		}
		all = append(all, fmt.Sprintf("method (%s) %s%s", receiver, f.Name(), signature(m.Obj().(*types.Func))))
	}
	return all
}

// signature is that of a function, without the names of parameters, which nobody depends on.
func signature(f *types.Func) string {
	s := f.Signature()
	bare := types.NewSignatureType(nil, nil, nil, unnamed(s.Params()), unnamed(s.Results()), s.Variadic())
	return parameters(s.TypeParams()) + strings.TrimPrefix(typeName(bare), "func")
}

func unnamed(t *types.Tuple) *types.Tuple {
	var all []*types.Var
	for v := range t.Variables() {
		all = append(all, types.NewParam(0, nil, "", v.Type()))
	}
	return types.NewTuple(all...)
}

// typeName writes packages by their last word, and so the same whatever the module's path.
func typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return path.Base(p.Path()) })
}
