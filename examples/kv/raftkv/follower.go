package raftkv

import "time"

// elections is the task that has the replica stand for election when it hears of no leader.
func (r *Replica) elections() error {
	for r.l.Sleep(r.Election+time.Duration(r.Rand.Int64N(int64(r.Election)))) == nil {
		if !r.heard && r.asks != Append {
			r.begin(r.term+1, r.Self)
			r.asks, r.stood = Vote, r.end()
		}
		r.heard = false
	}
	return r.l.Context().Err()
}

// begin begins a term, as a follower.
func (r *Replica) begin(term uint64, vote string) {
	r.term, r.vote, r.asks, r.leader = term, vote, "", ""
	r.save(0)
}

// onVote answers a candidate.
func (r *Replica) onVote(m *Message) Reply {
	last := r.log[r.last()].Term
	current := m.LastTerm > last || m.LastTerm == last && m.Last >= r.last()
	ok := m.Term == r.term && current && (r.vote == "" || r.vote == m.From)
	if ok {
		r.vote = m.From
		r.heard = true
		r.save(0)
	}
	return Reply{Term: r.term, OK: ok}
}

// onAppend answers a leader.
func (r *Replica) onAppend(m *Message) Reply {
	if m.Term < r.term {
		return Reply{Term: r.term}
	}
	if r.asks == Append {
		panic("raftkv: two leaders in one term")
	}
	r.asks, r.leader = "", m.From
	r.heard = true
	if m.Last > r.last() || r.log[m.Last].Term != m.LastTerm {
		return Reply{Term: r.term, Match: min(r.last(), m.Last-1)}
	}
	for i, e := range m.Entries {
		at := m.Last + 1 + uint64(i)
		if at > r.last() || r.log[at].Term != e.Term {
			r.replace(at, m.Entries[i:]...)
			break
		}
	}
	match := m.Last + uint64(len(m.Entries))
	r.commitTo(min(m.Commit, match))
	return Reply{Term: r.term, OK: true, Match: match}
}
