package main

import (
	"bufio"
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"ringo"
	"ringo/examples/programs/internal/cluster"
	"ringo/examples/programs/internal/rig"
	"ringo/sock"
)

// forEver is a context that does not end: a loop that waits for its end would go on with it.
var forEver = context.Background()

// postgres, my and cache are where the servers of a trap are.
var traps = map[string]func(postgres, my, cache string) rig.Trap{
	"go-redis dials": func(_, _, cache string) rig.Trap {
		return rig.Trap{Stands: "pool.(*ConnPool).queuedNewConn(", Spring: func(l *ringo.Loop) error {
			options, err := redis.ParseURL(cache)
			if err != nil {
				return err
			}
			options.Dialer = new(sock.Dialer).Func(l)
			l.Go(func() { redis.NewClient(options).Get(forEver, "key") }) //ringo:offloaded it is to freeze
			return nil
		}}
	},
	"database/sql at its limit": func(_, my, _ string) rig.Trap {
		return rig.Trap{Stands: "sql.(*DB).conn(", Spring: func(l *ringo.Loop) error {
			config, err := mysql.ParseDSN(my)
			if err != nil {
				return err
			}
			config.DialFunc = new(sock.Dialer).Func(l)
			connector, err := mysql.NewConnector(config)
			if err != nil {
				return err
			}
			db := sql.OpenDB(connector)
			db.SetMaxOpenConns(1)
			for range 2 {
				l.Go(func() { db.ExecContext(forEver, "select sleep(1)") }) //ringo:offloaded it is to freeze
			}
			return nil
		}}
	},
	"pgxpool at its limit": func(postgres, _, _ string) rig.Trap {
		return rig.Trap{Stands: "puddle", Spring: func(l *ringo.Loop) error {
			config, err := pgxpool.ParseConfig(postgres + "&pool_max_conns=1")
			if err != nil {
				return err
			}
			config.ConnConfig.DialFunc = new(sock.Dialer).Func(l)
			pool, err := pgxpool.NewWithConfig(forEver, config)
			if err != nil {
				return err
			}
			for range 2 {
				l.Go(func() { pool.Exec(forEver, "select pg_sleep(1)") }) //ringo:offloaded it is to freeze
			}
			return nil
		}}
	},
	"pgx copies": func(postgres, _, _ string) rig.Trap {
		return bare(postgres, "pgconn.(*PgConn).CopyFrom(", func(c *pgx.Conn) error {
			rows := pgx.CopyFromRows([][]any{{1}})
			_, err := c.CopyFrom(forEver, pgx.Identifier{"pg_temp", "numbers"}, []string{"n"}, rows)
			return err
		})
	},
	"pgx writes for long": func(postgres, _, _ string) rig.Trap {
		return bare(postgres, "bgreader.(*BGReader).Read(", func(c *pgx.Conn) error {
			var n int
			return c.QueryRow(forEver, "select length($1)", strings.Repeat("x", 64<<20)).Scan(&n)
		})
	},
}

// bare uses a connection of pgx that the loop has dialled, and no more.
func bare(postgres, stands string, use func(c *pgx.Conn) error) rig.Trap {
	return rig.Trap{Stands: stands, Spring: func(l *ringo.Loop) error {
		config, err := pgx.ParseConfig(postgres)
		if err != nil {
			return err
		}
		config.DialFunc = new(sock.Dialer).Func(l)
		c, err := pgx.ConnectConfig(forEver, config) //ringo:offloaded it does not freeze yet
		if err != nil {
			return err
		}
		if _, err := c.Exec(forEver, "create temporary table numbers (n int)"); err != nil { //ringo:offloaded as above
			return err
		}
		l.Go(func() { use(c) }) //ringo:offloaded it is to freeze
		return nil
	}}
}

// What docs/databases.md warns of freezes a loop for good. If a trap does so no more, the page has to say so.
func TestTraps(t *testing.T) {
	cluster.Need(t, noServers)
	for name := range traps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := []string{name, servers.Postgres.URL("TCP"), servers.MariaDB.DSN("TCP"), servers.Redis.URL("TCP")}
			rig.Trapped(t, strings.Join(where, "\n"))
		})
	}
}

func freeze(argument string, _ *bufio.Scanner) error {
	where := strings.Split(argument, "\n")
	return traps[where[0]](where[1], where[2], where[3]).Freeze()
}
