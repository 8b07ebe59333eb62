package debug

import (
	"slices"
	"time"

	"ringo"
)

// listing is an answer with rows in the making.
type listing[T any] struct {
	loops          []*ringo.Loop              // that it is about
	keeps          func(texts ...string) bool // whether a row of such texts is wanted; nil: each is
	total, matched int
	rows           first[T]
	begun          time.Time
}

// listOf takes a query's loops, order, filter and number of rows.
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

// add takes in a row that is wanted.
func (l *listing[T]) add(row *T) {
	l.matched++
	l.rows.add(row)
}

// part is an empty listing of the same sort, for what may come to nothing.
func (l *listing[T]) part() *listing[T] {
	return &listing[T]{keeps: l.keeps, rows: first[T]{n: l.rows.n, order: l.rows.order}}
}

// merge takes in a part.
func (l *listing[T]) merge(p *listing[T]) {
	l.total, l.matched = l.total+p.total, l.matched+p.matched
	for i := range p.rows.rows {
		l.rows.add(&p.rows.rows[i])
	}
}

// answer is what is told, with the rows, when all have been taken in.
func (l *listing[T]) answer(with map[string]any) map[string]any {
	with["now"], with["total"], with["matched"] = moment(time.Now()), l.total, l.matched
	with["took"] = int64(time.Since(l.begun))
	return with
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
