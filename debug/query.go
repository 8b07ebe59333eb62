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

// first keeps the first n rows of those that it is given, by an order, in a heap whose top is the last of them.
type first[T any] struct {
	n     int
	order func(a, b *T) int
	rows  []T
}

func (f *first[T]) add(row *T) {
	switch {
	case len(f.rows) < f.n:
		f.rows = append(f.rows, *row)
		f.up(len(f.rows) - 1)
	case f.n > 0 && f.order(row, &f.rows[0]) < 0:
		f.rows[0] = *row
		f.down()
	}
}

func (f *first[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if f.order(&f.rows[i], &f.rows[parent]) <= 0 {
			return
		}
		f.rows[i], f.rows[parent] = f.rows[parent], f.rows[i]
		i = parent
	}
}

func (f *first[T]) down() {
	for i := 0; ; {
		last := 2*i + 1
		if last >= len(f.rows) {
			return
		}
		if next := last + 1; next < len(f.rows) && f.order(&f.rows[next], &f.rows[last]) > 0 {
			last = next
		}
		if f.order(&f.rows[last], &f.rows[i]) <= 0 {
			return
		}
		f.rows[i], f.rows[last] = f.rows[last], f.rows[i]
		i = last
	}
}

// sorted gives them in order.
func (f *first[T]) sorted() []T {
	slices.SortFunc(f.rows, func(a, b T) int { return f.order(&a, &b) })
	return slices.Clip(f.rows)
}
