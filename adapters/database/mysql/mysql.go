package ringomysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"

	"github.com/go-sql-driver/mysql"

	"ringo"
	"ringo/adapters/database/internal/tasked"
	"ringo/sock/sockclient"
)

// Dial returns the Dial function for a sockclient.Pool whose connections are sessions of the driver. It copies config,
// replaces its DialFunc and turns CheckConnLiveness off, since the Pool watches connections at rest. Any goroutine may
// call Dial; it does not park.
func Dial(config *mysql.Config) func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
	config = config.Clone()
	config.CheckConnLiveness = false
	return func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		return dial(context.WithoutCancel(ctx), l, config.Clone())
	}
}

func dial(ctx context.Context, l *ringo.Loop, config *mysql.Config) (net.Conn, error) {
	if _, err := tasked.Loop("ringomysql: Pool.Dial"); err != nil {
		return nil, err
	}
	var below *tasked.Conn
	config.DialFunc = func(ctx context.Context, network, address string) (c net.Conn, err error) {
		if below, err = tasked.Dial(ctx, l, network, address, 0); err != nil {
			return nil, err
		}
		return below, nil
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("ringomysql: %w", err)
	}
	db := sql.OpenDB(&once{Connector: connector})
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ringomysql: connecting to %s: %w", config.Addr, err), db.Close())
	}
	return &session{Conn: below, db: db, sql: c}, nil
}

// Do calls use with a session of p, in the calling task, whose loop the session belongs to. p.Dial must come from this
// package's Dial. All waits in Do end with ctx. The context that use gets has ctx's values but never ends; pass it to
// the calls of c. The session must not be used after use has returned, nor by other tasks meanwhile; Rows must be
// closed, and each Tx committed or rolled back. The session goes back to p unless the driver has given it up. On an
// ordinary goroutine Do fails; a task parks.
func Do(ctx context.Context, p *sockclient.Pool, use func(ctx context.Context, c *sql.Conn) error) error {
	err := tasked.Do(ctx, "ringomysql", p, use)
	if err != nil && ctx != nil && ctx.Err() != nil { // the driver says only that the connection is invalid
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// Check is the Check for a Pool with this package's Dial: it pings the server and waits for the answer.
func Check(c net.Conn) error {
	client, err := tasked.Client[*sql.Conn]("ringomysql", c)
	if err != nil {
		return err
	}
	return client.PingContext(context.Background())
}

// A session is a connection of a Pool: a sql.DB with a single connection, which the session's sql.Conn holds until
// Close.
type session struct {
	*tasked.Conn
	db  *sql.DB
	sql *sql.Conn
}

// Client returns the client that Do passes to use.
func (s *session) Client() *sql.Conn { return s.sql }

// NetConn returns the socket, which the Pool watches while the session is at rest.
func (s *session) NetConn() net.Conn { return s.Sock }

// Buffered returns 0 for the bytes that the driver has read and no caller has taken: Reusable has checked for them.
func (s *session) Buffered() int { return 0 }

// Reusable reports whether the driver considers the session valid.
func (s *session) Reusable() bool {
	good := false
	err := s.sql.Raw(func(c any) error {
		good = c.(driver.Validator).IsValid()
		return nil
	})
	return good && err == nil
}

// Close ends the session.
func (s *session) Close() error {
	return s.Leave(func() error { return errors.Join(s.sql.Close(), s.db.Close()) })
}

// once is a Connector that connects once and fails from then on.
type once struct {
	driver.Connector
	used bool
}

// errOnce is the error when the sql.DB tries to make a second connection.
var errOnce = errors.New("ringomysql: a session has one connection, which has ended")

// Connect makes the connection. The task that makes the session calls it.
func (o *once) Connect(ctx context.Context) (driver.Conn, error) {
	if o.used {
		return nil, errOnce
	}
	o.used = true
	return o.Connector.Connect(ctx)
}
