// Database is a service that queries a database for each request, in the task that serves the request: PostgreSQL by
// pgx, MySQL or MariaDB by go-sql-driver, redis by go-redis. Each loop has its own sessions, at most eight with each
// database.
//
//	POSTGRES='postgres://user:password@127.0.0.1:5432/database' \
//	MYSQL='user:password@tcp(127.0.0.1:3306)/database' REDIS=redis://127.0.0.1:6379/0 go run ./database
//	curl localhost:8080/postgres/7
//	curl localhost:8080/mysql/7
//	curl localhost:8080/redis/7
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	ringomysql "ringo/adapters/database/mysql"
	ringopgx "ringo/adapters/database/pgx"
	ringoredis "ringo/adapters/database/redis"
	"ringo/sock/sockclient"
	"ringo/sock/sockhttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := newService(os.Getenv("POSTGRES"), os.Getenv("MYSQL"), os.Getenv("REDIS"))
	if err == nil {
		server := &sockhttp.Server{Handler: s.routes(), ReadTimeout: 10 * time.Second}
		err = errors.Join(server.ListenAndServe(ctx, nil, "127.0.0.1:8080"), s.close())
	}
	if err != nil {
		log.Fatal(err)
	}
}

type service struct{ postgres, mysql, redis *sockclient.Pool }

func newService(postgres, my, cache string) (*service, error) {
	p, err1 := pgx.ParseConfig(postgres)
	m, err2 := mysql.ParseDSN(my)
	r, err3 := redis.ParseURL(cache)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	m.InterpolateParams = true // one round trip for each query
	return &service{
		postgres: &sockclient.Pool{Dial: ringopgx.Dial(p), Check: ringopgx.Check, CheckAfter: time.Minute, Max: 8,
			MaxIdle: 8, IdleTimeout: 10 * time.Minute, MaxAge: time.Hour},
		mysql: &sockclient.Pool{Dial: ringomysql.Dial(m), Check: ringomysql.Check, CheckAfter: time.Minute, Max: 8,
			MaxIdle: 8, IdleTimeout: 10 * time.Minute, MaxAge: time.Hour},
		redis: &sockclient.Pool{Dial: ringoredis.Dial(r), Max: 8, MaxIdle: 8, IdleTimeout: 10 * time.Minute},
	}, nil
}

// close ends the sessions after Run has returned: they have goroutines, which the end of the loops does not end.
func (s *service) close() error {
	return errors.Join(s.postgres.Shutdown(nil), s.mysql.Shutdown(nil), s.redis.Shutdown(nil))
}

func (s *service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /postgres/{id}", sockhttp.Task(answer(s.askPostgres)))
	mux.Handle("GET /mysql/{id}", sockhttp.Task(answer(s.askMySQL)))
	mux.Handle("GET /redis/{id}", sockhttp.Task(answer(s.askRedis)))
	return mux
}

// answer makes a handler of a query. It runs in a task: ask parks until the database has answered.
func answer(ask func(ctx context.Context, id string) (string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := ask(r.Context(), r.PathValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, name)
	})
}
