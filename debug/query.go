package debug

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is the parameters of a request.
type query struct {
	values url.Values
	used   []string
}

const (
	rowsDefault = 200
	rowsMax     = 1000
	textMax     = 200 // bytes of a parameter
)

func parseQuery(text string) (*query, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("the query: %w", err)
	}
	for name, v := range values {
		if len(v) > 1 || len(v[0]) > textMax {
			return nil, fmt.Errorf("%.20q: given twice, or longer than %d bytes", name, textMax)
		}
	}
	return &query{values: values}, nil
}

// get is a parameter, "" if it is not there.
func (q *query) get(name string) string {
	q.used = append(q.used, name)
	return q.values.Get(name)
}

// unused is the error of a parameter that nobody has asked for.
func (q *query) unused() error {
	for name := range q.values {
		if !slices.Contains(q.used, name) {
			return fmt.Errorf("parameter %.20q has no meaning here", name)
		}
	}
	return nil
}

// rows is how many are wanted.
func (q *query) rows() (int, error) {
	text := q.get("n")
	if text == "" {
		return rowsDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > rowsMax {
		return 0, fmt.Errorf("n=%q: want 0 to %d", text, rowsMax)
	}
	return n, nil
}

// filter reports whether a row that consists of some texts is wanted.
func (q *query) filter() func(texts ...string) bool {
	want := strings.ToLower(q.get("filter"))
	if want == "" {
		return nil
	}
	return func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(strings.ToLower(t), want) {
				return true
			}
		}
		return false
	}
}

// sort gives the order that is wanted, of those that there are by name.
func sorting[T any](q *query, orders map[string]func(a, b *T) int, usual string) (func(a, b *T) int, error) {
	name := q.get("sort")
	if name == "" {
		name = usual
	}
	plain, reverse := strings.CutPrefix(name, "-")
	order, ok := orders[plain]
	if !ok {
		return nil, fmt.Errorf("sort=%.20q: no such column", name)
	}
	if reverse {
		return func(a, b *T) int { return order(b, a) }, nil
	}
	return order, nil
}
