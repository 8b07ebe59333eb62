package raftkv

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"ringo"
	"ringo/sock"
)

// electionTicks is how many ticks a follower waits for a message of a leader before an election.
const electionTicks = 10

// Replica is one of the servers that keep the data. Its Run continues with what is in its directory.
type Replica struct {
	Self     string        // its address
	Peers    []string      // the addresses of the first replicas, its own too
	Join     bool          // it is a new one, not in Peers, and waits to be added
	Dir      string        // where log and snapshots are; it has to exist
	Rand     *rand.Rand    // random numbers for elections
	Election time.Duration // how long, at least, it waits for a leader's message; a leader sends 10 in that time
	Snapshot uint64        // entries committed between two snapshots; 0: 10,000

	l    *ringo.Loop
	g    *ringo.Group
	node *raft.RawNode
	disk *disk
	*store

	work, due, full *ringo.Chan[struct{}] // wake the tasks cycles, stores and snapshots
	appends         []*raftpb.Message     // messages of raft to be stored
	snapped         uint64                // the last entry of the last snapshot
	receiving       bool                  // a leader's snapshot

	peers     map[uint64]*peer
	strangers map[uint64]string // addresses of senders that are no members

	proposals []*raftpb.Entry                 // not yet given to raft
	waiting   map[uint64]*ringo.Chan[outcome] // callers that wait until their entry is committed, by its ID
	entryID   uint64                          // of the last
	next      *round                          // reads that came since the last round began
	asked     *round                          // the round whose confirmation is on its way
	confirmed []*round                        // rounds whose index the store has not reached
	roundID   uint64                          // of the last
}

// Run is the replica, until its loop drains or its disk fails. It is a function for ringo.Run, on one loop.
func (r Replica) Run(l *ringo.Loop) (err error) {
	if len(l.Loops()) != 1 || !r.Join && !slices.Contains(r.Peers, r.Self) {
		return errors.New("raftkv: a replica is for one loop, and Self is one of Peers if it does not join")
	}
	members := r.Peers
	if r.Join {
		members = nil
	}
	if r.disk, r.store, err = openDisk(r.Dir, members); err != nil {
		return err
	}
	defer r.disk.close()
	if err = r.start(l); err != nil {
		return err
	}
	ln, err := sock.Listen(l, "tcp", r.Self)
	if err != nil {
		return err
	}
	r.g = ringo.NewGroup(l) // the first task that ends ends the others
	for _, task := range []func() error{r.cycles, r.stores, r.snapshots, r.ticks} {
		r.g.Go(task)
	}
	r.g.Go(func() error { return cmp.Or(sock.Serve(l, ln, r.handler()), ringo.ErrDraining) })
	return r.g.Wait()
}

// start makes what belongs to one Run.
func (r *Replica) start(l *ringo.Loop) (err error) {
	r.l, r.Snapshot = l, cmp.Or(r.Snapshot, 10_000)
	r.work, r.due, r.full = ringo.NewChan[struct{}](1), ringo.NewChan[struct{}](1), ringo.NewChan[struct{}](1)
	r.peers, r.strangers, r.waiting = map[uint64]*peer{}, map[uint64]string{}, map[uint64]*ringo.Chan[outcome]{}
	r.entryID, r.roundID = r.Rand.Uint64(), r.Rand.Uint64() // random: late answers from before a crash match none
	r.snapped = r.applied
	r.node, err = raft.NewRawNode(&raft.Config{
		ID: number(r.Self), Storage: r.disk.mem, Applied: r.applied, AsyncStorageWrites: true,
		ElectionTick: electionTicks, HeartbeatTick: 1, PreVote: true, CheckQuorum: true, StepDownOnRemoval: true,
		MaxSizePerMsg: messageMax, MaxInflightMsgs: outMax / 2, MaxInflightBytes: inflightMax,
		MaxUncommittedEntriesSize: uncommittedMax, DisableProposalForwarding: true,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	return err
}

// ticks is the task that advances raft's clock. The pace is random, so that the replicas do not all begin an election
// at once.
func (r *Replica) ticks() error {
	for {
		pace := (r.Election + time.Duration(r.Rand.Int64N(int64(r.Election)/2))) / electionTicks
		for range electionTicks {
			if err := r.l.Sleep(pace); err != nil {
				return err
			}
			r.node.Tick()
			r.work.TrySend(struct{}{})
		}
		r.repeatRound()
	}
}

// cycles is the task that gives raft what came in this turn, and does what raft asks for. It parks only between
// cycles, so other tasks never see half of one.
func (r *Replica) cycles() error {
	for {
		if _, err := r.work.Recv(); err != nil {
			return err
		}
		r.propose()
		r.beginRound()
		for r.node.HasReady() {
			rd := r.node.Ready()
			for _, s := range rd.ReadStates {
				r.endRound(s)
			}
			for _, m := range rd.Messages {
				r.deliver(m)
			}
		}
		r.served()
	}
}

// step gives raft a message. raft returns an error for a message that it drops, which is normal.
func (r *Replica) step(m *raftpb.Message) {
	_ = r.node.Step(m)
	r.work.TrySend(struct{}{})
}

// deliver sends a message where it belongs.
func (r *Replica) deliver(m *raftpb.Message) {
	switch m.GetTo() {
	case raft.LocalAppendThread:
		if r.appends = append(r.appends, m); len(m.GetResponses()) > 0 { // without responses it can wait for the next
			r.due.TrySend(struct{}{})
		}
	case raft.LocalApplyThread:
		for _, e := range m.GetEntries() {
			r.apply(e)
		}
		for _, resp := range m.GetResponses() {
			r.step(resp)
		}
	case number(r.Self):
		r.step(m)
	default:
		r.send(m)
	}
}

// apply carries out a committed entry.
func (r *Replica) apply(e *raftpb.Entry) {
	r.applied = e.GetIndex()
	var entry Entry
	var cc raftpb.ConfChange
	text := e.GetData()
	if e.GetType() == raftpb.EntryConfChange {
		must(proto.Unmarshal(text, &cc))
		r.conf, r.disk.mem.changed = r.node.ApplyConfChange(&cc), r.applied
		text = cc.GetContext()
	}
	if len(text) > 0 { // an empty entry begins a leader's term
		must(json.Unmarshal(text, &entry))
	}
	o := outcome{done: true}
	switch entry.Kind {
	case Add:
		r.members[cc.GetNodeId()] = string(entry.Key)
	case Remove:
		delete(r.members, cc.GetNodeId())
		r.forget(cc.GetNodeId())
	case Put, Swap:
		o.ok = r.store.write(&entry)
	}
	if c := r.waiting[entry.ID]; c != nil {
		c.TrySend(o)
	}
	if r.wantsSnapshot() {
		r.full.TrySend(struct{}{})
	}
}

// wantsSnapshot reports whether a snapshot is due: after many entries, and after a change of the members, since new
// members need it.
func (r *Replica) wantsSnapshot() bool {
	return r.applied-r.snapped >= r.Snapshot || r.disk.mem.changed > r.snapped
}

// must panics on an error in data that this package wrote and whose checksum was right.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("raftkv: a committed entry: %v", err))
	}
}

// stores is the task that makes durable what raft wants stored. It saves all that came during its last write at once,
// and then sends the answers that depend on it. The amount is bounded: by uncommittedMax on a leader, by inflightMax
// on a follower.
func (r *Replica) stores() error {
	for {
		if _, err := r.due.Recv(); err != nil {
			return err
		}
		for len(r.appends) > 0 {
			n := slices.IndexFunc(r.appends, func(m *raftpb.Message) bool { return m.Snapshot != nil })
			save := r.disk.save
			if n == 0 {
				n, save = 1, r.install
			} else if n < 0 {
				n = len(r.appends)
			}
			batch := r.appends[:n:n]
			r.appends = r.appends[n:]
			if err := r.locked(func() error { return save(batch) }); err != nil {
				return err
			}
			for _, m := range batch {
				for _, resp := range m.GetResponses() {
					r.deliver(resp)
				}
			}
		}
	}
}

// locked runs fn while no other task writes to the disk.
func (r *Replica) locked(fn func() error) error {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	return fn()
}

// install replaces the store and the log by a leader's snapshot.
func (r *Replica) install(ms []*raftpb.Message) error {
	s, err := r.disk.load(ms[0].GetSnapshot())
	if err != nil {
		return err
	}
	if err = r.disk.take(ms[0]); err != nil {
		return err
	}
	r.store, r.snapped = s, s.applied // before restart parks: the store must match mem
	return r.disk.restart(ms[0].GetSnapshot())
}

// snapshots is the task that makes snapshots, so that the log does not grow without bound. Other tasks run meanwhile.
func (r *Replica) snapshots() error {
	for {
		if _, err := r.full.Recv(); err != nil {
			return err
		}
		if !r.wantsSnapshot() {
			continue
		}
		s := r.store.clone()
		r.snapped = s.applied
		term, err := r.disk.mem.Term(s.applied)
		if err != nil {
			return err
		}
		snap, err := r.disk.keep(s, term)
		if err != nil {
			return err
		}
		if err := r.locked(func() error { return r.disk.compact(snap, r.Snapshot/2) }); err != nil {
			return err
		}
	}
}
