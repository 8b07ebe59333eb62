package raftkv

import (
	"errors"
	"fmt"
	"io"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"ringo"
	"ringo/sock"
)

// peer is another replica, with the messages to send to it.
type peer struct {
	id   uint64
	addr string
	out  *ringo.Chan[*raftpb.Message]
}

// send queues a message of raft. If the queue is full it drops the message, and reports that to raft.
func (r *Replica) send(m *raftpb.Message) {
	p := r.peerOf(m.GetTo())
	switch {
	case p == nil:
	case m.GetType() == raftpb.MsgSnap:
		r.g.Go(func() error { return r.sendsSnapshot(p, m) }) // raft sends a peer one snapshot at a time
	case !p.out.TrySend(m):
		r.node.ReportUnreachable(p.id)
	}
}

// peerOf returns the peer, or nil if its address is not known. It starts the peer's task when it is first needed.
func (r *Replica) peerOf(id uint64) *peer {
	p, addr := r.peers[id], r.members[id]
	if addr == "" {
		addr = r.strangers[id]
	}
	if p == nil && addr != "" {
		p = &peer{id, addr, ringo.NewChan[*raftpb.Message](outMax)}
		r.peers[id] = p
		r.g.Go(func() error { return r.talks(p) })
	}
	return p
}

// forget ends the task of a peer.
func (r *Replica) forget(id uint64) {
	if p := r.peers[id]; p != nil {
		p.out.Close()
		delete(r.peers, id)
	}
}

// talks is the task that sends a peer its messages.
func (r *Replica) talks(p *peer) error {
	var c *sock.Conn
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for {
		m, err := p.out.Recv()
		if errors.Is(err, ringo.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
		b := appendMessage(nil, frameMessage, r.Self, m)
		for len(b) < messageMax { // send what has been queued meanwhile along with it
			m, ok := p.out.TryRecv()
			if !ok {
				break
			}
			b = appendMessage(b, frameMessage, r.Self, m)
		}
		err = r.l.WithTimeout(r.Election, func() (err error) {
			if c == nil {
				if c, err = sock.Dial(r.l, "tcp", p.addr); err != nil {
					return err
				}
				// If the peer acknowledges nothing for this long, TCP ends the connection instead of retrying ever
				// less often.
				if err = c.SetUserTimeout(2 * r.Election); err != nil {
					return err
				}
			}
			_, err = c.Write(b)
			return err
		})
		if err != nil {
			if c != nil {
				c.Close()
				c = nil
			}
			r.node.ReportUnreachable(p.id)
			if err := r.l.Sleep(r.Election / electionTicks); err != nil {
				return err
			}
		}
	}
}

// sendsSnapshot is a task that sends a peer the snapshot of a message, and reports to raft whether the peer has got
// it. If not, raft begins again, with a newer snapshot if there is one.
func (r *Replica) sendsSnapshot(p *peer, m *raftpb.Message) error {
	status := raft.SnapshotFinish
	if err := r.sendSnapshot(p, m); err != nil {
		status = raft.SnapshotFailure
		if err := r.l.Sleep(r.Election); err != nil {
			return err
		}
	}
	r.node.ReportSnapshot(p.id, status)
	r.work.TrySend(struct{}{})
	return nil
}

// sendSnapshot parks until the peer has the snapshot on its disk. The time for each chunk is bounded, the time for all
// is not.
func (r *Replica) sendSnapshot(p *peer, m *raftpb.Message) error {
	f, err := r.disk.dir.Open(snapshotName(m.GetSnapshot().GetMetadata().GetIndex()))
	if err != nil {
		return err
	}
	defer f.Close()
	var c *sock.Conn
	if err = r.l.WithTimeout(r.Election, func() (err error) {
		c, err = sock.Dial(r.l, "tcp", p.addr)
		return err
	}); err != nil {
		return err
	}
	defer c.Close()
	b := appendMessage(nil, frameSnapshot, r.Self, m)
	chunk := make([]byte, chunkMax)
	for n := len(b); n > 0; {
		if err := r.l.WithTimeout(5*r.Election, func() error { _, err := c.Write(b); return err }); err != nil {
			return err
		}
		if n, err = f.Read(chunk); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		b = appendFrame(nil, frameChunk, chunk[:n])
	}
	return r.l.WithTimeout(5*r.Election, func() error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		return readJSON(c, frameReply, new(Reply))
	})
}

// receiveSnapshot receives a leader's snapshot, chunk by chunk, and passes the message to raft when all is on the
// disk. It receives one at a time; the connection of another is closed, and its leader tries again.
func (r *Replica) receiveSnapshot(c *sock.Conn, m *raftpb.Message) error {
	if r.receiving {
		return errors.New("raftkv: another snapshot is on its way")
	}
	r.receiving = true
	defer func() { r.receiving = false }()
	err := r.disk.receive("snap.received", m.GetSnapshot().GetMetadata().GetIndex(), func(f io.Writer) error {
		for {
			var kind byte
			var chunk []byte
			err := r.l.WithTimeout(5*r.Election, func() (err error) {
				kind, chunk, err = readFrame(c)
				return err
			})
			switch {
			case err != nil:
				return err
			case kind != frameChunk:
				return fmt.Errorf("raftkv: a frame of kind %q in a snapshot", kind)
			case len(chunk) == 0:
				return nil
			}
			if _, err := f.Write(chunk); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	r.step(m)
	_, err = c.Write(appendJSON(nil, frameReply, Reply{Done: true}))
	return err
}

// receive passes a message of another replica to raft.
func (r *Replica) receive(c *sock.Conn, kind byte, body []byte) error {
	from, m, err := parseMessage(body)
	if err != nil {
		return err
	}
	if len(r.strangers) < strangersMax && r.members[m.GetFrom()] == "" {
		r.strangers[m.GetFrom()] = from
	}
	st := r.node.BasicStatus()
	if m.GetType() == raftpb.MsgApp && m.GetTerm() == st.GetTerm() && st.RaftState == raft.StateLeader {
		panic("raftkv: two leaders in one term")
	}
	if kind == frameSnapshot {
		return r.receiveSnapshot(c, m)
	}
	r.step(m)
	return nil
}
