package raftkv

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"ringo"
	"ringo/sock"
)

// Replica is one of those that keep the data. Its Run begins with what its journal has.
type Replica struct {
	Self     string        // its address, as it stands in Peers
	Peers    []string      // the addresses of all replicas, its own too
	Dir      string        // where its journal is; it has to exist
	Rand     *rand.Rand    // for elections
	Election time.Duration // it waits to hear of a leader so long, and up to twice that; a leader is heard 5 times

	*journal
	l      *ringo.Loop
	change *ringo.Chan[struct{}] // closed at the next change

	asks   Kind  // of its peers: Vote, as a candidate; Append, as the leader; nothing, as a follower
	stood  int64 // the journal's end with a candidate's vote
	leader string
	heard  bool    // of a leader, or of a candidate that is worth one
	peers  []*peer // the others

	kept      uint64 // as far a leader's own log is durable
	round     uint64 // of a leader's questions: each read begins one
	confirmed uint64 // the last round in which a majority followed

	commit uint64 // as far the log is committed, and in data
	data   map[string][]byte
}

// Run is the replica, until its Run drains or its disk fails. It is what ringo.Run wants, on one loop.
func (r Replica) Run(l *ringo.Loop) (err error) {
	if len(l.Loops()) != 1 || !slices.Contains(r.Peers, r.Self) {
		return errors.New("raftkv: a replica is for one loop, and Self is one of Peers")
	}
	r.l, r.change, r.data = l, ringo.NewChan[struct{}](0), map[string][]byte{}
	if r.journal, err = openJournal(r.Dir); err != nil {
		return err
	}
	defer r.f.Close()
	ln, err := sock.Listen(l, "tcp", r.Self)
	if err != nil {
		return err
	}
	g := ringo.NewGroup(l) // the first that ends ends the others
	g.Go(r.writes)
	g.Go(r.elections)
	for _, addr := range r.Peers {
		if addr != r.Self {
			p := &peer{Client: Client{leader: addr, Timeout: r.Election}}
			r.peers = append(r.peers, p)
			g.Go(func() error { return r.talks(p) })
		}
	}
	g.Go(func() error { return cmp.Or(sock.Serve(l, ln, r.handler()), ringo.ErrDraining) })
	return g.Wait()
}

// wait parks until ok, which is asked after each change. What it reports holds when wait returns.
func (r *Replica) wait(ok func() bool) error {
	for !ok() {
		if _, err := r.change.Recv(); !errors.Is(err, ringo.ErrClosed) {
			return err
		}
	}
	return nil
}

// changed wakes those who wait.
func (r *Replica) changed() {
	r.change.Close()
	r.change = ringo.NewChan[struct{}](0)
}

// save has term and vote be written to the journal soon, and entries if first is not 0.
func (r *Replica) save(first uint64, entries ...Entry) {
	r.pending = appendFrame(r.pending, record{r.term, first, r.vote, entries})
	r.changed()
}

// durable parks until all that was saved up to now will survive a crash.
func (r *Replica) durable() error {
	end := r.end()
	return r.wait(func() bool { return r.at >= end })
}

// writes is the task that writes the journal.
func (r *Replica) writes() error {
	for r.wait(func() bool { return len(r.pending) > 0 }) == nil {
		term, last := r.term, r.last()
		if err := r.flush(); err != nil {
			return err
		}
		if r.asks == Append && r.term == term { // a leader's log only grows
			r.kept = last
			r.advance()
		}
		r.changed()
	}
	return r.l.Context().Err()
}

// replace makes entries the log's end, from first on.
func (r *Replica) replace(first uint64, entries ...Entry) {
	if first <= r.commit {
		panic("raftkv: a committed entry is to be replaced")
	}
	r.log = append(r.log[:first], entries...)
	r.save(first, entries...)
}

// commitTo applies what is committed.
func (r *Replica) commitTo(n uint64) {
	for ; r.commit < n; r.commit++ {
		e := &r.log[r.commit+1]
		e.ok = e.Kind == Put || e.Kind == Swap && string(r.data[string(e.Key)]) == string(e.Old)
		if e.ok {
			r.data[string(e.Key)] = e.Value
		}
	}
}
