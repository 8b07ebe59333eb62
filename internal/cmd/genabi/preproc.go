package main

import (
	"fmt"
	"strings"
)

// A define is one object-like macro that has a value.
type define struct {
	name string
	expr string
	line int
}

// preprocess does the part of the C preprocessor that the header needs: it removes comments and the lines under #ifdef,
// and returns the defines. rest has a line for each line of src, so that line numbers stay right.
func preprocess(src string) (rest string, defs []define, err error) {
	src = strings.ReplaceAll(src, "\\\n", " ")
	src, err = stripComments(src)
	if err != nil {
		return "", nil, err
	}
	var out strings.Builder
	var live []bool // one per open conditional
	isLive := func() bool {
		for _, l := range live {
			if !l {
				return false
			}
		}
		return true
	}
	for i, line := range strings.Split(src, "\n") {
		directive, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			if isLive() {
				out.WriteString(line)
			}
			out.WriteByte('\n')
			continue
		}
		out.WriteByte('\n')
		word, arg, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(directive), "\t", " "), " ")
		arg = strings.TrimSpace(arg)
		switch word {
		case "ifndef": // the include guard
			live = append(live, true)
		case "ifdef": // __cplusplus
			live = append(live, false)
		case "endif":
			if len(live) == 0 {
				return "", nil, fmt.Errorf("line %d: #endif without #if", i+1)
			}
			live = live[:len(live)-1]
		case "include":
		case "define":
			d, err := parseDefine(arg, i+1)
			if err != nil {
				return "", nil, err
			}
			if isLive() && d.expr != "" {
				defs = append(defs, d)
			}
		default:
			return "", nil, fmt.Errorf("line %d: unknown directive #%s", i+1, word)
		}
	}
	if len(live) != 0 {
		return "", nil, fmt.Errorf("%d conditionals not closed", len(live))
	}
	return out.String(), defs, nil
}

func parseDefine(arg string, line int) (define, error) {
	n := strings.IndexFunc(arg, func(r rune) bool { return r == ' ' || r == '\t' || r == '(' })
	if n < 0 {
		return define{name: arg, line: line}, nil
	}
	if arg[n] == '(' {
		return define{}, fmt.Errorf("line %d: macro %s has parameters", line, arg[:n])
	}
	return define{name: arg[:n], expr: strings.TrimSpace(arg[n:]), line: line}, nil
}

// stripComments replaces each comment by a space and the newlines that were in it.
func stripComments(src string) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(src, "/*")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		comment, rest, closed := strings.Cut(after, "*/")
		if !closed {
			return "", fmt.Errorf("comment not closed")
		}
		out.WriteByte(' ')
		out.WriteString(strings.Repeat("\n", strings.Count(comment, "\n")))
		src = rest
	}
}
