package lint

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// columns is the length of a line, with a tab as four: what a diff of two files shows
// side by side.
const columns = 120

// Columns is the rule that lines end before they leave the screen, in Go and in
// Markdown, also in the modules inside this one. The module's path counts as the
// name of its root package: a release has a longer one, and breaks no line for it.
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

// oneLine reports whether a line has no place to be broken at: a row of a table, a
// build line.
func oneLine(name, line string) bool {
	if path.Ext(name) == ".md" {
		return strings.HasPrefix(strings.TrimLeft(line, " "), "|")
	}
	return strings.HasPrefix(line, "//go:build ")
}

// A Text is a Go or Markdown file, word for word.
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
