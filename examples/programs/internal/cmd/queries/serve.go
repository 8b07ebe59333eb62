//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"ringo"
	ringomysql "ringo/adapters/database/mysql"
	ringopgx "ringo/adapters/database/pgx"
	ringoredis "ringo/adapters/database/redis"
	"ringo/sock"
	"ringo/sock/sockclient"
	"ringo/sock/sockhttp"
)

// A question queries a database for a name.
type question func(ctx context.Context, id string) (name string, err error)

// be is the service process: it prints its address, and ends with stdin.
func be(name, at string) error {
	database, way, _ := strings.Cut(name, "/")
	ask, err := questions[database](at, way == "tasks")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	mux := http.NewServeMux()
	switch way {
	case "net":
		mux.Handle("GET /{id}", answering(ask))
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(ln.Addr())
		return http.Serve(ln, mux)
	case "goroutines":
		mux.Handle("GET /{id}", answering(ask))
	case "tasks":
		mux.Handle("GET /{id}", sockhttp.Task(answering(ask)))
	default:
		return fmt.Errorf("there is no way %q", way)
	}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(set.Addr())
	return (&sockhttp.Server{Handler: mux}).ServeSets(context.Background(), nil, []*sock.ListenerSet{set})
}

// answering is the handler. In tasks, ask uses sessions of the loop.
//
//ringo:offloaded what asks otherwise is no task
func answering(ask question) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := ask(r.Context(), r.PathValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, name+"\n")
	})
}

// questions make the question for each database, for tasks or for goroutines.
var questions = map[string]func(at string, tasks bool) (question, error){
	"postgres": postgres, "mysql": my, "redis": cache,
}

// pool returns the pool for tasks.
func pool(dial func(context.Context, *ringo.Loop) (net.Conn, error)) *sockclient.Pool {
	return &sockclient.Pool{Dial: dial, Max: *sessions, MaxIdle: *sessions}
}

const (
	postgresQuery = "select 'user ' || $1::text"
	mysqlQuery    = "select concat('user ', ?)"
)

func postgres(at string, tasks bool) (question, error) {
	config, err := pgxpool.ParseConfig(at)
	if err != nil {
		return nil, err
	}
	if tasks {
		p := pool(ringopgx.Dial(config.ConnConfig))
		return func(ctx context.Context, id string) (name string, err error) {
			err = ringopgx.Do(ctx, p, func(ctx context.Context, c *pgx.Conn) error {
				return c.QueryRow(ctx, postgresQuery, id).Scan(&name)
			})
			return name, err
		}, nil
	}
	config.MaxConns = int32(*sessions)
	p, err := pgxpool.NewWithConfig(context.Background(), config)
	return func(ctx context.Context, id string) (name string, err error) {
		err = p.QueryRow(ctx, postgresQuery, id).Scan(&name)
		return name, err
	}, err
}

func my(at string, tasks bool) (question, error) {
	config, err := mysql.ParseDSN(at)
	if err != nil {
		return nil, err
	}
	config.InterpolateParams = true
	if tasks {
		p := pool(ringomysql.Dial(config))
		return func(ctx context.Context, id string) (name string, err error) {
			err = ringomysql.Do(ctx, p, func(ctx context.Context, c *sql.Conn) error {
				return c.QueryRowContext(ctx, mysqlQuery, id).Scan(&name)
			})
			return name, err
		}, nil
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(*sessions)
	db.SetMaxIdleConns(*sessions)
	return func(ctx context.Context, id string) (name string, err error) {
		err = db.QueryRowContext(ctx, mysqlQuery, id).Scan(&name)
		return name, err
	}, nil
}

func cache(at string, tasks bool) (question, error) {
	options, err := redis.ParseURL(at)
	if err != nil {
		return nil, err
	}
	options.PoolSize = *sessions
	own := redis.NewClient(options)
	if err := own.Set(context.Background(), "user:7", "user 7", 0).Err(); err != nil {
		return nil, err
	}
	if tasks {
		p := pool(ringoredis.Dial(options))
		return func(ctx context.Context, id string) (name string, err error) {
			err = ringoredis.Do(ctx, p, func(ctx context.Context, c *redis.Client) error {
				name, err = c.Get(ctx, "user:"+id).Result()
				return err
			})
			return name, err
		}, nil
	}
	return func(ctx context.Context, id string) (string, error) { return own.Get(ctx, "user:"+id).Result() }, nil
}
