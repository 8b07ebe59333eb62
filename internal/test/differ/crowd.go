package differ

import (
	"fmt"
	"sync/atomic"
)

// planCrowd makes several tasks write to one connection, or read from one, at the same time. The order of their turns
// is not known, so all of them write or read the same bytes.
func planCrowd(g *planner, r record) {
	n := 2 + int(r.y)%3
	if r.y&64 == 0 {
		c := g.conn(r.object, func(c *conn) bool {
			return c.on == 0 && canWrite(c) && c.room() > 0 && len(c.out.flying)+n <= piecesMax
		})
		if c == nil {
			planPair(g, r)
			return
		}
		k := max(1, min(size(r.x), c.room()/n))
		if k*n > c.room() {
			return
		}
		_, d := c.answered()
		seg := segment{c.out.id, c.out.at, k}
		c.out.at += k
		for range n {
			d.flying = append(d.flying, seg)
		}
		g.do(g.actor(r.actor), crowdWrite, Step{O: c.id, N: n, M: int(r.y>>3) % Loops, Segs: []segment{seg}},
			c.writing()...)
		return
	}
	c := g.conn(r.object, func(c *conn) bool { return c.on == 0 && !c.records() && sameAtFront(c.in.flying) > 1 })
	if c == nil {
		return
	}
	n = sameAtFront(c.in.flying)
	seg := c.in.flying[0]
	c.in.take(n * seg.N)
	g.do(g.actor(r.actor), crowdRead, Step{O: c.id, N: n, M: int(r.y>>3) % Loops, Segs: []segment{seg}},
		c.reading()...)
}

// sameAtFront returns how many segments are equal to the first, from the front.
func sameAtFront(segs []segment) (n int) {
	for n < len(segs) && segs[n] == segs[0] {
		n++
	}
	return n
}

// crowd runs f in s.N tasks, two on each loop in turn, and counts how many saw what they should.
func (x *actor) crowd(s *Step, f func() string) string {
	var good atomic.Int64
	var bad atomic.Pointer[string]
	var all []Child
	for i := range s.N {
		all = append(all, x.Go((s.M+i/2)%Loops, 0, func(World) {
			if seen := f(); seen == "" {
				good.Add(1)
			} else {
				bad.Store(&seen)
			}
		}))
	}
	for _, t := range all {
		t.Wait()
	}
	if seen := bad.Load(); seen != nil {
		return fmt.Sprintf("%d, %s", good.Load(), *seen)
	}
	return fmt.Sprint(good.Load())
}

var crowdWrite = &verb{"c%[1]d.Write(%[7]d) // by %[3]d tasks at once", func(x *actor, s *Step) string {
	c, p := get[Conn](x, s.O), content(s.Segs)
	return x.crowd(s, func() string {
		if n, err := c.Write(p); err != nil || n != len(p) {
			return valued(n, err)
		}
		return ""
	})
}}

// Discard takes all its bytes in one turn. A Read may be short, and another reader's turn would come between.
var crowdRead = &verb{"c%[1]d.Discard(%[7]d) // by %[3]d tasks at once", func(x *actor, s *Step) string {
	c, k := get[Conn](x, s.O), total(s.Segs)
	return x.crowd(s, func() string {
		if n, err := c.Discard(k); err != nil || n != k {
			return valued(n, err)
		}
		return ""
	})
}}
