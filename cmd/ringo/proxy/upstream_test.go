package proxy

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"ringo/cmd/ringo/internal/server"
)

// several makes so many upstreams.
func several(balance string, n int) *upstreams {
	o := &options{balance: balance, rise: 2, fall: 3, out: time.Second, dial: time.Minute}
	for i := range n {
		o.to = append(o.to, target{Address: server.Address{Network: "tcp", Name: fmt.Sprintf("10.0.0.%d:80", i+1)},
			weight: 1})
	}
	return newRoutes(o, func(string, ...any) {}).groups[0]
}

// TestBalanceLeast: takers on all loops get those that have the fewest.
func TestBalanceLeast(t *testing.T) {
	us := several(balanceLeast, 3)
	var takers sync.WaitGroup
	for range 6 {
		takers.Go(func() {
			for range 50 {
				us.take("", nil)
			}
		})
	}
	takers.Wait()
	for _, u := range us.all {
		if u.conns != 100 {
			t.Errorf("%v has %d connections, want 100", u, u.conns)
		}
	}
	for range 7 {
		us.leave(us.all[1])
	}
	for range 7 {
		if u := us.take("", nil); u != us.all[1] {
			t.Errorf("%v is next, want %v, which has fewer", u, us.all[1])
		}
	}
	first := map[*upstream]bool{}
	for range 1000 {
		u := us.take("", nil)
		first[u] = true
		us.leave(u)
	}
	if len(first) != 3 {
		t.Errorf("%d upstreams are next of 3 that have as many", len(first))
	}
}

// TestBalanceTwo: of two the one with fewer, and any two may be drawn.
func TestBalanceTwo(t *testing.T) {
	us := several(balanceTwo, 3)
	us.all[0].conns, us.all[1].conns, us.all[2].conns = 3000, 1000, 0
	got := map[*upstream]int{}
	for range 900 {
		got[us.take("", nil)]++
	}
	if got[us.all[0]] != 0 || got[us.all[1]] < 100 || got[us.all[2]] < 400 {
		t.Errorf("%d, %d, %d of 900 went to those with 3000, 1000, 0; want none, 300 and 600", got[us.all[0]],
			got[us.all[1]], got[us.all[2]])
	}
}

// TestBalanceHash: clients are spread, stay where they are, and if an upstream goes only its own change.
func TestBalanceHash(t *testing.T) {
	const clients = 5000
	us, fewer := several(balanceHash, 5), several(balanceHash, 5)
	gone := fewer.all[2].String()
	fewer.all = slices.Delete(fewer.all, 2, 3)
	got, moved := map[string]int{}, map[string]int{}
	for i := range clients {
		client := fmt.Sprintf("192.0.2.%d", i)
		u := us.take(client, nil)
		if again := us.take(client, nil); again != u {
			t.Fatalf("%s went to %v, then to %v", client, u, again)
		}
		got[u.String()]++
		now := fewer.take(client, nil).String()
		if u.String() != gone {
			if now != u.String() {
				t.Fatalf("%s went from %v to %s, though %s has gone", client, u, now, gone)
			}
			continue
		}
		moved[now]++
		if second := us.take(client, []*upstream{u}).String(); second != now {
			t.Fatalf("%s goes to %s where %s was tried, and to %s where it is no more", client, second, gone, now)
		}
	}
	for name, n := range got {
		if n < clients/5*8/10 || n > clients/5*12/10 {
			t.Errorf("%s has %d of %d clients, want some %d", name, n, clients, clients/5)
		}
	}
	if len(moved) != 4 {
		t.Errorf("the clients of %s went to %v, want all others", gone, moved)
	}
}

// weigh gives upstreams weights.
func weigh(us *upstreams, weights ...int) *upstreams {
	for i, weight := range weights {
		us.all[i].weight = weight
	}
	return us
}

// TestWeights: by each balance upstreams get their weights' parts; by hash a client moves only to one that has become
// heavier.
func TestWeights(t *testing.T) {
	const takes = 6000
	for _, c := range []struct {
		balance string
		leaves  bool
		slack   int
	}{
		{balanceLeast, false, 6}, {balanceLeast, true, 300}, {balanceTwo, false, 60}, {balanceHash, false, 300},
	} {
		us := weigh(several(c.balance, 3), 1, 2, 3)
		got := map[*upstream]int{}
		for i := range takes {
			u := us.take(fmt.Sprintf("192.0.2.%d", i), nil)
			got[u]++
			if c.leaves {
				us.leave(u)
			}
		}
		for _, u := range us.all {
			if want := takes / 6 * u.weight; got[u] < want-c.slack || got[u] > want+c.slack {
				t.Errorf("%s: %v, of weight %d, has %d of %d, want some %d", c.balance, u, u.weight, got[u], takes,
					want)
			}
		}
	}
	before, after := several(balanceHash, 3), weigh(several(balanceHash, 3), 1, 2, 1)
	for i := range takes {
		client := fmt.Sprintf("192.0.2.%d", i)
		was, is := before.take(client, nil).name, after.take(client, nil).name
		if was != is && is != after.all[1].name {
			t.Fatalf("%s goes from %s to %s, whose weight has not changed", client, was, is)
		}
	}
}

// TestHashStays: without weights clients are where they were in earlier versions.
func TestHashStays(t *testing.T) {
	us := several(balanceHash, 5)
	var got []int
	for i := range 20 {
		u := us.take(fmt.Sprintf("192.0.2.%d", i), nil)
		got = append(got, slices.Index(us.all, u))
	}
	if want := []int{2, 4, 2, 0, 4, 4, 1, 2, 3, 4, 2, 1, 3, 4, 0, 3, 4, 4, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("20 clients are at %v, want %v", got, want)
	}
}

// TestMax: at its max an upstream gets nothing, by each balance, and again when it has room.
func TestMax(t *testing.T) {
	for _, balance := range balances {
		us := several(balance, 2)
		us.all[0].max, us.all[1].max = 1, 2
		for range 3 {
			if us.take("192.0.2.1", nil) == nil {
				t.Fatalf("%s: none has room for 3", balance)
			}
		}
		if u := us.take("192.0.2.1", nil); u != nil {
			t.Errorf("%s: %v gets more than its max", balance, u)
		}
		us.leave(us.all[1])
		if u := us.take("192.0.2.1", nil); u != us.all[1] {
			t.Errorf("%s: %v is next, want that which has room", balance, u)
		}
	}
}

// TestTried: what was tried is not chosen again.
func TestTried(t *testing.T) {
	for _, balance := range balances {
		us := several(balance, 3)
		var tried []*upstream
		for range us.all {
			u := us.take("192.0.2.1", tried)
			if u == nil || slices.Contains(tried, u) {
				t.Fatalf("%s: %v is chosen after %v", balance, u, tried)
			}
			tried = append(tried, u)
		}
		if u := us.take("192.0.2.1", tried); u != nil {
			t.Errorf("%s: %v is chosen after all", balance, u)
		}
	}
}

// TestBackup: a backup gets what no other is in for, or what others were tried for in vain, and what is new goes back
// to these when one is in again. One that has its max is in.
func TestBackup(t *testing.T) {
	w := watch(4)
	w.all[2].backup, w.all[3].backup = true, true
	main, backups := map[int]bool{0: true, 1: true}, map[int]bool{2: true, 3: true}
	want := func(when string, want map[int]bool, tried ...*upstream) {
		t.Helper()
		got := map[int]bool{}
		for range 100 {
			got[w.next(tried...)] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	out := func(n int) {
		for range w.fall {
			w.note(w.all[n], byConn, errRefused)
		}
	}
	want("all are in", main)
	want("one was tried", map[int]bool{1: true}, w.all[0])
	want("both were tried", backups, w.all[0], w.all[1])
	w.all[0].max, w.all[1].max = 1, 1
	w.all[0].conns, w.all[1].conns = 1, 1
	want("both have their max", map[int]bool{-1: true})
	w.all[0].conns, w.all[1].conns = 0, 0

	out(2)
	out(0)
	w.lines = nil
	want("one of each is out", map[int]bool{1: true})
	out(1)
	w.wantSaid(t, second+"is out", "all upstreams but backups are out: connections go to these")
	want("both are out", map[int]bool{3: true})
	w.takeIn(w.all[1])
	want("one is in again", map[int]bool{1: true})
}

// TestBackupTrials: one that is out is tried though backups are in, by one at a time, and no backup gets that.
func TestBackupTrials(t *testing.T) {
	w := watch(2)
	w.all[1].backup = true
	for range w.fall {
		w.note(w.all[0], byConn, errRefused)
	}
	if got := w.next(); got != 1 {
		t.Errorf("%d is next, want the backup", got)
	}
	w.time = w.time.Add(w.pause)
	if got := w.next(); got != 0 {
		t.Errorf("%d is next, want the trial", got)
	}
	for range 10 {
		if got := w.next(); got != 1 {
			t.Errorf("%d is next to the trial, want the backup", got)
		}
	}
	w.note(w.all[0], byConn, nil)
	if got := w.next(); got != 0 {
		t.Errorf("%d is next, want the one that is in again", got)
	}
}

// TestBackupAllOut: where all are out any may be tried, backups behind the others.
func TestBackupAllOut(t *testing.T) {
	w := watch(2)
	w.all[1].backup = true
	for _, u := range w.all {
		for range w.fall {
			w.note(u, byCheck, errCheck)
		}
	}
	if got := w.next(); got != 0 {
		t.Errorf("%d is next, want the one that is no backup", got)
	}
	if got := w.next(w.all[0]); got != 1 {
		t.Errorf("%d is next, want the backup", got)
	}
}
