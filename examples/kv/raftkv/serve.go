package raftkv

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"ringo"
	"ringo/sock"
)

// proposalsMax is how many entries raft gets at once. They go to each follower in one message, as far as messageMax
// allows.
const proposalsMax = 64

// behindMax is how many entries a learner may lack when it is promoted. With more it would have a vote, but could not
// confirm new entries for a long time.
const behindMax = 1000

// outcome is what happened to an entry: it was committed, or it was not taken into the log and never will be.
type outcome struct{ done, ok bool }

// handler answers the requests of a connection, one after the other. If an answer takes too long it closes the
// connection; the client then does not know what happened to its request.
func (r *Replica) handler() *sock.Handler {
	conns := 0
	return &sock.Handler{
		Unread: 8 + frameMax,
		Open: func(*sock.Conn) error {
			if conns++; conns > connsMax {
				return errors.New("raftkv: too many connections")
			}
			return nil
		},
		Request: func(c *sock.Conn) (err error) {
			for err == nil && c.Buffered() > 0 {
				err = r.serve(c)
			}
			return err
		},
		Closed: func(*sock.Conn, error) { conns-- },
	}
}

// serve reads a frame and handles it. Both are bounded by WithTimeout, so a silent peer holds no task for long.
func (r *Replica) serve(c *sock.Conn) error {
	var kind byte
	var body []byte
	err := r.l.WithTimeout(2*r.Election, func() (err error) {
		kind, body, err = readFrame(c)
		return err
	})
	switch {
	case err != nil:
		return err
	case kind == frameMessage || kind == frameSnapshot:
		return r.receive(c, kind, body)
	case kind != frameEntry:
		return fmt.Errorf("raftkv: a frame of kind %q is no question", kind)
	}
	var e Entry
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	return r.l.WithTimeout(2*r.Election, func() error {
		rep, err := r.answer(&e)
		if err == nil {
			_, err = c.Write(appendJSON(nil, frameReply, rep))
		}
		return err
	})
}

// answer parks until a write is committed, or a read confirmed.
func (r *Replica) answer(e *Entry) (Reply, error) {
	lead := r.node.BasicStatus().Lead
	switch {
	case lead == raft.None:
		return Reply{Why: "there is no leader"}, nil
	case e.Kind == Get:
		return r.get(string(e.Key))
	case lead != number(r.Self):
		return Reply{Why: "another one leads", Leader: r.members[lead]}, nil
	case e.size() > entryMax:
		return Reply{Refused: true, Why: "it is too large"}, nil
	}
	r.entryID++
	e.ID = r.entryID
	text, err := json.Marshal(e)
	if err != nil {
		return Reply{}, err
	}
	switch e.Kind {
	case Put, Swap:
		return r.write(e.ID, &raftpb.Entry{Data: text})
	case Add, Promote, Remove:
		return r.change(e, text)
	}
	return Reply{Refused: true, Why: fmt.Sprintf("there is no %q", e.Kind)}, nil
}

// write proposes an entry, and parks until some leader has committed it.
func (r *Replica) write(id uint64, e *raftpb.Entry) (Reply, error) {
	c := ringo.NewChan[outcome](1)
	r.waiting[id] = c
	defer delete(r.waiting, id)
	e.Index = new(id) // holds the ID until propose takes it out; raft sets the index
	r.proposals = append(r.proposals, e)
	r.work.TrySend(struct{}{})
	o, err := c.Recv()
	if err == nil && !o.done {
		return Reply{Why: "too many writes wait, or another one leads"}, nil
	}
	return Reply{Done: true, OK: o.ok}, err
}

// propose gives raft the entries that came in this turn.
func (r *Replica) propose() {
	for len(r.proposals) > 0 {
		n := min(len(r.proposals), proposalsMax)
		batch, ids := r.proposals[:n:n], make([]uint64, n)
		r.proposals = r.proposals[n:]
		for i, e := range batch {
			ids[i], e.Index = e.GetIndex(), nil
		}
		m := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(number(r.Self)), Entries: batch}
		if err := r.node.Step(m); err == nil {
			continue
		}
		for _, id := range ids {
			if c := r.waiting[id]; c != nil {
				c.TrySend(outcome{})
			}
		}
	}
}

// change proposes another set of members. raft drops the proposal if an earlier one is not committed yet.
func (r *Replica) change(e *Entry, text []byte) (Reply, error) {
	if rep := r.refuses(e); rep.Why != "" {
		return rep, nil
	}
	typ := map[Kind]raftpb.ConfChangeType{Add: raftpb.ConfChangeAddLearnerNode, Promote: raftpb.ConfChangeAddNode,
		Remove: raftpb.ConfChangeRemoveNode}[e.Kind]
	cc := &raftpb.ConfChange{Type: &typ, NodeId: new(number(string(e.Key))), Context: text}
	data, err := proto.Marshal(cc)
	if err != nil {
		return Reply{}, err
	}
	return r.write(e.ID, &raftpb.Entry{Type: raftpb.EntryConfChange.Enum(), Data: data})
}

// refuses returns the reply for a change of the members that can't be done, or an empty Reply.
func (r *Replica) refuses(e *Entry) Reply {
	id, member, learner, behind := number(string(e.Key)), false, false, uint64(0)
	last, _ := r.disk.mem.LastIndex()
	r.node.WithProgress(func(other uint64, typ raft.ProgressType, pr tracker.Progress) {
		if other == id {
			member, learner, behind = true, typ == raft.ProgressTypeLearner, last-min(last, pr.Match)
		}
	})
	why := ""
	switch {
	case e.Kind == Add && member:
		why = "it is a member"
	case e.Kind != Add && !member:
		why = "it is no member"
	case e.Kind == Promote && !learner:
		why = "it votes"
	case e.Kind == Remove && !learner && len(r.conf.GetVoters()) == 1:
		why = "it is the only one that votes"
	case e.Kind == Promote && behind > behindMax:
		return Reply{Why: fmt.Sprintf("it lacks %d entries still", behind)}
	}
	return Reply{Refused: why != "", Why: why}
}
