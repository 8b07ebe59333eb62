package timer

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// model is the same contract without cleverness: a table of who is armed for
// when, searched from end to end.
type model struct {
	armed map[int]key
	seq   uint64
}

func (m *model) arm(id int, at int64) {
	m.seq++
	m.armed[id] = key{at, m.seq}
}

// due returns the armed timer that fires next if it fires by now, else -1.
func (m *model) due(now int64) int {
	first := -1
	for id, k := range m.armed {
		if k.at > now {
			continue
		}
		if first < 0 || k.at < m.armed[first].at || k.at == m.armed[first].at && k.seq < m.armed[first].seq {
			first = id
		}
	}
	return first
}

// run interprets prog, three bytes a step, on a heap and on the model.
func run(t *testing.T, prog []byte) {
	var (
		h      Heap
		timers [40]Timer
		m      = model{armed: map[int]key{}}
		now    int64
		stales int // entries that became stale since they were filed: the wakes for nothing we allow
		wakes  int
	)
	stale := map[int]bool{}
	for i := range timers {
		timers[i].Owner = i
	}
	var log []string
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nprogram: %v", fmt.Sprintf(format, args...), log)
	}
	for ; len(prog) >= 3; prog = prog[3:] {
		id := int(prog[1]) % len(timers)
		tm, arg := &timers[id], int64(int8(prog[2]))
		switch prog[0] % 8 {
		case 0, 1, 2, 3:
			log = append(log, fmt.Sprintf("arm(%d, %d)", id, now+arg))
			if _, was := m.armed[id]; was || tm.index != 0 {
				if !stale[id] {
					stale[id] = true
					stales++
				}
			}
			h.Arm(tm, now+arg)
			m.arm(id, now+arg)
		case 4:
			log = append(log, fmt.Sprintf("disarm(%d)", id))
			if tm.index != 0 && !stale[id] {
				stale[id] = true
				stales++
			}
			h.Disarm(tm)
			delete(m.armed, id)
		case 5:
			log = append(log, fmt.Sprintf("remove(%d)", id))
			h.Remove(tm)
			delete(m.armed, id)
			delete(stale, id)
			if tm.index != 0 {
				fail("a removed timer has an entry")
			}
		case 6: // a busy loop: time goes on, whatever is due fires
			now += int64(prog[2])
			log = append(log, fmt.Sprintf("advance(%d)", now))
			fire(&h, &m, now, fail)
		case 7: // an idle loop: sleep exactly as long as Next says
			at, ok := h.Next()
			if !ok {
				break
			}
			now = max(now, at)
			log = append(log, fmt.Sprintf("sleep(%d)", now))
			if fire(&h, &m, now, fail) == 0 {
				wakes++
			}
		}
		for id := range stale {
			if tm := &timers[id]; tm.index == 0 || !tm.stale() {
				delete(stale, id)
			}
		}
		check(t, &h)
		for id := range timers {
			if _, want := m.armed[id]; timers[id].Armed() != want {
				fail("timer %d: Armed %v, want %v", id, timers[id].Armed(), want)
			}
		}
	}
	if wakes > stales {
		fail("%d wakes for nothing, want at most one per stale entry: %d", wakes, stales)
	}
}

// fire pops all that is due from both and compares. It returns how many fired.
func fire(h *Heap, m *model, now int64, fail func(string, ...any)) (n int) {
	for ; ; n++ {
		want, got := m.due(now), -1
		if t := h.Pop(now); t != nil {
			got = t.Owner.(int)
		}
		if got != want {
			fail("Pop(%d) = timer %d, want %d", now, got, want)
		}
		if got < 0 {
			break
		}
		delete(m.armed, got)
	}
	if at, ok := h.Next(); ok && at <= now {
		fail("Next %d after a Pop(%d) that found nothing", at, now)
	}
	return n
}

func FuzzHeap(f *testing.F) {
	f.Add([]byte{0, 1, 10, 0, 1, 20, 7, 0, 0, 7, 0, 0})
	f.Add([]byte{0, 1, 10, 4, 1, 0, 0, 1, 5, 6, 0, 5})
	f.Add([]byte{0, 1, 128, 0, 2, 128, 5, 1, 0, 6, 0, 0})
	f.Fuzz(func(t *testing.T, prog []byte) { run(t, prog) })
}

func TestHeapAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		prog := make([]byte, 3*300)
		for i := range prog {
			prog[i] = byte(r.Uint32())
		}
		run(t, prog)
	}
}
