package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// public reports whether users may import the package: it is no program, and neither it nor a folder above it is
// internal.
func public(p *Package) bool {
	return p.Name != "" && p.Name != "main" && !strings.Contains("/"+p.Dir+"/", "/internal/")
}

// PackageDocs is the rule that each package has one comment that says what it is.
func PackageDocs(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if p.Name == "" {
			continue
		}
		var docs []string
		for _, f := range p.source() {
			if f.AST.Doc != nil {
				docs = append(docs, f.AST.Doc.Text())
			}
		}
		want := "Package " + p.Name + " "
		switch {
		case len(docs) == 0 || strings.TrimSpace(docs[0]) == "":
			faults = append(faults, fmt.Sprintf("%s: the package has no doc comment: one sentence in doc.go says "+
				"what it is for, then comes the model.", p.Dir))
		case len(docs) > 1:
			faults = append(faults, fmt.Sprintf("%s: %d files have a package comment, of which godoc shows a heap: "+
				"keep one, in doc.go.", p.Dir, len(docs)))
		case p.Name != "main" && !strings.HasPrefix(docs[0], want):
			faults = append(faults, fmt.Sprintf("%s: the package comment begins with %q, not with %q: it may be a "+
				"licence or a build line that became one.", p.Dir, firstLine(docs[0]), want))
		}
	}
	return faults
}

// ExportedDocs is the rule that everything users can name is documented.
func ExportedDocs(t *Tree) (faults []string) {
	for _, p := range t.Packages {
		if !public(p) {
			continue
		}
		for _, f := range p.source() {
			for _, d := range f.AST.Decls {
				faults = append(faults, t.declFaults(d)...)
			}
		}
	}
	return faults
}

func (t *Tree) declFaults(d ast.Decl) (faults []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && receiverExported(d) && !wellKnown(d) {
			faults = append(faults, t.checkDoc(d.Name, d.Doc, nil, nil, true)...)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					faults = append(faults, t.checkDoc(spec.Name, spec.Doc, nil, single(d), true)...)
					faults = append(faults, t.memberFaults(spec)...)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() {
						faults = append(faults, t.checkDoc(name, spec.Doc, spec.Comment, d.Doc, false)...)
					}
				}
			}
		}
	}
	return faults
}

// single returns the comment above a declaration that isn't in parentheses.
func single(d *ast.GenDecl) *ast.CommentGroup {
	if d.Lparen == token.NoPos {
		return d.Doc
	}
	return nil
}

// memberFaults checks the methods of an interface and the fields of a struct whose name ends in Config. One comment may
// stand above several of them on consecutive lines. For fields of other structs it wants none: a type's own comment
// often explains them better.
func (t *Tree) memberFaults(spec *ast.TypeSpec) (faults []string) {
	var members *ast.FieldList
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		if !strings.HasSuffix(spec.Name.Name, "Config") {
			return nil
		}
		members = typ.Fields
	case *ast.InterfaceType:
		members = typ.Methods
	default:
		return nil
	}
	lastLine, lastDocumented := 0, false
	for _, m := range members.List {
		first, last := t.fset.Position(m.Pos()).Line, t.fset.Position(m.End()).Line
		documented := m.Doc != nil || m.Comment != nil || lastDocumented && first == lastLine+1
		for _, name := range m.Names {
			if name.IsExported() && !documented {
				faults = append(faults, t.fault(name.Pos(),
					"%s.%s is exported and has no comment: say what it means, its default and its limit.",
					spec.Name.Name, name.Name))
			}
		}
		lastLine, lastDocumented = last, documented
	}
	return faults
}

// checkDoc wants a comment in one of three places. With named, the comment must begin with the name, as summaries in
// godoc need.
func (t *Tree) checkDoc(name *ast.Ident, doc, line, group *ast.CommentGroup, named bool) []string {
	if doc == nil {
		doc = group
	}
	if doc == nil && line == nil {
		return []string{t.fault(name.Pos(), "%s is exported and has no doc comment: who may call it, whether it "+
			"waits, who owns the buffer, which errors.", name.Name)}
	}
	if !named {
		return nil
	}
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(text, article); ok {
			text = rest
			break
		}
	}
	if !strings.HasPrefix(text, name.Name) && !strings.HasPrefix(text, "Deprecated:") {
		return []string{t.fault(name.Pos(),
			"the doc comment of %s begins with %q: its first sentence is what a list shows, and must name it.",
			name.Name, firstLine(text))}
	}
	return nil
}

// wellKnown reports whether a method is one that every Go programmer knows, so that a comment could only repeat its
// name.
func wellKnown(d *ast.FuncDecl) bool {
	switch d.Name.Name {
	case "Error", "Unwrap", "String":
		return d.Recv != nil
	}
	return false
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
