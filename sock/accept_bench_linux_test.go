//go:build linux

package sock_test

import (
	"context"
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// BenchmarkAccept is an accept and a close of peers that have come already, by a task and by a goroutine, on a listener
// of its own and on one whose socket other loops could share.
func BenchmarkAccept(b *testing.B) {
	const peers = 100
	listens := map[string]func() (*sock.ListenerSet, error){
		"tcp":         func() (*sock.ListenerSet, error) { return sock.Reserve("tcp", "127.0.0.1:0") },
		"unix shared": func() (*sock.ListenerSet, error) { return sock.Reserve("unix", abstractName()) },
	}
	for _, kind := range []string{"tcp", "unix shared"} {
		for _, who := range []string{"task", "goroutine"} {
			b.Run(kind+"/"+who, func(b *testing.B) {
				set, err := listens[kind]()
				if err != nil {
					b.Fatal(err)
				}
				defer set.Close()
				dialed := make([]net.Conn, peers)
				come := func(context.Context) (err error) {
					for i := range dialed {
						if dialed[i] != nil {
							dialed[i].Close()
						}
						if dialed[i], err = net.Dial(set.Addr().Network(), set.Addr().String()); err != nil {
							return err
						}
					}
					return nil
				}
				err = ringo.Run(b.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					ln, err := set.Listen(l)
					if err != nil {
						return err
					}
					take := func(context.Context) error {
						for range peers {
							c, err := ln.AcceptConn()
							if err != nil {
								return err
							}
							c.Close()
						}
						return nil
					}
					for b.Loop() {
						b.StopTimer()
						if err := l.Offload(come); err != nil {
							return err
						}
						b.StartTimer()
						if who == "task" {
							err = take(nil)
						} else {
							err = l.Offload(take)
						}
						if err != nil {
							return err
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/peers, "ns/accept")
					for _, peer := range dialed {
						peer.Close()
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
