package ringopgx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"ringo"
	"ringo/adapters/database/internal/tasked"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// Dial returns the Dial function for a sockclient.Pool whose connections are sessions of pgx. config must come from
// pgx.ParseConfig. Dial copies it and replaces its DialFunc, LookupFunc, AfterNetConnect and BuildFrontend. Any
// goroutine may call Dial; it does not park.
func Dial(config *pgx.ConnConfig) func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
	config = config.Copy()
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil // tasked.Dial looks it up, without blocking the loop
	}
	config.BuildFrontend = func(_ io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend((*input)(w.(*stream)), w) // not by pgx's own reader: see stream
	}
	return func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		return dial(ctx, l, config.Copy())
	}
}

func dial(ctx context.Context, l *ringo.Loop, config *pgx.ConnConfig) (net.Conn, error) {
	if _, err := tasked.Loop("ringopgx: Pool.Dial"); err != nil {
		return nil, err
	}
	var below *tasked.Conn
	config.DialFunc = func(ctx context.Context, network, address string) (c net.Conn, err error) {
		if here, _ := ringo.Current(); here == nil { // a goroutine of pgx', which asks the server to cancel a query
			return new(sock.Dialer).Func(l)(ctx, network, address)
		}
		below, err = tasked.Dial(ctx, l, network, address, 0)
		if err != nil {
			return nil, err
		}
		return below, nil
	}
	config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, c net.Conn) (net.Conn, error) {
		return &stream{Conn: c, below: below, l: l, tls: c != net.Conn(below)}, nil
	}
	pg, err := pgx.ConnectConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, fmt.Errorf("ringopgx: %w", err)
	}
	s := &session{Conn: pg.PgConn().Conn().(*stream).Conn, below: below, pg: pg}
	if s.Conn == net.Conn(below) {
		return &plain{s}, nil
	}
	return s, nil
}

// Do calls use with a session of p, in the calling task, whose loop the session belongs to. p.Dial must come from this
// package's Dial. All waits in Do end with ctx. The context that use gets has ctx's values but never ends; pass it to
// the calls of pgx. The session must not be used after use has returned, nor by other tasks meanwhile. It goes back to
// p if it is idle and in no transaction, and is closed otherwise. Methods that need goroutines, such as CopyFrom,
// fail. On an ordinary goroutine Do fails; a task parks.
func Do(ctx context.Context, p *sockclient.Pool, use func(ctx context.Context, c *pgx.Conn) error) error {
	return tasked.Do(ctx, "ringopgx", p, func(ctx context.Context, c *pgx.Conn) error {
		err := use(ctx, c)
		s := c.PgConn().Conn().(*stream)
		if err != nil && s.refused.Load() && !errors.Is(err, tasked.ErrGoroutine) { // pgx closes then, and may say that
			err = fmt.Errorf("%w: %w", tasked.ErrGoroutine, err)
		}
		return err
	})
}

// Check is the Check for a Pool with this package's Dial: it pings the server and waits for the answer.
func Check(c net.Conn) error {
	client, err := tasked.Client[*pgx.Conn]("ringopgx", c)
	if err != nil {
		return err
	}
	return client.Ping(context.Background())
}

// A session is a connection of a Pool. Its Conn is what the stream reads: the socket, or TLS over it.
type session struct {
	net.Conn
	below *tasked.Conn
	pg    *pgx.Conn
}

// Client returns the client that Do passes to use.
func (s *session) Client() *pgx.Conn { return s.pg }

// NetConn returns the socket, which the Pool watches while the session is at rest.
func (s *session) NetConn() net.Conn { return s.below.Sock }

// Reusable reports whether the session is open, runs no query and is in no transaction.
func (s *session) Reusable() bool {
	return !s.pg.IsClosed() && !s.pg.PgConn().IsBusy() && s.pg.PgConn().TxStatus() == 'I'
}

// Close ends the session.
func (s *session) Close() error {
	return s.below.Leave(func() error { return s.pg.Close(context.Background()) })
}

// plain is a session without TLS.
type plain struct{ *session }

// Buffered returns how many bytes pgx has read that no caller has taken.
func (s *plain) Buffered() int { return s.pg.PgConn().Frontend().ReadBufferLen() }
