package reach

import (
	"go/ast"
	"go/token"
	"strings"
)

// directive is the comment that silences findings on its line and on the next, or in the function whose doc comment has
// it.
const directive = "//ringo:offloaded"

// Silences are the places in which no findings are reported.
type Silences struct {
	fset  *token.FileSet
	lines map[place]bool
	spans []span
	Bare  []token.Pos // directives without a reason
}

type place struct {
	file string
	line int
}

type span struct{ from, to token.Pos }

// SilencesOf finds the directives in files.
func SilencesOf(fset *token.FileSet, files []*ast.File) *Silences {
	s := &Silences{fset: fset, lines: map[place]bool{}}
	for _, f := range files {
		docs := map[*ast.CommentGroup]ast.Node{}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil {
				docs[fn.Doc] = fn
			}
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				s.add(c, docs[group])
			}
		}
	}
	return s
}

func (s *Silences) add(c *ast.Comment, fn ast.Node) {
	reason, ok := strings.CutPrefix(c.Text, directive)
	if !ok || reason != "" && reason[0] != ' ' && reason[0] != '\t' {
		return
	}
	reason, _, _ = strings.Cut(reason, "//")
	if strings.TrimSpace(reason) == "" {
		s.Bare = append(s.Bare, c.Pos())
	}
	if fn != nil {
		s.spans = append(s.spans, span{fn.Pos(), fn.End()})
		return
	}
	at := s.fset.Position(c.Pos())
	s.lines[place{at.Filename, at.Line}] = true
	s.lines[place{at.Filename, at.Line + 1}] = true
}

// Covers reports whether a place is silenced.
func (s *Silences) Covers(pos token.Pos) bool {
	if !pos.IsValid() {
		return false
	}
	for _, sp := range s.spans {
		if sp.from <= pos && pos < sp.to {
			return true
		}
	}
	at := s.fset.Position(pos)
	return s.lines[place{at.Filename, at.Line}]
}
