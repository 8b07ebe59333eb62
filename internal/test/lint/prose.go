package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// A phrase is an expression that readers in a hurry stumble over.
type phrase struct {
	is     *regexp.Regexp
	better string
}

var forbidden = []phrase{
	{regexp.MustCompile(`\b(can|can't|cannot|could not|to) be had\b|\b(is|are) had\b`),
		`"runs here", "gets it", "is free"`},
	{regexp.MustCompile(`\brefused by name\b`), `"refused, with an error that says so"`},
	{regexp.MustCompile(`\bno name leads out of\b`), `"confines names to a directory"`},
	{regexp.MustCompile(`\b[Ww]ho (waits?|waited|asks?|reads|writes|wants|closes|holds|unlocks|locked|enters)\b`),
		`"callers that wait", "a reader", "the holder"`},
	{regexp.MustCompile(`\bgives? (nil|its error|io\.EOF|[a-z]*\.?Err[A-Z]\w*|E[A-Z]{3,}|how (many|much)|` +
		`the (count|next|names|entries))\b`),
		`"returns", or "fails with" for an error`},
	{regexp.MustCompile(`\bgives? (a file o[fn]|the (first|last))\b`), `"returns"`},
	{regexp.MustCompile(`\b(is|are) nothing that\b`), `"can't be"`},
	{regexp.MustCompile(`\bwhat \w+ gave\b`), `"what ... returned", "the error of ..."`},
}

// stiff are expressions that the README and public comments do without. Other documents still have some.
var stiff = append([]phrase{
	{regexp.MustCompile(`\bbecomes? of\b`), `"receives", "what happens to"`},
	{regexp.MustCompile(`\b[Ww]ho (calls?|is|are|was|has|have|had|does|can|may|must|needs?|knows?|comes?|sends?|` +
		`runs?|gets?|looks?|uses?|sees?|says?|serves?|connects?|called)\b`), `"a caller", "peers that"`},
	{regexp.MustCompile(`\b(is|are|was|were|been) told\b|\btold (of|that)\b`),
		`"receives", "gets", "is called with", "returns"`},
	{regexp.MustCompile(`\b([Nn]obody|[Ss]omebody|[Ee]verybody|[Ww]hoever)\b`),
		`"no caller", "another program", "any goroutine"`},
	{regexp.MustCompile(`\bof what\b`), `a noun`},
	{regexp.MustCompile(`\b(has|have) ([^t\W]\w*|t[^o\W]\w*) be\b`), `"makes", "calls", "sets"`},
	{regexp.MustCompile(`\bif nothing (else )?(is|was) said\b`), `"by default"`},
	{regexp.MustCompile(`\b(is|are) lent (to|until)\b`), `"the kernel may use it until"`},
	{regexp.MustCompile(`\bone that is no\b`), `"callers other than"`},
	{regexp.MustCompile(`\bthe caller's to \w+`), `"the caller has to"`},
	{regexp.MustCompile(`\bgoes about\b`), `"configures"`},
}, forbidden...)

// Prose is the rule that the documentation and the comments of public names are plain
// English. The decisions in docs/adr are left as they were written.
func Prose(t *Tree) (faults []string) {
	check := func(where, text string, phrases []phrase) {
		for _, p := range phrases {
			if found := p.is.FindString(strings.Join(strings.Fields(text), " ")); found != "" {
				faults = append(faults, fmt.Sprintf("%s: %q stops a reader who is in a hurry: write %s.", where, found,
					p.better))
			}
		}
	}
	for _, text := range t.Texts {
		if path.Ext(text.Name) != ".md" || strings.HasPrefix(text.Name, "docs/adr/") {
			continue
		}
		phrases := forbidden
		if text.Name == "README.md" {
			phrases = stiff
		}
		n := 1
		for para := range strings.SplitSeq(text.Body, "\n\n") {
			check(fmt.Sprintf("%s:%d", text.Name, n), para, phrases)
			n += strings.Count(para, "\n") + 2
		}
	}
	for _, p := range t.Packages {
		if !public(p) {
			continue
		}
		shown := embedded(p)
		for _, f := range p.source() {
			for _, doc := range publicComments(f.AST, shown) {
				at := t.fset.Position(doc.Pos())
				check(fmt.Sprintf("%s:%d", at.Filename, at.Line), doc.Text(), stiff)
			}
		}
	}
	return faults
}

// embedded returns the unexported types of a package whose methods godoc shows as those of exported ones.
func embedded(p *Package) map[string]bool {
	types := map[string]bool{}
	for _, f := range p.source() {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					if id, ok := field.Type.(*ast.Ident); ok && len(field.Names) == 0 {
						types[id.Name] = true
					}
				}
			}
			return false
		})
	}
	return types
}

// receiver returns the name of a method's type, without its pointer.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// publicComments returns the comments that godoc shows of a file. shown are unexported types whose methods it shows.
func publicComments(f *ast.File, shown map[string]bool) (docs []*ast.CommentGroup) {
	add := func(groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if g != nil {
				docs = append(docs, g)
			}
		}
	}
	add(f.Doc)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (receiverExported(d) || shown[receiver(d)]) {
				add(d.Doc)
			}
		case *ast.GenDecl:
			shows := false
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						shows = true
						add(single(d), spec.Doc, spec.Comment)
						add(members(spec.Type)...)
					}
				case *ast.ValueSpec:
					if exported(spec.Names) {
						shows = true
						add(single(d), spec.Doc, spec.Comment)
					}
				}
			}
			if shows && d.Lparen != token.NoPos {
				add(d.Doc)
			}
		}
	}
	return docs
}

// members returns the comments of what a type shows of itself.
func members(typ ast.Expr) (docs []*ast.CommentGroup) {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	for _, m := range list.List {
		if exported(m.Names) {
			docs = append(docs, m.Doc, m.Comment)
		}
	}
	return docs
}

func exported(names []*ast.Ident) bool {
	for _, name := range names {
		if name.IsExported() {
			return true
		}
	}
	return false
}
