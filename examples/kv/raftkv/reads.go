package raftkv

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/raft/v3"

	"ringo"
)

// round is a group of reads that are confirmed together, by one question to the other replicas.
type round struct {
	id    uint64
	index uint64                // the reads have to see all entries up to this one
	done  *ringo.Chan[struct{}] // closed when they may be answered
}

// get parks until a majority has confirmed the leader, and the store has all that was committed by then.
func (r *Replica) get(key string) (Reply, error) {
	if r.next == nil {
		r.next = &round{done: ringo.NewChan[struct{}](0)}
		r.work.TrySend(struct{}{})
	}
	if _, err := r.next.done.Recv(); !errors.Is(err, ringo.ErrClosed) {
		return Reply{}, err
	}
	return Reply{Done: true, Value: r.data[key]}, nil
}

// beginRound starts the next round, unless the last one is still on its way: its reads came meanwhile.
func (r *Replica) beginRound() {
	if r.asked == nil && r.next != nil {
		r.asked, r.next = r.next, nil
		r.askRound()
	}
}

// askRound gives the round a new number, so that answers to earlier questions do not count for it.
func (r *Replica) askRound() {
	r.roundID++
	r.asked.id = r.roundID
	r.node.ReadIndex(binary.BigEndian.AppendUint64(nil, r.roundID))
}

// repeatRound asks again, in case the question or the answer got lost: raft does not repeat them.
func (r *Replica) repeatRound() {
	if r.asked != nil {
		r.askRound()
		r.work.TrySend(struct{}{})
	}
}

// endRound notes the index that was committed when a majority confirmed the leader.
func (r *Replica) endRound(s raft.ReadState) {
	if r.asked != nil && binary.BigEndian.Uint64(s.RequestCtx) == r.asked.id {
		r.asked.index = s.Index
		r.confirmed, r.asked = append(r.confirmed, r.asked), nil
		r.work.TrySend(struct{}{})
	}
}

// served wakes the reads whose index the store has reached.
func (r *Replica) served() {
	for len(r.confirmed) > 0 && r.confirmed[0].index <= r.applied {
		r.confirmed[0].done.Close()
		r.confirmed = r.confirmed[1:]
	}
}
