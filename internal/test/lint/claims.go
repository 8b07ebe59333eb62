package lint

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

var goFile = regexp.MustCompile("[`(]([A-Za-z0-9_./-]+\\.go)[`)]")

// NamedFiles is the rule that every Go file which the documentation names exists, by its path or the end of it. The
// decisions in docs/adr are exempt: they keep the names of their time.
func NamedFiles(t *Tree) (faults []string) {
	files := map[string]bool{}
	for _, text := range t.Texts {
		for name := text.Name; ; {
			files[name] = true
			_, rest, ok := strings.Cut(name, "/")
			if !ok {
				break
			}
			name = rest
		}
	}
	for _, text := range t.Texts {
		if path.Ext(text.Name) != ".md" || strings.HasPrefix(text.Name, "docs/adr/") ||
			text.Name == "CHANGELOG.md" {
			continue
		}
		for _, m := range goFile.FindAllStringSubmatchIndex(text.Body, -1) {
			name := text.Body[m[2]:m[3]]
			if !files[strings.TrimPrefix(name, "../")] {
				faults = append(faults, fmt.Sprintf("%s:%d: there is no %s: name the file that has it now.", text.Name,
					strings.Count(text.Body[:m[0]], "\n")+1, name))
			}
		}
	}
	return faults
}

// codeName matches a Go name as prose quotes it, qualified by a package or a type.
var codeName = regexp.MustCompile("`\\*?[A-Za-z]\\w*\\.([A-Za-z][A-Za-z0-9]*)(?:\\(\\))?`")

// NamedCode is the rule that every qualified name in the documentation is a name somewhere in the module. The decisions
// in docs/adr are exempt, as for NamedFiles.
func NamedCode(t *Tree) (faults []string) {
	names := map[string]bool{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					names[id.Name] = true
				}
				return true
			})
		}
	}
	for _, text := range t.Texts {
		if path.Ext(text.Name) != ".md" || strings.HasPrefix(text.Name, "docs/adr/") || text.Name == "CHANGELOG.md" {
			continue
		}
		for _, m := range codeName.FindAllStringSubmatchIndex(text.Body, -1) {
			if name := text.Body[m[2]:m[3]]; !names[name] && !listed(noNames, name) {
				faults = append(faults, fmt.Sprintf("%s:%d: nothing is called %s: name what has its place now.",
					text.Name, strings.Count(text.Body[:m[0]], "\n")+1, strings.Trim(text.Body[m[0]:m[1]], "`")))
			}
		}
	}
	return faults
}

// noNames look like names but are not: file extensions, and a test that stands for any.
var noNames = []string{"TestX", "go", "md", "sh", "s", "h", "c", "mod", "sum", "json", "svg", "txt"}

const (
	architecture = "docs/architecture.md"
	layersBegin  = "\n## Layers\n"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// LayersTable is the rule that the table of layers in docs/architecture.md equals order, row by row.
func LayersTable(t *Tree) (faults []string) {
	i := slices.IndexFunc(t.Texts, func(text Text) bool { return text.Name == architecture })
	if i < 0 {
		return nil
	}
	_, section, _ := strings.Cut(t.Texts[i].Body, layersBegin)
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var dirs []string
		for _, m := range quoted.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			dirs = append(dirs, m[1])
		}
		rows = append(rows, dirs)
	}
	for i, l := range order {
		want := slices.Clone(l.dirs)
		for k, dir := range want {
			if want[k] = strings.TrimSuffix(dir, "/..."); dir == "." {
				want[k] = path.Base(t.Module)
			}
		}
		if i >= len(rows) || !slices.Equal(rows[i], want) {
			var got []string
			if i < len(rows) {
				got = rows[i]
			}
			return append(faults, fmt.Sprintf("%s: row %d of the table of layers has %v, where order in "+
				"internal/test/lint/layers.go has %v: they are one list.", architecture, i+1, got, want))
		}
	}
	if len(rows) > len(order) {
		faults = append(faults, fmt.Sprintf("%s: the table of layers has %v, which is not in order in "+
			"internal/test/lint/layers.go.", architecture, rows[len(order)]))
	}
	return faults
}
