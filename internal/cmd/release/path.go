package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// setPath gives the module of a checkout another path.
func setPath(root, to string) error {
	if err := modpath.CheckPath(to); err != nil {
		return err
	}
	if _, major, ok := modpath.SplitPathVersion(to); !ok || major != "" {
		return fmt.Errorf("path %s is for one major version: want one for v0 and v1, with which those of the modules "+
			"inside begin", to)
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	from := modfile.ModulePath(text)
	if from == to {
		return nil
	}
	r, err := newRenaming(root, from, to)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && d.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return r.file(name)
	})
}

// A renaming finds a module's path in text. Ringo's path is also a plain word, and a part of other paths.
type renaming struct {
	from, to string
	dirs     map[string]bool  // first folders of packages' paths; true: a package itself
	whole    []*regexp.Regexp // match the path where it stands alone, as the first group
}

func newRenaming(root, from, to string) (*renaming, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	r := &renaming{from: from, to: to, dirs: map[string]bool{}}
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' && e.Name() != "docs" && e.Name() != "testdata" {
			files, err := filepath.Glob(filepath.Join(root, e.Name(), "*.go"))
			if err != nil {
				return nil, err
			}
			_, err = os.Stat(filepath.Join(root, e.Name(), "go.mod"))
			r.dirs[e.Name()] = err == nil || len(files) > 0
		}
	}
	for _, text := range alone {
		text = strings.ReplaceAll(text, "PATH", "("+regexp.QuoteMeta(from)+")")
		r.whole = append(r.whole, regexp.MustCompile("(?m)"+text))
	}
	return r, nil
}

// alone are the patterns of places where the path alone means the module, or its root package.
var alone = []string{
	`^\t(?:[\w.]+ )?"PATH"$`,                                 // a line of an import declaration
	`\bimport (?:[\w.]+ )?"PATH"`,                            // a declaration that is a line, also in a test's text
	`\b[mM]odule += "PATH"`,                                  // the constant that tables use
	`\b(?:module|require|replace) PATH(?: v[0-9]| =>|\\n|$)`, // text of a go.mod
	`^\tPATH v[0-9]`,                                         // in a block of one
	`(?:[\s=\x60]|^)PATH[@=]`,                                // a version
	`"\(\*PATH\.\w+(?:\[[\w, ]+\])?\)\.\w+"`,                 // a method, as package types has its name
	`"PATH\.\(\*\w+\)\.\w+"`,                                 // and as package runtime has it
	`\{"PATH\.[\w.]+", -?[0-9]`,                              // a row of ringovet's tables
	`(?:[^\w/.-]|\\n|^)PATH_test\.[\w(]`,                     // a function of the root's tests, in a stack
	`^\| PATH \|`,                                            // a row of docs/what-parks.md
}

// file renames in one file. Files that are not text have no path, and <!-- unpublished --> parts of documents are
// removed.
func (r *renaming) file(name string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !utf8.Valid(old) || bytes.IndexByte(old, 0) >= 0 {
		return nil
	}
	text := []byte(r.text(string(old)))
	if path.Ext(name) == ".md" {
		text = unpublished.ReplaceAll(text, nil)
		if mark.Match(text) {
			return fmt.Errorf("%s: what begins with <!-- unpublished --> has no line <!-- end -->", name)
		}
	}
	if bytes.Equal(text, old) {
		return nil
	}
	switch path.Ext(name) { // the order of imports follows their paths
	case ".go":
		if text, err = format.Source(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	case ".md":
		text = program.ReplaceAllFunc(text, func(block []byte) []byte {
			source, err := format.Source(bytes.TrimSuffix(bytes.TrimPrefix(block, []byte("```go\n")), []byte("```")))
			if err != nil { // a part of a program
				return block
			}
			return slices.Concat([]byte("```go\n"), source, []byte("```"))
		})
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, info.Mode().Perm())
}

var (
	program     = regexp.MustCompile("(?s)```go\npackage .*?\n```")
	unpublished = regexp.MustCompile("(?ms)^<!-- unpublished -->\n.*?^<!-- end -->\n\n?") // until there is a path
	mark        = regexp.MustCompile("(?m)^<!-- unpublished -->")
)

// text renames in a text.
func (r *renaming) text(s string) string {
	var at []int
	for i := 0; ; {
		k := strings.Index(s[i:], r.from+"/")
		if k < 0 {
			break
		}
		i += k
		if r.begins(s, i) && r.goesOn(s[i+len(r.from)+1:]) {
			at = append(at, i)
		}
		i += len(r.from)
	}
	for _, re := range r.whole {
		for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
			at = append(at, m[2])
		}
	}
	slices.Sort(at)
	var b strings.Builder
	last := 0
	for _, i := range slices.Compact(at) {
		b.WriteString(s[last:i])
		b.WriteString(r.to)
		last = i + len(r.from)
	}
	return b.String() + s[last:]
}

// begins reports whether a path may begin at s[i].
func (r *renaming) begins(s string, i int) bool {
	if i == 0 {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	return !word(before) && !strings.ContainsRune("/.@", before) && !(before == '-' && i > 1 && word(rune(s[i-2])))
}

// goesOn reports whether rest, the text after "ringo/", makes that the path of a package, or the prefix of all of them.
func (r *renaming) goesOn(rest string) bool {
	end := strings.IndexFunc(rest, func(c rune) bool { return !word(c) && c != '-' })
	if end < 0 {
		end = len(rest)
	}
	whole, ok := r.dirs[strings.TrimSuffix(rest[:end], "_test")]
	return ok && (whole || strings.HasPrefix(rest[end:], "/")) || end == 0 && strings.HasPrefix(rest, `"`)
}

func word(c rune) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
