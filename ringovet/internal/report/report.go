package report

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"ringo/ringovet/internal/blockers"
	"ringo/ringovet/internal/reach"
)

// NoReason is the message for a directive without a reason.
const NoReason = "//ringo:offloaded has no reason: say why this never runs on a loop, or never waits"

// A Line is a finding in the form in which it is written.
type Line struct {
	Posn    string   `json:"posn"`
	Message string   `json:"message"`
	Call    string   `json:"call,omitempty"`
	Instead string   `json:"instead,omitempty"`
	Path    []string `json:"path,omitempty"`
	Also    []string `json:"also,omitempty"` // other blockers behind the same call of code of others
	prints  bool     // it stops the loop only while the program's output is not read
}

// Of returns the Line of a finding. File names are relative to dir.
func Of(fset *token.FileSet, dir string, f reach.Finding) Line {
	b := f.Blocker
	l := Line{Posn: posn(fset, dir, f.Pos), Message: Message(fset, f), Call: b.Name, Instead: b.Instead,
		prints: b.Rank() == blockers.Prints}
	for _, b := range f.Also {
		l.Also = append(l.Also, b.Name)
	}
	for i, frame := range f.Path {
		step := frame.Name
		if i == 0 {
			step += " at " + posn(fset, dir, frame.Pos)
		}
		l.Path = append(l.Path, step)
	}
	return l
}

// Silence returns the Line of a directive without a reason.
func Silence(fset *token.FileSet, dir string, pos token.Pos) Line {
	return Line{Posn: posn(fset, dir, pos), Message: NoReason}
}

// Message returns a finding in one line: the call, what it does, what to use instead, and the path.
func Message(fset *token.FileSet, f reach.Finding) string {
	var path []string
	for i, frame := range f.Path {
		step := frame.Name
		if at := fset.Position(frame.Pos); i == 0 && at.IsValid() {
			step = fmt.Sprintf("%s at %s:%d", step, filepath.Base(at.Filename), at.Line)
		}
		path = append(path, step)
	}
	if len(path) > pathMax {
		path = slices.Concat(path[:pathMax/2], []string{"..."}, path[len(path)-(pathMax-pathMax/2-1):])
	}
	b := f.Blocker
	return fmt.Sprintf("%s %s; use %s [%s]%s", b.Name, b.Why, b.Instead, strings.Join(path, " -> "), also(f.Also))
}

// The bounds of a message: of the steps of its path, and of the other blockers behind the call.
const (
	pathMax = 7
	alsoMax = 2
)

func also(all []blockers.Blocker) string {
	if len(all) == 0 {
		return ""
	}
	var names []string
	for _, b := range all[:min(len(all), alsoMax)] {
		names = append(names, b.Name)
	}
	if n := len(all) - alsoMax; n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}
	return "; behind this call also " + strings.Join(names, ", ")
}

// Print writes lines for people. Of findings that print it writes only the first, since one change mends all of them.
func Print(w io.Writer, lines []Line) {
	var prints []Line
	for _, l := range lines {
		if l.prints {
			prints = append(prints, l)
		} else {
			fmt.Fprintf(w, "%s: %s\n", l.Posn, l.Message)
		}
	}
	if len(prints) == 0 {
		return
	}
	more := ""
	if n := len(prints) - 1; n > 0 {
		more = fmt.Sprintf("; %d more print, the next at %s: -json has all", n, prints[1].Posn)
	}
	fmt.Fprintf(w, "%s: %s%s\n", prints[0].Posn, prints[0].Message, more)
}

// JSON writes all lines as one array.
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
