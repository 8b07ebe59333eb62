package dashtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// use is one use of a metric in an expression.
type use struct {
	name     string
	matchers []string // names of the labels that it matches
	rated    bool     // it is directly inside rate, increase or the like
}

// expression is what parse finds in an expression.
type expression struct {
	uses   []use
	labels []string // labels by which results are grouped or joined
}

var (
	// Strings, ranges, words, numbers, and otherwise single characters.
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:$][a-zA-Z0-9_:]*|[0-9][0-9a-z.]*|\S`)
	word  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

	groupings = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
	operators = []string{"and", "or", "unless", "bool", "offset"}
	ratings   = []string{"rate", "irate", "increase"}
)

// parse finds the metrics and labels of an expression.
func parse(text string) (*expression, error) {
	tokens := token.FindAllString(text, -1)
	if err := balanced(tokens); err != nil {
		return nil, err
	}
	at := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return tokens[i]
	}
	e := &expression{}
	for i := 0; i < len(tokens); i++ {
		name := tokens[i]
		switch {
		case !word.MatchString(name) || slices.Contains(operators, name):
		case slices.Contains(groupings, name) && at(i+1) == "(":
			i += 2
			for ; at(i) != ")"; i++ {
				if at(i) != "," {
					e.labels = append(e.labels, at(i))
				}
			}
		case at(i+1) == "(" || slices.Contains(groupings, at(i+1)): // a function, or an aggregation
		default:
			u := use{name: name, rated: at(i-1) == "(" && slices.Contains(ratings, at(i-2))}
			if at(i+1) == "{" {
				for i += 2; at(i) != "}"; i++ {
					if word.MatchString(at(i)) {
						u.matchers = append(u.matchers, at(i))
					}
				}
			}
			e.uses = append(e.uses, u)
		}
	}
	if len(e.uses) == 0 {
		return nil, fmt.Errorf("no metric")
	}
	return e, nil
}

// balanced returns an error unless every bracket has its counterpart.
func balanced(tokens []string) error {
	var open []string
	for _, t := range tokens {
		switch t {
		case "(", "{", "[":
			open = append(open, t)
		case ")", "}", "]":
			if len(open) == 0 || open[len(open)-1]+t != map[string]string{")": "()", "}": "{}", "]": "[]"}[t] {
				return fmt.Errorf("%s without its other half", t)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%s without its other half", strings.Join(open, " and "))
	}
	return nil
}
