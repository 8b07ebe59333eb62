// Postgres uses a PostgreSQL server by pgx, over connections that Ringo dials: a query, COPY, LISTEN and NOTIFY, and a
// query that its context cancels. The driver stays on goroutines; the loop's task waits for them in Offload.
// DATABASE_URL is the server's address, as in postgres://user:password@127.0.0.1:5432/database; without it psql's
// variables are used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ringo"
	"ringo/sock"
)

func main() {
	if err := run(os.Getenv("DATABASE_URL"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run uses the server from a goroutine, in Offload, while the task parks.
func run(url string, out io.Writer) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		return l.Offload(func(ctx context.Context) error {
			pool, err := open(ctx, l, url)
			if err != nil {
				return err
			}
			defer pool.Close()
			c, err := pool.Acquire(ctx)
			if err != nil {
				return err
			}
			defer c.Release()
			return errors.Join(copyRows(ctx, c.Conn(), out), listen(ctx, c.Conn(), pool, out),
				giveUp(ctx, c.Conn(), out))
		})
	})
}

// open makes a pool of connections that belong to the loop. The DialFunc is all that pgx needs for that.
func open(ctx context.Context, l *ringo.Loop, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.DialFunc = new(sock.Dialer).Func(l)
	return pgxpool.NewWithConfig(ctx, config)
}

// copyRows inserts a thousand rows by COPY and queries a sum of them.
func copyRows(ctx context.Context, c *pgx.Conn, out io.Writer) error {
	if _, err := c.Exec(ctx, "create temporary table numbers (n bigint)"); err != nil {
		return err
	}
	rows := pgx.CopyFromSlice(1000, func(i int) ([]any, error) { return []any{i}, nil })
	copied, err := c.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"}, rows)
	if err != nil {
		return err
	}
	var sum int64
	err = c.QueryRow(ctx, "select sum(n) from numbers where n < $1", 100).Scan(&sum)
	fmt.Fprintf(out, "copied %d rows; the first hundred have the sum %d\n", copied, sum)
	return err
}

// listen waits for a notification from another connection.
func listen(ctx context.Context, c *pgx.Conn, pool *pgxpool.Pool, out io.Writer) error {
	if _, err := c.Exec(ctx, "listen news"); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, "select pg_notify('news', 'hello')"); err != nil {
		return err
	}
	news, err := c.WaitForNotification(ctx)
	if err == nil {
		fmt.Fprintf(out, "notified of %s: %s\n", news.Channel, news.Payload)
	}
	return err
}

// giveUp cancels a query that takes too long, which also ends the connection.
func giveUp(ctx context.Context, c *pgx.Conn, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := c.Exec(ctx, "select pg_sleep(60)")
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(out, "gave up")
		return nil
	}
	return fmt.Errorf("a minute has passed: %w", err)
}
