package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// A feed's message in these tests: its size, who published it, which of his it is, and a pattern of these.
const newsHead = 12

func news(from, number, size int) []byte {
	p := make([]byte, max(size, newsHead))
	binary.BigEndian.PutUint32(p, uint32(len(p)))
	binary.BigEndian.PutUint32(p[4:], uint32(from))
	binary.BigEndian.PutUint32(p[8:], uint32(number))
	for i := newsHead; i < len(p); i++ {
		p[i] = byte(from*31 + number*7 + i)
	}
	return p
}

// item is a message that has come whole.
type item struct{ from, number int }

// readNews reads a message; io.EOF between two.
func readNews(r io.Reader) (item, error) {
	var head [newsHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return item{}, err
	}
	at := item{int(binary.BigEndian.Uint32(head[4:])), int(binary.BigEndian.Uint32(head[8:]))}
	p := make([]byte, binary.BigEndian.Uint32(head[:]))
	copy(p, head[:])
	if _, err := io.ReadFull(r, p[newsHead:]); err != nil {
		return at, errors.Join(err, io.ErrUnexpectedEOF)
	}
	if !bytes.Equal(p, news(at.from, at.number, len(p))) {
		return at, fmt.Errorf("message %v came changed", at)
	}
	return at, nil
}

// readAllNews reads until the end.
func readAllNews(t testing.TB, r io.Reader) (all []item) {
	for {
		at, err := readNews(r)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Errorf("behind %d messages: %v", len(all), err)
			return all
		}
		all = append(all, at)
	}
}

// followed closes at its end what a test has made.
type followed []*sock.Conn

// onFeed is onLoop with a way to make followed.
func onFeed(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop, all *followed)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		var all followed
		defer all.close()
		body(l, &all)
	})
}

func (all *followed) close() {
	for _, c := range *all {
		c.Close()
	}
}

// follow gives a connection that follows the feed, and its peer.
func (all *followed) follow(t testing.TB, l *ringo.Loop, f *sock.Feed) (c, peer *sock.Conn) {
	c, peer, err := sock.Pipe(l)
	if err != nil {
		t.Fatal(err)
	}
	*all = append(*all, c, peer)
	if err := f.Add(c); err != nil {
		t.Error(err)
	}
	return c, peer
}

func publish(t testing.TB, f *sock.Feed, p []byte) {
	t.Helper()
	if err := f.Publish(context.Background(), p); err != nil {
		t.Error(err)
	}
}

// Whoever publishes, all connections of all loops get all messages, whole and in one order.
func TestFeed(t *testing.T) {
	const loops, each, publishers, messages = 3, 4, 5, 60
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = loops
		f := sock.Feed{Waiting: publishers * messages}
		started := ringo.NewBarrier(loops)
		var over ringo.WaitGroup
		over.Add(publishers)
		all := make([][]item, loops*each)
		err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			var conns []*sock.Conn
			var made followed
			defer made.close()
			for i := range each {
				c, peer := made.follow(t, l, &f)
				conns = append(conns, c)
				g.Go(func() error {
					defer peer.Close()
					all[l.Index()*each+i] = readAllNews(t, peer)
					return nil
				})
			}
			started.Wait(nil)
			speak := func(who int) {
				defer over.Done()
				r := rand.New(rand.NewPCG(uint64(who), 1))
				for i := range messages {
					publish(t, &f, news(who, i, r.IntN(20_000)))
				}
			}
			l.Go(func() { speak(l.Index()) })
			if l.Index() < publishers-loops {
				go speak(loops + l.Index())
			}
			over.Wait()
			for _, c := range conns {
				patience.UntilBy(t, "the messages", func() { l.Sleep(0) }, func() bool { return f.Idle(l) })
				c.Close()
			}
			return g.Wait()
		})
		if err != nil {
			t.Error(err)
		}
		if n := len(all[0]); n != publishers*messages {
			t.Errorf("%d messages came, want %d", n, publishers*messages)
		}
		for i := range all {
			if fmt.Sprint(all[i]) != fmt.Sprint(all[0]) {
				t.Errorf("connection %d got other messages than the first: %d", i, len(all[i]))
			}
		}
		next := make([]int, publishers)
		for _, at := range all[0] {
			if at.number != next[at.from] {
				t.Fatalf("message %v, want number %d of its publisher", at, next[at.from])
			}
			next[at.from]++
		}
		if s := f.Stats(); s.Published != publishers*messages || s.Dropped != 0 || s.Closed != 0 {
			t.Errorf("counts: %+v", s)
		}
	})
}

// A peer that does not read delays nobody, and gets what the policy has left for it.
func TestFeedSlowPeers(t *testing.T) {
	const waiting, messages, size = 8, 400, 4 << 10
	for name, policy := range map[string]sock.SlowPolicy{
		"newest": sock.DropNewest, "oldest": sock.DropOldest, "close": sock.CloseSlow,
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
					f := sock.Feed{Waiting: waiting, Slow: policy}
					slow, silent := all.follow(t, l, &f)
					slow.SetWriteBuffer(16 << 10)
					silent.SetReadBuffer(16 << 10)
					_, fast := all.follow(t, l, &f)
					const together = 4
					for i := range messages {
						publish(t, &f, news(0, i, size))
						for policy == sock.CloseSlow && !f.Passed(l) { // by the message that is too many
							l.Yield()
						}
						if s := f.Stats(); s.Conns+int(s.Closed) != 2 {
							t.Fatalf("two have followed: %+v", s)
						}
						for k := i + 1 - together; (i+1)%together == 0 && k <= i; k++ {
							if at, err := readNews(fast); err != nil || at.number != k {
								t.Fatalf("the fast peer reads message %v, %v, want %d", at, err, k)
							}
						}
					}
					s := f.Stats()
					if n := f.Longest(l); policy != sock.CloseSlow && n != waiting {
						t.Errorf("%d messages wait, want %d", n, waiting)
					}
					var got []item
					done := l.Go(func() { got = readAllNews(t, silent) })
					for policy != sock.CloseSlow && !f.Idle(l) {
						l.Sleep(0)
					}
					slow.Close()
					done.Wait()
					sum := len(got) + int(s.Dropped)
					switch policy {
					case sock.CloseSlow:
						if s.Closed != 1 || s.Dropped != 0 || s.Conns != 1 || len(got) >= messages {
							t.Errorf("counts %+v, %d messages", s, len(got))
						}
						sum = messages
					case sock.DropOldest:
						if last := got[len(got)-1].number; last != messages-1 {
							t.Errorf("the last message is %d", last)
						}
					default:
						for i, at := range got {
							if at.number != i {
								t.Fatalf("message %d has number %d", i, at.number)
							}
						}
					}
					if sum != messages {
						t.Errorf("%d messages have come, and %+v", len(got), s)
					}
					for i, at := range got[1:] {
						if at.number <= got[i].number {
							t.Errorf("message %d behind %d", at.number, got[i].number)
						}
					}
				})
			})
		})
	}
}

// Other writes of a connection stand between messages, and never in one; and both go on while the peer is slow.
func TestFeedBesideWrites(t *testing.T) {
	const messages, size = 120, 30 << 10
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			f := sock.Feed{Waiting: messages}
			c, peer := all.follow(t, l, &f)
			c.SetWriteBuffer(8 << 10)
			var got []item
			reads := l.Go(func() { got = readAllNews(t, peer) })
			writes := l.Go(func() {
				for i := range messages {
					if _, err := c.Write(news(1, i, i*size/messages)); err != nil {
						t.Errorf("Write %d: %v", i, err)
					}
					if i%3 == 0 {
						l.Yield()
					}
				}
			})
			for i := range messages {
				publish(t, &f, news(0, i, (messages-i)*size/messages))
				if i%4 == 0 {
					l.Yield()
				}
			}
			writes.Wait()
			for !f.Idle(l) {
				l.Sleep(0)
			}
			c.Close()
			reads.Wait()
			next := [2]int{}
			for _, at := range got {
				if at.number != next[at.from] {
					t.Fatalf("message %v, want number %d", at, next[at.from])
				}
				next[at.from]++
			}
			if next != [2]int{messages, messages} || f.Stats().Dropped != 0 {
				t.Errorf("%v messages came, %+v", next, f.Stats())
			}
		})
	})
}

// A message of which a part was sent goes on before whoever writes first.
func TestFeedGoesOnFirst(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			var f sock.Feed
			c, peer := all.follow(t, l, &f)
			c.SetWriteBuffer(8 << 10)
			peer.SetReadBuffer(8 << 10)
			for round := range 5 {
				publish(t, &f, news(0, round, 1<<20)) // more than there is room for
				writes := l.Go(func() {
					l.Yield() // to when the message is passed on, and before what goes on with it
					if _, err := c.Write(news(1, round, 100)); err != nil {
						t.Error(err)
					}
				})
				for from := range 2 {
					if at, err := readNews(peer); err != nil || at != (item{from, round}) {
						t.Fatalf("message %v, %v, want round %d of %d", at, err, round, from)
					}
				}
				writes.Wait()
			}
		})
	})
}

// slowFollower gives a connection with little room, of which a part of the message 0 was sent, and its peer.
func slowFollower(t *testing.T, l *ringo.Loop, all *followed, f *sock.Feed) (c, peer *sock.Conn) {
	c, peer = all.follow(t, l, f)
	c.SetWriteBuffer(8 << 10)
	peer.SetReadBuffer(8 << 10)
	publish(t, f, news(0, 0, 1<<20))
	for !f.Passed(l) {
		l.Yield()
	}
	return c, peer
}

// A message that has begun is sent whole, though a deadline passes; what waits is sent when that was moved and another
// message comes, and the peer misses none.
func TestFeedWriteDeadline(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			f := sock.Feed{Slow: sock.CloseSlow}
			c, peer := slowFollower(t, l, all, &f)
			publish(t, &f, news(0, 1, 1<<20))
			l.Yield()
			c.SetWriteDeadline(l.Now().Add(-1))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			publish(t, &f, news(0, 2, 100))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			c.SetWriteDeadline(time.Time{})
			publish(t, &f, news(0, 3, 100))
			for i := range 4 {
				if at, err := readNews(peer); err != nil || at.number != i {
					t.Fatalf("message %v, %v, want %d; %+v", at, err, i, f.Stats())
				}
			}
			c.SetWriteDeadline(l.Now().Add(-1)) // of a connection that has sent all
			publish(t, &f, news(0, 4, 100))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			c.SetWriteDeadline(time.Time{})
			publish(t, &f, news(0, 5, 100))
			for i := 4; i < 6; i++ {
				if at, err := readNews(peer); err != nil || at.number != i {
					t.Fatalf("message %v, %v, want %d; %+v", at, err, i, f.Stats())
				}
			}
			if s := f.Stats(); s.Conns != 1 || s.Dropped+s.Closed != 0 {
				t.Errorf("counts: %+v", s)
			}
		})
	})
}

// Nor does what ends a connection tear a message: CloseWrite and Close have it sent first.
func TestFeedEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			for name, end := range map[string]func(c *sock.Conn) error{
				"CloseWrite": (*sock.Conn).CloseWrite, "Close": (*sock.Conn).Close,
			} {
				var f sock.Feed
				c, peer := slowFollower(t, l, all, &f)
				f.Remove(c)
				ended := l.Go(func() {
					if err := end(c); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
				l.Yield()
				if got := readAllNews(t, peer); len(got) != 1 {
					t.Errorf("%s: %v", name, got)
				}
				ended.Wait()
			}
		})
	})
}

// A connection that moves takes the rest of a message along, and follows no more.
func TestFeedMove(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			here.Go(func() {
				var all followed
				defer all.close()
				var f sock.Feed
				c, peer := slowFollower(t, here, &all, &f)
				moved, err := c.MoveTo(there)
				if err != nil {
					t.Error(err)
					return
				}
				there.Go(func() {
					defer moved.Close()
					moved.Write(news(1, 0, 100))
				})
				publish(t, &f, news(0, 1, 100))
				got := fmt.Sprint(readAllNews(t, peer))
				for !f.Passed(here) { // one processor may have had the loops take turns, and no read wait
					here.Yield()
				}
				if got != "[{0 0} {1 0}]" || f.Stats().Conns != 0 {
					t.Errorf("the peer has %v, and %+v", got, f.Stats())
				}
			}).Wait()
		})
	})
}

// The error of a write that was accepted is its writer's, and not the feed's.
func TestFeedLeavesErrors(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			var f sock.Feed
			c, peer := all.follow(t, l, &f)
			peer.Close()
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			l.Yield() // it is sent
			publish(t, &f, news(0, 0, 100))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			if err := c.Close(); !errors.Is(err, posix.EPIPE) {
				t.Errorf("Close behind a write that has failed: %v", err)
			}
		})
	})
}

// Who comes gets what is published from then on, who leaves or is closed or moved gets no more, and none is kept.
func TestFeedComeAndGo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			var f sock.Feed
			publish(t, &f, news(0, 0, 100)) // to nobody
			publish(t, &f, nil)
			first, peer := all.follow(t, l, &f)
			if err := f.Add(first); err != nil || f.Stats().Conns != 1 {
				t.Errorf("Add of one that follows: %v, %+v", err, f.Stats())
			}
			publish(t, &f, news(0, 1, 100))
			second, peer2 := all.follow(t, l, &f) // the message before it is on its way
			publish(t, &f, news(0, 2, 100))
			for i := 1; i <= 2; i++ {
				if at, err := readNews(peer); err != nil || at.number != i {
					t.Errorf("the first reads %v, %v, want %d", at, err, i)
				}
			}
			if at, err := readNews(peer2); err != nil || at.number != 2 {
				t.Errorf("the second reads %v, %v, want 2", at, err)
			}
			if err := f.Remove(first); err != nil {
				t.Error(err)
			}
			f.Remove(first)
			publish(t, &f, news(0, 3, 100))
			if at, err := readNews(peer2); err != nil || at.number != 3 {
				t.Errorf("the second reads %v, %v, want 3", at, err)
			}
			first.Write(news(0, 9, 100))
			if at, err := readNews(peer); err != nil || at.number != 9 {
				t.Errorf("one that has left reads %v, %v, want what was written", at, err)
			}
			second.Close()
			if err := f.Add(second); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Add of a closed one: %v", err)
			}
			publish(t, &f, news(0, 4, 100))
			for !f.Idle(l) {
				l.Sleep(0)
			}
			if s := f.Stats(); s.Conns != 0 || s.Published != 5 {
				t.Errorf("counts when all have gone: %+v", s)
			}
			// Those that come and go between two messages are not kept.
			for range 1000 {
				var two followed
				two.follow(t, l, &f)
				two.close()
			}
			if s := f.Stats(); s.Conns > 200 {
				t.Errorf("%d closed connections are kept", s.Conns)
			}
		})
	})
}

// With one place, and the oldest dropped, a slow peer gets the last state.
func TestFeedLatest(t *testing.T) {
	const messages = 300
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			f := sock.Feed{Waiting: 1, Slow: sock.DropOldest}
			c, peer := all.follow(t, l, &f)
			c.SetWriteBuffer(16 << 10)
			for i := range messages {
				publish(t, &f, news(0, i, 8<<10))
				for !f.Passed(l) {
					l.Yield()
				}
			}
			var got []item
			reads := l.Go(func() { got = readAllNews(t, peer) })
			for !f.Idle(l) {
				l.Sleep(0)
			}
			c.Close()
			reads.Wait()
			if n := len(got); n == messages || got[n-1].number != messages-1 {
				t.Errorf("%d messages, of which the last is %v", n, got[n-1])
			}
		})
	})
}

// A loop that does not come to pass messages on has so many before it, and who publishes more waits.
func TestFeedWaitsForLoops(t *testing.T) {
	const bound, messages = 256, 700
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			f := sock.Feed{Waiting: messages}
			c, peer := all.follow(t, l, &f)
			var published atomic.Int64
			ended := make(chan error, 1)
			go func() {
				for i := range messages {
					if err := f.Publish(context.Background(), news(0, i, 50)); err != nil {
						ended <- err
						return
					}
					published.Add(1)
				}
				ended <- nil
			}()
			// This task has the loop.
			patience.UntilBy(t, "the bound", runtime.Gosched, func() bool { return published.Load() == bound })
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			if err := f.Publish(gone, news(1, 0, 50)); !errors.Is(err, context.Canceled) {
				t.Errorf("Publish at the bound, with a context that has ended: %v", err)
			}
			if n := published.Load(); n != bound {
				t.Errorf("%d messages before a loop that is held", n)
			}
			for i := range messages {
				if at, err := readNews(peer); err != nil || at != (item{0, i}) {
					t.Fatalf("message %v, %v, want %d", at, err, i)
				}
			}
			l.Offload(func(context.Context) error {
				if err := <-ended; err != nil {
					t.Error(err)
				}
				return nil
			})
			c.Close()
		})
	})
}

// What a connection writes behind a message is not put into the message's memory, nor into that behind it.
func TestFeedKeepsItsBytes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			var f sock.Feed
			var conns, peers [3]*sock.Conn
			for i := range conns {
				conns[i], peers[i] = all.follow(t, l, &f)
			}
			for round := range 10 {
				mem := bytes.Repeat([]byte{'.'}, 2000)
				p := mem[:100]
				copy(p, news(0, round, 100))
				publish(t, &f, p)
				l.Yield() // it is passed on in this turn
				for i, c := range conns {
					if _, err := c.Write(news(i+1, round, 300)); err != nil {
						t.Error(err)
					}
				}
				for i, peer := range peers {
					for _, from := range []int{0, i + 1} {
						if at, err := readNews(peer); err != nil || at != (item{from, round}) {
							t.Fatalf("peer %d reads %v, %v, want round %d of %d", i, at, err, round, from)
						}
					}
				}
				if !bytes.Equal(p, news(0, round, 100)) || bytes.Count(mem[100:], []byte{'.'}) != len(mem)-100 {
					t.Fatal("a message's memory was written to")
				}
			}
		})
	})
}

// When loops have ended nobody follows, and nobody waits.
func TestFeedOutlivesRuns(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var f sock.Feed
		for round := range 3 {
			err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
				_, peer := new(followed).follow(t, l, &f)
				publish(t, &f, news(0, round, 1000))
				if at, err := readNews(peer); err != nil || at.number != round {
					t.Errorf("message %v, %v, want %d", at, err, round)
				}
				return nil // its end closes both
			})
			if err != nil {
				t.Error(err)
			}
			publish(t, &f, news(1, round, 20))
			if s := f.Stats(); s.Conns != 0 || f.Behind() != 0 {
				t.Errorf("%d connections behind the end of their loop, %d messages before it", s.Conns, f.Behind())
			}
		}
	})
}

// Only tasks of its loop may have a connection follow.
func TestFeedStrangers(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			var f sock.Feed
			c, _ := all.follow(t, l, &f)
			l.Offload(func(context.Context) error {
				if err := f.Add(c); !errors.Is(err, ringo.ErrNotTask) {
					t.Errorf("Add on a goroutine: %v", err)
				}
				if err := f.Remove(c); !errors.Is(err, ringo.ErrNotTask) {
					t.Errorf("Remove on a goroutine: %v", err)
				}
				return nil
			})
			if err := f.Add(new(sock.Conn)); err == nil {
				t.Error("Add of a zero Conn")
			}
		})
	})
}

// A message costs the same memory, however many follow.
func TestFeedAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onFeed(t, cfg, func(l *ringo.Loop, all *followed) {
			const many = 100
			var f sock.Feed
			var peers []*sock.Conn
			for range many {
				_, peer := all.follow(t, l, &f)
				peers = append(peers, peer)
			}
			p := news(0, 0, 1024)
			buf := make([]byte, len(p))
			round := func() {
				publish(t, &f, p)
				for _, peer := range peers {
					if _, err := io.ReadFull(peer, buf); err != nil {
						t.Error(err)
					}
				}
			}
			for range 20 {
				round()
			}
			if n := alloctest.Least(50, 3.1, round); n > 3.1 { // the message, and a place in two lists
				t.Errorf("%v allocations for a message to %d connections", n, many)
			}
		})
	})
}
