package raftkv

import (
	"errors"

	"ringo/sock"
)

// handler answers the questions of a connection, one after the other. One that can't be answered in time ends it: who
// has asked does not know what became of it.
func (r *Replica) handler() *sock.Handler {
	conns := 0
	return &sock.Handler{
		Open: func(*sock.Conn) error {
			if conns++; conns > connsMax {
				return errors.New("raftkv: too many connections")
			}
			return nil
		},
		Request: func(c *sock.Conn) (err error) {
			for err == nil && c.Buffered() > 0 {
				err = r.l.WithTimeout(2*r.Election, func() error { return r.serve(c) })
			}
			return err
		},
		Closed: func(*sock.Conn, error) { conns-- },
	}
}

func (r *Replica) serve(c *sock.Conn) error {
	var m Message
	if _, err := readFrame(c, &m); err != nil {
		return err
	}
	rep, err := r.answer(&m)
	if err == nil {
		_, err = c.Write(appendFrame(nil, rep))
	}
	return err
}

// answer parks until what it answers is durable.
func (r *Replica) answer(m *Message) (Reply, error) {
	if (m.Kind == Vote || m.Kind == Append) && m.Term > r.term {
		r.begin(m.Term, "")
	}
	switch {
	case m.Kind == Vote:
		return r.onVote(m), r.durable()
	case m.Kind == Append:
		return r.onAppend(m), r.durable()
	case r.asks != Append:
		return Reply{Why: "another one leads", Leader: r.leader}, nil
	case m.Kind == Get:
		return r.get(string(m.Key))
	case m.size() > entryMax || r.at > journalMax || m.Kind != Put && m.Kind != Swap:
		return Reply{Why: "it is too large, or the journal is full"}, nil
	}
	return r.write(m.Entry)
}

// write makes an entry the leader's last, and parks until it is committed.
func (r *Replica) write(e Entry) (Reply, error) {
	e.Term = r.term
	at := r.last() + 1
	r.replace(at, e)
	if err := r.waitAsLeader(func() bool { return r.commit >= at }); err != nil {
		return Reply{}, err
	}
	return Reply{Done: true, OK: r.log[at].ok}, nil
}

// get parks until the replica leads for certain, and what earlier leaders have committed is in its data.
func (r *Replica) get(key string) (Reply, error) {
	r.round++
	round := r.round
	r.changed()
	err := r.waitAsLeader(func() bool { return r.confirmed >= round && r.log[r.commit].Term == r.term })
	return Reply{Done: true, Value: r.data[key]}, err
}

// waitAsLeader is wait that fails when the replica's term as leader ends: another one decides what becomes of its log.
func (r *Replica) waitAsLeader(ok func() bool) error {
	term := r.term
	if err := r.wait(func() bool { return r.term != term || ok() }); err != nil || r.term == term {
		return err
	}
	return errors.New("raftkv: it leads no longer")
}
