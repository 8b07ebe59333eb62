package raftkv

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/raft/v3"

	"ringo"
)

// round is reads that one question to the others confirms.
type round struct {
	id    uint64
	index uint64                // the reads see all up to this entry
	done  *ringo.Chan[struct{}] // closed when they may be answered
}

// get parks until the leader is confirmed, and what was committed by then is in the store.
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

// beginRound asks for reads that came while the last round was on its way. There is one at a time.
func (r *Replica) beginRound() {
	if r.asked == nil && r.next != nil {
		r.asked, r.next = r.next, nil
		r.askRound()
	}
}

// askRound gives the round another number: an answer to an earlier one is not for it.
func (r *Replica) askRound() {
	r.roundID++
	r.asked.id = r.roundID
	r.node.ReadIndex(binary.BigEndian.AppendUint64(nil, r.roundID))
}

// repeatRound asks again, in case question or answer got lost: raft does not repeat them.
func (r *Replica) repeatRound() {
	if r.asked != nil {
		r.askRound()
		r.work.TrySend(struct{}{})
	}
}

// endRound notes which entry was committed when a majority has confirmed its leader.
func (r *Replica) endRound(s raft.ReadState) {
	if r.asked != nil && binary.BigEndian.Uint64(s.RequestCtx) == r.asked.id {
		r.asked.index = s.Index
		r.confirmed, r.asked = append(r.confirmed, r.asked), nil
		r.work.TrySend(struct{}{})
	}
}

// served has reads answered for which the store is far enough.
func (r *Replica) served() {
	for len(r.confirmed) > 0 && r.confirmed[0].index <= r.applied {
		r.confirmed[0].done.Close()
		r.confirmed = r.confirmed[1:]
	}
}
