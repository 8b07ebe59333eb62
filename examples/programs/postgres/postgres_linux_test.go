//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ringo/examples/programs/internal/cluster"
	"ringo/examples/programs/internal/rig"
)

// server is the one of all tests.
var (
	server   *cluster.Cluster
	noServer error
)

func TestMain(m *testing.M) {
	cluster.Main(m, func(c *cluster.Cluster, err error) { server, noServer = c, err })
}

// ways are those to the server: by TCP, with and without TLS, and by a Unix socket.
var ways = []string{"TCP", "TLS", "Unix"}

// each runs f on the drivers, by each way.
func each(t *testing.T, f func(t *testing.T, r *rig.Rig, url string)) {
	cluster.Need(t, noServer)
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		for _, way := range ways {
			t.Run(way, func(t *testing.T) { f(t, rig.Loops(t, driver, 2), server.URL(way)) })
		}
	})
}

// What main does.
func TestRun(t *testing.T) {
	cluster.Need(t, noServer)
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			rig.Prints(t, func(out io.Writer) error { return run(server.URL(way), out) },
				"copied 1000 rows; the first hundred have the sum 4950\nnotified of news: hello\ngave up\n")
		})
	}
}

// connections makes a pool with connections of the last loop.
func connections(t *testing.T, r *rig.Rig, url string, n int) (context.Context, *pgxpool.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	t.Cleanup(cancel)
	pool, err := open(ctx, r.Loops[1], fmt.Sprint(url, "&pool_max_conns=", n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return ctx, pool
}

// Many connections are in use at once, each held by a goroutine until all are.
func TestPool(t *testing.T) {
	each(t, func(t *testing.T, r *rig.Rig, url string) {
		const clients = 50
		ctx, pool := connections(t, r, url, clients)
		var held, all sync.WaitGroup
		held.Add(clients)
		for i := range clients {
			all.Go(func() {
				err := pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
					held.Done()
					held.Wait()
					return use(ctx, c.Conn(), i)
				})
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			})
		}
		rig.Within(t, all.Wait)
		if n := pool.Stat().TotalConns(); n != clients {
			t.Errorf("the pool has %d connections, want %d", n, clients)
		}
	})
}

// use asks with parameters and answers small and large, in a transaction and in a batch.
func use(ctx context.Context, c *pgx.Conn, i int) error {
	for _, size := range []int{0, 1, 1000, 100_000} {
		want := bytes.Repeat([]byte{byte(i)}, size)
		var got []byte
		if err := c.QueryRow(ctx, "select $1::bytea || $2::bytea", want, want).Scan(&got); err != nil {
			return err
		}
		if !bytes.Equal(got, append(want, want...)) {
			return fmt.Errorf("twice %d bytes came back as %d", size, len(got))
		}
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		batch := new(pgx.Batch)
		for j := range 100 {
			batch.Queue("select $1::int * $2::int", i, j)
		}
		answers := tx.SendBatch(ctx, batch)
		defer answers.Close()
		for j := range 100 {
			var n int
			if err := answers.QueryRow().Scan(&n); err != nil || n != i*j {
				return fmt.Errorf("answer %d of a batch is %d, %v", j, n, err)
			}
		}
		return nil
	})
}

// COPY brings rows in and out again.
func TestCopy(t *testing.T) {
	each(t, func(t *testing.T, r *rig.Rig, url string) {
		ctx, pool := connections(t, r, url, 1)
		const rows = 20_000
		if _, err := pool.Exec(ctx, "create temporary table lines (n int, line text)"); err != nil {
			t.Fatal(err)
		}
		line := strings.Repeat("x", 100)
		n, err := pool.CopyFrom(ctx, pgx.Identifier{"lines"}, []string{"n", "line"},
			pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i, line}, nil }))
		if n != rows || err != nil {
			t.Fatalf("copied %d, %v", n, err)
		}
		var want, got bytes.Buffer
		for i := range rows {
			fmt.Fprintf(&want, "%d\t%s\n", i, line)
		}
		err = pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			_, err := c.Conn().PgConn().CopyTo(ctx, &got, "copy (select * from lines order by n) to stdout")
			return err
		})
		if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes came back of %d, or others; %v", got.Len(), want.Len(), err)
		}
	})
}

// Who waits for notifications with many short timeouts misses none: a deadline that has passed spoils nothing.
func TestNotify(t *testing.T) {
	each(t, func(t *testing.T, r *rig.Rig, url string) {
		ctx, pool := connections(t, r, url, 2)
		c, err := pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		if _, err := c.Exec(ctx, "listen news"); err != nil {
			t.Fatal(err)
		}
		const news = 200
		sent := make(chan error, 1)
		go func() {
			for i := range news {
				if _, err := pool.Exec(ctx, "select pg_notify('news', $1)", fmt.Sprint(i)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		timeouts := 0
		for i := 0; i < news; {
			short, cancel := context.WithTimeout(ctx, time.Duration((i+timeouts)%10)*100*time.Microsecond)
			n, err := c.Conn().WaitForNotification(short)
			cancel()
			switch {
			case err == nil && n.Payload != fmt.Sprint(i):
				t.Fatalf("got %s, want %d", n.Payload, i)
			case err == nil:
				i++
			case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
				timeouts++
			default:
				t.Fatalf("notification %d: %v", i, err)
			}
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		t.Logf("%d timeouts between %d notifications", timeouts, news)
	})
}

// A cancelled query ends at once, and the server hears of it; the pool goes on with another connection.
func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, r *rig.Rig, url string) {
		ctx, pool := connections(t, r, url, 2)
		asked, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			_, err := pool.Exec(asked, "select pg_sleep(600)")
			ended <- err
		}()
		const sleeping = "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)' and state = " +
			"'active'"
		until(ctx, t, pool, sleeping, 1)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled query: %v", err)
		}
		until(ctx, t, pool, sleeping, 0)
	})
}

// A server that ends a session in the middle of a query is an error of that query only.
func TestTerminated(t *testing.T) {
	each(t, func(t *testing.T, r *rig.Rig, url string) {
		ctx, pool := connections(t, r, url, 2)
		ended := make(chan error, 1)
		go func() {
			_, err := pool.Exec(ctx, "select pg_sleep(500)")
			ended <- err
		}()
		until(ctx, t, pool, "select count(pg_terminate_backend(pid)) from pg_stat_activity where query = 'select "+
			"pg_sleep(500)' and state = 'active'", 1)
		if err := <-ended; err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "57P01") {
			t.Errorf("a query whose session was ended: %v", err)
		}
		until(ctx, t, pool, "select 1", 1)
	})
}

// until asks again and again for a number, until it is the one.
func until(ctx context.Context, t *testing.T, pool *pgxpool.Pool, query string, want int) {
	t.Helper()
	for n := -1; n != want; {
		if err := pool.QueryRow(ctx, query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
