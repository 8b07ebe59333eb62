package raftkv

import "ringo/sock"

// accepts serves connections.
func (r *replica) accepts() error {
	for {
		c, err := r.ln.AcceptConn()
		if err != nil {
			return err
		}
		r.l.Go(func() {
			defer c.Close()
			r.serve(c)
		})
	}
}

// serve answers one question after the other. A question that can't be answered ends the connection: who has asked
// does not know what became of it.
func (r *replica) serve(c *sock.Conn) {
	for {
		c.SetIdle(true) // a drain ends the wait for a question
		var m Message
		if _, err := readFrame(c, &m); err != nil {
			return
		}
		c.SetIdle(false)
		rep, err := r.answer(&m)
		if err != nil {
			return
		}
		if _, err := c.Write(appendFrame(nil, rep)); err != nil {
			return
		}
	}
}

func (r *replica) answer(m *Message) (Reply, error) {
	switch {
	case m.Kind == Vote:
		return r.onVote(m)
	case m.Kind == Append:
		return r.onAppend(m)
	case r.role != leader:
		return Reply{Status: NotLeader, Leader: r.leader}, nil
	case m.Kind == Get:
		return r.get(m.Key)
	case m.size() > entryMax || r.journal.at > journalMax || m.Kind != Put && m.Kind != Swap:
		return Reply{Status: Refused}, nil
	}
	return r.write(Entry{r.term, m.Kind, m.Key, m.Value, m.Old})
}

// write parks until an entry is committed, or nobody knows whether it will be.
func (r *replica) write(e Entry) (Reply, error) {
	at := position{r.last() + 1, e.Term}
	rep := &Reply{Status: Unknown}
	r.results[at] = rep
	defer delete(r.results, at)
	err := r.l.WithTimeout(2*r.Election, func() error {
		if err := r.propose(e); err != nil {
			return err
		}
		return r.wait(func() bool { return rep.Status == Done || r.term != at.term })
	})
	return *rep, err
}

// get parks until the replica leads for certain, and what earlier leaders have committed is in its data.
func (r *replica) get(key string) (Reply, error) {
	term := r.term
	r.reads++
	read := r.reads
	r.changed()
	leads := false
	err := r.l.WithTimeout(2*r.Election, func() error {
		return r.wait(func() bool {
			leads = r.term == term && r.confirmed(read) && r.log[r.commit].Term == term
			return leads || r.term != term
		})
	})
	if err != nil || !leads {
		return Reply{Status: NotLeader, Leader: r.leader}, err
	}
	return Reply{Status: Done, Value: r.data[key]}, nil
}
