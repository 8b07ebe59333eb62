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

// Dial makes the Dial of a sockclient.Pool whose connections are sessions of the driver. config is copied; its DialFunc
// is set, and CheckConnLiveness turned off, since the Pool watches connections at rest. Any goroutine may call Dial; it
// does not park.
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

// Do has use work with a session of p, whose Dial is this package's, in the calling task of p's loop. All its waits end
// with ctx. The context that use gets, which is for the calls of c, has ctx's values and no end. The session must not
// be used beyond use, nor by others meanwhile; Rows must be closed, and each Tx committed or rolled back. It is given
// back unless the driver has given it up. On an ordinary goroutine Do fails; a task parks.
func Do(ctx context.Context, p *sockclient.Pool, use func(ctx context.Context, c *sql.Conn) error) error {
	err := tasked.Do(ctx, "ringomysql", p, use)
	if err != nil && ctx != nil && ctx.Err() != nil { // the driver says that the connection is invalid, and not why
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// Check is for the Check of a Pool with this package's Dial: it asks the server and waits for the answer.
func Check(c net.Conn) error {
	client, err := tasked.Client[*sql.Conn]("ringomysql", c)
	if err != nil {
		return err
	}
	return client.PingContext(context.Background())
}

// A session is what a Pool has of the driver: a sql.DB that has one connection, which is in use for ever.
type session struct {
	*tasked.Conn
	db  *sql.DB
	sql *sql.Conn
}

// Client is what Do gives.
func (s *session) Client() *sql.Conn { return s.sql }

// NetConn gives what is below, for the Pool, which watches it at rest.
func (s *session) NetConn() net.Conn { return s.Sock }

// Buffered is how much the driver has read that nobody has asked for, which Reusable has asked it already.
func (s *session) Buffered() int { return 0 }

// Reusable reports whether the driver takes the session to be good.
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

// once is a Connector for one connection.
type once struct {
	driver.Connector
	used bool
}

// errOnce is the error of a sql.DB that makes another connection.
var errOnce = errors.New("ringomysql: a session has one connection, which has ended")

// Connect is called by the task that makes the session.
func (o *once) Connect(ctx context.Context) (driver.Conn, error) {
	if o.used {
		return nil, errOnce
	}
	o.used = true
	return o.Connector.Connect(ctx)
}
