package sock

import "sync/atomic"

// pins count those who use a descriptor by its number on a thread of their own, so that
// it is not closed under them.
//
//	open ──seal──▶ sealed ──inherit, if there are any──▶ left to the last of them
type pins struct{ state atomic.Int64 }

// The bits above the count.
const (
	pinsSealed int64 = 1 << 40
	pinsLeft   int64 = 1 << 41
)

// take counts one in; false once they are sealed. G.
func (p *pins) take() bool {
	for {
		v := p.state.Load()
		if v&pinsSealed != 0 {
			return false
		}
		if p.state.CompareAndSwap(v, v+1) {
			return true
		}
	}
}

// drop counts one out. It reports whether the descriptor's end was left to it. G.
func (p *pins) drop() (last bool) { return p.state.Add(-1) == pinsSealed|pinsLeft }

// seal lets nobody in any more.
func (p *pins) seal() { p.state.Or(pinsSealed) }

// inherit leaves the descriptor's end to the last of those who are in; false if there
// are none. They are sealed.
func (p *pins) inherit() bool {
	for {
		v := p.state.Load()
		if v&^(pinsSealed|pinsLeft) == 0 {
			return false
		}
		if p.state.CompareAndSwap(v, v|pinsLeft) {
			return true
		}
	}
}
