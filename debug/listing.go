package debug

import (
	"slices"
	"time"

	"ringo"
)

// listing is an answer with rows, while it is being made.
type listing[T any] struct {
	loops          []*ringo.Loop              // the loops that the query asks for
	keeps          func(texts ...string) bool // reports whether a row with such texts is wanted; nil: all are
	total, matched int
	rows           first[T]
	begun          time.Time
}

// listOf returns an empty listing with the loops, the order, the filter and the number of rows that a query asks for.
func listOf[T any](q *query, orders map[string]func(a, b *T) int, usual string) (*listing[T], error) {
	loops, err := q.wanted()
	if err != nil {
		return nil, err
	}
	n, err := q.rows()
	if err != nil {
		return nil, err
	}
	order, err := sorting(q, orders, usual)
	if err != nil {
		return nil, err
	}
	return &listing[T]{loops: loops, keeps: q.filter(), rows: first[T]{n: n, order: order}, begun: time.Now()}, nil
}

// add adds a row that is wanted.
func (l *listing[T]) add(row *T) {
	l.matched++
	l.rows.add(row)
}

// part returns an empty listing with the same filter and order, for rows that may be dropped.
func (l *listing[T]) part() *listing[T] {
	return &listing[T]{keeps: l.keeps, rows: first[T]{n: l.rows.n, order: l.rows.order}}
}

// merge adds a part's rows and counts.
func (l *listing[T]) merge(p *listing[T]) {
	l.total, l.matched = l.total+p.total, l.matched+p.matched
	for i := range p.rows.rows {
		l.rows.add(&p.rows.rows[i])
	}
}

// answer adds the time and the counts to an answer, which has its rows already.
func (l *listing[T]) answer(with map[string]any) map[string]any {
	with["now"], with["total"], with["matched"] = moment(time.Now()), l.total, l.matched
	with["took"] = int64(time.Since(l.begun))
	return with
}

// first keeps the n rows that are first by an order, of all that are added, in a heap with the last of them on top.
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

// sorted returns the rows in order.
func (f *first[T]) sorted() []T {
	slices.SortFunc(f.rows, func(a, b T) int { return f.order(&a, &b) })
	return slices.Clip(f.rows)
}
