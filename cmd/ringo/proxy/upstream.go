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
	name  string       // as log lines and metrics show it
	key   string       // its host for the transport, since Unix sockets have none
	seed  uint64       // hash of its address, for balanceHash
	tls   *upstreamTLS // nil: no TLS
	backs sockclient.Pool
	conns int // connections or requests of all loops; by upstreams.mu
	health
	counts tally // if there is -metrics
}

// String returns its name.
func (u *upstream) String() string { return u.name }

// host returns the value of Host for requests whose client gave none, and for checks.
func (u *upstream) host() string {
	if strings.HasPrefix(u.Network, "unix") {
		return "localhost"
	}
	return u.Name
}

// withoutZone returns HOST:PORT without the zone of an IPv6 address, which means something on this machine only.
func withoutZone(name string) string {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return name
	}
	host, _, _ = strings.Cut(host, "%")
	return net.JoinHostPort(host, port)
}

// upstreams is a group: the upstreams of one route, with their health, their balance and the queue for them. Tasks and
// other goroutines may use it: nothing parks or blocks while mu is held.
type upstreams struct {
	route      // what goes to them
	all        []*upstream
	balance    string
	rise, fall int
	check      time.Duration
	pause      time.Duration                    // from when an upstream goes out to the first trial
	trial      time.Duration                    // how long one trial may keep others from trying
	say        func(format string, args ...any) // called with mu held
	now        func() time.Time

	mu    sync.Mutex
	outs  int         // upstreams that are out
	left  []*upstream // memory of candidates' result
	queue []*waiter   // waiting for room, in order of arrival
}

func newUpstreams(o *options, of route, say func(format string, args ...any)) *upstreams {
	return &upstreams{route: of, balance: o.balance, rise: o.rise, fall: o.fall, check: o.check, pause: o.out,
		trial: o.dial + o.answer, say: say, now: time.Now}
}

// add adds an upstream; n is its place among those of all routes.
func (us *upstreams) add(o *options, to target, n int) *upstream {
	u := &upstream{target: to, of: us, name: to.String(), key: fmt.Sprintf("upstream-%d.invalid:80", n),
		seed: digest(to.Address.String())}
	u.tls = o.tls.of(u, o.http)
	us.all = append(us.all, u)
	return u
}

// take chooses an upstream for a client, other than those tried for it before; nil: none of the others has room. It
// counts as one connection or request of the upstream until leave.
func (us *upstreams) take(client string, tried []*upstream) *upstream {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.serve()
	return us.give(client, tried)
}

// give is take without serving the queue first. The caller holds mu.
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

// leave ends what a take began: the upstream has one connection or request less.
func (us *upstreams) leave(u *upstream) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u.conns--
	us.serve()
}

// out returns how many upstreams are out.
func (us *upstreams) out() int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.outs
}

// taken returns how many takes were not left yet.
func (us *upstreams) taken() (n int) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.all {
		n += u.conns
	}
	return n
}

// isIn returns 1 if the upstream is in, and 0 if it is out.
func (us *upstreams) isIn(u *upstream) int {
	us.mu.Lock()
	defer us.mu.Unlock()
	if u.out {
		return 0
	}
	return 1
}

// connsOf returns how many takes of u were not left yet.
func (us *upstreams) connsOf(u *upstream) int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return u.conns
}

// candidates returns the upstreams that may be chosen now. The result is valid until the next call. The caller holds
// mu.
func (us *upstreams) candidates(tried []*upstream) []*upstream {
	us.left = us.left[:0]
	for _, u := range us.all {
		if us.isCandidate(u, tried) && u.hasRoom() {
			us.left = append(us.left, u)
		}
	}
	return us.left
}

// isCandidate reports whether an upstream may be chosen once it has room. A backup may only if no other may. The caller
// holds mu.
func (us *upstreams) isCandidate(u *upstream, tried []*upstream) bool {
	return us.isUp(u, tried) && (!u.backup || !slices.ContainsFunc(us.all, func(o *upstream) bool {
		return !o.backup && us.isUp(o, tried)
	}))
}

// isUp reports whether an upstream was not tried yet and is in, or due for a trial. If all upstreams are out, any is
// up: the cause may be the proxy's own network, or a check that asks for too much. The caller holds mu.
func (us *upstreams) isUp(u *upstream, tried []*upstream) bool {
	return !slices.Contains(tried, u) && (!u.out || us.outs == len(us.all) || us.isDue(u))
}

// hasRoom reports whether the upstream is below its max. The caller holds upstreams.mu.
func (u *upstream) hasRoom() bool { return u.max == 0 || u.conns < u.max }

// choose chooses an upstream by -balance, nil if there are none. It reorders among. The caller holds mu.
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

// draw returns a random index, with chances by weight.
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

// rank compares two upstreams for a client by their mixed hashes; the client goes to the highest. With weights this is
// weighted rendezvous hashing, https://www.ietf.org/archive/id/draft-ietf-bess-weighted-hrw-00.html: each upstream gets
// its weight's share of the clients, and when one goes, only its own clients move.
func rank(a, b *upstream, ofA, ofB uint64) int {
	if a.weight == b.weight {
		return cmp.Compare(ofA, ofB)
	}
	return cmp.Compare(score(a.weight, ofA), score(b.weight, ofB))
}

func score(weight int, x uint64) float64 {
	const bits = 53 // of a float64's mantissa
	return -float64(weight) / math.Log((float64(x>>(64-bits))+0.5)/(1<<bits))
}

// digest hashes a text, with the same result in every process, so that proxies side by side send a client to the same
// upstream: FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/.
func digest(text string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// mix makes each bit of the result depend on all bits of x: the end of SplitMix64,
// https://prng.di.unimi.it/splitmix64.c. The client's upstream is the one with the highest result, which is rendezvous
// hashing: when one goes, only its own clients move.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hostOf returns an address without its port, by which balanceHash chooses. All clients of Unix sockets count as one.
func hostOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}
