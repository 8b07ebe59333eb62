package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"strconv"
	"strings"
)

// A lister lists what one package of a module exports.
type lister struct {
	module string // path of the module
	pkg    *types.Package
	seen   map[*types.TypeName]bool // types that programs can't name
	later  []*types.Named           // those in seen that have no lines yet
}

// exported returns the lines of what a package exports, and of types that programs can't name but get values of.
func exported(pkg *types.Package, module string) (names []string) {
	l := &lister{module: module, pkg: pkg, seen: map[*types.TypeName]bool{}}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			names = append(names, l.object(obj)...)
		}
	}
	for len(l.later) > 0 {
		named := l.later[0]
		l.later = l.later[1:]
		names = append(names, l.named(named)...)
	}
	return names
}

func (l *lister) object(obj types.Object) []string {
	switch obj := obj.(type) {
	case *types.Const:
		return []string{fmt.Sprintf("const %s %s = %s", obj.Name(), l.typeName(obj.Type()), exact(obj.Val()))}
	case *types.Var:
		return []string{fmt.Sprintf("var %s %s", obj.Name(), l.typeName(obj.Type()))}
	case *types.Func:
		return []string{"func " + obj.Name() + l.signature(obj)}
	case *types.TypeName:
		return l.typeLines(obj)
	}
	return nil
}

// exact returns the whole of a constant. Its String would shorten a long text.
func exact(v constant.Value) string {
	if v.Kind() == constant.String {
		return strconv.Quote(constant.StringVal(v))
	}
	return v.ExactString()
}

// typeLines returns a type's own line and those of its fields and methods.
func (l *lister) typeLines(obj *types.TypeName) []string {
	if !obj.IsAlias() {
		return l.named(obj.Type().(*types.Named))
	}
	var list string
	if alias, ok := obj.Type().(*types.Alias); ok {
		list = l.parameters(alias.TypeParams())
	}
	all := []string{fmt.Sprintf("type %s%s = %s", obj.Name(), list, l.typeName(types.Unalias(obj.Type())))}
	if named, ok := types.Unalias(obj.Type()).(*types.Named); ok && internal(named.Obj().Pkg()) {
		all = append(all, l.members(obj.Name(), named)...)
	}
	return all
}

// named returns the lines of a type that is not an alias.
func (l *lister) named(named *types.Named) []string {
	name := named.Obj().Name()
	kind := "struct" // its fields have lines of their own; an interface is one line, since implementers need all of it
	if _, ok := named.Underlying().(*types.Struct); !ok {
		kind = l.typeName(named.Underlying())
	}
	return append([]string{"type " + name + l.parameters(named.TypeParams()) + " " + kind}, l.members(name, named)...)
}

// internal reports whether programs can't import a package, so that they know its types only by names of other
// packages.
func internal(p *types.Package) bool { return p != nil && strings.Contains(p.Path()+"/", "/internal/") }

// members returns the lines of a type's fields and methods, and whether its values can be compared and be keys of maps.
func (l *lister) members(name string, named *types.Named) (all []string) {
	switch under := named.Underlying().(type) {
	case *types.Struct:
		all = l.fields(name, under, map[*types.Struct]bool{})
		if types.Comparable(under) && (len(all) > 0 || hasValueMethod(named)) { // others are used by pointer only
			all = append(all, "comparable "+name)
		}
	case *types.Interface:
		return nil
	}
	return append(all, l.methods(name, named)...)
}

func hasValueMethod(named *types.Named) bool {
	for m := range types.NewMethodSet(named).Methods() {
		if m.Obj().Exported() {
			return true
		}
	}
	return false
}

// parameters returns the type parameters of a generic type or function.
func (l *lister) parameters(list *types.TypeParamList) string {
	var all []string
	for p := range list.TypeParams() {
		all = append(all, p.String()+" "+l.typeName(p.Constraint()))
	}
	if all == nil {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// fields returns the lines of the fields that a program can name, and of those that are promoted from embedded types
// that it can't name.
func (l *lister) fields(of string, s *types.Struct, seen map[*types.Struct]bool) (all []string) {
	seen[s] = true // a struct may embed a pointer to itself
	for i := range s.NumFields() {
		f := s.Field(i)
		if f.Exported() {
			line := fmt.Sprintf("field %s.%s %s", of, f.Name(), l.typeName(f.Type()))
			if tag := s.Tag(i); tag != "" {
				line += " " + strconv.Quote(tag)
			}
			all = append(all, line)
		}
		if inner := embedded(f); inner != nil && !seen[inner] && l.hides(f.Type()) {
			all = append(all, l.fields(of, inner, seen)...)
		}
	}
	return all
}

// embedded returns the struct whose fields are promoted by f, nil if there is none.
func embedded(f *types.Var) *types.Struct {
	if !f.Embedded() {
		return nil
	}
	t := f.Type()
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	s, _ := t.Underlying().(*types.Struct)
	return s
}

// methods returns the lines of the methods of a type and of a pointer to it.
func (l *lister) methods(of string, named *types.Named) (all []string) {
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
		all = append(all, fmt.Sprintf("method (%s) %s%s", receiver, f.Name(), l.signature(f)))
	}
	return all
}

func (l *lister) signature(f *types.Func) string {
	return l.parameters(f.Signature().TypeParams()) + strings.TrimPrefix(l.typeName(f.Signature()), "func")
}

// typeName returns a type with packages of the module by their folders, and its root by its name, so that the result
// does not depend on the module's path. Other packages have their whole path: there is more than one package rand.
func (l *lister) typeName(t types.Type) string {
	return types.TypeString(l.bare(t), func(p *types.Package) string {
		if p.Path() == l.module {
			return p.Name()
		}
		return strings.TrimPrefix(p.Path(), l.module+"/")
	})
}

func (l *lister) ours(p *types.Package) bool {
	return p.Path() == l.module || strings.HasPrefix(p.Path(), l.module+"/")
}
