package main

import "go/types"

// bare returns a type without what no program depends on: the names of parameters, and which embedded interface a
// method comes from. It also makes sure that types that it meets, and that programs can't name, get lines.
func (l *lister) bare(t types.Type) types.Type {
	switch t := t.(type) {
	case *types.Alias:
		if l.hidden(t.Obj()) {
			return l.bare(types.Unalias(t))
		}
	case *types.Named:
		l.meet(t)
	case *types.Pointer:
		return types.NewPointer(l.bare(t.Elem()))
	case *types.Slice:
		return types.NewSlice(l.bare(t.Elem()))
	case *types.Array:
		return types.NewArray(l.bare(t.Elem()), t.Len())
	case *types.Map:
		return types.NewMap(l.bare(t.Key()), l.bare(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), l.bare(t.Elem()))
	case *types.Signature:
		return types.NewSignatureType(nil, nil, nil, l.bareTuple(t.Params()), l.bareTuple(t.Results()), t.Variadic())
	case *types.Struct:
		return l.bareStruct(t)
	case *types.Union:
		var terms []*types.Term
		for term := range t.Terms() {
			terms = append(terms, types.NewTerm(term.Tilde(), l.bare(term.Type())))
		}
		return types.NewUnion(terms)
	case *types.Interface:
		return l.bareInterface(t)
	}
	return t
}

func (l *lister) bareTuple(t *types.Tuple) *types.Tuple {
	var all []*types.Var
	for v := range t.Variables() {
		all = append(all, types.NewParam(0, nil, "", l.bare(v.Type())))
	}
	return types.NewTuple(all...)
}

func (l *lister) bareStruct(t *types.Struct) types.Type {
	var fields []*types.Var
	var tags []string
	for i := range t.NumFields() {
		f := t.Field(i)
		fields = append(fields, types.NewField(0, f.Pkg(), f.Name(), l.bare(f.Type()), f.Embedded()))
		tags = append(tags, t.Tag(i))
	}
	return types.NewStruct(fields, tags)
}

// bareInterface returns an interface that lists the methods of embedded interfaces itself, and embeds only its terms.
func (l *lister) bareInterface(t *types.Interface) types.Type {
	var methods []*types.Func
	for m := range t.Methods() {
		methods = append(methods, types.NewFunc(0, m.Pkg(), m.Name(), l.bare(m.Signature()).(*types.Signature)))
	}
	return types.NewInterfaceType(methods, l.terms(t)).Complete()
}

// terms returns what an interface embeds besides methods: sets of types, and comparable.
func (l *lister) terms(t *types.Interface) (all []types.Type) {
	for e := range t.EmbeddedTypes() {
		inner, ok := e.Underlying().(*types.Interface)
		switch named, _ := types.Unalias(e).(*types.Named); {
		case !ok:
			all = append(all, l.bare(e))
		case named != nil && named.Obj().Parent() == types.Universe:
			all = append(all, e)
		default:
			all = append(all, l.terms(inner)...)
		}
	}
	return all
}

// meet notes a type that occurs in something exported.
func (l *lister) meet(t *types.Named) {
	for arg := range t.TypeArgs().Types() {
		l.bare(arg)
	}
	if obj := t.Obj(); l.hidden(obj) && !l.seen[obj] {
		l.seen[obj] = true
		l.later = append(l.later, t.Origin())
	}
}

// hides reports whether programs can't name a type, or what it points to.
func (l *lister) hides(t types.Type) bool {
	switch t := t.(type) {
	case *types.Pointer:
		return l.hides(t.Elem())
	case *types.Alias:
		return l.hidden(t.Obj()) && l.hides(types.Unalias(t))
	case *types.Named:
		return l.hidden(t.Obj())
	}
	return false
}

// hidden reports whether programs can't name a type of the module.
func (l *lister) hidden(obj *types.TypeName) bool {
	return obj.Pkg() != nil && l.ours(obj.Pkg()) && (!obj.Exported() || internal(obj.Pkg()))
}
