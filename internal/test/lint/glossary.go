package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// everybodys are words that need no explanation in a program that does I/O.
var everybodys = strings.Fields(`
	addr address answer batch block buffer cache call case client clock code cond config conn context counter
	datagram entry errno error event file flag func handler hash heap index info input item key kind
	list lock message mount name node number option order package packet pipe poll pollable pool queue
	range reader ref region request resolver result row seed server set signal size socket state stats status
	step stream system table target thread time timeout timer token trace vector waiter watcher writer
`)

// Glossary is the rule that the noun of an unexported type which turns up in three files
// or more is explained in the glossary: by then it is a word of the house.
func Glossary(t *Tree) (faults []string) {
	i := slices.IndexFunc(t.Texts, func(text Text) bool { return text.Name == architecture })
	if i < 0 {
		return nil
	}
	terms, faults := glossaryTerms(t.Texts[i].Body)
	for _, p := range t.Packages {
		if p.Name == "" || listed(testHelpers, p.Dir) || listed(tools, p.Dir) {
			continue
		}
		found := typesIn(p)
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if found[name] >= 3 && !explained(name, terms) {
				faults = append(faults, fmt.Sprintf("%s: type %s is in %d files, and %q is not in the glossary of "+
					"%s: take a word that is, or explain this one there.", p.Dir, name, found[name], noun(name),
					architecture))
			}
		}
	}
	return faults
}

// typesIn counts for each unexported type of a package the files that name it.
func typesIn(p *Package) map[string]int {
	found := map[string]int{}
	for _, f := range p.source() {
		for _, d := range f.AST.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok && !typ.Name.IsExported() {
						found[typ.Name.Name] = 0
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
	return found
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

// explained reports whether the glossary has a type's name or its noun, in the singular
// or the plural.
func explained(name string, terms map[string]bool) bool {
	words := strings.Fields(spaced(name))
	for i := range words {
		if end := strings.Join(words[i:], " "); terms[end] || terms[strings.TrimSuffix(end, "s")] {
			return true
		}
	}
	last := noun(name)
	for _, word := range []string{last, strings.TrimSuffix(last, "s"), strings.TrimSuffix(last, "es")} {
		if slices.Contains(everybodys, word) {
			return true
		}
	}
	return false
}

// noun is the last word of a name.
func noun(name string) string {
	words := strings.Fields(spaced(name))
	return words[len(words)-1]
}

// spaced is a name as words in lower case.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// glossaryTerms returns the words of the glossary's tables. One that is explained twice is a fault.
func glossaryTerms(text string) (terms map[string]bool, faults []string) {
	_, section, _ := strings.Cut(text, "\n## Glossary\n")
	terms = map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for term := range strings.SplitSeq(cells[1], ",") {
			term = strings.ToLower(strings.TrimSpace(term))
			if terms[term] && term != "word" && strings.Trim(term, "-") != "" {
				faults = append(faults, fmt.Sprintf("%s: the glossary explains %q twice: one word has one meaning.",
					architecture, term))
			}
			terms[term] = true
		}
	}
	return terms, faults
}
