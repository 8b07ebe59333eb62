package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"ringo"
	ringomysql "ringo/adapters/database/mysql"
	ringopgx "ringo/adapters/database/pgx"
	ringoredis "ringo/adapters/database/redis"
	"ringo/examples/programs/internal/cluster"
	"ringo/examples/programs/internal/rig"
	"ringo/sock/sockclient"
)

// inTasks runs f in a task of a loop that nothing of Go's may hold, by each driver, with a Pool that ends then.
func inTasks(t *testing.T, pool func(t *testing.T) *sockclient.Pool,
	f func(t *testing.T, l *ringo.Loop, p *sockclient.Pool)) {
	cluster.Need(t, noServers)
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		r := rig.Start(t, ringo.Config{Driver: driver, Loops: 1, OnStall: stalls(t)})
		p, l := pool(t), r.Loop()
		rig.Within(t, func() {
			l.Go(func() {
				f(t, l, p)
				if err := p.Shutdown(nil); err != nil {
					t.Error(err)
				}
			}).Wait()
		})
	})
}

// postgres makes a Pool of sessions that go there in a way.
func postgres(way string) func(t *testing.T) *sockclient.Pool {
	return func(t *testing.T) *sockclient.Pool {
		config, err := pgx.ParseConfig(at(way, servers.Postgres.URL))
		if err != nil {
			t.Fatal(err)
		}
		return &sockclient.Pool{Dial: ringopgx.Dial(config), Check: ringopgx.Check, Max: 1}
	}
}

func maria(way string) func(t *testing.T) *sockclient.Pool {
	return func(t *testing.T) *sockclient.Pool {
		config, err := mysql.ParseDSN(at(way, servers.MariaDB.DSN))
		if err != nil {
			t.Fatal(err)
		}
		return &sockclient.Pool{Dial: ringomysql.Dial(config), Check: ringomysql.Check, Max: 1}
	}
}

func cache(way string) func(t *testing.T) *sockclient.Pool {
	return func(t *testing.T) *sockclient.Pool {
		options, err := redis.ParseURL(at(way, servers.Redis.URL))
		if err != nil {
			t.Fatal(err)
		}
		return &sockclient.Pool{Dial: ringoredis.Dial(options), Check: ringoredis.Check, Max: 1}
	}
}

// at is where a server is by a way, among them "name", by TCP.
func at(way string, where func(way string) string) string {
	if way == "name" {
		return strings.Replace(where("TCP"), "127.0.0.1", "localhost", 1)
	}
	return where(way)
}

var ways = []string{"TCP", "TLS", "Unix", "name"}

// kept wants the Pool to have so many sessions at rest.
func kept(t *testing.T, l *ringo.Loop, p *sockclient.Pool, idle int) {
	t.Helper()
	if n := p.Count(l); n.Open != idle || n.Idle != idle {
		t.Errorf("%+v, want %d at rest", n, idle)
	}
}

// What a task may do with a session of pgx: all but what the next test has.
func TestPgx(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			inTasks(t, postgres(way), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
				for name, use := range map[string]func(ctx context.Context, c *pgx.Conn) error{
					"transaction": transact, "large parameter": large, "copy out": copyOut, "notify": notify,
					"batch": func(ctx context.Context, c *pgx.Conn) error { return batch(ctx, c, 100) },
				} {
					if err := ringopgx.Do(context.Background(), p, use); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				kept(t, l, p, 1)
			})
		})
	}
}

func transact(ctx context.Context, c *pgx.Conn) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "create temporary table numbers (n int) on commit drop"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "insert into numbers select generate_series(1, $1) returning n", 1000)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err == nil && len(all) != 1000 {
			err = fmt.Errorf("%d rows", len(all))
		}
		return err
	})
}

// large takes longer to write than pgx lets pass without a reader.
func large(ctx context.Context, c *pgx.Conn) error {
	text := strings.Repeat("x", 32<<20)
	var got string
	err := c.QueryRow(ctx, "select $1::text", text).Scan(&got)
	if err == nil && got != text {
		err = fmt.Errorf("%d bytes came back of %d", len(got), len(text))
	}
	return err
}

func copyOut(ctx context.Context, c *pgx.Conn) error {
	var out bytes.Buffer
	_, err := c.PgConn().CopyTo(ctx, &out, "copy (select generate_series(1, 20000)) to stdout")
	if n := bytes.Count(out.Bytes(), []byte("\n")); err == nil && n != 20000 {
		err = fmt.Errorf("%d lines", n)
	}
	return err
}

func notify(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, "listen news"); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "select pg_notify('news', 'hello')"); err != nil {
		return err
	}
	n, err := c.WaitForNotification(ctx)
	if err == nil && n.Payload != "hello" {
		err = fmt.Errorf("heard %q", n.Payload)
	}
	_, err2 := c.Exec(ctx, "unlisten *")
	return errors.Join(err, err2)
}

// batch sends queries whose answers are large.
func batch(ctx context.Context, c *pgx.Conn, queries int) error {
	b, pad := new(pgx.Batch), strings.Repeat("x", 2000)
	for range queries {
		b.Queue("select $1::text", pad)
	}
	answers := c.SendBatch(ctx, b)
	defer answers.Close()
	for range queries {
		var got string
		if err := answers.QueryRow().Scan(&got); err != nil || got != pad {
			return fmt.Errorf("%d bytes, %w", len(got), err)
		}
	}
	return nil
}

// A batch whose answers don't fit between the two is read while it is sent.
func TestPgxReadsAhead(t *testing.T) {
	inTasks(t, postgres("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		err := ringopgx.Do(context.Background(), p, func(ctx context.Context, c *pgx.Conn) error {
			return batch(ctx, c, 20_000)
		})
		if err != nil {
			t.Error(err)
		}
		kept(t, l, p, 1)
	})
}

// CopyFrom reads and writes on goroutines, and fails in place of freezing the loop.
func TestPgxCopyFrom(t *testing.T) {
	for _, way := range []string{"TCP", "TLS"} {
		t.Run(way, func(t *testing.T) {
			inTasks(t, postgres(way), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
				err := ringopgx.Do(context.Background(), p, func(ctx context.Context, c *pgx.Conn) error {
					if _, err := c.Exec(ctx, "create temporary table numbers (n int)"); err != nil {
						return err
					}
					rows := pgx.CopyFromRows([][]any{{1}})
					_, err := c.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"}, rows)
					return err
				})
				if err == nil || !strings.Contains(err.Error(), "a goroutine of the driver's") {
					t.Errorf("CopyFrom: %v", err)
				}
				kept(t, l, p, 0)
			})
		})
	}
}

// An error of the server's costs no session; an open transaction does, and so does a query that is given up, which the
// server hears of. What pgx is given to watch, a context that ends, does not stop the loop.
func TestPgxEnds(t *testing.T) {
	inTasks(t, postgres("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		ask := func(ctx context.Context, query string) error {
			return ringopgx.Do(ctx, p, func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, query)
				return err
			})
		}
		var of *pgconn.PgError
		if err := ask(context.Background(), "select 1/0"); !errors.As(err, &of) || of.Code != "22012" {
			t.Errorf("1/0: %v", err)
		}
		kept(t, l, p, 1)
		if err := ask(context.Background(), "begin"); err != nil {
			t.Error(err)
		}
		kept(t, l, p, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := ask(ctx, "select pg_sleep(600)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a query that is given up: %v", err)
		}
		kept(t, l, p, 0)
		err := ringopgx.Do(context.Background(), p, func(_ context.Context, c *pgx.Conn) error {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			_, err := c.Exec(ctx, "select pg_sleep(600)")
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that pgx watches: %v", err)
		}
		sleeping := -1
		for sleeping != 0 {
			err := ringopgx.Do(context.Background(), p, func(ctx context.Context, c *pgx.Conn) error {
				return c.QueryRow(ctx, "select count(*) from pg_stat_activity where state = 'active' and query = "+
					"'select pg_sleep(600)'").Scan(&sleeping)
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// What a task may do with a session of go-sql-driver.
func TestMySQL(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			inTasks(t, maria(way), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
				for name, use := range map[string]func(ctx context.Context, c *sql.Conn) error{
					"transaction": sqlTransaction, "large parameter": sqlLarge, "prepared": sqlPrepared,
				} {
					if err := ringomysql.Do(context.Background(), p, use); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				kept(t, l, p, 1)
			})
		})
	}
}

func sqlTransaction(ctx context.Context, c *sql.Conn) error {
	if _, err := c.ExecContext(ctx, "create temporary table numbers (n int primary key)"); err != nil {
		return err
	}
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "insert into numbers values (1), (2), (3)"); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "select n from numbers")
	if err != nil {
		return err
	}
	defer rows.Close()
	sum := 0
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		sum += n
	}
	if err := rows.Err(); err != nil || sum != 6 {
		return fmt.Errorf("the sum is %d, %w", sum, err)
	}
	return tx.Commit()
}

func sqlLarge(ctx context.Context, c *sql.Conn) error {
	text := strings.Repeat("x", 8<<20)
	var got string
	err := c.QueryRowContext(ctx, "select ?", text).Scan(&got)
	if err == nil && got != text {
		err = fmt.Errorf("%d bytes came back of %d", len(got), len(text))
	}
	return err
}

func sqlPrepared(ctx context.Context, c *sql.Conn) error {
	s, err := c.PrepareContext(ctx, "select ? + 1")
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range 100 {
		var n int
		if err := s.QueryRowContext(ctx, i).Scan(&n); err != nil || n != i+1 {
			return fmt.Errorf("%d + 1 is %d, %w", i, n, err)
		}
	}
	return nil
}

// An error of the server's costs no session; a query that is given up does, and a context that the driver and
// database/sql watch does not stop the loop.
func TestMySQLEnds(t *testing.T) {
	inTasks(t, maria("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		ask := func(ctx context.Context, query string) error {
			return ringomysql.Do(ctx, p, func(ctx context.Context, c *sql.Conn) error {
				_, err := c.ExecContext(ctx, query)
				return err
			})
		}
		var of *mysql.MySQLError
		if err := ask(context.Background(), "select * from nothing"); !errors.As(err, &of) || of.Number != 1146 {
			t.Errorf("a table that there isn't: %v", err)
		}
		kept(t, l, p, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := ask(ctx, "select sleep(600)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a query that is given up: %v", err)
		}
		kept(t, l, p, 0)
		err := ringomysql.Do(context.Background(), p, func(_ context.Context, c *sql.Conn) error {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			rows, err := c.QueryContext(ctx, "select 1 union all select sleep(600)")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that is watched: %v", err)
		}
		if err := ask(context.Background(), "select 1"); err != nil {
			t.Error(err)
		}
	})
}

// What a task may do with a session of go-redis.
func TestRedis(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) { inTasks(t, cache(way), useRedis) })
	}
}

func useRedis(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
	text := strings.Repeat("x", 4<<20)
	for name, use := range map[string]func(ctx context.Context, c *redis.Client) error{
		"values": func(ctx context.Context, c *redis.Client) error {
			if err := c.Set(ctx, "large", text, 0).Err(); err != nil {
				return err
			}
			got, err := c.Get(ctx, "large").Result()
			if err == nil && got != text {
				err = fmt.Errorf("%d bytes", len(got))
			}
			return err
		},
		"pipeline": func(ctx context.Context, c *redis.Client) error {
			all, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i := range 1000 {
					p.Set(ctx, fmt.Sprint("many", i), i, 0)
				}
				return nil
			})
			if err == nil && len(all) != 1000 {
				err = fmt.Errorf("%d answers", len(all))
			}
			return err
		},
		"transaction": func(ctx context.Context, c *redis.Client) error {
			return c.Watch(ctx, func(tx *redis.Tx) error {
				_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "count").Err() })
				return err
			}, "count")
		},
	} {
		if err := ringoredis.Do(context.Background(), p, use); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	kept(t, l, p, 1)
}

// An answer that is an error costs no session, a command that is given up does; a second user of a session fails.
func TestRedisEnds(t *testing.T) {
	inTasks(t, cache("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		do := func(ctx context.Context, use func(ctx context.Context, c *redis.Client) error) error {
			return ringoredis.Do(ctx, p, use)
		}
		if err := do(context.Background(), func(ctx context.Context, c *redis.Client) error {
			return c.Get(ctx, "nothing").Err()
		}); err != redis.Nil {
			t.Errorf("nothing: %v", err)
		}
		kept(t, l, p, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := do(ctx, func(ctx context.Context, c *redis.Client) error {
			return c.BLPop(ctx, 0, "empty").Err()
		}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a command that is given up: %v", err)
		}
		kept(t, l, p, 0)
		if err := do(context.Background(), func(ctx context.Context, c *redis.Client) error {
			return c.Watch(ctx, func(*redis.Tx) error { return c.Ping(ctx).Err() }, "key")
		}); err == nil || !strings.Contains(err.Error(), "pool timeout") {
			t.Errorf("two users: %v", err)
		}
		kept(t, l, p, 1)
		if err := do(context.Background(), func(ctx context.Context, c *redis.Client) error {
			s := c.Subscribe(ctx, "news")
			defer s.Close()
			_, err := s.Receive(ctx)
			return err
		}); err == nil || !strings.Contains(err.Error(), "has one connection") {
			t.Errorf("Subscribe: %v", err)
		}
		kept(t, l, p, 0)
	})
}

// Goroutines are sent to the drivers' own pools, and a Pool of another Dial is found out.
func TestMistakes(t *testing.T) {
	inTasks(t, cache("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		err := ringopgx.Do(context.Background(), p, func(context.Context, *pgx.Conn) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "is not ringopgx.Dial") {
			t.Error(err)
		}
		err = l.Offload(func(ctx context.Context) error {
			return ringoredis.Do(ctx, p, func(context.Context, *redis.Client) error { return nil })
		})
		if err == nil || !strings.Contains(err.Error(), "ordinary goroutine") {
			t.Error(err)
		}
	})
}

// A session that its server has ended is not given to the next.
func TestServerEnds(t *testing.T) {
	inTasks(t, postgres("TCP"), func(t *testing.T, l *ringo.Loop, p *sockclient.Pool) {
		var pid uint32
		err := ringopgx.Do(context.Background(), p, func(_ context.Context, c *pgx.Conn) error {
			pid = c.PgConn().PID()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		other := postgres("TCP")(t)
		err = ringopgx.Do(context.Background(), other, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "select pg_terminate_backend($1)", pid)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		for p.Count(l).Idle > 0 {
			l.Yield()
		}
		if err := ringopgx.Do(context.Background(), p, transact); err != nil {
			t.Error(err)
		}
		if err := other.Shutdown(nil); err != nil {
			t.Error(err)
		}
	})
}
