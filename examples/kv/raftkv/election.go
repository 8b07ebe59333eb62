package raftkv

import (
	"time"
)

// elections is the task that has the replica stand for election when it hears of no leader.
func (r *replica) elections() {
	for !r.ended {
		heard := r.heard
		wait := r.Election + time.Duration(r.Rand.Int64N(int64(r.Election)))
		if r.l.Sleep(wait) != nil {
			return
		}
		if r.heard == heard && r.role != leader {
			r.stand()
		}
	}
}

// stand asks the others for their votes. It parks until its own is durable.
func (r *replica) stand() {
	r.term, r.vote, r.role, r.leader = r.term+1, r.Self, candidate, ""
	r.save(0)
	m := &Message{Entry: Entry{Kind: Vote, Term: r.term}, From: r.Self, Last: r.last(), LastTerm: r.log[r.last()].Term}
	if r.durable() != nil || r.term != m.Term {
		return
	}
	votes := 1
	for _, addr := range r.others() {
		r.l.GoNamed("asks for a vote", func() {
			k := link{addr: addr}
			defer k.close()
			rep, err := k.ask(r.l, r.Election, m)
			if err != nil || r.term != m.Term || r.role != candidate {
				return
			}
			r.follow(rep.Term)
			if rep.OK {
				votes++
			}
			if votes == r.majority() {
				r.lead()
			}
		})
	}
}

// follow has the replica follow whoever leads a term, if it is a later one than its own.
func (r *replica) follow(term uint64) {
	if term > r.term {
		r.term, r.vote, r.role, r.leader = term, "", follower, ""
		r.save(0)
	}
}

// onVote answers a candidate. It parks.
func (r *replica) onVote(m *Message) (Reply, error) {
	r.follow(m.Term)
	last := r.log[r.last()].Term
	current := m.LastTerm > last || m.LastTerm == last && m.Last >= r.last()
	rep := Reply{Term: r.term, OK: m.Term == r.term && current && (r.vote == "" || r.vote == m.From)}
	if rep.OK {
		r.vote = m.From
		r.heard++
		r.save(0)
	}
	return rep, r.durable()
}

// onAppend answers a leader. It parks.
func (r *replica) onAppend(m *Message) (Reply, error) {
	r.follow(m.Term)
	if m.Term < r.term {
		return Reply{Term: r.term}, r.durable()
	}
	if r.role == leader {
		panic("raftkv: two leaders in one term")
	}
	r.role, r.leader = follower, m.From
	r.heard++
	if m.Last > r.last() || r.log[m.Last].Term != m.LastTerm {
		return Reply{Term: r.term, Match: min(r.last(), m.Last-1)}, r.durable()
	}
	for i, e := range m.Entries {
		at := m.Last + 1 + uint64(i)
		if at > r.last() || r.log[at].Term != e.Term {
			r.replace(at, m.Entries[i:]...)
			break
		}
	}
	rep := Reply{Term: r.term, OK: true, Match: m.Last + uint64(len(m.Entries))}
	r.commitTo(max(r.commit, min(m.Commit, rep.Match)))
	return rep, r.durable()
}
