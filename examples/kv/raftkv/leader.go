package raftkv

import "slices"

// peer is another replica, and what a candidate or a leader knows of it.
type peer struct {
	Client
	voted uint64 // the last term in which it has voted for this replica
	next  uint64 // the entry that it is sent next
	match uint64 // as far its log is known to be the leader's
	round uint64 // the last in which it has followed
}

// talks is the task that asks a peer for its vote, and then keeps its log like the leader's.
func (r *Replica) talks(p *peer) error {
	defer p.Close()
	asks := func() bool { return r.asks == Append || r.asks == Vote && r.at >= r.stood }
	for r.wait(asks) == nil && r.l.Context().Err() == nil {
		m := r.question(p)
		rep, err := p.ask(r.l, m)
		if err == nil {
			r.told(p, m, rep)
		}
		news := func() bool {
			return r.asks != m.Kind || err == nil && r.asks == Append && (p.next <= r.last() || p.round < r.round)
		}
		r.l.WithTimeout(r.Election/5, func() error { return r.wait(news) }) // then it is time for a heartbeat
	}
	return r.l.Context().Err()
}

// question is what a candidate or a leader has for a peer now.
func (r *Replica) question(p *peer) *Message {
	m := &Message{Entry: Entry{Kind: r.asks, Term: r.term}, From: r.Self, Last: r.last(), Commit: r.commit}
	m.round = r.round
	if r.asks == Append {
		m.Last, m.Entries = p.next-1, r.log[p.next:min(p.next+batchMax, r.last()+1)]
	}
	m.LastTerm = r.log[m.Last].Term
	return m
}

// told notes what a peer has answered.
func (r *Replica) told(p *peer, m *Message, rep Reply) {
	switch {
	case rep.Term > r.term:
		r.begin(rep.Term, "")
	case r.term != m.Term: // it is an answer to who the replica was
	case m.Kind == Append:
		p.next, p.round = rep.Match+1, m.round
		if rep.OK {
			p.match = rep.Match
		}
		r.advance()
	case rep.OK && r.asks == Vote:
		p.voted = r.term
		if r.agreed(r.term, func(p *peer) uint64 { return p.voted }) == r.term {
			r.lead()
		}
	}
}

// lead begins the replica's term as leader. Its first entry commits what earlier leaders have left.
func (r *Replica) lead() {
	r.asks, r.leader, r.kept = Append, r.Self, 0
	for _, p := range r.peers {
		p.next, p.match = r.last()+1, 0
	}
	r.replace(r.last()+1, Entry{Term: r.term})
}

// advance commits what a majority has, and confirms the reads after which a majority has followed.
func (r *Replica) advance() {
	r.confirmed = r.agreed(r.round, func(p *peer) uint64 { return p.round })
	if n := r.agreed(r.kept, func(p *peer) uint64 { return p.match }); r.log[n].Term == r.term {
		r.commitTo(n)
	}
	r.changed()
}

// agreed is the largest number that a majority has reached.
func (r *Replica) agreed(own uint64, of func(*peer) uint64) uint64 {
	all := []uint64{own}
	for _, p := range r.peers {
		all = append(all, of(p))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
