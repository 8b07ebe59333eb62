package lint

import (
	"go/ast"
	"regexp"
	"strings"
)

var benchmarkName = regexp.MustCompile(`\bBenchmark[A-Z]\w*`)

// NoInline is the rule that a comment on a function with go:noinline says why: it names a benchmark, or a function that
// can be inlined because this one is not.
func NoInline(t *Tree) (faults []string) {
	known := map[string]bool{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && f.Test {
					known[fn.Name.Name] = true
				}
			}
		}
	}
	for _, p := range t.Packages {
		for _, f := range p.source() {
			for _, d := range f.AST.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !noInline(fn.Doc) {
					continue
				}
				why := fn.Doc.Text()
				names := benchmarkName.FindAllString(why, -1)
				if len(names) == 0 && !strings.Contains(why, "inlined") {
					faults = append(faults, t.fault(fn.Pos(), "%s is not inlined, and nobody can tell what for: "+
						"name the benchmark that shows it, BenchmarkIdleMemory for stacks, or say what is inlined "+
						"because of it.", fn.Name.Name))
				}
				for _, name := range names {
					if !known[name] {
						faults = append(faults, t.fault(fn.Pos(), "%s names %s, which does not exist.",
							fn.Name.Name, name))
					}
				}
			}
		}
	}
	return faults
}

func noInline(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if c.Text == "//go:noinline" {
			return true
		}
	}
	return false
}
