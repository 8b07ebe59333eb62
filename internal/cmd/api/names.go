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
	module string // its path
	pkg    *types.Package
	seen   map[*types.TypeName]bool // types that programs can't name
	later  []*types.Named           // those of them that have no lines yet
}

// exported lists what a package exports, a name a line, and what can be done with values of types without an exported
// name, which programs get all the same.
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

// exact is all of a value: its String leaves out the end of a long text.
func exact(v constant.Value) string {
	if v.Kind() == constant.String {
		return strconv.Quote(constant.StringVal(v))
	}
	return v.ExactString()
}

// typeLines are a type's own line, and those of its fields and methods.
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

// named are the lines of a type that is no alias.
func (l *lister) named(named *types.Named) []string {
	name := named.Obj().Name()
	kind := "struct" // whose fields have lines of their own; who implements an interface needs all of it in one
	if _, ok := named.Underlying().(*types.Struct); !ok {
		kind = l.typeName(named.Underlying())
	}
	return append([]string{"type " + name + l.parameters(named.TypeParams()) + " " + kind}, l.members(name, named)...)
}

// internal reports whether programs can't name a package, and know its types by another's names alone.
func internal(p *types.Package) bool { return p != nil && strings.Contains(p.Path()+"/", "/internal/") }

// members are the fields and the methods of a type, and whether its values can be compared and be keys of maps.
func (l *lister) members(name string, named *types.Named) (all []string) {
	switch under := named.Underlying().(type) {
	case *types.Struct:
		all = l.fields(name, under, map[*types.Struct]bool{})
		if types.Comparable(under) && (len(all) > 0 || hasValueMethod(named)) { // others are used by pointers alone
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

// parameters are those of a generic type or function.
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

// fields are those that a program can name, with their tags, and those of embedded types that it can't name.
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

// embedded is the struct whose fields are promoted by f, nil if there is none.
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

// methods are those of a type and of a pointer to it.
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

// typeName writes packages of the module by their folders, its root by its name, and so the same whatever its path is.
// Others have theirs: there is more than one package rand.
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
