//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// BenchmarkFeed is messages of 1 KiB to many connections by TCP, one at a time or 16 that come together: by a Feed, by
// a task that writes to one connection after the other, and by a task for each, which receives it from a Broadcast. An
// op is one message for one connection. What the peers read, in between, is not counted.
func BenchmarkFeed(b *testing.B) {
	for _, driver := range []string{"uring", "epoll"} {
		for _, conns := range []int{100, 1000} {
			for _, together := range []int{1, 16} {
				for _, way := range []string{"feed", "write", "tasks"} {
					b.Run(fmt.Sprintf("driver=%s/conns=%d/together=%d/way=%s", driver, conns, together, way),
						func(b *testing.B) { benchmarkFeed(b, driver, conns, together, way) })
				}
			}
		}
	}
}

func benchmarkFeed(b *testing.B, driver string, conns, together int, way string) {
	const size, burst = 1024, 16
	cfg := &ringo.Config{Loops: 1, Driver: driver, HoldLimit: -1}
	err := ringo.Run(b.Context(), cfg, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		var all []*sock.Conn
		var peers []*net.TCPConn
		for range conns {
			var peer net.Conn
			l.Offload(func(context.Context) error {
				peer, err = net.Dial("tcp", ln.Addr().String())
				return err
			})
			if err != nil {
				return err
			}
			defer peer.Close()
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			defer c.Close()
			all, peers = append(all, c), append(peers, peer.(*net.TCPConn))
		}
		p := news(0, 0, size)
		send, end := feedWay(l, all, way)
		defer end()
		rounds := b.N/(conns*burst) + 1
		var used int64
		b.ResetTimer()
		for range rounds {
			before := cpuTime(b)
			for range burst / together {
				if err := send(p, together); err != nil {
					return err
				}
			}
			used += cpuTime(b) - before
			b.StopTimer()
			l.Offload(func(context.Context) error {
				p := make([]byte, burst*size)
				for _, peer := range peers {
					if _, err := io.ReadFull(peer, p); err != nil {
						b.Error(err)
					}
				}
				return nil
			})
			b.StartTimer()
		}
		b.ReportMetric(float64(used)/float64(rounds*burst*conns), "cpu-ns/op")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// feedWay gives a function that sends a message so many times to all connections, and returns when all is sent.
func feedWay(l *ringo.Loop, all []*sock.Conn, way string) (send func(p []byte, times int) error, end func()) {
	switch way {
	case "feed":
		var f sock.Feed
		for _, c := range all {
			f.Add(c)
		}
		return func(p []byte, times int) error {
			for range times {
				if err := f.Publish(context.Background(), p); err != nil {
					return err
				}
			}
			for !f.Idle(l) {
				l.Yield()
			}
			return nil
		}, func() {}
	case "write":
		return func(p []byte, times int) error {
			for range times {
				for _, c := range all {
					if _, err := c.Write(p); err != nil {
						return err
					}
				}
			}
			l.Yield()
			return nil
		}, func() {}
	}
	news := ringo.NewBroadcast[[]byte](16)
	var left ringo.WaitGroup
	for _, c := range all {
		s := news.Subscribe()
		l.Go(func() {
			for {
				p, err := s.Recv(context.Background())
				if err != nil {
					return
				}
				if _, err = c.Write(p); err != nil {
					return
				}
				left.Done()
			}
		})
	}
	l.Yield()
	return func(p []byte, times int) error {
		left.Add(times * len(all))
		for range times {
			news.Publish(p)
		}
		left.Wait()
		l.Yield()
		return nil
	}, news.Close
}
