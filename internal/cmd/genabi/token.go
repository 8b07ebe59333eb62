package main

import (
	"fmt"
	"strings"
)

// tokens is a list of C tokens, and a position in it. A token is a word (a name or a number), << or >>, or a single
// character.
type tokens struct {
	list  []string
	lines []int
	pos   int
}

func tokenize(src string, line int) *tokens {
	t := &tokens{}
	add := func(s string) { t.list, t.lines = append(t.list, s), append(t.lines, line) }
	for i := 0; i < len(src); {
		switch c := src[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t':
			i++
		case isWord(c):
			j := i
			for j < len(src) && isWord(src[j]) {
				j++
			}
			add(src[i:j])
			i = j
		case strings.HasPrefix(src[i:], "<<"), strings.HasPrefix(src[i:], ">>"):
			add(src[i : i+2])
			i += 2
		default:
			add(string(c))
			i++
		}
	}
	return t
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// peek returns the next token, "" at the end.
func (t *tokens) peek() string {
	if t.pos >= len(t.list) {
		return ""
	}
	return t.list[t.pos]
}

func (t *tokens) next() string {
	s := t.peek()
	t.pos++
	return s
}

// accept takes the next token if that is s, and reports whether it was.
func (t *tokens) accept(s string) bool {
	if t.peek() != s {
		return false
	}
	t.pos++
	return true
}

// expect takes the tokens in list. It stops at the first that differs, with an error.
func (t *tokens) expect(list ...string) error {
	for _, want := range list {
		if got := t.next(); got != want {
			t.pos--
			return t.errorf("want %q, got %q", want, got)
		}
	}
	return nil
}

func (t *tokens) errorf(format string, args ...any) error {
	line := 0
	if len(t.lines) > 0 {
		line = t.lines[min(t.pos, len(t.lines)-1)]
	}
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}
