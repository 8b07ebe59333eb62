package lint

import (
	"go/ast"
	"path"
	"strings"
)

const faceReason = "users can't name that type, and what they can't name they can neither store nor mock, while it " +
	"binds us for ever. " +
	"Give it a type of this package; what is for the engine goes on a converted type, such as sock's connHandle " +
	"(docs/adr/0005)."

// leaks counts, by file, the internal types that signatures may show: only the one that stands for syscall.Errno on a
// system without it.
var leaks = map[string]int{"uring/errno_plan9.go": 1}

// Faces is the rule that no exported name of a public package has an internal type in its signature. A type whose
// definition is an internal type is allowed: that is how the engine is hidden.
func Faces(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !public(p) {
			continue
		}
		methods := embedded(p)
		for _, f := range p.source() {
			names := t.internals(f)
			var here []string
			for _, d := range f.AST.Decls {
				for _, typ := range signatures(d, methods) {
					here = append(here, t.internalIn(typ, names)...)
				}
			}
			if name := path.Join(p.Dir, f.Name); len(here) != leaks[name] {
				faults = append(faults, here...)
				if len(here) < leaks[name] {
					faults = append(faults, t.fault(f.AST.Pos(), "leaks in internal/test/lint/faces.go allows %d "+
						"internal types in signatures, and there are %d", leaks[name], len(here)))
				}
			}
		}
	}
	return faults
}

// internals returns the names that a file uses for internal packages.
func (t *Tree) internals(f *File) map[string]bool {
	names := map[string]bool{}
	for imported, spec := range f.imports {
		dir, ok := t.local(imported)
		if !ok || !strings.HasPrefix(dir, "internal/") {
			continue
		}
		if spec.Name != nil {
			names[spec.Name.Name] = true
		} else {
			names[dir[strings.LastIndexByte(dir, '/')+1:]] = true
		}
	}
	return names
}

// signatures returns the types in the part of a declaration that users see. methods are unexported types whose methods
// they see.
func signatures(d ast.Decl, methods map[string]bool) (types []ast.Expr) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (receiverExported(d) || methods[receiver(d)]) {
			types = append(types, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					types = append(types, shown(spec)...)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() && spec.Type != nil {
						types = append(types, spec.Type)
						break
					}
				}
			}
		}
	}
	return types
}

// shown returns the types that an exported type shows. For a struct they are those of the fields that users can name,
// and of embedded fields, whose methods become its own.
func shown(spec *ast.TypeSpec) (types []ast.Expr) {
	if spec.TypeParams != nil {
		for _, p := range spec.TypeParams.List {
			types = append(types, p.Type)
		}
	}
	switch typ := spec.Type.(type) {
	case *ast.SelectorExpr:
		if spec.Assign.IsValid() {
			types = append(types, typ)
		}
	case *ast.StructType:
		for _, field := range typ.Fields.List {
			exported := len(field.Names) == 0
			for _, name := range field.Names {
				exported = exported || name.IsExported()
			}
			if exported {
				types = append(types, field.Type)
			}
		}
	default:
		types = append(types, typ)
	}
	return types
}

func (t *Tree) internalIn(typ ast.Expr, names map[string]bool) (faults []string) {
	ast.Inspect(typ, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && names[pkg.Name] {
				faults = append(faults, t.fault(sel.Pos(), "an exported name shows %s.%s: %s", pkg.Name,
					sel.Sel.Name, faceReason))
			}
		}
		return true
	})
	return faults
}
