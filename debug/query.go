package debug

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query holds the parameters of a request.
type query struct{ values url.Values }

const (
	rowsDefault = 200
	rowsMax     = 1000
	textMax     = 200 // bytes of a parameter
)

// parseQuery reads the parameters of a request, which may only be some of known.
func parseQuery(text string, known []string) (*query, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("the query: %w", err)
	}
	for name, v := range values {
		switch {
		case len(v) > 1 || len(v[0]) > textMax:
			return nil, fmt.Errorf("%.20q: given twice, or longer than %d bytes", name, textMax)
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("parameter %.20q has no meaning here", name)
		}
	}
	return &query{values}, nil
}

// get returns a parameter, "" if it is missing.
func (q *query) get(name string) string { return q.values.Get(name) }

// rows returns how many rows the request asks for.
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

// filter returns a function that reports whether a row with these texts contains the text that the request asks for,
// ignoring case. It returns nil if the request asks for none.
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

// sorting returns the order that a request asks for, out of orders by their names; usual is the name of the default.
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
