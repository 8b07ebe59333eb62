//go:build linux

package drivertest

import (
	"path"
	"testing"

	"ringo/internal/race"
	"ringo/internal/test/testmain"
)

// mutant is a bug with cases that must fail for it, as patterns of path.Match.
type mutant struct {
	bug   bug
	cases []string
}

// mutants has every case of the suite at least once, so that none is there in vain.
var mutants = []mutant{
	// An op's life.
	{"completes twice", []string{"life/nop*", "socket/connect"}},
	{"completes again later", []string{"life/one*", "life/slot*"}},
	{"never stops saying more", []string{"life/nop*"}},
	{"completes in Submit", []string{"life/nop*"}},
	{"completes in Cancel", []string{"cancel/in flight: poll"}},
	{"keeps the state", []string{"life/nop*"}},
	{"keeps the descriptor", []string{"socket/connect"}},
	{"never holds the descriptor", []string{"socket/accept"}},
	{"lets go of the descriptor in Cancel", []string{"cancel/in flight: poll"}},
	{"calls the sink from Submit", []string{"life/nop*"}},
	{"calls the sink from Cancel", []string{"cancel/in flight: poll"}},
	{"calls the sink from Wait", []string{"life/nop*"}},
	{"invents completions", []string{"life/nothing*"}},
	{"doesn't look in poll", []string{"life/poll*"}},
	{"takes old completions for new ones", []string{"life/completions*"}},
	{"remembers what it cancelled", []string{"life/op is submitted again"}},
	{"holds a lock over its sleep", []string{"life/two drivers"}},
	{"counts nothing", []string{"life/info"}},
	{"takes whatever it is given", []string{"life/submitted twice*"}},

	// Results.
	{"shows EAGAIN", []string{"socket/accept before*", "stream/recv what comes", "stream/send waits*", "stream/recvmsg",
		"pipe/read what comes", "pipe/write waits*", "pipe/eventfd", "blocking/read*",
		"blocking/write*", "poll/ready later"}},
	{"knows one errno", []string{"socket/shutdown sends*", "socket/connect refused", "stream/recv a reset",
		"stream/send to nobody", "stream/send after*",
		"pipe/write to nobody", "refused/no such*", "refused/not a socket",
		"refused/not connected", "refused/not open*"}},
	{"takes errors for a reason to wait", []string{"refused/not a listener", "multishot/recv until a reset",
		"multishot/accept until the listener*"}},
	{"takes the end for a reason to wait",
		[]string{"socket/shutdown ends*", "stream/recv the end", "stream/recvmsg the end", "pipe/read the end",
			"multishot/recv until the end"}},
	{"takes EMFILE for a reason to wait", []string{"socket/accept without*", "multishot/accept until there*"}},
	{"claims what it did not do",
		[]string{"socket/connect*", "stream/send", "stream/sendmsg"}},
	{"makes descriptors that wait", []string{"socket/accept"}},
	{"forgets arguments", []string{
		"stream/recv with*", "poll/room*", "poll/ready already", "poll/the end*"}},
	{"forgets offsets", []string{"file/read*",
		"file/write*", "file/many*"}},
	{"forgets full", []string{"stream/full send to a slow*", "pipe/full*"}},
	{"takes every send for full", []string{"stream/send comes short", "pipe/write comes short"}},
	{"forgets what a full op did before its error", []string{"stream/full send to a reader*"}},
	{"receives into memory of its own", []string{"stream/recv what*", "signal/collections"}},
	{"names no buffer", []string{"stream/recv into*", "multishot/recv more*"}},
	{"takes the peer's end for its own", []string{"ready/half-closed peer reads*"}},
	{"shuts down what it is to forget", []string{"ready/duplicates", "beside/duplicate"}},
	{"closes what it is to forget", []string{"socket/close", "beside/linger"}},
	{"loses ops on files", []string{"file/a file*", "poll/regular*"}},
	{"ends polls at once", []string{"poll/roughly", "poll/ready later", "poll/room*"}},
	{"hides hang-ups", []string{"poll/the end*", "poll/a peer*"}},
	{"ends timeouts at once", []string{"timeout/never*", "timeout/in the order*"}},
	{"never ends timeouts", []string{"timeout/of nothing", "timeout/beside*"}},

	// Files.
	{"forgets offsets", []string{"disk/read*", "disk/past*", "disk/vectors"}},
	{"forgets arguments", []string{"disk/length*"}},
	{"never tries", []string{"disk/what is in*"}},
	{"ends with 0 what is cancelled", []string{"disk/cancel*"}},
	{"forgets the second op of a descriptor", []string{"disk/many*"}},
	{"calls again", []string{"disk/calls"}},

	// Names.
	{"forgets how to open", []string{"tree/open", "tree/open no way out"}},
	{"forgets arguments", []string{"tree/stat", "tree/make*", "tree/links"}},
	{"takes the second directory for the first", []string{"tree/two*"}},
	{"never tries", []string{"tree/what*"}},
	{"ends with 0 what is cancelled", []string{"tree/cancel at once"}},
	{"loses what it made", []string{"tree/cancel tells*"}},

	// Messages.
	{"forgets who sent", []string{"datagram/of all*", "datagram/received*", "datagram/an empty*",
		"datagram/between*", "datagram/without*"}},
	{"forgets control messages", []string{"datagram/TOS*", "datagram/more*", "datagram/passes descriptors"}},
	{"hides what was cut", []string{"datagram/longer*", "datagram/seqpacket"}},
	{"takes the end for a reason to wait", []string{"datagram/an empty*", "datagram/seqpacket the*"}},
	{"knows one errno", []string{"datagram/to nobody*", "datagram/too long*"}},
	{"throws away what a cancelled op got", []string{"datagram/*cancelled"}},
	{"shows EAGAIN", []string{"datagram/to a socket*"}},
	{"receives into memory of its own", []string{"datagram/passes descriptors to nobody"}},

	{"forgets control messages", []string{"batch/recvmmsg into*"}},
	{"forgets who sent", []string{"batch/recvmmsg of*"}},
	{"forgets all messages but the first", []string{"batch/recvmmsg what is*", "batch/recvmmsg in windows",
		"batch/sendmmsg", "batch/sendmmsg to*", "batch/sendmmsg stops*"}},
	{"shows EAGAIN", []string{"batch/recvmmsg what comes", "batch/sendmmsg waits*", "batch/recvmmsg behind*"}},
	{"knows one errno", []string{"batch/recvmmsg meets*"}},

	// Splices.
	{"forgets arguments", []string{"splice/in what is*", "splice/out", "splice/sendfile"}},
	{"shows EAGAIN", []string{"splice/in what comes", "splice/out waits*", "splice/sendfile waits*"}},
	{"takes the end for a reason to wait", []string{"splice/in the*", "splice/out of*"}},
	{"knows one errno", []string{"splice/in a reset", "splice/in to*", "splice/out to nobody"}},
	{"claims what it did not do", []string{"splice/socket*"}},

	// Zero-copy sends.
	{"claims what it did not do", []string{"zerocopy/send", "zerocopy/on*", "zerocopy/waits*", "zerocopy/many*"}},
	{"forgets full", []string{"zerocopy/full, to a slow*", "zerocopy/to a half*", "zerocopy/cancelled*",
		"zerocopy/full, to a reader*"}},
	{"serves the newest first", []string{"zerocopy/in order*"}},
	{"knows one errno", []string{"zerocopy/to nobody"}},
	{"forgets ops in Close", []string{"zerocopy/unread*"}},

	// Multishot ops and buffers.
	{"ends a multishot with its first completion",
		[]string{"multishot/accept", "multishot/recv", "poll/multishot at*"}},
	{"forgets limits", []string{"multishot/recv so*"}},
	{"reports readiness again and again", []string{"poll/multishot is*"}},
	{"says more with an error", []string{"multishot/recv until a reset"}},
	{"drops every other connection", []string{"multishot/accept a backlog"}},
	{"ignores cancel", []string{"multishot/recv again*", "turns/cancel of all"}},
	{"overflows", []string{"multishot/many*", "capacity/waiting*"}},
	{"loses a byte for want of a buffer", []string{"buffers/dry ends*"}},
	{"takes ENOBUFS for a reason to wait", []string{"buffers/dry and*"}},
	{"lets a dry pool stop everybody", []string{"buffers/a stream*"}},
	{"takes a buffer before there is data", []string{"buffers/an idle*"}},
	{"loses unused buffers", []string{"buffers/cancel*", "buffers/they*"}},

	// Readiness and turns.
	{"waits for news only", []string{"socket/accept takes*", "stream/recv what is*", "stream/recv the rest",
		"pipe/read what is*", "poll/ready already",
		"ready/data that*", "ready/room*"}},
	{"takes a short receive for the last", []string{"multishot/recv data and*", "ready/data and*", "ready/an urgent*"}},
	{"misses an event now and then", []string{"ready/peer*"}},
	{"listens to what nobody waits for", []string{"ready/what nobody*"}},
	{"wants to know of every half-close", []string{"ready/half-closed peer lets*"}},
	{"has one turn for both directions", []string{"stream/both*"}},
	{"forgets the second op of a descriptor", []string{"poll/many*", "poll/beside*", "turns/two*", "turns/receives*"}},
	{"serves the newest first", []string{"turns/two*", "turns/many*", "turns/a receive*", "turns/full*"}},
	{"forgets who waits behind a cancelled op", []string{"turns/cancel of the first"}},
	{"cancels by descriptor", []string{"turns/cancel of the second", "cancel/one of two*"}},

	// More than there is room for.
	{"drops ops past capacity", []string{"capacity/nops", "capacity/bursts", "capacity/timeouts", "capacity/streams"}},
	{"drops cancels past capacity", []string{"capacity/cancels"}},
	{"ignores the cancel of a queued op", []string{"capacity/cancel of*", "cancel/before*", "cancel/past*"}},

	// Cancels.
	{"ends with 0 what is cancelled", []string{"cancel/before*", "cancel/in flight*", "cancel/twice*",
		"cancel/past*", "cancel/and close*",
		"cancel/by close*", "cancel/a file*", "cancel/a send*", "race/connect", "race/timeout"}},
	{"reads on after a cancel", []string{"blocking/cancel*", "file/cancel*"}},
	{"cancels as often as it is asked", []string{"cancel/twice*"}},
	{"forgets what a cancelled op did", []string{"cancel/a full*", "race/full*"}},
	{"throws away what a cancelled op got", []string{"cancel/what was*", "cancel/a multishot*", "cancel/a kept*",
		"cancel/a descriptor*", "race/*recv*", "race/*accept*"}},
	{"gives away the descriptor of a cancelled op", []string{"cancel/what is*"}},
	{"cancels by slot, once more", []string{"stale/*slot*", "stale/cancel*"}},
	{"keeps registrations", []string{"socket/close ends*", "stale/number*"}},

	// Wakes, deadlines, signals.
	{"ignores wakes", []string{"wake/before*", "wake/during a wait", "wake/past*"}},
	{"forgets wakes at the start of a wait", []string{"wake/before a*"}},
	{"ends a wait for each wake", []string{"wake/many*"}},
	{"forgets a completion for a wake", []string{"wake/with*"}},
	{"looks, and then forgets that it looked", []string{"wake/none*"}},
	{"touches its descriptor after close", []string{"wake/after*", "wake/during close"}},
	{"takes the time from another clock", []string{"deadline/never*"}},
	{"rounds deadlines down", []string{"deadline/never*"}},
	{"rounds deadlines up by adding to them", []string{"deadline/far*"}},
	{"has 32 bits for the time that is left", []string{"deadline/far*"}},
	{"sleeps in poll", []string{"deadline/poll*"}},
	{"sleeps past a past deadline", []string{"deadline/in the past"}},
	{"spins", []string{"deadline/sleeps*"}},
	{"goes by the deadline before", []string{"deadline/one*"}},
	{"tells of some when it is late", []string{"deadline/late*"}},
	{"does not say that it has looked", []string{"deadline/in the past"}},
	{"listens to nothing", []string{"deadline/not*"}},
	{"ends a wait for a signal", []string{"signal/a wait*"}},
	{"shows EINTR", []string{"signal/ops*"}},

	// The outbox.
	{"sends when it has slept", []string{"outbox/before*", "outbox/a short*"}},
	{"forgets the second send", []string{"outbox/several*", "outbox/past*"}},
	{"sends past capacity twice", []string{"outbox/past*"}},
	{"takes each send for whole", []string{"outbox/a short*", "outbox/no room", "outbox/nobody*", "outbox/each*"}},
	{"knows one errno", []string{"outbox/no room", "outbox/nobody*", "outbox/a number*"}},
	{"sleeps over a send that failed", []string{"outbox/a short*", "outbox/no room"}},
	{"ends a wait for each send", []string{"outbox/whole*"}},
	{"sends in the next wait", []string{"outbox/with a*", "outbox/memory*", "outbox/beside*"}},
	{"counts nothing", []string{"outbox/counted"}},
	{"sends twice when it is dead", []string{"outbox/of a*"}},
	{"makes no sends when it is dead", []string{"outbox/of a*"}},

	// Try and Close.
	{"never tries", []string{"try/done", "try/from*"}},
	{"gives EAGAIN from Try", []string{"try/would*"}},
	{"takes an error in Try for a reason to wait", []string{"try/refused"}},
	{"tries what can't be tried", []string{"try/can't*"}},
	{"lets Try disturb who waits", []string{"try/beside*"}},
	{"leaves a descriptor open", []string{"close/at once", "close/a wake*", "close/many*"}},
	{"closes twice", []string{"close/twice"}},
	{"forgets ops in Close",
		[]string{"blocking/close*", "close/ops*", "close/peers*", "close/a file*", "cancel/*by close*"}},
	{"forgets queued ops in Close", []string{"close/*never*", "close/a file*", "cancel/by close before*"}},
	{"forgets cancelled ops in Close", []string{"close/cancels*", "cancel/and close*"}},
	{"throws away in Close what ops got", []string{"close/completions*"}},
	{"leaks connections in Close", []string{"close/connections*"}},

	// Death.
	{"does not die", []string{"death/in a sleep", "death/is for good"}},
	{"forgets its death", []string{"death/is for good"}},
	{"leaves its ops when it dies", []string{"death/of ops*", "death/before*", "death/cancelled*", "death/in a cancel",
		"death/past*", "death/of cancelled*"}},
	{"drops its ops when it dies", []string{"death/of ops*", "death/of a file*"}},
	{"forgets what a cancelled op did", []string{"death/of a full*"}},
	{"ends only what it has when it dies", []string{"death/of what*"}},
	{"tries nothing when it is dead", []string{"death/leaves*"}},

	// Load.
	{"repeats a byte now and then", []string{"load/streams*", "program/*"}},
	{"loses the three thousandth op", []string{"load/five*"}},
	{"drops every other connection", []string{"load/connections*"}},
	{"allocates", []string{"alloc/*"}},
	{"tells the race detector nothing", []string{"race/traffic*"}},
}

// names are the cases that the mutant must fail.
func (m mutant) names(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range m.cases {
		before := len(names)
		for _, name := range caseNames() {
			ok, err := path.Match(pattern, name)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				names = append(names, name)
			}
		}
		if len(names) == before {
			t.Errorf("bug %q: no case is named %q", m.bug, pattern)
		}
	}
	return names
}

// shows reports whether this build can see the bug: allocations are not counted
// under the race detector, and without it nobody looks for races.
func (m mutant) shows() bool {
	switch m.bug {
	case "allocates":
		return !race.Enabled
	case "tells the race detector nothing":
		return race.Enabled
	}
	return true
}

// TestMutants shows that the suite finds what it is there to find.
func TestMutants(t *testing.T) {
	testmain.NeedLong(t, "a process for each planted mistake; TestReference has the contract")
	unproven := make(map[string]bool)
	for _, name := range caseNames() {
		unproven[name] = true
	}
	results := make([]chan string, len(mutants))
	slots := make(chan bool, 4) // what hangs uses no processor
	for i, m := range mutants {
		names := m.names(t)
		for _, name := range names {
			delete(unproven, name)
		}
		results[i] = make(chan string, 1)
		go func() {
			slots <- true
			results[i] <- survive(t.Context(), m.bug, names)
			<-slots
		}()
	}
	for i, m := range mutants {
		if survived := <-results[i]; survived != "" && m.shows() {
			t.Errorf("with the bug %q %s", m.bug, survived)
		}
	}
	for name := range unproven {
		t.Errorf("there is no bug to make %q fail", name)
	}
}
