package raftkv

import (
	"math"
	"slices"
)

// peer is what a leader knows of another replica.
type peer struct {
	link
	match uint64 // as far its log is known to be the leader's
	reads uint64 // it has followed when that many reads had come
}

// lead begins the replica's term. Its first entry commits what earlier leaders have left.
func (r *replica) lead() {
	r.role, r.leader = leader, r.Self
	r.peers = nil
	for _, addr := range r.others() {
		p, term, next := &peer{link: link{addr: addr}}, r.term, r.last()+1
		r.peers = append(r.peers, p)
		r.l.GoNamed("replicates", func() { r.replicates(p, term, next) })
	}
	r.peers = append(r.peers, &peer{reads: math.MaxUint64})
	r.propose(Entry{Term: r.term})
}

// propose makes an entry the leader's last, and parks until it is durable there.
func (r *replica) propose(e Entry) error {
	self, at := r.peers[len(r.peers)-1], r.last()+1
	r.replace(at, e)
	err := r.durable()
	if err == nil && r.term == e.Term {
		self.match = max(self.match, at)
		r.advance()
	}
	return err
}

// replicates is the task that keeps a peer's log like the leader's, for a term.
func (r *replica) replicates(p *peer, term, next uint64) {
	defer p.close()
	leads := func() bool { return r.term == term && !r.ended }
	for leads() {
		reads, commit := r.reads, r.commit
		m := &Message{Entry: Entry{Kind: Append, Term: term}, From: r.Self, Commit: commit,
			Last: next - 1, LastTerm: r.log[next-1].Term, Entries: r.batch(next)}
		rep, err := p.ask(r.l, r.Election, m)
		if !leads() {
			return
		}
		if err != nil {
			if r.l.Sleep(r.Heartbeat) != nil {
				return
			}
			continue
		}
		r.follow(rep.Term)
		if !leads() {
			return
		}
		p.reads = reads
		next = rep.Match + 1
		if rep.OK {
			p.match = max(p.match, rep.Match)
			r.advance()
		}
		r.changed()
		r.l.WithTimeout(r.Heartbeat, func() error {
			return r.wait(func() bool {
				return !leads() || !rep.OK || next <= r.last() || reads < r.reads || commit < r.commit
			})
		})
	}
}

// batch is what is sent of the log at once.
func (r *replica) batch(first uint64) []Entry {
	end, bytes := first, 0
	for ; end <= r.last() && bytes < batchMax; end++ {
		bytes += r.log[end].size()
	}
	return r.log[first:end]
}

// advance commits what a majority has.
func (r *replica) advance() {
	var matches []uint64
	for _, p := range r.peers {
		matches = append(matches, p.match)
	}
	slices.Sort(matches)
	n := matches[len(matches)-r.majority()]
	if n > r.commit && r.log[n].Term == r.term {
		r.commitTo(n)
	}
}

// confirmed reports whether a majority followed after a read had come.
func (r *replica) confirmed(read uint64) bool {
	n := 0
	for _, p := range r.peers {
		if p.reads >= read {
			n++
		}
	}
	return n >= r.majority()
}
