package raftkv

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"ringo"
	"ringo/sock"
)

// Config is a replica's world.
type Config struct {
	Self   string   // its address, as it stands in Peers
	Peers  []string // the addresses of all replicas, its own too
	Listen string   // where it listens; the default is Self
	Dir    string   // where its journal is; it has to exist
	Rand   *rand.Rand

	// Election is how long a replica waits to hear of a leader, at least, and up to twice that; Heartbeat is how often
	// a leader is heard, and should be a few times less. The defaults are 500 ms and 100 ms.
	Election, Heartbeat time.Duration
}

// journalMax is how large a journal may be for writes to be taken.
const journalMax = 1 << 30

type role int

const (
	follower role = iota
	candidate
	leader
)

type replica struct {
	Config
	l  *ringo.Loop
	ln *sock.Listener

	term    uint64 // these three are in the journal
	vote    string
	log     []Entry // log[0] stands for what is before the first
	journal *journal

	role   role
	leader string
	heard  uint64  // signs of a leader, or of a candidate that is worth one
	peers  []*peer // of a leader, itself the last
	reads  uint64

	commit  uint64 // as far the log is committed, and in data
	data    map[string]string
	results map[position]*Reply // for those who wait for an entry

	change *ringo.Chan[struct{}] // closed at the next change
	ended  bool
	err    error
}

// position is an entry's, and no other's.
type position struct{ index, term uint64 }

// Run is a replica, until its Run drains or its disk fails. It is what ringo.Run wants, on one loop.
func (cfg Config) Run(l *ringo.Loop) error {
	if len(l.Loops()) != 1 || !slices.Contains(cfg.Peers, cfg.Self) {
		return errors.New("raftkv: a replica is for one loop, and Self is one of Peers")
	}
	if cfg.Listen == "" {
		cfg.Listen = cfg.Self
	}
	if cfg.Election == 0 {
		cfg.Election = 500 * time.Millisecond
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 100 * time.Millisecond
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	r := &replica{Config: cfg, l: l, log: make([]Entry, 1), data: map[string]string{},
		results: map[position]*Reply{}, change: ringo.NewChan[struct{}](0)}
	var err error
	r.journal, err = openJournal(cfg.Dir, func(rec record) {
		r.term, r.vote = rec.Term, rec.Vote
		if rec.First > 0 {
			r.log = append(r.log[:rec.First], rec.Entries...)
		}
	})
	if err != nil {
		return err
	}
	defer r.journal.f.Close()
	if r.ln, err = sock.Listen(l, "tcp", cfg.Listen); err != nil {
		return err
	}
	defer l.OnDrain(func() { r.end(nil) })()
	l.GoNamed("journal", r.writes)
	l.GoNamed("elections", r.elections)
	err = r.accepts()
	r.end(err)
	return r.err
}

// end has all tasks end. The first error is what Run returns.
func (r *replica) end(err error) {
	if !r.ended {
		r.ended, r.err = true, err
		r.ln.Close()
		r.changed()
	}
}

var errEnded = errors.New("raftkv: the replica ends")

// wait parks until ok, which is asked after each change. What it reports holds when wait returns.
func (r *replica) wait(ok func() bool) error {
	for !ok() {
		if r.ended {
			return errEnded
		}
		if _, err := r.change.Recv(); err != nil && !errors.Is(err, ringo.ErrClosed) {
			return err
		}
	}
	return nil
}

// changed wakes those who wait.
func (r *replica) changed() {
	r.change.Close()
	r.change = ringo.NewChan[struct{}](0)
}

// last is the index of the last entry.
func (r *replica) last() uint64 { return uint64(len(r.log) - 1) }

// others are the addresses of the other replicas.
func (r *replica) others() (addrs []string) {
	for _, addr := range r.Peers {
		if addr != r.Self {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func (r *replica) majority() int { return len(r.Peers)/2 + 1 }

// replace makes entries the log's end, from first on.
func (r *replica) replace(first uint64, entries ...Entry) {
	if first <= r.commit {
		panic("raftkv: a committed entry is to be replaced")
	}
	r.log = append(r.log[:first], entries...)
	r.save(first, entries...)
}

// save has the journal know term and vote, and entries if first is not 0.
func (r *replica) save(first uint64, entries ...Entry) {
	r.journal.add(record{r.term, r.vote, first, entries})
	r.changed()
}

// durable parks until all that was saved up to now will survive a crash.
func (r *replica) durable() error {
	n := r.journal.added
	return r.wait(func() bool { return r.journal.synced >= n })
}

// writes is the task that writes the journal.
func (r *replica) writes() {
	for r.wait(func() bool { return len(r.journal.pending) > 0 }) == nil {
		if err := r.journal.flush(); err != nil {
			r.end(err)
			return
		}
		r.changed()
	}
}

// commitTo applies what is committed.
func (r *replica) commitTo(n uint64) {
	for ; r.commit < n; r.commit++ {
		e := &r.log[r.commit+1]
		ok := e.Kind == Put || e.Kind == Swap && r.data[e.Key] == e.Old
		if ok {
			r.data[e.Key] = e.Value
		}
		if rep := r.results[position{r.commit + 1, e.Term}]; rep != nil {
			*rep = Reply{Status: Done, OK: ok}
		}
	}
	r.changed()
}
