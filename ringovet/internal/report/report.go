package report

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"path/filepath"
	"strings"

	"ringo/ringovet/internal/reach"
)

// NoReason is what is wrong with a silence that says nothing.
const NoReason = "//ringo:offloaded has no reason: say why this never runs on a loop, or never waits"

// A Line is a finding as it is told.
type Line struct {
	Posn    string   `json:"posn"`
	Message string   `json:"message"`
	Call    string   `json:"call,omitempty"`
	Instead string   `json:"instead,omitempty"`
	Path    []string `json:"path,omitempty"`
	More    int      `json:"more,omitempty"` // blockers behind the same call of others' code
}

// Of makes the line of a finding; dir is what file names are relative to.
func Of(fset *token.FileSet, dir string, f reach.Finding) Line {
	b := f.Blocker
	l := Line{posn(fset, dir, f.Pos), Message(fset, f), b.Name, b.Instead, nil, f.More}
	for i, frame := range f.Path {
		step := frame.Name
		if i == 0 {
			step += " at " + posn(fset, dir, frame.Pos)
		}
		l.Path = append(l.Path, step)
	}
	return l
}

// Silence makes the line of a silence without a reason.
func Silence(fset *token.FileSet, dir string, pos token.Pos) Line {
	return Line{Posn: posn(fset, dir, pos), Message: NoReason}
}

// Message is a finding in one line: what, what it does, what to use instead, and the path.
func Message(fset *token.FileSet, f reach.Finding) string {
	var path []string
	for i, frame := range f.Path {
		step := frame.Name
		if at := fset.Position(frame.Pos); i == 0 && at.IsValid() {
			step = fmt.Sprintf("%s at %s:%d", step, filepath.Base(at.Filename), at.Line)
		}
		path = append(path, step)
	}
	more := ""
	if f.More > 0 {
		more = fmt.Sprintf("; and %d more behind this call", f.More)
	}
	b := f.Blocker
	return fmt.Sprintf("%s %s; use %s [%s]%s", b.Name, b.Why, b.Instead, strings.Join(path, " -> "), more)
}

// Print writes lines for people.
func Print(w io.Writer, lines []Line) {
	for _, l := range lines {
		fmt.Fprintf(w, "%s: %s\n", l.Posn, l.Message)
	}
}

// JSON writes lines as one array.
func JSON(w io.Writer, lines []Line) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	if lines == nil {
		lines = []Line{}
	}
	return e.Encode(lines)
}

func posn(fset *token.FileSet, dir string, pos token.Pos) string {
	at := fset.Position(pos)
	if rel, err := filepath.Rel(dir, at.Filename); err == nil && !strings.HasPrefix(rel, "..") {
		at.Filename = rel
	}
	return at.String()
}
