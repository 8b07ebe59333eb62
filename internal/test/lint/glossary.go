package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// glossaryWords is how many words the glossary explains. It only shrinks.
const glossaryWords = 52

// Glossary is the rule that the glossary stays short, and is for readers of the documentation: it explains few words,
// each once, and each one that is used there. A private type explains itself instead: one that three files or more name
// has a comment where it is declared.
func Glossary(t *Tree) (faults []string) {
	i := slices.IndexFunc(t.Texts, func(text Text) bool { return text.Name == architecture })
	if i < 0 {
		return nil
	}
	text, section, _ := strings.Cut(t.Texts[i].Body, "\n## Glossary\n")
	used := strings.ToLower(text)
	for _, t := range t.Texts {
		if path.Ext(t.Name) == ".md" && t.Name != architecture && !strings.HasPrefix(t.Name, "docs/adr/") {
			used += strings.ToLower(t.Body)
		}
	}
	terms, faults := glossaryTerms(section)
	if len(terms) != glossaryWords {
		faults = append(faults, fmt.Sprintf("%s: the glossary explains %d words, and not %d: take a word of the field "+
			"for a new one; if there are fewer, lower glossaryWords.", architecture, len(terms), glossaryWords))
	}
	for _, term := range terms {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(term) + `(s|es|d|ed|ing)?\b`)
		if !word.MatchString(used) {
			faults = append(faults, fmt.Sprintf("%s: the glossary explains %q, which the documentation does not use: "+
				"explain it where it is used.", architecture, term))
		}
	}
	for _, p := range t.Packages {
		if p.Name == "" || listed(testHelpers, p.Dir) || listed(tools, p.Dir) {
			continue
		}
		found, documented := typesIn(p)
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if found[name] >= 3 && !documented[name] {
				faults = append(faults, fmt.Sprintf("%s: type %s is in %d files and has no comment: say above it what "+
					"it is.", p.Dir, name, found[name]))
			}
		}
	}
	return faults
}

// typesIn counts for each unexported type of a package the files that name it, and says which have a comment.
func typesIn(p *Package) (found map[string]int, documented map[string]bool) {
	found, documented = map[string]int{}, map[string]bool{}
	for _, f := range p.source() {
		for _, d := range f.AST.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok && !typ.Name.IsExported() {
						found[typ.Name.Name] = 0
						documented[typ.Name.Name] = typ.Doc != nil || typ.Comment != nil || g.Doc != nil
					}
				}
			}
		}
	}
	for _, f := range p.source() {
		here := map[string]bool{}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			for _, typ := range typesOf(n) {
				ast.Inspect(typ, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						here[id.Name] = true
					}
					return true
				})
			}
			return true
		})
		for name := range found {
			if here[name] {
				found[name]++
			}
		}
	}
	return found, documented
}

// typesOf returns the expressions of a node that are types for certain.
func typesOf(n ast.Node) []ast.Expr {
	var typ ast.Expr
	switch n := n.(type) {
	case *ast.Field:
		typ = n.Type
	case *ast.ValueSpec:
		typ = n.Type
	case *ast.TypeSpec:
		return []ast.Expr{n.Name, n.Type}
	case *ast.CompositeLit:
		typ = n.Type
	case *ast.TypeAssertExpr:
		typ = n.Type
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "new" || id.Name == "make") && len(n.Args) > 0 {
			typ = n.Args[0]
		} else if conversion, ok := n.Fun.(*ast.ParenExpr); ok {
			typ = conversion.X
		}
	}
	if typ == nil {
		return nil
	}
	return []ast.Expr{typ}
}

// glossaryTerms returns the words of the glossary's tables. One that is explained twice is a fault.
func glossaryTerms(section string) (terms, faults []string) {
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for term := range strings.SplitSeq(cells[1], ",") {
			term = strings.ToLower(strings.TrimSpace(term))
			switch {
			case term == "word" || strings.Trim(term, "-") == "":
			case slices.Contains(terms, term):
				faults = append(faults, fmt.Sprintf("%s: the glossary explains %q twice: one word has one meaning.",
					architecture, term))
			default:
				terms = append(terms, term)
			}
		}
	}
	return terms, faults
}
