package redis

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"ringo/programs/internal/rig"
)

// Clients of go-redis, dialled by the loop, one by one and in pipelines.
func TestClients(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		ln := r.Listen()
		l := r.Loop()
		l.Post(func() {
			s := store{}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return
				}
				l.Post(func() { s.serve(c) })
			}
		})
		client := redis.NewClient(&redis.Options{
			Addr: ln.Addr().String(), Protocol: 2, DisableIdentity: true,
			Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return r.DialContext(ctx, network, addr)
			},
		})
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() { use(ctx, t, client, fmt.Sprint("key", i)) })
		}
		clients.Wait()
	})
}

func use(ctx context.Context, t *testing.T, c *redis.Client, key string) {
	if err := c.Get(ctx, key).Err(); err != redis.Nil {
		t.Errorf("Get of nothing: %v", err)
	}
	large := strings.Repeat(key, 100_000)
	for _, want := range []string{"", "small", large} {
		if err := c.Set(ctx, key, want, 0).Err(); err != nil {
			t.Error(err)
			return
		}
		if got, err := c.Get(ctx, key).Result(); got != want || err != nil {
			t.Errorf("Get: %d bytes of %d, %v", len(got), len(want), err)
		}
	}
	var answers []*redis.StringCmd
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 100 {
			p.Set(ctx, key, i, 0)
			answers = append(answers, p.Get(ctx, key))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for i, a := range answers {
		if n, err := a.Int(); n != i || err != nil {
			t.Errorf("answer %d of the pipeline is %d, %v", i, n, err)
		}
	}
}
