package proxy

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo/sock/sockclient"
)

// The ways of -balance.
const (
	balanceLeast = "least"
	balanceTwo   = "two"
	balanceHash  = "hash"
)

var balances = []string{balanceLeast, balanceTwo, balanceHash}

// An upstream is an address that connections are passed on to.
type upstream struct {
	target
	of    *upstreams
	name  string       // as lines have it
	key   string       // by which transports know it, since not all networks have hosts
	seed  uint64       // its name's, for balanceHash
	tls   *upstreamTLS // nil: it is asked in the clear
	backs sockclient.Pool
	conns int // that it has, of all loops; by upstreams.mu
	health
	counts tally // if there is -metrics
}

// String is how lines have it.
func (u *upstream) String() string { return u.name }

// host is its name in a request.
func (u *upstream) host() string {
	if strings.HasPrefix(u.Network, "unix") {
		return "localhost"
	}
	return u.Name
}

// withoutZone is HOST:PORT without the zone of an address of IPv6, which says nothing to others.
func withoutZone(name string) string {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return name
	}
	host, _, _ = strings.Cut(host, "%")
	return net.JoinHostPort(host, port)
}

// upstreams are those that the same connections, or requests, go to, and whose turn it is. Any goroutine may use them,
// and a task, since nothing waits while mu is held.
type upstreams struct {
	route      // what goes to them
	all        []*upstream
	balance    string
	rise, fall int
	check      time.Duration
	pause      time.Duration                    // between an upstream's end and the first trial
	trial      time.Duration                    // how long one may keep others from trying
	say        func(format string, args ...any) // called with mu held
	now        func() time.Time

	mu    sync.Mutex
	outs  int         // upstreams that are out
	left  []*upstream // what candidates returns, kept for the next call
	queue []*waiter   // that wait for one with room, in order of arrival
}

func newUpstreams(o *options, of route, say func(format string, args ...any)) *upstreams {
	return &upstreams{route: of, balance: o.balance, rise: o.rise, fall: o.fall, check: o.check, pause: o.out,
		trial: o.dial + o.answer, say: say, now: time.Now}
}

// add adds one, which is the nth of all routes.
func (us *upstreams) add(o *options, to target, n int) *upstream {
	u := &upstream{target: to, of: us, name: to.String(), key: fmt.Sprintf("upstream-%d.invalid:80", n),
		seed: digest(to.Address.String())}
	u.tls = o.tls.of(u, o.http)
	us.all = append(us.all, u)
	return u
}

// take chooses an upstream for a client, but none that was tried for it; nil: none is left that has room. Until leave
// it counts as the upstream's.
func (us *upstreams) take(client string, tried []*upstream) *upstream {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.serve()
	return us.give(client, tried)
}

// give is take behind those that wait. mu is held.
func (us *upstreams) give(client string, tried []*upstream) *upstream {
	u := us.choose(client, us.candidates(tried))
	if u != nil {
		u.conns++
		if u.out {
			u.trial = us.now().Add(us.trial)
		}
	}
	return u
}

// leave is the end of what take has begun.
func (us *upstreams) leave(u *upstream) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u.conns--
	us.serve()
}

// out is how many are out.
func (us *upstreams) out() int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.outs
}

// taken is how many times an upstream was taken, and not left yet.
func (us *upstreams) taken() (n int) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.all {
		n += u.conns
	}
	return n
}

// isIn is 1 for one that is in, and 0 for one that is out.
func (us *upstreams) isIn(u *upstream) int {
	us.mu.Lock()
	defer us.mu.Unlock()
	if u.out {
		return 0
	}
	return 1
}

// connsOf is how many times one was taken, and not left yet.
func (us *upstreams) connsOf(u *upstream) int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return u.conns
}

// candidates are those that may be chosen. mu is held.
func (us *upstreams) candidates(tried []*upstream) []*upstream {
	us.left = us.left[:0]
	for _, u := range us.all {
		if us.isCandidate(u, tried) && u.hasRoom() {
			us.left = append(us.left, u)
		}
	}
	return us.left
}

// isCandidate reports whether an upstream may be chosen if it has room: a backup, if no other may. mu is held.
func (us *upstreams) isCandidate(u *upstream, tried []*upstream) bool {
	return us.isUp(u, tried) && (!u.backup || !slices.ContainsFunc(us.all, func(o *upstream) bool {
		return !o.backup && us.isUp(o, tried)
	}))
}

// isUp reports whether an upstream is in, or to be tried, and was not tried. If all are out, what has put them out may
// be the proxy's network, or a check that asks for too much: then any is. mu is held.
func (us *upstreams) isUp(u *upstream, tried []*upstream) bool {
	return !slices.Contains(tried, u) && (!u.out || us.outs == len(us.all) || us.isDue(u))
}

// hasRoom reports whether it may have one more. upstreams.mu is held.
func (u *upstream) hasRoom() bool { return u.max == 0 || u.conns < u.max }

// choose chooses one of some. mu is held.
func (us *upstreams) choose(client string, among []*upstream) *upstream {
	if len(among) == 0 {
		return nil
	}
	if us.balance == balanceHash {
		c := digest(client)
		return slices.MaxFunc(among, func(a, b *upstream) int { return rank(a, b, mix(c^a.seed), mix(c^b.seed)) })
	}
	first := draw(among) // of those that have as few
	among[0], among[first] = among[first], among[0]
	least, others := among[0], among[1:]
	if us.balance == balanceTwo && len(others) > 1 {
		others = others[draw(others):][:1]
	}
	for _, u := range others {
		if u.conns*least.weight < least.conns*u.weight {
			least = u
		}
	}
	return least
}

// draw draws one, by weight.
func draw(among []*upstream) int {
	sum := 0
	for _, u := range among {
		sum += u.weight
	}
	at := rand.IntN(sum)
	for i, u := range among {
		if at -= u.weight; at < 0 {
			return i
		}
	}
	panic("proxy: a draw beyond the weights")
}

// rank compares two upstreams for a client by what mix says of them: it stays with the highest. With weights that is
// weighted rendezvous hashing, https://www.ietf.org/archive/id/draft-ietf-bess-weighted-hrw-00.html: each has its
// weight's part of the clients, and one that goes takes no other's along.
func rank(a, b *upstream, ofA, ofB uint64) int {
	if a.weight == b.weight {
		return cmp.Compare(ofA, ofB)
	}
	return cmp.Compare(score(a.weight, ofA), score(b.weight, ofB))
}

func score(weight int, x uint64) float64 {
	const bits = 53 // that a float64 has
	return -float64(weight) / math.Log((float64(x>>(64-bits))+0.5)/(1<<bits))
}

// digest is the same in each process, so that proxies side by side agree on whose clients are whose: FNV-1a,
// http://www.isthe.com/chongo/tech/comp/fnv/.
func digest(text string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// mix has each bit depend on all: the end of SplitMix64, https://prng.di.unimi.it/splitmix64.c. The upstream with the
// highest one is the client's: rendezvous hashing, so that one which goes takes no other's clients along.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hostOf is what balanceHash goes by: an address without its port. Clients of Unix sockets are one.
func hostOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}
