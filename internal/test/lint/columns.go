package lint

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// columns is the longest line allowed, with a tab as four: two files fit side by side in a diff.
const columns = 120

// Columns is the rule that no line is longer, in Go and in Markdown, in the modules inside this one, too. The module's
// path counts as the name of its root package: a release may have a longer path, and no line has to be broken for it.
func Columns(t *Tree) (faults []string) {
	short := strings.NewReplacer(t.Module, path.Base(t.Module))
	for _, p := range t.Packages {
		if p.Dir == "." && p.Name != "" {
			short = strings.NewReplacer(t.Module, p.Name)
		}
	}
	for _, text := range t.Texts {
		n := 0
		for line := range strings.Lines(text.Body) {
			n++
			line = strings.TrimRight(line, "\n")
			if w := width(short.Replace(line)); w > columns && !oneLine(text.Name, line) {
				faults = append(faults, fmt.Sprintf("%s:%d: %d columns, with a tab as 4. A line has %d at most: "+
					"break it after a comma or an operator, a comment between two words.", text.Name, n, w, columns))
			}
		}
	}
	return faults
}

func width(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

// oneLine reports whether a line can't be broken: a row of a table, or a build line.
func oneLine(name, line string) bool {
	if path.Ext(name) == ".md" {
		return strings.HasPrefix(strings.TrimLeft(line, " "), "|")
	}
	return strings.HasPrefix(line, "//go:build ")
}

// A Text is the text of a Go or Markdown file.
type Text struct {
	Name string // slash-separated, relative to the module
	Body string
}

// loadTexts reads the texts of the module and of the modules inside it.
func (t *Tree) loadTexts(fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch ext := path.Ext(name); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "vendor"):
			return fs.SkipDir
		case d.IsDir() || ext != ".go" && ext != ".md":
			return nil
		}
		body, err := fs.ReadFile(fsys, name)
		t.Texts = append(t.Texts, Text{Name: name, Body: string(body)})
		return err
	})
}
